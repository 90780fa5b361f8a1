"""Reusable widgets; they know Qt and the theme, and nothing of the application."""
