"""The length of MP3 by every rate and version, and how much of a PDF is looked through."""

from __future__ import annotations

import base64
import zlib

import pytest

from conduit_desktop.gateway.admission.media_sizes import pdf_content, sound_seconds

MPEG_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
MPEG_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
"""Kilobits a second by the index from 1 on."""
UNKNOWN_BYTES_S = 16_000


def encoded(data: bytes) -> str:
    """In base64, filled up so that no padding is needed: the size is exact."""
    assert len(data) % 3 == 0
    return base64.b64encode(data).decode()


def frame(version: int, rate: int, sampling: int = 0) -> bytes:
    """The head of a frame of layer III. `version`: 3 is MPEG 1, 2 is MPEG 2."""
    return bytes([0xFF, 0xE2 | version << 3, rate << 4 | sampling << 2, 0xC4])


@pytest.mark.parametrize(("version", "rates"), [(3, MPEG_1), (2, MPEG_2)])
@pytest.mark.parametrize("index", range(1, 15))
def test_the_rate_of_the_first_frame_counts_for_all(version: int, rates: tuple[int, ...], index: int) -> None:
    assert sound_seconds(encoded(frame(version, index) + bytes(29_996))) == 30_000 / (rates[index - 1] * 125)


@pytest.mark.parametrize(("version", "rate", "sampling"), [(3, 0, 0), (3, 15, 0), (2, 0, 0), (2, 15, 0), (3, 14, 3), (1, 14, 0)])
def test_a_head_that_states_no_rate_has_that_of_unknown_sounds(version: int, rate: int, sampling: int) -> None:
    assert sound_seconds(encoded(frame(version, rate, sampling) + bytes(29_996))) == 30_000 / UNKNOWN_BYTES_S


@pytest.mark.parametrize(
    ("version", "sampling", "second"),
    [(3, 0, 44_100), (3, 1, 48_000), (3, 2, 32_000), (2, 0, 22_050), (2, 1, 24_000), (2, 2, 16_000)],
)
@pytest.mark.parametrize("mark", [b"Xing", b"Info"])
def test_a_stream_that_counts_its_frames_is_as_long_as_they_are(version: int, sampling: int, second: int, mark: bytes) -> None:
    data = frame(version, 9, sampling) + bytes(32) + mark + b"\0\0\0\1" + (0x01020304).to_bytes(4, "big") + bytes(29_952)
    assert sound_seconds(encoded(data)) == 0x01020304 * (1152 if version == 3 else 576) / second


@pytest.mark.parametrize(("flags", "counts"), [(0, False), (1, True), (2, False), (3, True), (14, False)])
def test_a_mark_without_a_number_of_frames_counts_none(flags: int, counts: bool) -> None:
    data = frame(3, 9) + bytes(32) + b"Xing\0\0\0" + bytes([flags]) + (500).to_bytes(4, "big") + bytes(29_952)
    assert sound_seconds(encoded(data)) == (500 * 1152 / 44_100 if counts else 30_000 / 16_000)


@pytest.mark.parametrize(("before", "counts"), [(48, True), (49, False)])
def test_a_mark_stands_within_the_first_64_bytes_of_a_frame(before: int, counts: bool) -> None:
    data = frame(3, 9) + bytes(before) + b"Info\0\0\0\1" + (500).to_bytes(4, "big")
    data += bytes(30_000 - len(data))
    assert sound_seconds(encoded(data)) == (500 * 1152 / 44_100 if counts else 30_000 / 16_000)


def tag(size: int) -> bytes:
    return b"ID3\4\0\0" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127])


