"""The theme: palettes, fonts, spacing, icons and shipped resources."""
