"""Model aliases."""
