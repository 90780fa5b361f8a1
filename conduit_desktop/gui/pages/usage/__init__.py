"""Usage over time."""
