"""Frames out of bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.framing.sse import SseSplitter

payload = st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20).map(str.encode)
event_name = st.none() | st.sampled_from(["message", "error", "content_block_delta"])
frames = st.lists(st.tuples(event_name, st.lists(payload, min_size=1, max_size=3), st.booleans()), min_size=1, max_size=6)
line_end = st.sampled_from([b"\n", b"\r\n", b"\r"])


def stream_of(events: list[tuple[str | None, list[bytes], bool]], end: bytes) -> bytes:
    """A stream with the given line ending; an event may have a comment before its data."""
    written = b""
    for event, lines, commented in events:
        written += b": still here" + end if commented else b""
        written += b"event: " + event.encode() + end if event else b""
        written += b"".join(b"data: " + line + end for line in lines) + end
    return written


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data` cut at these places."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:stop] for start, stop in pairwise(places)]


@given(frames, line_end, st.lists(st.integers(0, 10_000), max_size=20), st.booleans())
def test_frames_do_not_depend_on_how_the_bytes_were_split(
    events: list[tuple[str | None, list[bytes], bool]], end: bytes, cuts: list[int], marked: bool
) -> None:
    data = (b"\xef\xbb\xbf" if marked else b"") + stream_of(events, end)
    splitter = SseSplitter()
    found = [frame for piece in pieces(data, cuts) for frame in splitter.feed(piece)]
    nonempty = [frame for frame in found if frame.raw.strip()]
    assert [(frame.event, frame.data) for frame in nonempty] == [(event, b"\n".join(lines)) for event, lines, _ in events]
    assert b"".join(frame.raw for frame in found) + splitter.rest == data.removeprefix(b"\xef\xbb\xbf")


def test_a_comment_alone_is_a_frame_without_data() -> None:
    assert SseSplitter().feed(sse.comment("ping")) == [Frame(None, b"", b": ping\n\n")]


def test_what_no_blank_line_ended_is_kept() -> None:
    splitter = SseSplitter()
    assert splitter.feed(b"data: 1\n\ndata: 2\n") == [Frame(None, b"1", b"data: 1\n\n")]
    assert splitter.rest == b"data: 2\n"


def test_one_space_after_the_colon_belongs_to_the_format_and_no_more() -> None:
    assert [frame.data for frame in SseSplitter().feed(b"data:a\n\ndata:  b\n\n")] == [b"a", b" b"]


def test_a_frame_written_is_a_frame_read() -> None:
    assert SseSplitter().feed(sse.write(b"{}", "error")) == [Frame("error", b"{}", b"event: error\ndata: {}\n\n")]


@pytest.mark.parametrize("after", [b"\n\n", b"\r\n\r\n", b"\nevent: a\n\n", b"\ndata: b\n\n"])
@pytest.mark.parametrize("before", [b"data: ", b"data:", b"event: b\ndata: ", b": c\ndata: "])
def test_a_large_frame_is_parsed_as_a_small_one_is(before: bytes, after: bytes) -> None:
    small, large = sse.parse(before + b"x" + after), sse.parse(before + b"x" * 100_000 + after)
    assert (large.event, large.data.replace(b"x" * 100_000, b"x")) == (small.event, small.data)
