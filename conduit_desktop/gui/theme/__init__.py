"""How the app looks: palettes, fonts, spacing, icons."""
