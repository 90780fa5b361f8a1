"""Framings of streamed bodies: bytes in any split to frames, and back."""
