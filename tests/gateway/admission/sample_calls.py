"""Texts, a picture and calls for the tests of estimates and bounds."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import orjson

from conduit_desktop.gateway.call import Call
from conduit_desktop.wire import dialect

SAMPLES: dict[str, dict[str, Any]] = orjson.loads((Path(__file__).parent / "token_samples.json").read_bytes())
"""Texts of thirty kinds with the tokens that OpenAI's own tokenizers make of them."""
TEXT = "All human beings are born free and equal in dignity and rights, and should act in a spirit of brotherhood."
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (1024).to_bytes(4) + (768).to_bytes(4) + bytes(3000)).decode()


def call(body: dict[str, Any], dialect_name: str = "openai_chat", received: bool = True) -> Call:
    raw = orjson.dumps(body)
    return Call(dialect(dialect_name), body, "m", received=(raw, body) if received else None)
