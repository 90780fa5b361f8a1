"""What every splitter does, whatever its framing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.wire.framing import aws_eventstream, base, ndjson, splitter_of, sse
from conduit_desktop.wire.framing.aws_eventstream import EventSplitter
from conduit_desktop.wire.framing.base import Splitter
from conduit_desktop.wire.framing.json_array import ArraySplitter
from conduit_desktop.wire.framing.ndjson import LineSplitter
from conduit_desktop.wire.framing.sse import SseSplitter

STREAMS: dict[type[Splitter], list[bytes]] = {
    SseSplitter: [sse.write(b"{}", "start"), sse.comment("ping"), b"data: 1\r\n\r\n", sse.write(b'{"text":"\\n"}')],
    LineSplitter: [ndjson.write(b'{"a":1}'), ndjson.write(b""), ndjson.write(b"[2]")],
    EventSplitter: [aws_eventstream.write(data, {":message-type": "event", ":event-type": "e"}) for data in (b"{}", b"", b"22")],
}
UNENDED = {SseSplitter: b"data: ", LineSplitter: b"{", ArraySplitter: b"[{"}

relayed = pytest.mark.parametrize("splitter", STREAMS, ids=lambda splitter: splitter.__name__)


@relayed
@given(cuts=st.lists(st.integers(1, 20), max_size=20))
def test_frames_are_the_same_in_any_split_and_lose_no_byte(splitter: type[Splitter], cuts: list[int]) -> None:
    data, at, made, frames = b"".join(STREAMS[splitter]), 0, splitter(), []
    for size in [*cuts, len(data)]:
        frames += made.feed(data[at : at + size])
        at += size
    assert [frame.raw for frame in frames] == STREAMS[splitter]
    assert made.rest == b""


@relayed
def test_the_last_end_is_where_the_last_whole_frame_ends(splitter: type[Splitter]) -> None:
    stream = STREAMS[splitter]
    data = b"".join(stream)
    ends = [0, *(len(b"".join(stream[: count + 1])) for count in range(len(stream)))]
    for size in range(len(data) + 1):
        assert splitter.last_end(data[:size]) == max(end for end in ends if end <= size)
    assert [frame.raw for frame in splitter.split(data)] == stream


@pytest.mark.parametrize("splitter", UNENDED, ids=lambda splitter: splitter.__name__)
def test_a_frame_that_does_not_end_is_malformed_above_the_limit(splitter: type[Splitter], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MAX_FRAME", 100)
    made = splitter()
    made.feed(UNENDED[splitter] + b"x" * 50)
    with pytest.raises(MalformedStream, match="more than 100 bytes"):
        made.feed(b"x" * 60)


def test_the_content_type_names_the_splitter() -> None:
    types = ["text/event-stream; charset=utf-8", "application/x-ndjson", "application/vnd.amazon.eventstream", "text/plain"]
    assert [splitter_of(each) for each in types] == [SseSplitter, LineSplitter, EventSplitter, SseSplitter]
