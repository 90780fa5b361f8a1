"""Background jobs of a running process: watch the config file, prune, raise notifications."""
