"""Context trimming removes whole exchanges, and a response header reports it."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.errors import BadRequest
from conduit_desktop.gateway.call import Call, StreamReply, WholeReply
from conduit_desktop.gateway.routing.trimming import trim
from conduit_desktop.wire import dialect
from tests.fakes.gateway import GatewayFixture, call
from tests.fakes.vendor import Vendor

LONG = "word " * 200  # about 250 tokens


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


OPENAI = [
    {"role": "system", "content": "Be brief."},
    user(f"1 {LONG}"),
    {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "7"}, assistant(LONG), user(f"2 {LONG}"), assistant("ok"), user("3"),
]  # fmt: skip
ANTHROPIC = [
    user(f"1 {LONG}"), {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "7"}]}, assistant(LONG),
    user(f"2 {LONG}"), assistant("ok"), user("3"),
]  # fmt: skip
GEMINI = [
    {"role": "user", "parts": [{"text": f"1 {LONG}"}]}, {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
    {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}, {"role": "model", "parts": [{"text": LONG}]},
    {"role": "user", "parts": [{"text": "3"}]},
]  # fmt: skip
RESPONSES = [
    user(f"1 {LONG}"), {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": "7"}, assistant(LONG), user("3"),
]  # fmt: skip


def made(client_dialect: str, name: str, messages: list[dict[str, Any]], **more: Any) -> Call:
    return Call(dialect(client_dialect), {name: messages, **more}, "m")


def test_the_oldest_turn_goes_with_its_tool_call_and_its_result() -> None:
    one = made("openai_chat", "messages", OPENAI)
    before = one.body
    assert trim(one, 400) == 4
    assert one.body["messages"] == [OPENAI[0], *OPENAI[5:]]
    assert before["messages"] == OPENAI, "the caller's own body is left as it is"
    assert one.input_tokens <= 400


@pytest.mark.parametrize(
    ("client_dialect", "name", "messages", "left"),
    [
        ("openai_chat", "messages", OPENAI, [OPENAI[0], OPENAI[-1]]),
        ("anthropic_messages", "messages", ANTHROPIC, ANTHROPIC[-1:]),
        ("gemini", "contents", GEMINI, GEMINI[-1:]),
        ("openai_responses", "input", RESPONSES, RESPONSES[-1:]),
    ],
)
def test_system_prompt_and_last_turn_stay_in_every_dialect(
    client_dialect: str, name: str, messages: list[dict[str, Any]], left: list[dict[str, Any]]
) -> None:
    one = made(client_dialect, name, messages)
    assert trim(one, 1) == len(messages) - len(left)
    assert one.body[name] == left


def test_the_last_turn_keeps_its_own_tool_calls() -> None:
    last = ANTHROPIC[:4]
    one = made("anthropic_messages", "messages", [user(LONG), assistant("ok"), *last])
    assert trim(one, 1) == 2
    assert one.body["messages"] == last


@pytest.mark.parametrize("body", [{"input": LONG}, {"messages": "nonsense"}, {"messages": [7, None, user(LONG)]}, {}])
def test_what_has_no_turns_is_left_alone(body: dict[str, Any]) -> None:
    one = Call(dialect("openai_chat"), body, "m")
    trim(one, 1)
    assert user(LONG) in one.body["messages"] if isinstance(body.get("messages"), list) else one.body == body


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_client_gets_the_number_of_trimmed_messages(gateway: GatewayFixture, vendor: Vendor, streamed: bool) -> None:
    await gateway.add_provider("a", vendor.openai_url)
    await gateway.add_alias("short", "a/one", trim=True, max_context_tokens=400)
    await gateway.add_key()
    exchange = await gateway.answer(call("short", messages=OPENAI, stream=streamed))
    assert isinstance(exchange, (WholeReply, StreamReply))
    if isinstance(exchange, StreamReply):
        async for _ in exchange.frames:
            pass
        await exchange.close()
    assert exchange.headers["x-conduit-trimmed"] == "4 messages"
    assert vendor.requests[0].body["messages"] == [OPENAI[0], *OPENAI[5:]]
    short = await gateway.answer(call("short"))
    assert "x-conduit-trimmed" not in short.headers


async def test_off_by_default_what_is_too_long_is_refused(gateway: GatewayFixture, vendor: Vendor) -> None:
    await gateway.add_provider("a", vendor.openai_url)
    await gateway.add_alias("short", "a/one", max_context_tokens=400)
    await gateway.add_key()
    with pytest.raises(BadRequest) as caught:
        await gateway.ask("short", messages=OPENAI)
    assert caught.value.code == "context_length_exceeded"
    assert not vendor.requests
