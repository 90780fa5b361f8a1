"""Two requests side by side."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.actions.comparison import differences
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import NotFound
from conduit_desktop.core.records import RequestRecord
from tests.actions.conftest import Do

AT = 1_790_000_000_000


def whole(text: str, calls: list[dict[str, Any]] | None = None) -> bytes:
    message = {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return orjson.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})


def streamed(*pieces: str, ends: bool = True) -> bytes:
    def frame(delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        return b"data: " + orjson.dumps(chunk) + b"\n\n"

    end = frame({}, "stop") + b"data: [DONE]\n\n" if ends else b""
    return b"".join(frame({"content": piece}) for piece in pieces) + end


async def kept(context: AppContext, name: str, request: dict[str, Any], response: bytes, **values: Any) -> None:
    record = RequestRecord(id=name, started_at=AT, dialect="openai_chat", model=str(request.get("model")), **values)
    await context.store.ledger.record(record)
    await context.store.payloads.put(name, orjson.dumps(request), response, AT)


async def test_answers_costs_and_times_stand_side_by_side(context: AppContext, do: Do) -> None:
    await kept(context, "a", {"model": "one", "seed": 1}, whole("It is a cat."), cost_nano=1_000, duration_ms=10.0, output=4)
    await kept(context, "b", {"model": "two", "seed": 1}, streamed("It is ", "a dog."), streamed=True, duration_ms=20.0)
    found = await do("GET", "/requests/a/compare/b")
    assert (found["left"]["text"], found["right"]["text"]) == ("It is a cat.", "It is a dog.")
    assert (found["left"]["request"]["cost_usd"], found["right"]["request"]["cost_usd"]) == (0.000001, None)
    assert (found["left"]["request"]["output"], found["right"]["request"]["duration_ms"]) == (4, 20.0)
    assert [(part["kind"], part["text"]) for part in found["differences"]] == [
        ("equal", "It is a "), ("removed", "cat"), ("added", "dog"), ("equal", "."),
    ]  # fmt: skip
    assert found["fields"] == [{"name": "model", "left": "one", "right": "two"}]


async def test_tool_calls_are_shown(context: AppContext, do: Do) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "read", "arguments": '{"path":"a"}'}}
    await kept(context, "a", {"model": "one"}, whole("", [call]))
    found = await do("GET", "/requests/a/compare/a")
    assert found["left"]["tool_calls"] == [{"name": "read", "arguments": '{"path":"a"}'}]
    assert found["fields"] == []


async def test_of_a_broken_stream_what_came_is_compared(context: AppContext, do: Do) -> None:
    await kept(context, "a", {"model": "one"}, streamed("It is ", ends=False), streamed=True, status="broken")
    assert (await do("GET", "/requests/a/compare/a"))["left"]["text"] == "It is "


@pytest.mark.parametrize("response", [b"", b'{"error": {"message": "no"}}', b"\xff not JSON"])
async def test_without_an_answer_there_is_no_text(context: AppContext, do: Do, response: bytes) -> None:
    await kept(context, "a", {"model": "one"}, response, status="error")
    await context.store.ledger.record(RequestRecord(id="b", started_at=AT, dialect="openai_chat"))
    found = await do("GET", "/requests/a/compare/b")
    assert (found["left"]["text"], found["right"]["text"], found["differences"]) == (None, None, [])


async def test_an_unknown_request_is_named(context: AppContext, do: Do) -> None:
    await kept(context, "a", {"model": "one"}, whole("a"))
    with pytest.raises(NotFound, match="req_x"):
        await do("GET", "/requests/a/compare/req_x")


@given(st.text(max_size=60), st.text(max_size=60))
def test_both_texts_can_be_made_of_their_differences(left: str, right: str) -> None:
    parts = list(differences(left, right))
    assert "".join(part.text for part in parts if part.kind != "added") == left
    assert "".join(part.text for part in parts if part.kind != "removed") == right


@pytest.mark.parametrize("unit", ["word ", "line\n"])
def test_long_texts_are_compared_in_bounded_time(unit: str) -> None:
    left, right = unit * 300_000, "begin " + unit * 300_000
    parts = list(differences(left, right))
    assert "".join(part.text for part in parts if part.kind != "removed") == right
