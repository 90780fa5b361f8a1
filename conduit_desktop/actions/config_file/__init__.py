"""conduit.toml: read, written, merged into the configuration."""
