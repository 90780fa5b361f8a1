"""Which frames of a stream hold an error, and which dialect's SDKs recognise it."""

from __future__ import annotations

import pytest

from conduit_desktop.wire.errors.in_stream import holds_error, is_json, is_recognised
from conduit_desktop.wire.framing.sse import parse
from tests.fakes.counted_json import CountedJson

CHAT = b'event: error\ndata: {"error":{"message":"no","code":"tool_use_failed"}}\n\n'
MESSAGES = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"no"}}\n\n'
FAILED = b'event: response.failed\ndata: {"type":"response.failed","response":{"status":"failed"}}\n\n'
BARE = b'{\n  "error": {\n    "code": 503\n  }\n}\n\n'


@pytest.mark.parametrize(
    ("raw", "dialect", "seen"),
    [
        (CHAT, "openai_chat", True),
        (CHAT, "openai_completions", True),
        (CHAT, "anthropic_messages", False),
        (b'event: error\ndata: {"message":"no"}\n\n', "openai_chat", False),
        (MESSAGES, "anthropic_messages", True),
        (MESSAGES.partition(b"\n")[2], "anthropic_messages", False),
        (FAILED, "openai_responses", True),
        (b'data: {"type":"error","code":"server_error","message":"no"}\n\n', "openai_responses", True),
        (BARE, "gemini", True),
        (b"event: error\ndata: it broke\n\n", "openai_chat", False),
    ],
)
def test_an_error_is_recognised_in_the_form_for_which_the_dialects_sdks_raise(raw: bytes, dialect: str, seen: bool) -> None:
    frame = parse(raw)
    assert holds_error(frame)
    assert is_recognised(frame, dialect) is seen


@pytest.mark.parametrize("raw", [b": ping\n\n", b"data: [DONE]\n\n", b'data: {"choices":[]}\n\n', b'data: {"error":null}\n\n'])
def test_other_frames_hold_no_error(raw: bytes) -> None:
    frame = parse(raw)
    assert is_json(frame)
    assert not holds_error(frame)


def test_garbage_is_not_an_error() -> None:
    frame = parse(b"data: {half\n\n")
    assert not is_json(frame)
    assert not holds_error(frame)


def test_a_frame_that_is_far_too_long_for_an_error_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = parse(b'data: {"error":{"message":"' + b"x" * 2_000_000 + b'"}}\n\n')
    counted = CountedJson(monkeypatch)
    assert is_json(frame)
    assert not holds_error(frame)
    assert not is_recognised(frame, "openai_chat")
    assert counted.on_loop == []
