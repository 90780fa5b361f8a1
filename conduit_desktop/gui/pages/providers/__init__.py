"""The providers page."""
