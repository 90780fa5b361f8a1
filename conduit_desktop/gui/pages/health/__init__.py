"""Health of targets and credentials."""
