"""Marks on thoughts of other providers: a client's next request sends them to their provider again, and to no other."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from google.genai.types import Content as SdkContent
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.core.answer import Answer, AnswerPart, Choice, collect
from conduit_desktop.core.chat import ChatRequest, RedactedThinking, Text, Thinking, ToolCall
from conduit_desktop.core.events import Finished, Started
from conduit_desktop.wire import dialect
from conduit_desktop.wire.provenance import Kind, MarkedContent, mark, unmark
from tests.wire.messages_frames import MESSAGES, read

CHAT, GEMINI = dialect("openai_chat"), dialect("gemini")
Fields = dict[str, Any]
TOOL = {"name": "f", "input_schema": {"type": "object"}}
CALL = ToolCall("toolu_1", "f", "{}")


def client_content(origin: str, *parts: AnswerPart, stream: bool = False) -> list[Fields]:
    """The content that Anthropic's client gets of an answer from the dialect `origin`, and will hand back."""
    answer = Answer(Started("x", "m", dialect=origin), [Choice(list(parts), Finished("stop"))])
    if stream:
        writer = MESSAGES.writer(ChatRequest("anthropic_messages", "m"))
        answer = collect(read(b"".join([writer.write(event) for event in answer.events()]) + writer.end()))
        answer.started.dialect = "anthropic_messages"
    content: list[Fields] = MESSAGES.write_response(answer, ChatRequest("anthropic_messages", "m"))["content"]
    return content


def body(content: list[Fields], *after: Fields, **more: Any) -> Fields:
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": content}, {"role": "user", "content": [*after]}]
    return {"model": "m", "max_tokens": 9000, "tools": [TOOL], "messages": turns, **more}


AGAIN = {"type": "text", "text": "again"}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "4"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("origin", "signature"),
    [
        ("gemini", "Z2Vt"),
        ("openai_responses", mark(MarkedContent("openai_responses", "gAAA"))),
        ("openai_chat", None),
        ("ollama", None),
    ],
)
def test_a_thought_that_claude_did_not_sign_is_not_passed_through(origin: str, signature: str | None, stream: bool) -> None:
    content = client_content(origin, Thinking("hm", signature), Text("so"), stream=stream)
    assert [block["type"] for block in content] == ["thinking", "text"]
    given = body(content, AGAIN)
    assert MESSAGES.passthrough_request(given, "claude-x")["messages"][1]["content"] == [{"type": "text", "text": "so"}]
    assert MESSAGES.write_request(MESSAGES.read_request(given, {}), "m").body == given
    foreign = dialect("bedrock").write_request(MESSAGES.read_request(given, {}), "anthropic.claude-x-v1:0")
    assert b"reasoningContent" not in orjson.dumps(foreign.body)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("origin", ["anthropic_messages", "bedrock", "openai_chat"])
def test_claudes_thoughts_are_sent_to_claude_anywhere(origin: str, stream: bool) -> None:
    content = client_content(origin, Thinking("hm", "c2ln"), RedactedThinking("eA=="), Text("so"), stream=stream)
    given = body(content, AGAIN)
    assert MESSAGES.passthrough_request(given, "claude-x")["messages"] is given["messages"]
    assert content[0] == {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    written = dialect("bedrock").write_request(MESSAGES.read_request(given, {}), "anthropic.claude-x-v1:0").body["messages"][1]
    assert written["content"][0] == {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}}


def test_a_marked_thought_is_sent_to_its_provider_again() -> None:
    request = MESSAGES.read_request(body(client_content("gemini", Thinking("hm", "Z2Vt"), CALL), RESULT), {})
    thought = dialect("gemini").write_request(request, "m").body["contents"][1]["parts"][0]
    assert thought == {"text": "hm", "thought": True, "thoughtSignature": "Z2Vt"}
    sealed = mark(MarkedContent("openai_responses", "gAAA", id="rs_1"))
    given = body(client_content("openai_responses", Thinking("hm", sealed), CALL), RESULT)
    request = MESSAGES.read_request(given, {})
    item = dialect("openai_responses").write_request(request, "m").body["input"][1]
    assert (item["type"], item["id"], item["encrypted_content"]) == ("reasoning", "rs_1", "gAAA")
    assert MESSAGES.write_request(request, "m").body == given


def test_a_message_of_foreign_thoughts_only_is_left_out() -> None:
    given = body(client_content("gemini", Thinking("hm", "Z2Vt")), AGAIN)
    assert MESSAGES.passthrough_request(given, "m")["messages"] == [given["messages"][0], given["messages"][2]]


