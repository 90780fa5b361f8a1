"""Sources in lists next to the choices: each read once, whole and streamed, and written for callers of other dialects."""

from __future__ import annotations

from typing import Any

import orjson

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import ChatRequest, Citation
from conduit_desktop.core.events import Cited, Event
from conduit_desktop.wire import dialect

CHAT = dialect("openai_chat")
LISTS: dict[str, Any] = {
    "citations": ["https://a.example", "https://b.example", 3],
    "search_results": [{"title": "A", "url": "https://a.example", "snippet": "as written"}, {"title": "no address"}, None],
}
WANTED = [
    Citation("https://a.example", "A", "as written", dialect="openai_chat"),
    Citation("https://b.example", dialect="openai_chat"),
]


def cited(events: list[Event]) -> list[Citation]:
    return [event.citation for event in events if isinstance(event, Cited)]


def whole(message: dict[str, Any]) -> list[Event]:
    return CHAT.read_response({"choices": [{"message": message, "finish_reason": "stop"}], **LISTS})


def test_a_whole_answer_has_the_sources_next_to_its_choices() -> None:
    assert cited(whole({"content": "4"})) == WANTED


def test_a_stream_that_repeats_its_sources_has_each_once() -> None:
    chunks = [{"id": "x", "choices": [{"index": 0, "delta": {"content": word}}], **LISTS} for word in "ab"]
    data = b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    assert cited(CHAT.reader().feed(data)) == WANTED


def test_sources_in_the_message_are_not_repeated() -> None:
    note = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 1}}
    assert [citation.raw for citation in cited(whole({"content": "4", "annotations": [note]}))] == [note]


def test_callers_of_other_dialects_get_the_sources() -> None:
    answer = collect(whole({"content": "4"}))
    response = dialect("openai_responses").write_response(answer, ChatRequest("openai_responses", "m"))
    assert [note["url"] for note in response["output"][0]["content"][0]["annotations"]] == [
        "https://a.example",
        "https://b.example",
    ]
    grounded = dialect("gemini").write_response(answer, ChatRequest("gemini", "m"))["candidates"][0]["groundingMetadata"]
    assert [chunk["web"]["uri"] for chunk in grounded["groundingChunks"]] == ["https://a.example", "https://b.example"]
