"""Reasoning that a client cannot carry: kept within bounds, found again, and never given to another caller."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import ChatRequest, Message, Opaque, RedactedThinking, Text, Thinking, ToolCall
from conduit_desktop.core.events import (
    Event,
    Finished,
    OpaqueBlock,
    TextDelta,
    ThinkingDelta,
    ThinkingRedacted,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
)
from conduit_desktop.gateway.upstream.reasoning_store import Kept, ReasoningStore, Recipient
from conduit_desktop.wire import dialect
from conduit_desktop.wire.gemini.reasoning import OF_ANOTHER_MODEL
from conduit_desktop.wire.provenance import MarkedContent, mark
from tests.fakes.gateway import GatewayFixture
from tests.fakes.script import Step
from tests.fakes.vendor import Vendor
from tests.fakes.vendor_anthropic import SIGNATURE as CLAUDES
from tests.fakes.vendor_gemini import SIGNATURE as GEMINIS

MESSAGES = dialect("anthropic_messages")
TOOL = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


def request(*parts: Any) -> ChatRequest:
    return ChatRequest("openai_chat", "m", [Message("user", [Text("hi")]), Message("assistant", list(parts))])


ME = Recipient("me", "gemini", "gemini")


def seen(events: list[Event], to: Recipient = ME) -> ReasoningStore:
    store = ReasoningStore()
    store.watch(to).see([*events, Finished("stop")])
    return store


def test_a_calls_signature_is_put_back():
    store = seen([TextDelta("x"), ToolCallStarted("c", "f", signature="s"), ToolCallStarted("d", "g"), Finished("tool_calls")])
    back = store.restored(ME, request(ToolCall("c", "f", "{}"), ToolCall("d", "g", "{}")))
    assert [part.signature for part in back.messages[1].parts if isinstance(part, ToolCall)] == ["s", None]


def test_thoughts_stand_before_their_calls_again_whole_and_in_order():
    store = seen([
        ThinkingDelta("so "), ThinkingDelta("so"), ThinkingSigned("s1"), ThinkingRedacted("hidden"), ThinkingDelta("then"),
        ThinkingSigned("s2"), TextDelta("ok"), ToolCallStarted("c", "f"),
    ])  # fmt: skip
    back = store.restored(ME, request(Thinking("so sothen"), Text("ok"), ToolCall("c", "f", "{}")))
    assert back.messages[1].parts == [
        Thinking("so so", "s1", dialect="gemini"), RedactedThinking("hidden"), Thinking("then", "s2", dialect="gemini"),
        Text("ok"), ToolCall("c", "f", "{}"),
    ]  # fmt: skip


def test_thinking_without_a_call_is_found_by_its_text():
    store = seen([ThinkingDelta("hm"), ThinkingSigned("s"), TextDelta("ok"), Finished("stop")])
    original = request(Thinking("hm"), Text("ok"))
    assert store.restored(ME, original).messages[1].parts[0] == Thinking("hm", "s", dialect="gemini")
    assert original.messages[1].parts[0] == Thinking("hm")


def test_what_is_not_signed_is_not_kept():
    assert len(seen([ThinkingDelta("hm"), ToolCallStarted("c", "f"), Finished("tool_calls")])) == 0


@pytest.mark.parametrize("to", [Recipient("you", "gemini", "gemini"), Recipient("me", "claude", "anthropic_messages")])
def test_no_other_client_and_no_other_origin_gets_it(to: Recipient):
    store = seen([ToolCallStarted("c", "f", signature="s")])
    original = request(ToolCall("c", "f", "{}"))
    assert store.restored(to, original) is original


def test_claudes_thoughts_are_put_back_wherever_claude_is_served():
    store = seen([ThinkingDelta("hm"), ThinkingSigned("s"), ToolCallStarted("c", "f")], Recipient("me", "claude", "bedrock"))
    back = store.restored(Recipient("me", "claude", "anthropic_messages"), request(ToolCall("c", "f", "{}")))
    assert back.messages[1].parts[0] == Thinking("hm", "s", dialect="bedrock")


CHAT = Recipient("me", "deepseek openai_chat", "openai_chat", wanted=True)


def test_unsigned_reasoning_is_put_back_for_a_vendor_that_wants_it_in_the_fields_that_it_sent():
    store = seen([ThinkingDelta("h", 0, "reasoning"), ThinkingDelta("m", 0, "reasoning"), ToolCallStarted("c", "f")], CHAT)
    (thought, _) = store.restored(CHAT, request(ToolCall("c", "f", "{}"))).messages[1].parts
    assert isinstance(thought, Thinking)
    assert thought.raw == {"message": {"reasoning": "hm"}}


def test_entries_of_reasoning_details_are_put_together_from_their_pieces_unmodified():
    entry = {"type": "reasoning.text", "format": "MiniMax-response-v1", "id": "r1", "index": 0}
    hidden = {"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1", "index": 1}
    block = OpaqueBlock(Opaque("openai_chat", "reasoning_details", hidden))
    store = seen(
        [ThinkingDelta("h", 0, entry), ThinkingDelta("m", 0, entry), ThinkingSigned("s"), block, ToolCallStarted("c", "f")], CHAT
    )
    (thought, _) = store.restored(CHAT, request(ToolCall("c", "f", "{}"))).messages[1].parts
    assert isinstance(thought, Thinking)
    assert thought.raw == {"message": {"reasoning_details": [{**entry, "text": "hm", "signature": "s"}, hidden]}}


def test_the_reasoning_of_an_answer_without_calls_is_found_by_its_text():
    store = seen([ThinkingDelta("hm"), TextDelta("o"), TextDelta("k"), Finished("stop")], CHAT)
    assert len(store.restored(CHAT, request(Text("ok"))).messages[1].parts) == 2
    assert len(store.restored(CHAT, request(Text("no"))).messages[1].parts) == 1


def test_a_passed_through_chat_gets_the_reasoning_that_its_client_left_out():
    store = seen([ThinkingDelta("hm"), ToolCallStarted("c", "f"), Finished("tool_calls")], CHAT)
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    bare = {"role": "assistant", "content": None, "tool_calls": calls}
    body = {"messages": [bare]}
    assert store.healed(CHAT, body)["messages"] == [{**bare, "reasoning_content": "hm"}]
    assert body == {"messages": [bare]}
    kept = {"messages": [{**bare, "reasoning_content": "own"}]}
    assert store.healed(CHAT, kept) is kept


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_a_plain_text_that_a_client_returns_gets_its_details_back(name: str):
    entry = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
    store = seen([ThinkingDelta("hm", 0, entry), ThinkingSigned("s"), ToolCallStarted("c", "f"), Finished("tool_calls")], CHAT)
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    bare = {"role": "assistant", "content": None, "tool_calls": calls}
    healed = store.healed(CHAT, {"messages": [{**bare, name: "hm"}]})
    assert healed["messages"] == [{**bare, "reasoning_details": [{**entry, "text": "hm", "signature": "s"}]}]
    for own in ({name: "another text"}, {name: "hm", "reasoning_details": [entry]}):
        body = {"messages": [{**bare, **own}]}
        assert store.healed(CHAT, body) is body


def test_a_passed_through_message_gets_the_thinking_block_that_its_client_left_out():
    to = Recipient("me", "deepseek anthropic_messages", "anthropic_messages", wanted=True)
    store = seen([ThinkingDelta("hm"), ToolCallStarted("c", "f"), Finished("tool_calls")], to)
    call = {"type": "tool_use", "id": "c", "name": "f", "input": {}}
    body = {"messages": [{"role": "assistant", "content": [call]}]}
    block = {"type": "thinking", "thinking": "hm", "signature": ""}
    assert store.healed(to, body)["messages"] == [{"role": "assistant", "content": [block, call]}]


def test_a_thought_that_another_vendor_signed_in_passthrough_is_left_out_for_claude():
    """A server that borrows Anthropic's dialect is relayed as bytes, so its signature has no mark. Claude answers 400 to it."""
    store = seen([ThinkingDelta("hm"), ThinkingSigned("glm"), TextDelta("ok")], Recipient("me", "zai", "anthropic_messages"))
    claude = Recipient("me", "claude", "anthropic_messages", verifies=True)
    text = {"type": "text", "text": "ok"}
    foreign, own = ({"type": "thinking", "thinking": "hm", "signature": name} for name in ("glm", "claudes"))
    body = {"messages": [{"role": "assistant", "content": [foreign, text]}]}
    assert store.own_only(claude, body)["messages"] == [{"role": "assistant", "content": [text]}]
    body = {"messages": [{"role": "assistant", "content": [own, text]}]}
    assert store.own_only(claude, body) is body
    assert store.restored(claude, request(Thinking("hm", "glm"), Text("ok"))).messages[1].parts == [Text("ok")]


