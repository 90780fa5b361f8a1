"""Framings of streamed bodies: each module has a splitter, from bytes in any split to frames, and `write` where we send it."""

from __future__ import annotations

from conduit_desktop.wire.framing.aws_eventstream import EventSplitter
from conduit_desktop.wire.framing.base import Splitter
from conduit_desktop.wire.framing.ndjson import LineSplitter
from conduit_desktop.wire.framing.sse import SseSplitter

_BY_CONTENT_TYPE: dict[str, type[Splitter]] = {
    "application/x-ndjson": LineSplitter,
    "application/vnd.amazon.eventstream": EventSplitter,
}


def splitter_of(content_type: str) -> type[Splitter]:
    """The splitter of streams of that content type; server-sent events unless another framing is known for it."""
    return _BY_CONTENT_TYPE.get(content_type.partition(";")[0], SseSplitter)
