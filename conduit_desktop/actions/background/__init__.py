"""What a running process does by itself: watch the config file, prune, raise notifications."""
