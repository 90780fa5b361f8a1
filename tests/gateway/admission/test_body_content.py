"""What a model reads of a body, and whether the body holds media."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.gateway.admission.body_content import LINK_NAMES, content_of
from conduit_desktop.gateway.call import Call
from conduit_desktop.wire import dialect
from tests.gateway.admission.sample_calls import PICTURE, call

MEDIA = {
    "a picture": {"messages": [{"content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}]}]},
    "Ollama's pictures": {"messages": [{"content": "?", "images": [PICTURE]}]},
    "a link": {"messages": [{"content": [{"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}}]}]},
    "a link of the Responses API": {"input": [{"content": [{"type": "input_image", "image_url": "https://pictures.example/1"}]}]},
    "a file by its id": {"input": [{"content": [{"type": "input_file", "file_id": "file-1"}]}]},
    "Gemini's file": {"contents": [{"parts": [{"fileData": {"fileUri": "gs://bucket/1.pdf"}}]}]},
    "a result of a tool": {"messages": [{"content": [{"type": "tool_result", "content": [{"source": {"data": PICTURE}}]}]}]},
    "an unknown name": {"messages": [{"content": "?"}], "attachments": {"new": [{"bytes": PICTURE}]}},
}


@pytest.mark.parametrize("kind", MEDIA)
def test_media_are_found_wherever_they_stand(kind: str) -> None:
    assert call(MEDIA[kind]).has_media


def test_a_tool_with_a_parameter_by_the_name_of_a_link_is_no_medium() -> None:
    tool = {"name": "fetch", "input_schema": {"properties": {"url": {"type": "string"}, "file_id": {"type": "string"}}}}
    talk = [{"role": "user", "content": "Read https://pages.example/1, and data: nothing."}]
    assert not call({"messages": talk, "tools": [tool]}).has_media


MEDIA_TEXTS = [PICTURE, "A" * 256, f"data:image/png;base64,{PICTURE}", "data:image/png;base64,AAAA", "https://x.example/"]
JSON = st.recursive(
    st.none() | st.integers(-1000, 1000) | st.text(max_size=20) | st.sampled_from(MEDIA_TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["content", "url", "image_url", "file_id", "text", "data", "source", "type"]), inner, max_size=3
    ),
    max_leaves=8,
)  # fmt: skip


@given(body=st.dictionaries(st.sampled_from(["messages", "input", "contents", "prompt", "more"]), JSON, max_size=3))
def test_what_the_walk_takes_for_media_is_found_beforehand(body: dict[str, Any]) -> None:
    if content_of(body).media:
        assert call(body).has_media


def escaped(text: str) -> str:
    return "".join(rf"\u{ord(character):04x}" for character in text)


@pytest.mark.parametrize("link", ["https://x.example/1", "data:image/png;base64,AAAA"])
@pytest.mark.parametrize("name", sorted(LINK_NAMES))
def test_media_are_found_in_small_bodies_whose_names_and_values_are_escaped(name: str, link: str) -> None:
    for raw in (
        f'{{"messages":[{{"content":[{{"{escaped(name)}":"{escaped(link)}"}}]}}]}}',
        f'{{"messages":[{{"content":[{{"{escaped(name)}":"{link}"}}]}}]}}',
        f'{{"messages":[{{"content":[{{"{name}":"{escaped(link)}"}}]}}]}}',
    ):
        body = orjson.loads(raw)
        assert Call(dialect("openai_chat"), body, "m", received=(raw.encode(), body)).has_media


def test_a_small_chat_is_known_to_hold_no_media_without_a_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    made = call({"model": "m", "messages": [{"role": "user", "content": "Say hello in five words."}]})
    monkeypatch.setattr("conduit_desktop.gateway.call.has_media", None)
    assert not made.has_media


def test_media_in_a_body_that_has_replaced_the_one_received_are_found() -> None:
    made = call({"messages": []})
    made.replace_body(MEDIA["a link"])
    assert made.has_media
