"""Frames of many megabytes are cut out of a stream in small steps, between which other threads can have the interpreter's lock."""

from __future__ import annotations

import pytest

from conduit_desktop.core.events import TextDelta
from conduit_desktop.gateway.upstream.frame_relays import PassthroughRelay, TranslatedRelay
from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing import base, ndjson, sse
from conduit_desktop.wire.framing.base import joined, part_of

MB = 1024 * 1024
PIECE = 128 * 1024
TEXT = bytes(range(33, 127)) * (3 * MB // 94)


def pieces_of(data: bytes) -> list[bytes]:
    return [data[at : at + PIECE] for at in range(0, len(data), PIECE)]


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of each copy of a part."""
    sizes: list[int] = []
    copy = base._copy

    class Counting(bytearray):
        def __iadd__(self, part: memoryview) -> Counting:  # type: ignore[override, misc]
            sizes.append(len(part))
            super().__iadd__(part)
            return self

    def counting(text: bytes, start: int, end: int, out: bytearray) -> None:
        counted = Counting()
        copy(text, start, end, counted)
        out += counted

    monkeypatch.setattr(base, "_copy", counting)
    return sizes


def test_a_large_text_is_joined_and_cut_in_small_steps(copied: list[int]) -> None:
    text = joined([TEXT, b"end", TEXT])
    assert text == TEXT + b"end" + TEXT
    assert part_of(text, 1, len(text) - 1) == text[1:-1]
    assert part_of(text, 0, len(text)) is text
    assert part_of(text, 5, 8) == text[5:8]
    assert sum(copied) == 2 * len(text) - 2
    assert max(copied) <= PIECE


def test_a_small_text_is_joined_and_cut_at_once(copied: list[int]) -> None:
    assert type(joined([b"a", b"b"])) is bytes
    assert type(part_of(b"abc", 0, 2)) is bytes
    assert not copied


@pytest.mark.parametrize("start", [b"data: ", b"data:", b"event: x\ndata: ", b": comment\nid: 1\ndata: "])
@pytest.mark.parametrize("end", [b"\n\n", b"\n\r\n", b"\r\n\r\n"])
def test_a_large_event_has_its_text_whatever_is_around_it(start: bytes, end: bytes, copied: list[int]) -> None:
    line_end = b"\r\n" if end == b"\r\n\r\n" else b"\n"
    start = start.replace(b"\n", line_end)
    stream = start + TEXT + end
    splitter = sse.SseSplitter()
    frames = [frame for piece in pieces_of(stream + b"data: next\n\n") for frame in splitter.feed(piece)]
    assert [(frame.data, frame.event) for frame in frames] == [(TEXT, "x" if b"event" in start else None), (b"next", None)]
    assert frames[0].raw == stream
    assert copied
    assert max(copied) <= PIECE


def test_a_large_event_of_several_lines_of_data_is_one_text() -> None:
    (frame,) = sse.SseSplitter.split(b"data: " + TEXT + b"\ndata: " + TEXT + b"\n\n")
    assert frame.data == TEXT + b"\n" + TEXT
    (frame,) = sse.SseSplitter.split(b"data: a\n" * 20_000 + b"\n")
    assert frame.data == b"\n".join([b"a"] * 20_000)


def test_a_large_line_has_its_text(copied: list[int]) -> None:
    splitter = ndjson.LineSplitter()
    frames = [frame for piece in pieces_of(TEXT + b"\n{}\n\nrest") for frame in splitter.feed(piece)]
    assert [(frame.data, frame.raw) for frame in frames] == [(TEXT, TEXT + b"\n"), (b"{}", b"{}\n"), (b"", b"\n")]
    assert splitter.rest == b"rest"
    assert max(copied) <= PIECE


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_a_large_frame_is_passed_on_whole(end: bytes, copied: list[int]) -> None:
    relay = PassthroughRelay(dialect("openai_chat"), hide_usage=False)
    stream = b"data: " + TEXT + end
    out = [relay.feed(piece, [], False) for piece in pieces_of(stream + b"data: ne")]
    assert b"".join(out) == stream
    assert relay.end() == b"data: ne"
    assert copied
    assert max(copied) <= PIECE


def test_a_long_text_of_a_large_frame_is_written_as_several() -> None:
    written: list[str] = []

    class Writer:
        def write(self, event: TextDelta) -> bytes:
            written.append(event.text)
            return event.text.encode()

    relay = TranslatedRelay(Writer())  # type: ignore[arg-type]
    text = TEXT.decode()
    assert relay.feed_large(b"", [TextDelta("a", 1), TextDelta(text, 1)], False) == b"a" + TEXT
    assert "".join(written) == "a" + text
    assert max(map(len, written)) <= 64 * 1024
