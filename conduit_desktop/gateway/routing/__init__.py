"""From the requested model name to an ordered list of targets."""
