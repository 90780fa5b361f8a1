"""Settings, the master key, backup and import."""
