"""How compressed bodies are unpacked: every encoding, its faults, and the bounds of size and ratio."""

from __future__ import annotations

import asyncio
import gzip
import random
import sys
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import brotli
import pytest

from conduit_desktop.core.errors import BadRequest, PayloadTooLarge
from conduit_desktop.server import unpacking
from conduit_desktop.server.unpacking import unpack

zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
MB = 1024 * 1024
TEXT = b"".join(b"%d," % number for number in range(100_000))


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", _raw_deflate), ("br", partial(brotli.compress, quality=4)),
    ("zstd", zstd.compress),
]  # fmt: skip
each = pytest.mark.parametrize(("encoding", "pack"), PACKERS, ids=["gzip", "deflate", "raw deflate", "br", "zstd"])


@each
@pytest.mark.parametrize("text", [b"{}", TEXT, TEXT * 8], ids=["small", "large", "several slices"])
async def test_every_encoding_is_unpacked(encoding: str, pack: Callable[[bytes], bytes], text: bytes) -> None:
    assert await unpack(pack(text), encoding, 100) == text


@each
async def test_a_body_that_unpacks_to_more_than_the_limit_is_refused(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(PayloadTooLarge, match="1 MB"):
        await unpack(pack(TEXT * 8), encoding, 1)


@each
async def test_a_bomb_is_refused_by_its_ratio_long_before_the_limit(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(PayloadTooLarge, match="100 times"):
        await unpack(pack(b"[" * (64 * MB)), encoding, 4096)


@each
async def test_a_small_body_may_repeat_itself(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    assert await unpack(pack(b" " * MB), encoding, 100) == b" " * MB


@each
async def test_a_broken_body_is_a_bad_request(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(TEXT)
    with pytest.raises(BadRequest) as caught:
        await unpack(b"\x0b" + packed[:50] + b"\xff" * 100 + packed[50:], encoding, 100)
    assert caught.value.code == "invalid_encoding"


@pytest.mark.parametrize(("encoding", "pack"), PACKERS[:3], ids=["gzip", "deflate", "raw deflate"])
async def test_a_body_that_is_cut_off_is_a_bad_request(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BadRequest):
        await unpack(pack(TEXT)[:-20], encoding, 100)


async def test_all_members_of_a_gzip_body_are_unpacked_up_to_a_thousand() -> None:
    assert await unpack(gzip.compress(b"a") * 1000, "gzip", 100) == b"a" * 1000
    with pytest.raises(BadRequest):
        await unpack(gzip.compress(b"a") * 2000, "gzip", 100)


async def test_others_run_while_a_large_body_is_unpacked() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count())
    await unpack(gzip.compress(TEXT * 16), "gzip", 100)
    counting.cancel()
    assert turns > len(TEXT) * 16 // MB


@each
@pytest.mark.parametrize("size", [512 * 1024, 1024 * 1024])
async def test_a_body_of_whole_slices_is_unpacked(encoding: str, pack: Callable[[bytes], bytes], size: int) -> None:
    text = random.Random(size).randbytes(4096) * (size // 4096)
    assert await unpack(pack(text), encoding, 100) == text


@each
async def test_what_repeats_itself_from_afar_is_unpacked(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    text = random.Random(1).randbytes(30_000) * 3
    assert await unpack(pack(text), encoding, 100) == text


async def test_a_body_of_another_encoding_than_its_name_is_a_bad_request() -> None:
    for packed, encoding in ((zlib.compress(TEXT), "gzip"), (gzip.compress(TEXT), "deflate"), (gzip.compress(TEXT), "br")):
        with pytest.raises(BadRequest):
            await unpack(packed, encoding, 100)


async def test_bytes_after_the_end_of_a_deflated_body_are_a_bad_request_and_a_further_member_of_gzip_is_not() -> None:
    with pytest.raises(BadRequest):
        await unpack(zlib.compress(b"{}") * 2, "deflate", 100)
    assert await unpack(gzip.compress(b"{}") * 2, "gzip", 100) == b"{}{}"


async def test_deflate_without_a_header_is_known_whatever_its_padding_is() -> None:
    stored = b"\x02\x00\xfd\xff{}"
    for first in (b"\x01", b"\x09", b"\x11"):  # the last block, of stored bytes; the upper five bits mean nothing
        assert await unpack(first + stored, "deflate", 100) == b"{}"


async def test_a_gzip_body_of_1024_members_is_unpacked_and_one_of_1025_is_not() -> None:
    assert len(await unpack(gzip.compress(b"a") * 1024, "gzip", 100)) == 1024
    with pytest.raises(BadRequest):
        await unpack(gzip.compress(b"a") * 1025, "gzip", 100)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses of the module."""
    pauses: list[float] = []

    class Loop:
        """`asyncio` as far as the module uses it."""

        @staticmethod
        async def sleep(seconds: float) -> None:
            pauses.append(seconds)

    monkeypatch.setattr(unpacking, "asyncio", Loop)
    return pauses


def unpacks_to(monkeypatch: pytest.MonkeyPatch, *sizes: int) -> None:
    """Any body unpacks to pieces of these sizes."""
    monkeypatch.setattr(unpacking, "_pieces", lambda _packed, _encoding: (bytes(size) for size in sizes))


@pytest.mark.parametrize(
    ("packed", "max_mb", "size", "match"),
    [
        (50_000, 1, 1_048_576, None),
        (50_000, 1, 1_048_577, "1 MB"),
        (50_000, 100, 5_000_000, None),
        (50_000, 100, 5_000_001, "100 times"),
        (1, 100, 4_194_304, None),
        (1, 100, 4_194_305, "100 times"),
    ],
)
async def test_a_body_may_unpack_to_the_limit_and_to_a_hundred_times_its_size_or_four_megabytes(
    monkeypatch: pytest.MonkeyPatch, packed: int, max_mb: int, size: int, match: str | None
) -> None:
    unpacks_to(monkeypatch, size)
    if match is None:
        assert len(await unpack(bytes(packed), "gzip", max_mb)) == size
        return
    with pytest.raises(PayloadTooLarge, match=match):
        await unpack(bytes(packed), "gzip", max_mb)


@pytest.mark.parametrize(
    ("sizes", "pauses"),
    [
        ([524_287], 0), ([524_288], 1), ([524_287, 1], 1), ([524_288, 524_287], 1), ([524_288, 524_288], 2),
        ([300_000, 300_000, 300_000], 1), ([600_000, 500_000], 1),
    ],
)  # fmt: skip
async def test_others_go_on_after_every_half_megabyte(
    monkeypatch: pytest.MonkeyPatch, slept: list[float], sizes: list[int], pauses: int
) -> None:
    unpacks_to(monkeypatch, *sizes)
    assert len(await unpack(bytes(50_000), "gzip", 100)) == sum(sizes)
    assert slept == [0] * pauses


async def test_a_decoder_gets_64_kilobytes_at_once_and_makes_512(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[tuple[int, int]] = []

    class Decoder:
        """Notes what it is given; has more to give after the first piece."""

        @property
        def data_available(self) -> bool:
            return len(steps) == 1

        def decompress_sync(self, data: Any, max_length: int) -> bytes:
            steps.append((len(data), max_length))
            return b"x"

    monkeypatch.setattr(unpacking, "_decoder", lambda _packed, _encoding: Decoder())
    assert await unpack(bytes(131_073), "br", 100) == b"x" * 4
    assert steps == [(65_536, 524_288), (0, 524_288), (65_536, 524_288), (1, 524_288)]


async def test_an_empty_body_is_left_as_it_is() -> None:
    assert await unpack(b"", "gzip", 1) == b""
