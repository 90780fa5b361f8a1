"""Replicate's predictions as a chat dialect."""
