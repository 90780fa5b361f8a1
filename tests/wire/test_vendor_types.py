"""Any answer that a vendor's own types allow is read whole, in any split, and written validly in every dialect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.chat import Opaque, Refusal, Text
from conduit_desktop.core.events import Event, Finished, Refused, Started, TextDelta
from conduit_desktop.wire import dialect
from tests.conformance import sdk
from tests.conformance.answer_readers import READ_STREAM, READ_WHOLE
from tests.conformance.answer_summary import AnswerSummary, parsed
from tests.wire.dialect_io import client_request, read, write_stream
from tests.wire.vendor_streams import STREAMS
from tests.wire.vendor_types import VENDORS, Fields, Vendor

CALLERS = ["openai_chat", "openai_responses", "anthropic_messages", "gemini"]
ENDS = {"length": "length", "content_filter": "filtered", "refusal": "filtered"}
"""The finish reasons that every dialect can express."""

every_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=repr)


def whole(vendor: Vendor, body: Fields) -> Answer:
    return collect(dialect(vendor.dialect).read_response(orjson.loads(orjson.dumps(body))))


def run_together(text: str) -> str:
    """What stands between two thoughts is the dialect's own."""
    return "".join(text.split())


def bare(value: Any) -> Any:
    """Free text is wrapped where a dialect knows functions alone."""
    value = parsed(value)
    if isinstance(value, dict) and value.keys() == {"input"}:
        value = parsed(value["input"])
    return (value.strip() if isinstance(value, str) else value) or None


def kept(seen: AnswerSummary) -> tuple[str, str, list[tuple[str, Any]]]:
    return seen.text.strip(), run_together(seen.thinking), [(name, bare(arguments)) for name, arguments in seen.calls]


def first(answer: Answer, refusal_last: bool = False) -> tuple[str, str, list[tuple[str, Any]]]:
    """What the first choice says; with `refusal_last` as chat does, where a refusal has a field of its own."""
    texts = [part for part in answer.first.parts if isinstance(part, Text | Refusal)]
    if refusal_last:
        texts.sort(key=lambda part: isinstance(part, Refusal))
    text = "".join(part.text for part in texts)
    calls = [(call.name, bare(call.arguments)) for call in answer.first.tool_calls]
    return text.strip(), run_together(answer.first.thinking), calls


def every(answer: Answer) -> list[tuple[Any, ...]]:
    """Each choice: what it says, the ids of its calls, and how it ended."""
    return [
        (*first(Answer(choices=[choice])), [call.id for call in choice.tool_calls], choice.finish and choice.finish.reason)
        for choice in answer.choices
    ]


def spoken(part: object) -> str | None:
    """The text of a part that is sound."""
    return part.media.text if isinstance(part, Opaque) and part.media is not None else None


def check_summary(caller: str, seen: AnswerSummary, answer: Answer) -> None:
    """The caller sees what the answer says, and how it ended."""
    if caller not in ("openai_chat", "gemini"):
        # Their answers have no place for sound: its text stands for it.
        parts = [Text(text) if (text := spoken(part)) else part for part in answer.first.parts]
        answer = replace(answer, choices=[replace(answer.first, parts=parts), *answer.choices[1:]])
    assert kept(seen) == first(answer, refusal_last=caller == "openai_chat"), caller
    refused = any(isinstance(part, Refusal) for part in answer.first.parts)
    if not (refused and caller == "openai_responses"):  # where a refusal is a part of an answer that is complete
        assert answer.first.finish is not None
        assert seen.finish == ENDS.get(answer.first.finish.reason, seen.finish), caller


@every_vendor
@settings(max_examples=15)
@given(data=st.data())
def test_any_whole_answer_is_read_and_written_in_every_dialect(vendor: Vendor, data: st.DataObject) -> None:
    body = data.draw(vendor.bodies)
    answer = whole(vendor, body)
    if vendor.dialect in READ_WHOLE:
        assert first(answer) == kept(READ_WHOLE[vendor.dialect](body))
    for caller in CALLERS:
        if caller != vendor.dialect:  # which is relayed as it came
            written = orjson.dumps(dialect(caller).write_response(answer, client_request(dialect(caller))))
            check_summary(caller, READ_WHOLE[caller](sdk.read_whole(caller, orjson.loads(written))), answer)


@every_vendor
@settings(max_examples=15)
@given(data=st.data())
def test_any_stream_says_what_the_whole_answer_says(vendor: Vendor, data: st.DataObject) -> None:
    body = data.draw(vendor.bodies)
    stream = b"".join(STREAMS[vendor.dialect](data.draw, body))
    vendor_dialect = dialect(vendor.dialect)
    events = read(vendor_dialect, stream)
    for split in (1, data.draw(st.integers(2, 50))):
        assert read(vendor_dialect, stream, split) == events
    answer, expected = collect(events), whole(vendor, body)
    assert every(answer) == every(expected)
    if expected.usage is not None:
        assert answer.usage is not None
        assert replace(answer.usage, extra={}) == replace(expected.usage, extra={})


@every_vendor
@settings(max_examples=12)
@given(data=st.data())
def test_any_stream_is_written_in_every_dialect(vendor: Vendor, data: st.DataObject) -> None:
    events = read(dialect(vendor.dialect), b"".join(STREAMS[vendor.dialect](data.draw, data.draw(vendor.bodies))))
    answer = collect(events)
    for caller in CALLERS:
        free_text = any(call.kind == "custom" for choice in answer.choices for call in choice.tool_calls)
        # OpenAI streams calls of custom tools, but its SDK's type for chunks does not have them.
        if caller != vendor.dialect and not (caller == "openai_chat" and free_text):
            check_summary(caller, READ_STREAM[caller](sdk.read_stream(caller, write_stream(dialect(caller), events))), answer)


@pytest.mark.parametrize("caller", CALLERS)
def test_a_refusal_before_text_is_read_as_the_caller_reads_it(caller: str) -> None:
    events: list[Event] = [Started("id", "m"), Refused("no"), TextDelta("but"), Finished("refusal")]
    answer, written = collect(events), dialect(caller).write_response(collect(events), client_request(dialect(caller)))
    check_summary(caller, READ_WHOLE[caller](sdk.read_whole(caller, orjson.loads(orjson.dumps(written)))), answer)
    check_summary(caller, READ_STREAM[caller](sdk.read_stream(caller, write_stream(dialect(caller), events))), answer)
