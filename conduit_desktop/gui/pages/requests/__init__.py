"""The request log and its inspector."""
