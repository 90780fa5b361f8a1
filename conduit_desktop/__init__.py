"""Conduit Desktop: a local gateway to many providers of large language models, and its desktop app."""

import os

__version__ = "0.1.0"

# pydantic would search every installed package for plugins: that costs time and memory at start, and runs foreign code.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
