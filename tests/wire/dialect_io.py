"""Reads and writes streams, answers and requests of any dialect, and loads recorded calls."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import orjson

from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.chat import ChatRequest, Message, Text
from conduit_desktop.core.events import Event
from conduit_desktop.wire import Dialect, WrittenRequest
from conduit_desktop.wire.turn_rules import rules_of
from conduit_desktop.wire.turns import normalised
from tests.fakes.replay import interactions

Recording = dict[str, Any]


def read(dialect: Dialect, data: bytes, split: int = 0) -> list[Event]:
    """The events of a whole stream, fed in pieces of `split` bytes (0: at once)."""
    reader = dialect.reader()
    events: list[Event] = []
    step = split or max(len(data), 1)
    for at in range(0, len(data), step):
        events += reader.feed(data[at : at + step])
    return events + reader.close(clean=True)


def answer_of(dialect: Dialect, data: bytes) -> Answer:
    """The answer a stream makes, the same whatever its split."""
    events = read(dialect, data)
    for split in (1, 7):
        assert read(dialect, data, split) == events, split
    return collect(events)


def client_request(dialect: Dialect, **fields: Any) -> ChatRequest:
    """A request of a client of this dialect."""
    return ChatRequest(dialect.name, "alias", [Message("user", [Text("hello")], plain=True)], include_usage=True, **fields)


def write_stream(dialect: Dialect, events: list[Event]) -> bytes:
    """The whole stream that this dialect writes for `events`."""
    writer = dialect.writer(client_request(dialect, stream=True))
    return b"".join([writer.write(event) for event in events]) + writer.end()


def translated(to: Dialect, request: ChatRequest, model: str) -> WrittenRequest:
    """The request as it reaches the owner of the dialect `to`: one of another dialect is arranged by its rules, then written."""
    request, lost = (request, []) if request.dialect == to.name else normalised(request, rules_of(to.name), to.name)
    out = to.write_request(request, model)
    return WrittenRequest(out.body, list(dict.fromkeys([*lost, *out.dropped])))


def again(dialect: Dialect, body: dict[str, Any], model: str = "", path: dict[str, Any] | None = None) -> dict[str, Any]:
    """The request `body`, read and written; nothing of it may be dropped."""
    out = dialect.write_request(dialect.read_request(copy.deepcopy(body), path or {}), model or body.get("model", ""))
    assert out.dropped == []
    orjson.dumps(out.body)
    return out.body


def recorded(folder: Path, *kinds: str) -> list[Recording]:
    """The recorded calls of these kinds."""
    return [each for each in interactions(folder) if each["kind"] in kinds]
