"""The length of sounds and the content of PDFs, by their first bytes."""

from __future__ import annotations

import base64
import timeit
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.gateway.admission.media_sizes import pdf_content, sound_seconds


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def tag(size: int) -> bytes:
    """An ID3 tag of so many bytes after its head, with what looks like a frame in it."""
    return (
        b"ID3\4\0\0"
        + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127])
        + b"\xff\xfb\x14\0"
        + bytes(size - 4)
    )


# Heads of frames: MPEG 1 at 48 kHz and 96 kbit/s, MPEG 2 at 24 kHz and 128 kbit/s, MPEG 2.5 at 8 kHz and 8 kbit/s.
MPEG1, MPEG2, MPEG25 = b"\xff\xfb\x74\xc4", b"\xff\xf3\xc4\xc4", b"\xff\xe3\x18\xc4"


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        (MPEG1 + bytes(53_852), 4.49), (MPEG2 + bytes(64_000), 4.0), (tag(300) + MPEG1 + bytes(53_852), 4.49),
        # A stream of a variable rate counts its frames: 122 of 1,152 samples at 48 kHz, and 125 of 576 at 24 kHz.
        (MPEG1 + bytes(32) + b"Xing\0\0\0\1" + (122).to_bytes(4, "big") + bytes(52_000), 2.928),
        (MPEG2 + bytes(17) + b"Info\0\0\0\3" + (125).to_bytes(4, "big") + bytes(52_000), 3.0),
        # What is not known has 128 kilobits a second.
        (b"OggS" + bytes(15_996), 1.0), (MPEG25 + bytes(15_996), 1.0), (b"\xff\xfb\xf4\xc4" + bytes(15_996), 1.0),
        (b"\xff\xfb\x7c\xc4" + bytes(15_996), 1.0), (b"ID3\4\0\0\0\0\0\x0a" + bytes(15_990), 1.0), (b"", 0.0),
    ],
)  # fmt: skip
def test_the_length_of_a_sound_is_what_its_head_states(data: bytes, seconds: float) -> None:
    assert sound_seconds(encoded(data)) == pytest.approx(seconds, rel=0.01)


def test_a_sound_in_the_url_safe_alphabet_is_as_long() -> None:
    data = b"\xff\xfb\x74\xc4" + b"\xff\xfe" * 6000
    assert sound_seconds(base64.urlsafe_b64encode(data).decode()) == sound_seconds(encoded(data)) == pytest.approx(1.0, rel=0.01)


def page(drawing: bytes, compressed: bool = True) -> bytes:
    data = zlib.compress(drawing) if compressed else drawing
    return b"1 0 obj <</Type /Page /Parent 2 0 R>> endobj\n3 0 obj <</Length 9>>\nstream\r\n" + data + b"\nendstream\nendobj\n"


@pytest.mark.parametrize(
    ("drawing", "characters"),
    [
        (b"BT (Hello) Tj ET", 5), (b"BT [(Hel) -20 (lo)] TJ (a\\)b) Tj ET", 9), (b"BT <48656C6C6F> Tj ET", 5),
        (b"0 0 612 792 re f", 0), (b"(no text is shown)", 0),
    ],
)  # fmt: skip
def test_the_text_of_a_page_is_what_it_shows(drawing: bytes, characters: int) -> None:
    assert pdf_content(encoded(b"%PDF-1.4\n" + page(drawing))) == (1, characters)
    assert pdf_content(encoded(b"%PDF-1.4\n" + page(drawing) * 3)) == (3, 3 * characters)
    assert pdf_content(encoded(b"%PDF-1.4\n2 0 obj <</Type /Pages>>\n" + page(drawing, compressed=False))) == (1, 0)


def test_a_pdf_that_inflates_to_a_gigabyte_is_looked_through_in_little_time() -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    data = encoded(b"%PDF-1.4\n" + (b"3 0 obj\nstream\n" + bomb + b"\nendstream\n") * 40)
    assert min(timeit.repeat(lambda: pdf_content(data), number=1, repeat=10)) < 0.05


@given(st.binary(max_size=400), st.sampled_from([b"", b"ID3", b"\xff\xfb", b"%PDF-1.4\nstream\n", b"RIFF"]))
def test_no_bytes_fail(data: bytes, begin: bytes) -> None:
    assert sound_seconds(encoded(begin + data)) >= 0
    assert pdf_content(encoded(begin + data))[0] >= 0
    assert sound_seconds("x" + encoded(data)[1:]) >= 0
