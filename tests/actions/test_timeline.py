"""When what of a streamed answer was sent."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.timeline import timeline_of
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gateway.accounting import meter
from conduit_desktop.store.interface import Payload
from tests.actions.conftest import Do, kept_request

CHAT = {"model": "demo/demo-tools", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
TOOL = {"type": "function", "function": {"name": "read_file", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture(autouse=True)
async def demo(do: Do) -> None:
    await do("POST", "/providers", {"name": "demo", "kind": "demo", "options": {"pace_ms": 1}})


async def test_the_pieces_of_a_stream_are_in_its_detail_with_their_times(context: AppContext, do: Do) -> None:
    detail = await do("GET", f"/requests/{await kept_request(context, {**CHAT, 'model': 'demo/demo-chat'}, stream=True)}")
    pieces = detail["timeline"]
    assert sum(piece["bytes"] for piece in pieces) == len(detail["response_payload"].encode())
    times = [piece["at_ms"] for piece in pieces]
    assert times == sorted(times)
    # Stored in tenths of a millisecond.
    assert 0 < times[0] <= times[-1] <= detail["duration_ms"] + 0.05
    assert "text" in {piece["kind"] for piece in pieces}
    assert sum(piece["characters"] for piece in pieces) > 0


async def test_a_tool_call_is_named_where_it_begins(context: AppContext, do: Do) -> None:
    pieces = (await do("GET", f"/requests/{await kept_request(context, {**CHAT, 'tools': [TOOL]}, stream=True)}"))["timeline"]
    assert [piece["tool"] for piece in pieces if piece["tool"]] == ["read_file"]
    assert next(piece for piece in pieces if piece["tool"])["kind"] == "tool_call"


async def test_an_answer_in_one_piece_has_no_timeline(context: AppContext, do: Do) -> None:
    body = {name: value for name, value in CHAT.items() if name != "stream"} | {"model": "demo/demo-chat"}
    assert (await do("GET", f"/requests/{await kept_request(context, body)}"))["timeline"] == []


async def test_the_pieces_of_one_answer_are_bounded(context: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "MOST_PIECES", 2)
    detail = await do("GET", f"/requests/{await kept_request(context, {**CHAT, 'model': 'demo/demo-chat'}, stream=True)}")
    assert len(detail["timeline"]) == 2
    assert sum(piece["bytes"] for piece in detail["timeline"]) == len(detail["response_payload"].encode())


def frame(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + orjson.dumps({"id": "1", "model": "m", "choices": [choice]}) + b"\n\n"


def test_thinking_text_and_the_end_are_told_apart() -> None:
    frames = [frame({"reasoning_content": "Hm."}), frame({"content": "Hello"}), frame({}, "stop"), b"data: [DONE]\n\n"]
    pieces = tuple((10.0 * at, len(data)) for at, data in enumerate(frames))
    record = RequestRecord(id="a", started_at=1, dialect="openai_chat", streamed=True)
    made = timeline_of(record, Payload(b"{}", b"".join(frames), False, False, 1, pieces))
    assert [(piece.kind, piece.characters) for piece in made] == [("thinking", 3), ("text", 5), ("other", 0), ("end", 0)]


def test_behind_a_fault_the_times_are_kept() -> None:
    frames = [b"data: {broken\n\n", frame({"content": "Hello"})]
    record = RequestRecord(id="a", started_at=1, dialect="openai_chat", streamed=True)
    payload = Payload(b"{}", b"".join(frames), False, False, 1, tuple((1.0, len(data)) for data in frames))
    assert [piece.kind for piece in timeline_of(record, payload)] == ["other", "other"]


def test_a_stream_of_sound_has_times_alone() -> None:
    record = RequestRecord(id="a", started_at=1, dialect="openai_chat", endpoint="speech", streamed=True)
    assert [piece.kind for piece in timeline_of(record, Payload(b"{}", b"\0\1", False, False, 1, ((1.0, 2),)))] == ["other"]
