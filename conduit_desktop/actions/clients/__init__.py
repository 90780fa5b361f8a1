"""Tools on this computer that can use the gateway: found, set up in their own config files with a key of their own, and undone."""
