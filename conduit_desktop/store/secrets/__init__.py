"""Where credentials are kept: the system's keyring, or an encrypted vault."""
