"""The vendors' own SDKs put our streams together: what they hold in the end is what was answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from anthropic import Anthropic
from google import genai
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import OpenAI

from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.events import Event
from conduit_desktop.wire import dialect
from tests.conformance.answer_readers import READ_WHOLE
from tests.conformance.answer_summary import AnswerSummary
from tests.wire import responses_frames
from tests.wire.dialect_io import read, write_stream
from tests.wire.strategies import Features, answers
from tests.wire.test_vendor_types import first, kept
from tests.wire.vendor_streams import STREAMS
from tests.wire.vendor_types import VENDORS, Vendor

ANY = Features(
    thinking=True, signatures=True, redacted=True, refusals=True, citations=True, text_after_tools=True, split_text=True,
    finish=("stop", "length", "content_filter"),
)  # fmt: skip


def client(stream: bytes) -> httpx2.Client:
    """A client that gets `stream`, whatever it asks."""
    head = {"content-type": "text/event-stream"}
    return httpx2.Client(transport=httpx2.MockTransport(lambda _: httpx2.Response(200, headers=head, content=stream)))


def by_openai_chat(stream: bytes) -> AnswerSummary:
    openai = OpenAI(api_key="none", base_url="http://localhost/v1", http_client=client(stream))
    with openai.chat.completions.stream(model="m", messages=[]) as chunks:
        for _ in chunks:
            pass
        return READ_WHOLE["openai_chat"](chunks.current_completion_snapshot.to_dict())


def by_openai_responses(stream: bytes) -> AnswerSummary:
    """The last response; what came in pieces until then says the same."""
    openai = OpenAI(api_key="none", base_url="http://localhost/v1", http_client=client(stream))
    pieces: dict[Any, str] = {}
    with openai.responses.stream(model="m", input="hello") as events:
        for number, event in enumerate(events):
            assert event.sequence_number == number
            if event.type == "response.output_text.delta":
                place = (event.output_index, event.content_index)
                pieces[place] = pieces.get(place, "") + event.delta
                assert event.snapshot == pieces[place]
            if event.type in ("response.completed", "response.incomplete"):
                whole = event.response
    parts = [(at, part) for at, item in enumerate(whole.output) if item.type == "message" for part in enumerate(item.content)]
    assert {(at, index): part.text for at, (index, part) in parts if part.type == "output_text" and part.text} == pieces
    return READ_WHOLE["openai_responses"](whole.to_dict())


def by_anthropic(stream: bytes) -> AnswerSummary:
    anthropic = Anthropic(api_key="none", base_url="http://localhost", http_client=client(stream))
    with anthropic.messages.stream(model="m", max_tokens=1, messages=[]) as events:
        return READ_WHOLE["anthropic_messages"](events.get_final_message().to_dict())


def by_google(stream: bytes) -> AnswerSummary:
    """What a chat session keeps of the model's turn, for the next question."""
    options = {"base_url": "http://localhost", "httpx_client": client(stream)}
    chat = genai.Client(api_key="none", http_options=options).chats.create(model="m")
    for _ in chat.send_message_stream("hello"):
        pass
    turns = [turn.model_dump(mode="json", by_alias=True, exclude_none=True) for turn in chat.get_history() if turn.role == "model"]
    parts = [part for turn in turns for part in turn.get("parts", [])]
    return READ_WHOLE["gemini"]({"candidates": [{"content": {"parts": parts}}]})


CLIENTS: dict[str, Callable[[bytes], AnswerSummary]] = {
    "openai_chat": by_openai_chat,
    "openai_responses": by_openai_responses,
    "anthropic_messages": by_anthropic,
    "gemini": by_google,
}

every_client = pytest.mark.parametrize("caller", CLIENTS)


def understood(caller: str, events: list[Event]) -> None:
    assert kept(CLIENTS[caller](write_stream(dialect(caller), events))) == first(
        collect(events), refusal_last=caller == "openai_chat"
    )


@every_client
@settings(max_examples=15)
@given(answer=answers(ANY))
def test_any_answer_is_put_together_whole(caller: str, answer: Answer) -> None:
    understood(caller, list(answer.events()))


@every_client
@settings(max_examples=25)
@given(data=st.data(), vendor=st.sampled_from(VENDORS))
def test_any_vendors_stream_is_put_together_whole(caller: str, data: st.DataObject, vendor: Vendor) -> None:
    stream = b"".join(STREAMS[vendor.dialect](data.draw, data.draw(vendor.bodies)))
    events = read(dialect(vendor.dialect), stream)
    several = any(getattr(event, "choice", 0) for event in events)
    free_text = any(call.kind == "custom" for choice in collect(events).choices for call in choice.tool_calls)
    # Vendors' own streams are relayed. Google's chats take every candidate for one; OpenAI's has no streamed custom tools.
    if vendor.dialect != caller and not (several and caller == "gemini") and not (free_text and caller == "openai_chat"):
        understood(caller, events)


@settings(max_examples=25)
@given(answer=answers(ANY))
def test_every_event_of_a_response_names_the_item_it_belongs_to(answer: Answer) -> None:
    items: dict[int, str] = {}
    for event in responses_frames.payloads(write_stream(dialect("openai_responses"), list(answer.events()))):
        if event["type"] == "response.output_item.added":
            assert event["output_index"] == len(items)
            items[event["output_index"]] = event["item"]["id"]
        elif "output_index" in event:
            assert event.get("item_id", event.get("item", {}).get("id")) == items[event["output_index"]]
        elif event["type"] == "response.completed":
            assert [item["id"] for item in event["response"]["output"]] == list(items.values())
