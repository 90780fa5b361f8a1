"""AWS's binary frames: any split, every type of header, and checksums that are looked at."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise
from uuid import UUID

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.wire.framing.aws_eventstream import EventSplitter, parse, read_headers, write
from conduit_desktop.wire.framing.base import Frame

EVENT = {":event-type": "thing", ":message-type": "event"}
FAULT = {":exception-type": "throttlingException", ":message-type": "exception"}


def cut(data: bytes, split: int) -> list[Frame]:
    splitter = EventSplitter()
    frames = [frame for at in range(0, len(data), split) for frame in splitter.feed(data[at : at + split])]
    assert splitter.rest == b""
    return frames


@given(payloads=st.lists(st.binary(max_size=40), min_size=1, max_size=5), cuts=st.lists(st.integers(0, 400), max_size=8))
def test_frames_come_whole_whatever_the_split(payloads: list[bytes], cuts: list[int]) -> None:
    data = b"".join(write(payload, EVENT) for payload in payloads)
    places = sorted({0, len(data), *(place % len(data) for place in cuts)})
    splitter = EventSplitter()
    frames = [frame for start, stop in pairwise(places) for frame in splitter.feed(data[start:stop])]
    assert [(frame.event, frame.data) for frame in frames] == [("thing", payload) for payload in payloads]
    assert b"".join(frame.raw for frame in frames) == data


@given(payload=st.binary(max_size=60), name=st.text(max_size=20))
def test_botocore_reads_what_is_written(payload: bytes, name: str) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(write(payload, {**EVENT, "name": name}))
    (message,) = list(buffer)
    assert message.payload == payload
    assert message.headers == {**EVENT, "name": name}


def test_every_type_of_header_is_read() -> None:
    def header(name: str, kind: int, value: bytes) -> bytes:
        return bytes((len(name),)) + name.encode() + bytes((kind,)) + value

    uuid = UUID(int=5)
    data = header("yes", 0, b"") + header("no", 1, b"") + header("b", 2, b"\xff") + header("s", 3, struct.pack(">h", -2))
    data += header("i", 4, struct.pack(">i", -3)) + header("l", 5, struct.pack(">q", -4)) + header("raw", 6, b"\x00\x02hi")
    data += header("text", 7, b"\x00\x02hi") + header("at", 8, struct.pack(">q", 7)) + header("id", 9, uuid.bytes)
    found = read_headers(data)
    assert found == {
        "yes": True, "no": False, "b": -1, "s": -2, "i": -3, "l": -4, "raw": b"hi", "text": "hi", "at": 7, "id": uuid,
    }  # fmt: skip


@pytest.mark.parametrize("at", range(len(write(b"{}", EVENT))))
def test_a_flipped_byte_is_noticed(at: int) -> None:
    data = bytearray(write(b"{}", EVENT))
    data[at] ^= 1
    with pytest.raises(MalformedStream):
        EventSplitter().feed(bytes(data))


def test_what_stands_before_a_fault_is_given_first() -> None:
    good, bad = write(b"1", EVENT), bytearray(write(b"2", EVENT))
    bad[-1] ^= 1
    splitter = EventSplitter()
    assert [frame.data for frame in splitter.feed(good + bytes(bad))] == [b"1"]
    with pytest.raises(MalformedStream):
        splitter.feed(b"")


def test_lengths_and_headers_that_cannot_be_are_malformed() -> None:
    def framed(total: int, headers: int) -> bytes:
        start = struct.pack(">II", total, headers)
        return start + struct.pack(">I", zlib.crc32(start))

    for total, headers in ((15, 0), (16, 5), (2**31, 0)):
        with pytest.raises(MalformedStream):
            EventSplitter().feed(framed(total, headers))
    for headers in (b"\x01a\x63", b"\x01a\x07\x00\x09x", b"\x05a"):
        start = framed(16 + len(headers), len(headers)) + headers
        with pytest.raises(MalformedStream):
            EventSplitter().feed(start + struct.pack(">I", zlib.crc32(start)))


def test_an_exception_is_an_error() -> None:
    (frame,) = cut(write(b'{"message":"slow"}', FAULT), 5)
    assert (frame.event, frame.fault) == ("error", "throttlingException")  # type: ignore[attr-defined]
    (frame,) = cut(write(b"", {":message-type": "error", ":error-code": "500"}), 5)
    assert (frame.data, frame.fault) == (b"{}", "500")  # type: ignore[attr-defined]


def test_whole_frames_are_known_without_reading_them() -> None:
    splitter = EventSplitter
    one, two = write(b"1", EVENT), write(b"22", EVENT)
    assert [splitter.last_end((one + two)[:size]) for size in (0, 5, len(one), len(one) + 20)] == [0, 0, len(one), len(one)]
    assert splitter.last_end(one + two) == len(one + two)
    assert splitter.last_end(b"\x00" * 40) == 0
    assert [frame.data for frame in splitter.split(one + two)] == [b"1", b"22"]
    assert splitter.split(b"\x00" * 40) == []


def test_an_error_message_has_its_text_in_a_header() -> None:
    frame = parse(write(b"", {":message-type": "error", ":error-code": "InternalFailure", ":error-message": "try again"}))
    assert (frame.fault, frame.data) == ("InternalFailure", b'{"message":"try again"}')
