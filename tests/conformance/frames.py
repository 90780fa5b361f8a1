"""Cuts a recorded stream into its events, without the gateway's own readers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

Fields = dict[str, Any]


def events(dialect: str, data: bytes) -> Iterator[Fields]:
    """The JSON events of a stream, in order."""
    if dialect == "ollama":
        yield from map(orjson.loads, data.splitlines())
    else:
        yield from (_aws(data) if dialect == "bedrock" else _sse(data))


def _sse(data: bytes) -> Iterator[Fields]:
    for block in data.replace(b"\r\n", b"\n").split(b"\n\n"):
        data_lines = b"\n".join(line[5:].strip() for line in block.split(b"\n") if line.startswith(b"data:"))
        if data_lines and data_lines != b"[DONE]":
            yield orjson.loads(data_lines)


def _aws(data: bytes) -> Iterator[Fields]:
    from botocore.eventstream import EventStreamBuffer

    buffer = EventStreamBuffer()
    buffer.add_data(data)
    for message in buffer:
        yield {message.headers[":event-type"]: orjson.loads(message.payload)}


def is_error(event: Fields) -> bool:
    """Whether the event is the dialect's error event."""
    return bool(event.get("error")) or event.get("type") in ("error", "response.failed")
