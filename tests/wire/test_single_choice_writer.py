"""The stream writers of dialects whose answers have one choice."""

from __future__ import annotations

import pytest

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import Citation, Opaque
from conduit_desktop.core.events import (
    Cited,
    Event,
    Finished,
    OpaqueBlock,
    Refused,
    Started,
    TextDelta,
    TextStarted,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ThinkingStarted,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    UsageReported,
)
from conduit_desktop.wire import dialect
from tests.wire.dialect_io import client_request, read, write_stream

SINGLE = ["anthropic_messages", "bedrock", "cohere", "ollama", "openai_responses", "replicate"]
BLOCKS = ["bedrock", "cohere"]

SECOND_CHOICE: list[Event] = [
    TextStarted(1),
    TextDelta("second", 1),
    Cited(Citation("https://a.example"), 1),
    ThinkingStarted(1),
    ThinkingDelta("second", 1),
    ThinkingSigned("second", 1),
    ThinkingRedacted("second", 1),
    ToolCallStarted("call_2", "second", choice=1),
    ToolCallDelta("call_2", "{}", 1),
    Refused("second", 1),
    OpaqueBlock(Opaque("ollama", "images", ["second"]), 1),
    Finished("length", choice=1),
]


@pytest.mark.parametrize("name", SINGLE)
def test_events_of_other_choices_write_nothing(name: str) -> None:
    writer = dialect(name).writer(client_request(dialect(name), stream=True))
    writer.write(Started("resp_1", "m"))
    writer.write(TextDelta("first"))
    assert b"".join(map(writer.write, SECOND_CHOICE)) == b""
    writer.write(Finished("stop"))
    assert b"second" not in writer.end()


@pytest.mark.parametrize("name", BLOCKS)
def test_the_input_of_a_custom_tool_is_written_as_one_json_object(name: str) -> None:
    pieces = ['say "hi"', "\n", "twice"]
    events: list[Event] = [Started("resp_1", "m"), ToolCallStarted("call_1", "shell", "custom")]
    events += [ToolCallDelta("call_1", piece) for piece in pieces]
    events += [Finished("tool_calls"), UsageReported(Usage())]
    (call,) = collect(read(dialect(name), write_stream(dialect(name), events))).first.tool_calls
    assert (call.name, call.arguments) == ("shell", '{"input":"say \\"hi\\"\\ntwice"}')


@pytest.mark.parametrize("name", BLOCKS)
def test_interleaved_calls_keep_their_own_arguments(name: str) -> None:
    events: list[Event] = [
        Started("resp_1", "m"),
        TextDelta("both"),
        ToolCallStarted("a", "f"),
        ToolCallStarted("b", "g"),
        ToolCallDelta("a", '{"of":'),
        ToolCallDelta("b", '{"of":'),
        ToolCallDelta("a", '"f"}'),
        ToolCallDelta("b", '"g"}'),
        ToolCallStarted("c", "search", "hosted"),
        ToolCallDelta("c", "{}"),
        Finished("tool_calls"),
        UsageReported(Usage()),
    ]
    first = collect(read(dialect(name), write_stream(dialect(name), events))).first
    assert first.text == "both"
    assert [(call.name, call.arguments) for call in first.tool_calls] == [("f", '{"of":"f"}'), ("g", '{"of":"g"}')]
