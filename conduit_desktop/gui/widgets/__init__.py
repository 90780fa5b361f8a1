"""The parts pages are built from: tables, forms, cards, charts. They know Qt and the theme, and nothing of the house."""