def test_encrypted_content_of_another_organization_is_left_out():
    xai, openai = (Recipient("me", name, "openai_responses", verifies=True) for name in ("xai", "openai"))
    store = seen([ThinkingSigned(mark(MarkedContent("openai_responses", "enc", id="rs_1"))), TextDelta("ok")], xai)
    item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "enc"}
    assert store.own_only(openai, {"input": [item]}) == {"input": []}
    assert store.own_only(xai, {"input": [item]}) == {"input": [item]}


def test_a_call_is_known_by_its_id_and_its_arguments_because_kimis_ids_repeat_in_every_conversation():
    store = ReasoningStore()
    for text, arguments in (("first", '{"a": 1, "b": 2}'), ("second", '{"a": 2}')):
        call = [ToolCallStarted("functions.f:0", "f"), ToolCallDelta("functions.f:0", arguments)]
        store.watch(CHAT).see([ThinkingDelta(text), *call, Finished("tool_calls")])
    thought, _ = store.restored(CHAT, request(ToolCall("functions.f:0", "f", '{"b":2,"a":1}'))).messages[1].parts
    assert isinstance(thought, Thinking)
    assert thought.text == "first"
    unknown = request(ToolCall("functions.f:0", "f", '{"a": 3}'))
    assert store.restored(CHAT, unknown) is unknown


