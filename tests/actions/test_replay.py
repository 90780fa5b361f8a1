"""A kept request is asked again: as it was, with other fields, or another target."""

from __future__ import annotations

import orjson
import pytest

from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.replay import CLIENT
from conduit_desktop.core.errors import Conflict, Invalid, NotFound
from conduit_desktop.core.records import RequestRecord
from tests.actions.conftest import Do, kept_request

CHAT = {"model": "talk", "messages": [{"role": "user", "content": "Hello"}], "temperature": 0.5}
BODIES = {
    "openai_chat": CHAT,
    "anthropic_messages": {"model": "talk", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]},
    "openai_responses": {"model": "talk", "input": "Hello"},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
    "ollama": {"model": "talk", "messages": [{"role": "user", "content": "Hello"}]},
}


@pytest.fixture(autouse=True)
async def demo(do: Do) -> None:
    await do("POST", "/providers", {"name": "demo", "kind": "demo", "options": {"pace_ms": 1}})
    await do("POST", "/models", {"alias": "talk", "targets": [{"provider": "demo", "model": "demo-chat"}]})


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("language", list(BODIES))
async def test_a_request_is_asked_again_as_it_was(context: AppContext, do: Do, language: str, stream: bool) -> None:
    first = await kept_request(context, BODIES[language], language, stream)
    again = await do("POST", "/replay", {"request_id": first})
    before = await do("GET", f"/requests/{first}")
    assert again["id"] != first
    assert again["client"] == CLIENT
    for name in ("model", "provider", "dialect", "streamed", "status", "endpoint", "input", "output"):
        assert again[name] == before[name], name
    assert again["response_payload"]
    assert await do("GET", f"/requests/{again['id']}") == again


async def test_another_target_is_asked(context: AppContext, do: Do) -> None:
    first = await kept_request(context, CHAT)
    again = await do("POST", "/replay", {"request_id": first, "target": "demo/demo-slow"})
    assert (again["model"], again["attempts"][0]["model"]) == ("demo/demo-slow", "demo-slow")
    assert again["request_payload"] == {**CHAT, "model": "demo/demo-slow"}


async def test_fields_are_set_and_removed(context: AppContext, do: Do) -> None:
    first = await kept_request(context, CHAT)
    messages = [{"role": "user", "content": "Something else"}]
    again = await do("POST", "/replay", {"request_id": first, "overrides": {"messages": messages, "temperature": None, "seed": 1}})
    assert again["request_payload"] == {"model": "talk", "messages": messages, "seed": 1}


async def test_a_stream_can_be_asked_whole(context: AppContext, do: Do) -> None:
    first = await kept_request(context, {**CHAT, "stream": True}, stream=True)
    assert (await do("POST", "/replay", {"request_id": first}))["streamed"]
    assert not (await do("POST", "/replay", {"request_id": first, "overrides": {"stream": False}}))["streamed"]


async def test_a_replayed_response_is_not_stored(context: AppContext, do: Do) -> None:
    first = await kept_request(context, BODIES["openai_responses"], "openai_responses")
    assert (await do("POST", "/replay", {"request_id": first}))["request_payload"]["store"] is False


async def test_an_answer_that_fails_is_in_the_record(context: AppContext, do: Do) -> None:
    first = await kept_request(context, CHAT)
    again = await do("POST", "/replay", {"request_id": first, "target": "demo/demo-error-500"})
    assert again["status"] == "error"
    assert again["error_text"]


async def test_a_target_that_does_not_exist_is_named(context: AppContext, do: Do) -> None:
    first = await kept_request(context, CHAT)
    with pytest.raises(Invalid, match="nothing") as raised:
        await do("POST", "/replay", {"request_id": first, "target": "nothing"})
    assert raised.value.field == "target"


async def test_what_was_not_kept_cannot_be_asked_again(context: AppContext, do: Do) -> None:
    with pytest.raises(NotFound):
        await do("POST", "/replay", {"request_id": "req_unknown"})
    at = 1_790_000_000_000
    for name, endpoint in (("unkept", "chat"), ("picture", "images"), ("cut", "chat")):
        record = RequestRecord(id=name, started_at=at, endpoint=endpoint, dialect="openai_chat", model="talk")
        await context.store.ledger.record(record)
    await context.store.payloads.put("cut", orjson.dumps({**CHAT, "pad": "x" * 2_000_000}), b"", at)
    for name, text in (("unkept", "not kept"), ("picture", "Only chats"), ("cut", "too large")):
        with pytest.raises(Conflict, match=text):
            await do("POST", "/replay", {"request_id": name})
