"""Errors inside a stream: which frames hold one, and whether a client's SDK recognises it."""

from __future__ import annotations

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.errors.error_body import parse_json
from conduit_desktop.wire.framing.base import Frame

_FAILURES = ("error", "response.failed")
"""The `type` of frames that report a failed answer."""
_LONGEST = 1024 * 1024
"""Bytes of the longest frame that may report an error. A longer one is not parsed again: its reader has done so."""


def is_json(frame: Frame) -> bool:
    """Whether the frame's data is JSON, or the frame needs none: a comment or the end marker.

    A long one counts as JSON where it begins so.
    """
    data = frame.data
    if len(data) > _LONGEST:
        return data[:64].lstrip()[:1] in (b"{", b"[")
    return not data or data.strip() == b"[DONE]" or _value(frame) is not None


def holds_error(frame: Frame) -> bool:
    """Whether the frame reports an error, in the form of any dialect."""
    value = _value(frame)
    return frame.event == "error" or (isinstance(value, dict) and bool(value.get("error") or value.get("type") in _FAILURES))


def is_recognised(frame: Frame, dialect: str) -> bool:
    """Whether the SDKs of `dialect` raise for the error in the frame: they ignore errors in another form."""
    value = _value(frame)
    # No SDK raises for an error that is bare text or a list.
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
    if len(frame.raw) > _LONGEST:
        return None
    data = frame.data or frame.raw.strip()
    if not frame.data and data[:1] != b"{":  # Google may send an error in the middle of a stream as bare JSON
        return None
    return parse_json(data)