def test_arguments_that_a_client_wrote_anew_are_no_obstacle():
    store = seen([ThinkingDelta("hm"), ToolCallStarted("c", "f"), ToolCallDelta("c", '{"a": 1.0}')], CHAT)
    assert len(store.restored(CHAT, request(ToolCall("c", "f", '{"a": 1}'))).messages[1].parts) == 2


def test_a_call_of_a_client_without_ids_is_known_by_its_name_and_arguments():
    store = seen([ThinkingDelta("hm"), ToolCallStarted("c", "f"), ToolCallDelta("c", "{}")], CHAT)
    assert len(store.restored(CHAT, request(ToolCall("call_0", "f", "{}"))).messages[1].parts) == 2
    other = request(ToolCall("other", "f", "{}"))
    assert store.restored(CHAT, other) is other


def test_a_signed_thought_is_not_put_back_twice_in_one_request():
    store = seen([ThinkingDelta("hm"), ThinkingSigned("s"), ToolCallStarted("c", "f")])
    twice = request(ToolCall("call_0", "f", "{}"))
    twice.messages += twice.messages
    back = store.restored(ME, twice)
    assert [len(message.parts) for message in back.messages] == [1, 2, 1, 1]


def test_the_note_for_gemini_on_a_call_of_another_model_is_no_signature():
    back = ReasoningStore().restored(CHAT, request(ToolCall("c", "f", "{}", signature=OF_ANOTHER_MODEL)))
    assert back.messages[1].parts == [ToolCall("c", "f", "{}")]


def test_the_oldest_goes_first_when_there_are_too_many():
    store = ReasoningStore(max_entries=2)
    for name in "ab":
        store.keep("me", "gemini", name, Kept("s"))
    assert store.find("me", "gemini", "a")
    store.keep("me", "gemini", "c", Kept("s"))
    assert store.find("me", "gemini", "a")
    assert not store.find("me", "gemini", "b")


def test_bytes_are_bounded_too():
    store = ReasoningStore(max_bytes=2000)
    for number in range(50):
        store.keep("me", "gemini", str(number % 7), Kept("s" * 300))
        assert store.size <= 2000
    store.keep("me", "gemini", "huge", Kept("s" * 3000))
    assert not store.find("me", "gemini", "huge")
    assert store.size == sum(500 for _ in range(len(store)))


