"""Conduit Desktop: one local address in front of every large language model."""

import os

__version__ = "0.1.0"

# pydantic would search every installed package for plugins: time and memory at the start, and foreign code in the gateway.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
