"""The chat tester."""