async def loop(gateway: GatewayFixture, alias: str, stream: bool) -> dict[str, Any]:
    """A tool loop of an OpenAI client that gives back nothing but the call; what the vendor was sent last."""
    tools = [{"type": "function", "function": TOOL}]
    first: list[dict[str, Any]] = [{"role": "user", "content": "the weather?"}]
    if stream:
        data = await gateway.stream(alias, tools=tools, messages=first)
        deltas = [orjson.loads(line[6:])["choices"] for line in data.split(b"\n") if line.startswith(b"data: {")]
        starts = [
            call for choices in deltas for choice in choices for call in choice["delta"].get("tool_calls", ()) if call.get("id")
        ]
        called = {**starts[0], "function": {"name": "weather", "arguments": "{}"}}
    else:
        (called,) = (await gateway.ask(alias, tools=tools, messages=first))["choices"][0]["message"]["tool_calls"]
    bare = {name: called[name] for name in ("id", "type", "function") if name in called}
    second = [
        *first,
        {"role": "assistant", "tool_calls": [bare]},
        {"role": "tool", "tool_call_id": called["id"], "content": "sunny"},
    ]
    answer = await gateway.ask(alias, tools=tools, messages=second, reasoning_effort="low")
    assert "sunny" in answer["choices"][0]["message"]["content"]
    return answer


@pytest.mark.parametrize("stream", [False, True])
async def test_an_openai_client_goes_through_geminis_tool_loop(gateway: GatewayFixture, vendor: Vendor, stream: bool):
    await gateway.add_provider("ge", vendor.anthropic_url, kind="gemini")
    await gateway.add_alias("g", "ge/gemini-3-flash")
    await gateway.add_key()
    await loop(gateway, "g", stream)
    sent = vendor.requests[-1].body["contents"][1]
    assert sent["role"] == "model"
    assert sent["parts"][0]["thoughtSignature"] == GEMINIS


@pytest.mark.parametrize("stream", [False, True])
async def test_an_openai_client_keeps_claudes_thoughts_in_a_tool_loop(gateway: GatewayFixture, vendor: Vendor, stream: bool):
    await gateway.add_provider("an", vendor.anthropic_url, kind="anthropic-compatible")
    await gateway.add_alias("c", "an/claude-x")
    await gateway.add_key()
    vendor.script(Step(thinking="the weather it is"), Step())
    await loop(gateway, "c", stream)
    sent = vendor.requests[-1].body
    assert sent["messages"][1]["content"][0] == {"type": "thinking", "thinking": "the weather it is", "signature": CLAUDES}
    assert sent["thinking"] == {"type": "adaptive"}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_claude_never_sees_a_thought_that_it_did_not_sign(gateway: GatewayFixture, vendor: Vendor, stream: bool):
    """A conversation that began at Gemini continues at Claude in the client's own dialect: Gemini's thinking would be a 400."""
    await gateway.add_provider("an", vendor.anthropic_url, kind="anthropic-compatible")
    await gateway.add_provider("ge", vendor.anthropic_url, kind="gemini")
    await gateway.add_alias("g", "ge/gemini-3-flash")
    await gateway.add_alias("c", "an/claude-x")
    await gateway.add_key()
    vendor.script(Step(thinking="so it is"), Step())
    fields: dict[str, Any] = {"client_dialect": "anthropic_messages", "max_tokens": 99}
    user = {"role": "user", "content": "hello"}
    if stream:
        events = MESSAGES.reader().feed(await gateway.stream("g", messages=[user], **fields))
        content = MESSAGES.write_response(collect(events), ChatRequest("anthropic_messages", "g"))["content"]
    else:
        content = (await gateway.ask("g", messages=[user], **fields))["content"]
    assert [block["type"] for block in content] == ["thinking", "text"]
    await gateway.ask("c", messages=[user, {"role": "assistant", "content": content}, user], **fields)
    assert vendor.requests[-1].body["messages"][1]["content"] == content[1:]
    assert gateway.records[-1].dropped == ("thoughts and sources of other providers",)
    await gateway.ask("c", messages=[user], **fields)
    assert gateway.records[-1].dropped == ()
