"""How compressed bodies are unpacked: every encoding, its faults, and the bounds of size and ratio."""

from __future__ import annotations

import asyncio
import gzip
import sys
import zlib
from collections.abc import Callable

import brotli
import pytest

from conduit_desktop.core.errors import BadRequest, PayloadTooLarge
from conduit_desktop.server.unpacking import unpack

zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
MB = 1024 * 1024
TEXT = b"".join(b"%d," % number for number in range(100_000))


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", _raw_deflate), ("br", brotli.compress),
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
