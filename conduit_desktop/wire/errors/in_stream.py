"""Errors that a provider tells within a stream: which frames hold one, and which of them a caller's SDK takes for one."""

from __future__ import annotations

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.framing.base import Frame

_FAILURES = ("error", "response.failed")
"""The types of frames that say the answer failed."""


def is_json(frame: Frame) -> bool:
    """Whether its data can be read; a comment and the end marker have none that must."""
    return not frame.data or frame.data.strip() == b"[DONE]" or _value(frame) is not None


def tells_error(frame: Frame) -> bool:
    """Whether it says that the answer failed, in whatever words."""
    value = _value(frame)
    return frame.event == "error" or (isinstance(value, dict) and bool(value.get("error") or value.get("type") in _FAILURES))


def understood(frame: Frame, dialect: str) -> bool:
    """Whether those who speak the dialect take it for an error: its SDKs pass over one in other words."""
    value = _value(frame)
    if not isinstance(value, dict):
        return False
    match dialect:
        case "anthropic_messages":
            return frame.event == "error" and value.get("type") == "error" and isinstance(value.get("error"), dict)
        case "openai_responses":
            return value.get("type") in _FAILURES or bool(value.get("error") and "type" not in value)
        case "bedrock":
            return frame.event == "error"
    return bool(value.get("error"))


def _value(frame: Frame) -> Json:
    said = frame.data or frame.raw.strip()
    if not frame.data and said[:1] != b"{":  # Google's error may come in the middle of a stream as bare JSON
        return None
    try:
        return orjson.loads(said)
    except orjson.JSONDecodeError:
        return None