def test_foreign_thoughts_that_googles_clients_hand_back_are_not_sent_to_google() -> None:
    answer = Answer(
        Started("x", "m", dialect="anthropic_messages"), [Choice([Thinking("hm", "c2ln-_"), Text("so")], Finished("stop"))]
    )
    writer = GEMINI.writer(ChatRequest("gemini", "m"))
    frames = b"".join([writer.write(event) for event in answer.events()]) + writer.end()
    chunks = [orjson.loads(row[5:])["candidates"][0] for row in frames.splitlines() if row[:5] == b"data:"]
    streamed = [part for chunk in chunks for part in chunk["content"]["parts"]]
    whole = GEMINI.write_response(answer, ChatRequest("gemini", "m"))["candidates"][0]["content"]["parts"]
    for parts in (whole, [part for part in streamed if part["text"] or "thoughtSignature" in part]):
        SdkContent.model_validate({"role": "model", "parts": parts})
        given = {"contents": [{"role": "user", "parts": [{"text": "?"}]}, {"role": "model", "parts": parts}]}
        left = GEMINI.passthrough_request(given, "gemini-x")["contents"][1]["parts"]
        assert "so" in [part["text"] for part in left]
        assert not any("thoughtSignature" in part for part in left)
        request = GEMINI.read_request(given, {"model": "m"})
        assert GEMINI.write_request(request, "m").body["contents"] == given["contents"]
        written = MESSAGES.write_request(request, "claude-x").body["messages"][1]["content"]
        assert "c2ln-_" in [block.get("signature") for block in written]
    own = {"contents": [{"role": "model", "parts": [{"text": "hm", "thought": True, "thoughtSignature": "Z2Vt"}, {"text": "so"}]}]}
    assert GEMINI.passthrough_request(own, "gemini-x")["contents"] is own["contents"]


@pytest.mark.parametrize(("origin", "is_claudes"), [("gemini", False), ("bedrock", True), ("anthropic_messages", True)])
def test_foreign_signatures_are_not_labelled_as_claudes_and_reach_no_vendor(origin: str, is_claudes: bool) -> None:
    answer = Answer(Started("x", "m", dialect=origin), [Choice([Thinking("hm", "Z2Vt"), Text("so")], Finished("stop"))])
    writer = CHAT.writer(ChatRequest("openai_chat", "m"))
    frames = b"".join([writer.write(event) for event in answer.events()]) + writer.end()
    deltas = [orjson.loads(row[6:])["choices"][0]["delta"] for row in frames.splitlines() if row.startswith(b"data: {")]
    whole = CHAT.write_response(answer, ChatRequest("openai_chat", "m"))["choices"][0]["message"]
    for details in (whole["reasoning_details"], [one for delta in deltas for one in delta.get("reasoning_details", ())]):
        assert [one["format"] == "anthropic-claude-v1" for one in details] == [is_claudes]
        turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "so", "reasoning_details": details}, "odd"]
        sent = CHAT.passthrough_request({"model": "m", "messages": turns}, "x")["messages"]
        assert sent == (turns if is_claudes else [turns[0], {"role": "assistant", "content": "so"}, "odd"])


EDITS = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}, {"type": "clear_tool_uses_20250919"}]}


@pytest.mark.parametrize(
    ("thinking", "after", "goes"),
    [
        ({"type": "enabled", "budget_tokens": 2000}, RESULT, True),
        ({"type": "enabled", "budget_tokens": 2000}, AGAIN, False),
        ({"type": "adaptive"}, RESULT, False),
    ],
)
def test_thinking_by_budget_is_removed_where_a_call_has_no_thought_before_it(thinking: Fields, after: Fields, goes: bool) -> None:
    given = body(client_content("gemini", Thinking("hm", "Z2Vt"), CALL), after, thinking=thinking, context_management=EDITS)
    sent = MESSAGES.passthrough_request(given, "claude-x")
    assert ("thinking" not in sent) == goes
    assert sent["context_management"] == ({"edits": EDITS["edits"][1:]} if goes else EDITS)
    assert given["thinking"] == thinking


@pytest.mark.parametrize(
    "messages", [None, "x", [None], [{"role": "assistant"}], [{"role": "assistant", "content": [None, 1, {}]}]]
)
def test_malformed_messages_are_passed_through_unchanged(messages: Any) -> None:
    assert MESSAGES.passthrough_request({"messages": messages}, "m")["messages"] is messages


@given(made=st.builds(MarkedContent, st.sampled_from(["gemini", ""]), st.text(max_size=9), st.sampled_from(Kind.__args__)))
def test_marked_content_is_read_back(made: MarkedContent) -> None:
    assert unmark(mark(made)) == made


@pytest.mark.parametrize("text", [None, 3, "", "c2ln", "conduit.v1.", "conduit.v1.gemini", "conduit.v1.gemini.other.x"])
def test_text_without_a_mark_is_not_marked_content(text: Any) -> None:
    assert unmark(text) is None
