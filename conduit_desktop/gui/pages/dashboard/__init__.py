"""The first page: today's figures and live activity."""