@pytest.mark.parametrize("size", [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
def test_what_follows_a_tag_is_the_sound(size: int) -> None:
    data = tag(size) + bytes(size) + bytes(48_000 - size % 3 - 10 % 3)
    assert sound_seconds(encoded(data + bytes(-len(data) % 3))) == (len(data) + -len(data) % 3 - 10 - size) / UNKNOWN_BYTES_S


def test_a_tag_that_is_longer_than_all_leaves_no_sound() -> None:
    assert sound_seconds(encoded(tag(10**6) + bytes(29_990))) == 0
    assert sound_seconds(encoded(b"ID3" + bytes(6))) == 9 / UNKNOWN_BYTES_S
    # A tag without its last byte is none. In base64, ten and eleven bytes are as long as twelve.
    assert sound_seconds(base64.b64encode(b"ID3" + bytes(7)).decode()) == 12 / UNKNOWN_BYTES_S
    assert sound_seconds(base64.b64encode(b"ID3" + bytes(8)).decode()) == 2 / UNKNOWN_BYTES_S


@pytest.mark.parametrize("size", [0, 7, 300, 40_000])
def test_a_frame_after_a_tag_is_found_and_one_in_it_is_not(size: int) -> None:
    inner = frame(3, 1) if size >= 4 else b""
    data = tag(size) + inner + bytes(size - len(inner)) + frame(3, 9) + bytes(48_000)
    data += bytes(-len(data) % 3)
    assert sound_seconds(encoded(data)) == (len(data) - 10 - size) / 16_000
    faster = data.replace(frame(3, 9), frame(3, 14))
    assert sound_seconds(encoded(faster)) == (len(data) - 10 - size) / 40_000


@pytest.mark.parametrize(("at", "bytes_s"), [(49_148, 40_000), (49_149, UNKNOWN_BYTES_S)])
def test_the_first_frame_is_looked_for_in_64_kilobytes_of_base64(at: int, bytes_s: int) -> None:
    data = tag(100) + bytes(at - 10) + frame(3, 14) + bytes(9000)
    data += bytes(-len(data) % 3)
    assert sound_seconds(encoded(data)) == (len(data) - (at if bytes_s == 40_000 else 110)) / bytes_s


def test_what_is_no_base64_is_measured_by_its_length() -> None:
    assert sound_seconds("é" * 64_000) == 3
    assert pdf_content("é" * 64_000) == (0, 0)


def test_a_wav_file_states_its_rate() -> None:
    head = b"RIFF" + bytes(4) + b"WAVEfmt " + bytes(12) + (2000).to_bytes(4, "little")
    assert sound_seconds(encoded(head + bytes(30_000 - len(head)))) == 15


# PDF


def pdf(*drawings: bytes) -> str:
    data = b"%PDF-1.4\n" + b"".join(b"<</Type /Page>>stream\n" + zlib.compress(one) + b"\nendstream\n" for one in drawings)
    return encoded(data + bytes(-len(data) % 3))


@pytest.mark.parametrize(("count", "characters"), [(23, 23), (24, 24), (25, 24), (30, 24)])
def test_the_text_of_the_first_24_streams_is_counted(count: int, characters: int) -> None:
    assert pdf_content(pdf(*[b"BT (x) Tj ET"] * count)) == (count, characters)


def test_a_stream_that_is_no_text_leaves_the_next_to_be_counted() -> None:
    data = (
        b"%PDF-1.4\nstream\nno stream of zlib\nendstream\n<</Type/Page>>stream\r\n"
        + zlib.compress(b"BT (abc) Tj ET")
        + b"\nendstream"
    )
    assert pdf_content(encoded(data + bytes(-len(data) % 3))) == (1, 3)


def test_128_kilobytes_of_each_stream_are_counted() -> None:
    drawing = b"BT (abc) Tj ET" + b" " * (128 * 1024 - 14 - 3) + b"(d)" + b"(e)"
    assert pdf_content(pdf(drawing)) == (1, 4)
    assert pdf_content(pdf(b" " + drawing)) == (1, 3)


@pytest.mark.parametrize(("more", "characters"), [(0, 5), (1, 5)])
def test_the_streams_are_counted_until_more_than_512_kilobytes_are_inflated(more: int, characters: int) -> None:
    one = b"BT (x) Tj ET" + b" " * (128 * 1024 - 12)
    assert pdf_content(pdf(*[one] * (5 + more))) == (5 + more, characters)
    shorter = one[:-1]
    assert pdf_content(pdf(shorter, *[one] * 5)) == (6, 5)


@pytest.mark.parametrize(
    ("drawing", "characters"),
    [
        (b"BT (ab) Tj ET", 2), (b"BT (ab) TJ ET", 2), (b"(ab) Tj ET", 0), (b"BT (ab) Tj", 0), (b"BT (ab) ET", 0),
        (b"BT <4142> Tj (abc) Tj ET", 5), (b"BT <41424> Tj ET", 2), (b"BT <4> Tj ET", 0),
    ],
)  # fmt: skip
def test_texts_count_where_they_are_shown(drawing: bytes, characters: int) -> None:
    assert pdf_content(pdf(drawing)) == (1, characters)


def test_two_megabytes_of_base64_are_looked_through() -> None:
    page = b"/Type/Page>>"
    data = encoded(b"%PDF-1.7____" + page * 200_000)
    assert pdf_content(data)[0] == 2 * 1024 * 1024 * 3 // 4 // len(page) - 1
