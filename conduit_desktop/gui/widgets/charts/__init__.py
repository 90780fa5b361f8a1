"""Small painted charts."""
