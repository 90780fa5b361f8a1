"""The operator's own conversation: routed and recorded like anybody's."""

from __future__ import annotations

import pytest

from conduit_desktop.actions.chat import stream_chat
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import Message, Text
from conduit_desktop.core.errors import GatewayError, ModelNotFound
from conduit_desktop.core.events import TextDelta
from tests.actions.conftest import Do

HELLO = [Message("user", [Text("Hello")], plain=True)]


@pytest.fixture(autouse=True)
async def demo(do: Do) -> None:
    await do("POST", "/providers", {"name": "demo", "kind": "demo", "options": {"pace_ms": 1}})
    await do("POST", "/models", {"alias": "talk", "targets": [{"provider": "demo", "model": "demo-chat"}]})


async def test_an_answer_comes_in_events_and_leaves_its_record(context: AppContext, do: Do) -> None:
    stream = stream_chat(context, "talk", HELLO, system="Be brief.")
    answer = collect([event async for event in stream])
    assert answer.first.text
    assert stream.record is not None
    assert (stream.record.status, stream.record.model, stream.record.client) == ("success", "talk", "Conduit chat")
    assert (await do("GET", f"/requests/{stream.id}"))["output"] == stream.record.output > 0


async def test_a_key_can_be_charged_for_it(context: AppContext, do: Do) -> None:
    key = await do("POST", "/keys", {"name": "laptop"})
    stream = stream_chat(context, "talk", HELLO, key_id=key["id"])
    collect([event async for event in stream])
    assert stream.record is not None
    assert stream.record.key_name == "laptop"


async def test_leaving_early_is_recorded_as_cancelled(context: AppContext) -> None:
    stream = stream_chat(context, "demo/demo-slow", HELLO)
    async for event in stream:
        if isinstance(event, TextDelta):
            break
    await stream.aclose()
    assert stream.record is not None
    assert stream.record.status == "cancelled"
    assert context.gateway.in_flight == 0


async def test_an_unknown_model_is_an_error_at_the_first_event(context: AppContext) -> None:
    with pytest.raises(ModelNotFound):
        await anext(aiter(stream_chat(context, "nothing", HELLO)))


async def test_a_broken_upstream_raises_in_the_middle(context: AppContext) -> None:
    stream = stream_chat(context, "demo/demo-error-broken", HELLO)
    with pytest.raises(GatewayError):
        collect([event async for event in stream])
    assert stream.record is not None
    assert stream.record.status == "broken"
