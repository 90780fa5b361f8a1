"""The short ways for messages in their usual forms read and write exactly what the general ways do."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit_desktop.core.chat import Citation, Media, Message, Opaque, Refusal, Text, Thinking, ToolCall, ToolResult
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.wire import dialect
from conduit_desktop.wire.anthropic import messages_reader as anthropic_reader
from conduit_desktop.wire.anthropic import request_reader as anthropic_request
from conduit_desktop.wire.openai_chat import messages_reader as chat_reader
from conduit_desktop.wire.openai_chat import messages_writer as chat_writer
from conduit_desktop.wire.openai_responses import messages_reader as responses_reader
from conduit_desktop.wire.turn_rules import rules_of
from conduit_desktop.wire.turns import normalised

Json = dict[str, Any]

CHAT: list[Json] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Read it."},
    {"role": "user", "content": ""},
    {"role": "user", "content": "By name.", "name": "ann"},
    {"role": "assistant", "content": "I read.", "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "read", "arguments": '{"path":"a"}'}},
        {"id": "call_2", "type": "function", "function": {"name": "read", "arguments": ""}},
    ]},
    {"role": "tool", "tool_call_id": "call_1", "content": "text"},
    {"role": "tool", "tool_call_id": "call_2", "content": ""},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_3", "type": "function", "function": {"name": "read", "arguments": "{}"}},
    ]},
    {"role": "tool", "tool_call_id": "call_3", "content": [{"type": "text", "text": "a part"}]},
    {"role": "assistant", "content": "Own fields.", "tool_calls": [
        {"id": "call_4", "type": "function", "function": {"name": "read", "arguments": "{}"}, "index": 0},
        {"id": "call_5", "type": "custom", "custom": {"name": "shell", "input": "ls"}},
    ]},
    {"role": "tool", "tool_call_id": "call_4", "content": "x", "name": "read"},
    {"role": "tool", "tool_call_id": "call_5", "content": "y"},
    {"role": "assistant", "content": "Done.", "refusal": None},
    {"role": "user", "content": "Go on."},
]  # fmt: skip
MESSAGES: list[Json] = [
    {"role": "user", "content": "Read it."},
    {"role": "assistant", "content": [
        {"type": "text", "text": "I read."},
        {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": "a", "n": 1.5}},
        {"type": "tool_use", "id": "toolu_2", "name": "read", "input": {}, "cache_control": {"type": "ephemeral"}},
        {"type": "tool_use", "id": "toolu_3", "name": "read", "input": {}},
        {"type": "tool_use", "id": "toolu_4", "name": "read", "input": {}},
    ]},
    {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": ""}]},
        {"type": "tool_result", "tool_use_id": "toolu_2", "content": "text", "is_error": True},
        {"type": "tool_result", "tool_use_id": "toolu_3", "content": "text", "is_error": None},
        {"type": "tool_result", "tool_use_id": "toolu_4"},
        {"type": "text", "text": "Go on.", "cache_control": {"type": "ephemeral"}},
    ]},
    {"role": "assistant", "content": [{"type": "text", "text": "Cited.", "citations": []}, {"type": "text", "text": "More."}]},
    {"role": "user", "content": [{"type": "text", "text": "And?"}]},
]  # fmt: skip
ITEMS: list[Json] = [
    {"role": "user", "content": "Read it."},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Now."}]},
    {"type": "message", "role": "assistant", "id": "msg_1", "content": [{"type": "output_text", "text": "I read."}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x", "annotations": []}]},
    {"type": "function_call", "call_id": "call_1", "name": "read", "arguments": '{"path":"a"}'},
    {"type": "function_call", "id": "fc_2", "call_id": "call_2", "name": "read", "arguments": "{}", "status": "completed"},
    {"type": "function_call", "call_id": "call_3", "name": "read", "arguments": "{}", "namespace": "files"},
    {"type": "function_call_output", "call_id": "call_1", "output": "text"},
    {"type": "function_call_output", "id": "fco_2", "call_id": "call_2", "output": ""},
    {"type": "function_call_output", "call_id": "call_3", "output": [{"type": "input_text", "text": "a part"}]},
    {"type": "message", "role": "user", "content": []},
    {"role": "developer", "content": "", "type": "message"},
    {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "output_text", "text": "b"}]},
]  # fmt: skip
BODIES: dict[str, Json] = {
    "openai_chat": {"model": "m", "messages": CHAT},
    "anthropic_messages": {"model": "m", "max_tokens": 9, "messages": MESSAGES},
    "openai_responses": {"model": "m", "input": ITEMS},
}


def _nothing(*_: object) -> None:
    return None


def _only_general(patch: Callable[..., None]) -> None:
    patch(anthropic_reader, "usual_part", _nothing)
    patch(anthropic_request, "_usual_message", _nothing)
    patch(chat_reader, "_usual_message", _nothing)
    patch(responses_reader.ItemReader, "_is_usual", _nothing)
    patch(chat_writer, "_bare_texts", _nothing)
    patch(chat_writer, "_usual_message", _nothing)


@pytest.mark.parametrize("name", BODIES)
def test_a_conversation_is_read_the_same_with_and_without_the_short_ways(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = orjson.dumps(BODIES[name])
    short = dialect(name).read_request(orjson.loads(body), {})
    _only_general(monkeypatch.setattr)
    assert dialect(name).read_request(orjson.loads(body), {}) == short


@pytest.mark.parametrize("name", BODIES)
def test_what_was_read_by_the_short_ways_is_written_again_as_it_was(name: str) -> None:
    sent = {**BODIES[name], **({"messages": CHAT[:2] + CHAT[4:]} if name == "openai_chat" else {})}
    request = dialect(name).read_request(orjson.loads(orjson.dumps(sent)), {})
    assert dialect(name).write_request(request, "m").body == sent


@pytest.mark.parametrize(("source", "target"), [*permutations(BODIES, 2)])
def test_a_conversation_is_translated_the_same_with_and_without_the_short_ways(
    source: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def translated() -> tuple[object, object]:
        request, lost = normalised(dialect(source).read_request(orjson.loads(orjson.dumps(BODIES[source])), {}), rules, target)
        return dialect(target).write_request(request, "m"), lost

    rules = rules_of(target)
    short = translated()
    _only_general(monkeypatch.setattr)
    assert translated() == short


bare = st.builds(Text, st.sampled_from(["", "a", "b c"]))
texts = bare | st.sampled_from([Text("m", "5m"), Text("x", extra={"weight": 1}), Text("c", citations=[Citation(url="u")])])
images = st.just(Media("image", data="iVBO", media_type="image/png"))
results = st.builds(
    ToolResult, st.just("1"), st.lists(bare | texts | images, max_size=2), st.sampled_from([None, "f"]),
    st.sampled_from([None, False, True]), st.booleans(), st.sampled_from([None, None, "1h"]), st.sampled_from([{}, {}, {"a": 1}]),
)  # fmt: skip
calls = st.builds(
    ToolCall, st.just("1"), st.just("f"), st.sampled_from(["", "{}"]), st.sampled_from(["function", "custom", "hosted"]),
    st.sampled_from([None, None, "sig"]), st.sampled_from([None, None, "5m"]), st.sampled_from([{}, {}, {"a": 1}]),
)  # fmt: skip
others = st.sampled_from([Thinking("hm"), Refusal("no"), Opaque("other", "block", {})])
messages = st.builds(
    Message, st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
    st.lists(bare | bare | texts | results | calls | others | images, max_size=3) | st.lists(results, min_size=1, max_size=1),
    st.sampled_from([None, None, "ann", "not a name"]), st.booleans(), st.sampled_from([{}, {}, {"a": 1}]),
)  # fmt: skip


@settings(max_examples=500)
@given(st.lists(messages, max_size=4), st.booleans())
def test_any_messages_are_written_the_same_with_and_without_the_short_ways(some: list[Message], cache_marks: bool) -> None:
    def written() -> tuple[object, list[str]]:
        writer = chat_writer.ChatMessagesWriter(False, {}, cache_marks)
        return writer.write(some), list(dict.fromkeys(writer.dropped))

    short = written()
    with pytest.MonkeyPatch.context() as patch:
        _only_general(patch.setattr)
        assert written() == short


heads = st.fixed_dictionaries({}, optional={"id": st.just("x_1"), "status": st.just("completed"), "phase": st.just("final")})
contents = st.sampled_from([
    "", "a", None, [], [{"type": "input_text", "text": "a"}], [{"type": "output_text", "text": "a"}] * 2,
    [{"type": "output_text", "text": "a", "annotations": []}],
    [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": ""}],
])  # fmt: skip
items = st.builds(
    lambda head, fields: {**head, **fields},
    heads | st.just({}),
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "developer", "system"]), "content": contents},
        optional={"type": st.just("message"), "weight": st.just(1)},
    )
    | st.fixed_dictionaries(
        {"type": st.just("function_call"), "call_id": st.just("c"), "name": st.just("f"), "arguments": st.just("{}")},
        optional={"namespace": st.just("n"), "weight": st.just(1)},
    )
    | st.fixed_dictionaries(
        {"type": st.just("function_call_output"), "call_id": st.just("c"), "output": contents.filter(lambda one: one is not None)},
        optional={"weight": st.just(1), "name": st.just("f"), "arguments": st.just("{}")},
    ),
)


@settings(max_examples=500)
@given(st.lists(items, min_size=1, max_size=4))
def test_any_items_are_read_the_same_with_and_without_the_short_ways(some: list[Json]) -> None:
    def read() -> object:
        try:
            return dialect("openai_responses").read_request({"model": "m", "input": some}, {})
        except BadRequest as error:
            return str(error), error.param

    short = read()
    with pytest.MonkeyPatch.context() as patch:
        _only_general(patch.setattr)
        assert read() == short


@pytest.mark.parametrize(
    ("name", "path"),
    [("openai_chat", "messages[14].content"), ("anthropic_messages", "messages.5.content"), ("openai_responses", "input[13]")],
)
def test_an_error_after_usual_messages_names_the_place(name: str, path: str) -> None:
    bad: Json = {"type": "message", "role": "user", "content": [{"type": "text"}]}
    field = "input" if name == "openai_responses" else "messages"
    with pytest.raises(Exception, match="text") as error:
        dialect(name).read_request({**BODIES[name], field: [*BODIES[name][field], bad]}, {})
    assert str(error.value.param).startswith(path)  # type: ignore[attr-defined]
