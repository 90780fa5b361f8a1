"""Base64 as callers write it, and as every vendor reads it."""

from __future__ import annotations

import pytest

from conduit_desktop.core.chat import ChatRequest, Media, Message, ToolResult
from conduit_desktop.wire import dialect
from conduit_desktop.wire.base64_values import standard, standard_base64


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("-_8", "+/8="),
        ("-_8=", "+/8="),
        ("AAE", "AAE="),
        ("AA", "AA=="),
        ("AAEC", "AAEC"),
        ("AAEC==", "AAEC"),
        ("AA\r\nEC\n", "AAEC"),
        ("", ""),
        ("AAECA", "AAECA"),
        ("AAECA===", "AAECA==="),
    ],
)
def test_what_can_be_repaired_is(said: str, read: str) -> None:
    assert standard_base64(said) == read


def test_what_is_right_is_not_copied() -> None:
    right, none = Media("image", data="AAE="), Media("image", url="https://example.com/a-b_c.png")
    assert standard(right) is right
    assert standard(none) is none


@pytest.mark.parametrize("upstream", ["openai_chat", "openai_responses", "anthropic_messages", "bedrock", "ollama", "cohere"])
def test_what_google_takes_reaches_every_other_vendor_in_a_form_that_it_takes(upstream: str) -> None:
    body = {"contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "-_8"}}]}]}
    request = dialect("gemini").read_request(body, {"model": "m"})
    assert dialect("gemini").write_request(request, "m").body == body, "its own caller's words stay as they were"
    assert "+/8=" in str(dialect(upstream).write_request(request, "m").body)


@pytest.mark.parametrize(("upstream", "dropped"), [("bedrock", "tool_result.audio"), ("openai_responses", "audio.audio/mpeg")])
def test_sound_that_a_result_may_not_hold_there_is_named(upstream: str, dropped: str) -> None:
    sound = Media("audio", data="aGk=", media_type="audio/mpeg")
    request = ChatRequest("gemini", "m", [Message("tool", [ToolResult("c1", [sound])])])
    out = dialect(upstream).write_request(request, "m")
    assert out.dropped == [dropped]
    assert "aGk=" not in str(out.body)
