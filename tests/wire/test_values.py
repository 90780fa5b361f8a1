"""Small values: base64 in the form that every vendor decodes, token counts, effort for a budget, ids that fit."""

from __future__ import annotations

import re

import pytest

from conduit_desktop.core.chat import ChatRequest, Media, Message, Reasoning, ToolResult
from conduit_desktop.wire import dialect
from conduit_desktop.wire.values import (
    count,
    decoded_text,
    disables_reasoning,
    effort_for_budget,
    fitting_id,
    image_type,
    standard_base64,
    standard_media,
    with_standard_base64,
)


@pytest.mark.parametrize(
    ("given", "read"),
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
def test_base64_is_brought_into_the_standard_form(given: str, read: str) -> None:
    assert standard_base64(given) == read


def test_media_in_the_standard_form_is_the_same_object() -> None:
    right, none = Media("image", data="AAE="), Media("image", url="https://example.com/a-b_c.png")
    assert with_standard_base64(right) is right
    assert with_standard_base64(none) is none


@pytest.mark.parametrize("upstream", ["openai_chat", "openai_responses", "anthropic_messages", "bedrock", "ollama", "cohere"])
def test_url_safe_base64_reaches_every_other_vendor_in_the_standard_form(upstream: str) -> None:
    body = {"contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "-_8"}}]}]}
    request = dialect("gemini").read_request(body, {"model": "m"})
    assert dialect("gemini").write_request(request, "m").body == body, "a request of its own dialect is unchanged"
    assert "+/8=" in str(dialect(upstream).write_request(request, "m").body)


@pytest.mark.parametrize(("upstream", "dropped"), [("bedrock", "tool_result.audio"), ("openai_responses", "audio.audio/mpeg")])
def test_audio_in_a_tool_result_is_reported_as_dropped(upstream: str, dropped: str) -> None:
    sound = Media("audio", data="aGk=", media_type="audio/mpeg")
    request = ChatRequest("gemini", "m", [Message("tool", [ToolResult("c1", [sound])])])
    out = dialect(upstream).write_request(request, "m")
    assert out.dropped == [dropped]
    assert "aGk=" not in str(out.body)


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        (7, 7),
        (7.0, 7),
        ("7", 7),
        (10**12, 10**12),
        (10**12 + 1, 0),
        (-7, 0),
        (True, 0),
        (None, 0),
        ("7.5", 0),
        ("9" * 5000, 0),
        ([7], 0),
    ],
)
def test_token_counts_are_numbers_or_digits_within_bounds(value: object, tokens: int) -> None:
    assert count(value) == tokens


def test_an_id_that_does_not_fit_is_replaced_by_the_same_one_each_time() -> None:
    forbidden = re.compile(r"[^a-z]")
    assert fitting_id("abc", forbidden, "id") == "abc"
    assert fitting_id("a.c", forbidden, "id") == fitting_id("a.c", forbidden, "id")
    assert fitting_id("a.c", forbidden, "id") != fitting_id("a:c", forbidden, "id")
    assert fitting_id("", forbidden, "id").startswith("id_")
    longest = fitting_id("a" * 65, forbidden, "id", 64)
    assert len(longest) == 64
    assert longest != fitting_id("a" * 66, forbidden, "id", 64)


@pytest.mark.parametrize(("budget", "effort"), [(0, "low"), (4096, "low"), (4097, "medium"), (16_384, "medium"), (16_385, "high")])
def test_a_thinking_budget_has_a_nearest_effort(budget: int, effort: str) -> None:
    assert effort_for_budget(budget) == effort


@pytest.mark.parametrize(
    ("reasoning", "off"),
    [
        (Reasoning(mode="disabled"), True), (Reasoning(effort="none"), True), (Reasoning(budget_tokens=0), True),
        (Reasoning(), False), (Reasoning(effort="low"), False), (Reasoning(mode="enabled", budget_tokens=1024), False),
    ],
)  # fmt: skip
def test_thinking_is_off_in_any_of_three_forms(reasoning: Reasoning, off: bool) -> None:
    assert disables_reasoning(reasoning) is off


def test_image_jpg_is_no_registered_type() -> None:
    assert standard_media(Media("image", data="AAAA", media_type="image/jpg")).media_type == "image/jpeg"
    assert standard_media(Media("document", data="AAAA", media_type="image/jpg")).media_type == "image/jpg"


def test_a_text_file_is_read_and_another_is_not() -> None:
    assert decoded_text(Media("document", data="aGVsbG8=", media_type="text/markdown")) == "hello"
    assert decoded_text(Media("document", data="/w==", media_type="text/plain")) is None
    assert decoded_text(Media("document", data="aGVsbG8=", media_type="application/pdf")) is None


@pytest.mark.parametrize("upstream", ["openai_chat", "openai_responses", "gemini"])
def test_a_text_file_goes_as_its_text(upstream: str) -> None:
    file = Media("document", data="aGVsbG8=", media_type="text/markdown", name="a.md")
    out = dialect(upstream).write_request(ChatRequest("anthropic_messages", "m", [Message("user", [file])]), "m")
    assert "a.md\\n\\nhello" in str(out.body)


def test_an_images_type_is_read_from_its_first_bytes() -> None:
    assert image_type("iVBORw0KGgoAAA") == "image/png"
    assert image_type("/9j/4AAQ") == "image/jpeg"
    assert image_type("AAAA") is None
    assert image_type(None) is None
