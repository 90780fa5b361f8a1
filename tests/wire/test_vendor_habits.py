"""What single vendors do now and then, and what clients cannot do without."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.core.answer import Answer, Choice, collect
from conduit_desktop.core.chat import Citation, Opaque, Text, ToolCall
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.core.events import Cited, Event, Finished, Started, TextDelta, ToolCallDelta, ToolCallStarted
from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing import sse
from tests.wire import chat_frames, responses_frames
from tests.wire.chat_frames import call, chunk
from tests.wire.dialect_io import again, answer_of, client_request, write_stream
from tests.wire.responses_frames import event

CHAT, RESPONSES, GEMINI = dialect("openai_chat"), dialect("openai_responses"), dialect("gemini")
STARTED = Started("a", "m", 1, dialect="anthropic_messages")


def chunks(*events: Event) -> list[dict[str, Any]]:
    return chat_frames.payloads(write_stream(CHAT, [STARTED, *events]))


def choices(chunks_written: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [choice for each in chunks_written for choice in each["choices"]]


def cited(name: str) -> Cited:
    return Cited(Citation(url=f"https://{name}.example", title=name))


def test_groqs_error_in_its_own_corner_is_raised() -> None:
    with pytest.raises(UpstreamError, match="over capacity"):
        chat_frames.answer_of(chunk({"content": "a"}), chunk({}, x_groq={"id": "req_1", "error": "over capacity"}))


def test_a_call_that_is_also_in_the_legacy_field_counts_once() -> None:
    function = {"name": "weather", "arguments": "{}"}
    answer = chat_frames.answer_of(
        call(index=0, id="call_1", type="function", function=function), chunk({"function_call": function})
    )
    assert answer.first.tool_calls == [ToolCall("call_1", "weather", "{}")]


def test_sources_come_in_one_chunk_after_their_text() -> None:
    """OpenAI's SDK for Node keeps the last list alone."""
    written = choices(chunks(TextDelta("a"), cited("one"), cited("two"), TextDelta("b"), Finished("stop")))
    deltas = [choice["delta"] for choice in written]
    assert [delta.get("content") for delta in deltas] == ["a", "b", None, None]
    assert [note["url_citation"]["title"] for note in deltas[2]["annotations"]] == ["one", "two"]


def test_sources_of_several_texts_are_numbered() -> None:
    """OpenAI's SDK for Python refuses a second list without numbers."""
    call = [ToolCallStarted("call_1", "weather"), ToolCallDelta("call_1", "{}")]
    written = choices(chunks(TextDelta("a"), cited("one"), *call, TextDelta("b"), cited("two"), Finished("tool_calls")))
    noted = [note for choice in written for note in choice["delta"].get("annotations", [])]
    assert [note["index"] for note in noted] == [0, 1]


def test_choices_begin_in_order() -> None:
    """OpenAI's SDK keeps them in a list."""
    written = choices(chunks(TextDelta("b", 1), TextDelta("a", 0), Finished("stop", choice=1), Finished("stop", choice=0)))
    assert [choice["index"] for choice in written[:3]] == [0, 1, 0]
    assert [choice["delta"].get("role") for choice in written[:3]] == ["assistant", "assistant", None]


def test_a_choice_that_only_ends_begins_after_those_before_it() -> None:
    assert [choice["index"] for choice in choices(chunks(Finished("stop", choice=1), Finished("stop")))] == [0, 1, 0]


def test_a_function_without_arguments_is_called_with_an_empty_object() -> None:
    answer = Answer(STARTED, [Choice([ToolCall("call_1", "now", "")], Finished("tool_calls"))])
    whole = CHAT.write_response(answer, client_request(CHAT))
    assert whole["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == "{}"
    assert chat_frames.answer_of(write_stream(CHAT, list(answer.events()))).first.tool_calls == [ToolCall("call_1", "now", "{}")]


def test_an_answer_without_choices_has_one() -> None:
    assert [choice["finish_reason"] for choice in CHAT.write_response(Answer(STARTED), client_request(CHAT))["choices"]] == ["stop"]


def test_a_refusal_without_text_is_not_a_success() -> None:
    answer = Answer(STARTED, [Choice([Text("Well")], Finished("refusal"))])
    written = RESPONSES.write_response(answer, client_request(RESPONSES))
    assert (written["status"], written["incomplete_details"]) == ("incomplete", {"reason": "content_filter"})
    assert collect(RESPONSES.read_response(written)).first.text == "Well"


def test_deltas_of_unknown_kinds_need_not_be_text() -> None:
    strange = event("mcp_call.arguments.delta", output_index=0, delta={"a": 1}) + event("new.delta", output_index=0)
    assert responses_frames.answer_of(strange, responses_frames.delta("output_text", "a")).first.text == "a"


def test_a_prompt_that_is_blocked_late_ends_the_answer() -> None:
    """Google's filter may stop an answer that has begun; the text sent before that stays."""
    first_chunk = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Well"}]}, "index": 0}], "responseId": "r"}
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 3}}
    answer = answer_of(GEMINI, b"".join(sse.write(orjson.dumps(each)) for each in (first_chunk, blocked)))
    assert answer.first.text == "Well"
    assert answer.first.finish is not None
    assert (answer.first.finish.reason, answer.first.finish.raw) == ("content_filter", "PROHIBITED_CONTENT")


@pytest.mark.parametrize("block", [{"document": {"name": "a", "source": {"text": "b"}}}, {"image": {"source": {"bytes": "eA=="}}}])
def test_a_block_of_converse_that_lacks_something_does_not_break_the_answer(block: dict[str, Any]) -> None:
    message = {"role": "assistant", "content": [block, {"text": "a"}]}
    body = {"output": {"message": message}, "stopReason": "malformed_model_output", "usage": {}}
    answer = collect(dialect("bedrock").read_response(body))
    assert answer.first.parts == [Opaque("bedrock", next(iter(block)), block), Text("a")]
    assert answer.first.finish is not None
    assert answer.first.finish.reason == "error"


def test_a_document_for_converse_need_not_name_its_format() -> None:
    document = {"document": {"name": "a", "source": {"bytes": "eA=="}}}
    again(dialect("bedrock"), {"messages": [{"role": "user", "content": [document]}]}, "m")


@pytest.mark.parametrize("texts", [["a"], ["a", "b"]], ids=["without a source", "in pieces"])
def test_cited_content_without_citations_is_text(texts: list[str]) -> None:
    block = {"citationsContent": {"content": [{"text": text} for text in texts]}}
    body = {"output": {"message": {"role": "assistant", "content": [block]}}, "stopReason": "end_turn", "usage": {}}
    assert collect(dialect("bedrock").read_response(body)).first.parts == [Text("".join(texts))]
