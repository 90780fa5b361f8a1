"""Conduit Desktop: one local address in front of every large language model."""

__version__ = "0.1.0"
