"""Streams and answers of the Responses API, written, and validated by the types of the official SDK."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from conduit_desktop.core.answer import Answer, Choice, collect
from conduit_desktop.core.chat import ChatRequest, Citation, Opaque, RedactedThinking, Refusal, Text, Thinking, ToolCall
from conduit_desktop.core.errors import BudgetExceeded, GatewayError, ProviderFailed, RateLimited, Reason, UpstreamError
from conduit_desktop.core.events import Event, Finished, Started, TextDelta, ToolCallDelta, ToolCallStarted, Usage
from conduit_desktop.wire.openai_responses.response_object import response_of_item
from conduit_desktop.wire.provenance import MarkedContent, mark
from tests.wire.responses_frames import REQUEST, RESPONSES, payloads, read, stream_of
from tests.wire.strategies import Features, answers

STREAM: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)

TOOLS = [
    {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True},
    {"type": "namespace", "name": "crm", "description": "d", "tools": [{"type": "function", "name": "find", "parameters": {}}]},
    {"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}},
]
CALLER = RESPONSES.read_request(
    {"model": "alias", "input": "hi", "instructions": "brief", "tools": TOOLS, "temperature": 0.5, "metadata": {"a": "b"}}, {}
)


def written(events: list[Event], request: ChatRequest = CALLER, end: bool = True) -> list[dict[str, Any]]:
    writer = RESPONSES.writer(request)
    data = b"".join([writer.write(event) for event in events]) + (writer.end() if end else b"")
    return payloads(data)


def answer(*parts: Any, finish: str = "stop", usage: Usage | None = None) -> Answer:
    choice = Choice(list(parts), Finished(finish))  # type: ignore[arg-type]
    return Answer(Started("msg_01", "claude-x", dialect="anthropic_messages"), [choice], usage or Usage(input=3, output=4))


def check(frames: list[dict[str, Any]]) -> None:
    """Numbered without gaps, opened before used, closed once, and of the types that the SDK knows."""
    assert [frame["sequence_number"] for frame in frames] == list(range(len(frames)))
    assert [frame["type"] for frame in frames[:2]] == ["response.created", "response.in_progress"]
    open_items: dict[int, str] = {}
    for frame in frames:
        STREAM.validate_python(frame)
        index = frame.get("output_index")
        if frame["type"] == "response.output_item.added":
            assert index not in open_items
            open_items[index] = frame["item"]["id"]
        elif frame["type"] == "response.output_item.done":
            assert open_items.pop(index) == frame["item"]["id"]
        elif index is not None:
            assert open_items[index] == frame["item_id"]
    assert open_items == {}
    final = frames[-1]["response"]
    assert final["output"] == [
        frame["item"] for frame in sorted(frames, key=lambda f: f.get("output_index", -1)) if frame["type"].endswith("item.done")
    ]
    Response.model_validate(final)


def test_an_answer_has_every_event_in_order() -> None:
    parts = [
        Thinking("hm", "c2ln"),
        Text("a"),
        Text("b", citations=[Citation("https://a.example", "A")]),
        ToolCall("c1", "f", "{}"),
    ]
    frames = written(list(answer(*parts, finish="tool_calls").events()))
    check(frames)
    assert [frame["type"].removeprefix("response.") for frame in frames] == [
        "created", "in_progress",
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.done",
        "reasoning_summary_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
        "content_part.added", "output_text.delta", "output_text.annotation.added", "output_text.done", "content_part.done",
        "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done", "completed",
    ]  # fmt: skip
    final = frames[-1]["response"]
    assert final["usage"]["total_tokens"] == 7
    assert (final["model"], final["status"], final["instructions"]) == ("claude-x", "completed", "brief")
    assert (final["tools"], final["temperature"], final["metadata"], final["store"]) == (TOOLS, 0.5, {"a": "b"}, True)
    assert final["id"].startswith("resp_")


FEATURES = Features(
    "openai_responses", thinking=True, refusals=True, citations=True, custom_tools=True, text_after_tools=True, split_text=True
)


@settings(max_examples=60)
@given(made=answers(FEATURES))
def test_the_sdk_reads_every_answer_as_it_was_written(made: Answer) -> None:
    made.started.id = "resp_" + made.started.id
    for data in (stream_of(made), stream_of(made, CALLER)):
        check(payloads(data))
        got = collect(read(data))
        assert [shape(part) for part in got.first.parts] == [shape(part) for part in made.first.parts]
        assert got.usage is not None
        assert made.usage is not None
        assert (got.usage.total_input, got.usage.output) == (made.usage.total_input, made.usage.output)
    body = orjson.loads(orjson.dumps(RESPONSES.write_response(made, REQUEST)))
    assert collect(RESPONSES.read_response(body)).first.parts == collect(read(stream_of(made))).first.parts


def shape(part: Any) -> Any:
    if isinstance(part, Text):
        return (part.text, [(citation.url, citation.title) for citation in part.citations])
    return (part.id, part.name, part.arguments, part.kind) if isinstance(part, ToolCall) else part


def test_the_same_response_has_the_same_item_ids() -> None:
    made = answer(Text("a"), ToolCall("c1", "f", "{}"))
    made.started.id = "resp_1"
    first, second = (RESPONSES.write_response(made, REQUEST) for _ in range(2))
    assert first == second
    assert len({item["id"] for item in first["output"]}) == 2


def test_an_item_that_was_made_here_names_its_response() -> None:
    made = RESPONSES.write_response(answer(Thinking("a"), *(ToolCall(f"c{n}", "f", "{}") for n in range(300))), REQUEST)
    ids = [item["id"] for item in made["output"]]
    assert len(set(ids)) == 301
    assert {response_of_item(id) for id in ids} == {made["id"]}
    assert response_of_item("msg_68d9303e94ac819ead3d9e066f405eae03aa6e5a972b3b23") is None  # OpenAI's


def test_two_answers_of_a_vendor_that_repeats_its_ids_are_two_responses() -> None:
    ids = {RESPONSES.write_response(answer(Text("a")), REQUEST)["id"] for _ in range(3)}
    assert len(ids) == 3


def test_flattened_tools_are_called_by_their_own_names() -> None:
    """A target without namespaces and free text calls functions; the caller gets what it had offered."""
    calls = [
        ToolCall("c1", "crm__find", '{"id":1}'),
        ToolCall("c2", "patch", '{"input":"*** Begin\\n\\"x\\""}'),
        ToolCall("c3", "patch", "not json"),
        ToolCall("c4", "f", ""),
    ]
    frames = written(list(answer(*calls, finish="tool_calls").events()))
    check(frames)
    items = frames[-1]["response"]["output"]
    assert [(item["type"], item["name"], item.get("namespace")) for item in items[:2]] == [
        ("function_call", "find", "crm"),
        ("custom_tool_call", "patch", None),
    ]
    assert [item.get("input") for item in items[1:3]] == ['*** Begin\n"x"', "not json"]
    assert items[3]["arguments"] == "{}"
    deltas = [frame["delta"] for frame in frames if frame["type"] == "response.custom_tool_call_input.delta"]
    assert deltas == ['*** Begin\n"x"', "not json"]


def test_calls_may_be_interleaved() -> None:
    events: list[Event] = [
        Started("x", "m"),
        ToolCallStarted("a", "f"),
        ToolCallStarted("b", "f"),
        ToolCallDelta("a", '{"n"'),
        ToolCallDelta("b", "{}"),
        ToolCallDelta("a", ":1}"),
        TextDelta("after"),
        ToolCallDelta("b", " "),
        Finished("tool_calls"),
    ]
    frames = written(events)
    check(frames)
    assert [item.get("arguments") for item in frames[-1]["response"]["output"]] == ['{"n":1}', "{}", None]


def test_a_call_that_was_cut_off_is_incomplete() -> None:
    frames = written(list(answer(ToolCall("c", "f", '{"a'), finish="length").events()))
    check(frames)
    assert frames[-1]["type"] == "response.incomplete"
    assert frames[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert frames[-1]["response"]["output"][0]["status"] == "incomplete"


def test_signatures_and_redacted_blocks_of_another_provider_are_marked() -> None:
    output = RESPONSES.write_response(answer(Thinking("a", "c2ln"), RedactedThinking("x"), Refusal("no")), REQUEST)["output"]
    proofs = [item["encrypted_content"] for item in output[:2]]
    assert proofs == [mark(MarkedContent("anthropic_messages", "c2ln")), mark(MarkedContent("anthropic_messages", "x", "hidden"))]
    assert output[2]["content"] == [{"type": "refusal", "refusal": "no"}]
    assert [item["status"] for item in output] == ["completed"] * 3  # which xAI's clients require of reasoning, too


def test_openais_further_fields_are_written_again() -> None:
    item = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}}
    own = Answer(
        Started("resp_1", "m", 5, {"billing": {"payer": "me"}}, "openai_responses"),
        [
            Choice(
                [
                    Opaque("openai_responses", "web_search_call", item),
                    Thinking("a", mark(MarkedContent("openai_responses", "gAAA"))),
                ]
            )
        ],
        Usage(input=1, extra={"num_sources_used": 2}),
    )
    body = RESPONSES.write_response(own, REQUEST)
    assert body["output"][0] == item
    assert body["output"][1]["encrypted_content"] == "gAAA"
    assert "status" not in body["output"][1]
    assert (body["billing"], body["usage"]["num_sources_used"]) == ({"payer": "me"}, 2)
    foreign = RESPONSES.write_response(answer(Opaque("anthropic_messages", "server_tool_use", {})), REQUEST)
    assert foreign["output"] == []


OVERFLOW = "Your input exceeds the context window of this model."


def broken_by(cause: Reason) -> ProviderFailed:
    error = ProviderFailed("broke", code="provider_stream_broken")
    error.cause = cause
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ProviderFailed("broke", code="provider_stream_broken"), "server_error"),
        (BudgetExceeded("spent"), "insufficient_quota"),
        (RateLimited("slow"), "rate_limit_exceeded"),
        (
            UpstreamError(OVERFLOW, status=400, reason="context_length", kind="context_length_exceeded", dialect="openai_chat"),
            "context_length_exceeded",
        ),
        (broken_by("rate_limit"), "rate_limit_exceeded"),
        (broken_by("money"), "insufficient_quota"),
        (broken_by("overloaded"), "server_error"),
    ],
)
@pytest.mark.parametrize("begun", [True, False])
def test_a_failure_is_an_error_event_and_a_failed_response(error: GatewayError, code: str, begun: bool) -> None:
    writer = RESPONSES.writer(CALLER)
    before = writer.write(Started("x", "m")) + writer.write(TextDelta("a")) if begun else b""
    frames = payloads(before + writer.fail(error))
    assert [frame["sequence_number"] for frame in frames] == list(range(len(frames)))
    assert [frame["type"] for frame in frames[-2:]] == ["error", "response.failed"]
    assert frames[-2]["error"]["message"] == frames[-2]["message"] == error.message
    assert frames[-1]["response"]["status"] == "failed"
    assert frames[-1]["response"]["error"] == {"code": code, "message": error.message}
    assert not any(frame["type"] == "response.completed" for frame in frames)
    assert writer.final is None


def test_a_ping_is_a_comment_and_errors_have_openais_shape() -> None:
    assert RESPONSES.writer(CALLER).ping().startswith(b":")
    status, body = RESPONSES.write_error(UpstreamError("no", status=404, reason="model_not_found", dialect="anthropic_messages"))
    assert (status, body["error"]["code"]) == (404, "model_not_found")
