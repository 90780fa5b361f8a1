"""What a stranger, a caller with a key, and an operator may send at worst; runs one attack for some seconds.

python -m tests.endurance.attacks ADDRESS KEY MASTER NAME SECONDS      (prints the count of the answers by status)
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import os
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import orjson

MB = 1024 * 1024
CHAT, MESSAGES, IMAGES = "/v1/chat/completions", "/v1/messages", "/v1/images/generations"
_PARALLEL = 4
_JSON = "content-type: application/json"
_START = b'{"model":"%b","messages":[{"role":"user","content":"'
_END = b'"}]}'


@dataclass
class Target:
    """The gateway, and the head's lines that say who calls."""

    address: str
    who: str
    operator: str = ""
    """The line of the operator, for what the window does meanwhile."""
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def host(self) -> tuple[str, int]:
        """Where it listens."""
        parts = urlsplit(self.address)
        return parts.hostname or "127.0.0.1", parts.port or 80

    def head(self, path: str, *lines: str) -> bytes:
        """The head of a POST."""
        every = (f"POST {path} HTTP/1.1", f"host: {urlsplit(self.address).netloc}", *filter(None, (self.who,)), *lines)
        return "\r\n".join(every).encode() + b"\r\n\r\n"


Attack = Callable[[Target, float], Awaitable[None]]


async def _post(target: Target, path: str, body: bytes, *lines: str, pause_s: float = 0.0, piece: int = MB) -> None:
    """One call; what is answered is read to its end and dropped."""
    reader, writer = await asyncio.open_connection(*target.host)
    status = "no answer"
    try:
        writer.write(target.head(path, "connection: close", f"content-length: {len(body)}", *lines))
        answer = asyncio.ensure_future(reader.readline())
        for at in range(0, len(body), piece):
            if answer.done():
                break
            writer.write(body[at : at + piece])
            await writer.drain()
            await asyncio.sleep(pause_s)
        status = (await answer).decode("latin-1")[9:12] or "no answer"
        while await reader.read(MB):
            pass
    except OSError:
        status = "cut off"
    finally:
        target.outcomes[status] += 1
        writer.close()


async def _repeated(call: Callable[[], Awaitable[None]], seconds: float, parallel: int = _PARALLEL) -> None:
    until = time.monotonic() + seconds

    async def again() -> None:
        while time.monotonic() < until:
            await call()

    await asyncio.gather(*(again() for _ in range(parallel)))


def _posts(path: str, make: Callable[[], bytes], *lines: str, parallel: int = _PARALLEL) -> Attack:
    async def attack(target: Target, seconds: float) -> None:
        body = await asyncio.to_thread(make)
        await _repeated(lambda: _post(target, path, body, *(lines or (_JSON,))), seconds, parallel)

    return attack


def _text(model: str, size: int, filler: bytes = b"word ") -> bytes:
    return _START % model.encode() + filler * (size // len(filler)) + _END


def _many_messages(model: str, count: int) -> bytes:
    messages = [{"role": ("user", "assistant")[at % 2], "content": f"message {at}"} for at in range(count)]
    return orjson.dumps({"model": model, "messages": messages, "max_tokens": 10})


def _fields() -> bytes:
    return b'{"model":"good","messages":[],"x":{' + b",".join(b'"k%d":1' % at for at in range(1_000_000)) + b"}}"


def _numbers() -> bytes:
    return b'{"model":"good","messages":[' + b"0," * 49_000_000 + b"0]}"


def _zstd(data: bytes) -> bytes:
    try:
        from compression import zstd  # Python >= 3.14
    except ImportError:
        from backports import zstd
    return zstd.compress(data)


def _br(data: bytes) -> bytes:
    import brotli

    return bytes(brotli.compress(data, quality=5))


def _form(size: int) -> bytes:
    part = b'--b\r\ncontent-disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
    file = part % (b"file", b'; filename="a.wav"\r\ncontent-type: audio/wav', os.urandom(MB) * (size // MB))
    return part % (b"model", b"", b"good") + file + b"--b--\r\n"


def _form_of_parts() -> bytes:
    part = b'--b\r\ncontent-disposition: form-data; name="x"\r\n\r\n1\r\n'
    return part * 500_000 + b"--b--\r\n"


async def _single_bytes(target: Target, seconds: float) -> None:
    """A chunked body of one byte a chunk."""
    until = time.monotonic() + seconds

    async def call() -> None:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(*target.host)
            writer.write(target.head(CHAT, _JSON, "transfer-encoding: chunked"))
            while time.monotonic() < until and not writer.is_closing():
                writer.write(b"1\r\nx\r\n" * 20_000)
                await writer.drain()
            writer.close()

    await _repeated(call, seconds)


async def _stalled(target: Target, seconds: float) -> None:
    """400 bodies of 100 MB of which the first 64 KB come."""
    until = time.monotonic() + seconds

    async def call() -> None:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(*target.host)
            writer.write(target.head(CHAT, _JSON, f"content-length: {100 * MB}") + b" " * 65536)
            await asyncio.sleep(max(0.0, until - time.monotonic()))
            writer.close()

    await asyncio.gather(*(call() for _ in range(400)))


async def _connections(target: Target, seconds: float) -> None:
    """As many connections as it takes, without a request."""
    until = time.monotonic() + seconds
    opened = []
    while time.monotonic() < until:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(*target.host)
            opened.append(writer)
        if len(opened) >= 3000:
            for writer in opened[:1000]:
                writer.close()
            del opened[:1000]
    for writer in opened:
        writer.close()


async def _heads(target: Target, seconds: float) -> None:
    """Heads that never end."""
    until = time.monotonic() + seconds

    async def call() -> None:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(*target.host)
            writer.write(f"POST {CHAT} HTTP/1.1\r\n".encode())
            while time.monotonic() < until and not writer.is_closing():
                writer.write(b"x-a: " + b"y" * 4000 + b"\r\n")
                await writer.drain()
            writer.close()

    await _repeated(call, seconds)


async def _websocket(target: Target, seconds: float) -> None:
    """Messages of 15 MB."""
    until = time.monotonic() + seconds
    import aiohttp

    name, _, value = target.who.partition(": ")
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < until:
            try:
                async with session.ws_connect(target.address + "/v1/responses", headers={name: value} if name else {}) as socket:
                    body = {"type": "response.create", "model": "good", "input": "word " * (15 * MB // 5)}
                    await socket.send_str(orjson.dumps(body).decode())
                    answer = await socket.receive(timeout=20)
                    target.outcomes[str(answer.type.name)] += 1
            except (aiohttp.ClientError, TimeoutError) as error:
                target.outcomes[type(error).__name__] += 1
                await asyncio.sleep(0.1)


def _upstream(kind: str, stream: bool = False, path: str = CHAT) -> Attack:
    """Calls of a model that answers as `hostile_vendor` says; each of its own name, as a circuit would open for one name."""
    fields: dict[str, Any] = {"stream": stream, "max_tokens": 10, "messages": [{"role": "user", "content": "x"}]}
    if path == IMAGES:
        fields = {"prompt": "x", "n": 1}

    async def attack(target: Target, seconds: float) -> None:
        numbers = count()

        async def call() -> None:
            await _post(target, path, orjson.dumps({"model": f"{kind}.{next(numbers)}", **fields}), _JSON)

        await _repeated(call, seconds, parallel=2)

    return attack


PAGES = (
    "/status", "/providers?limit=500", "/provider-states", "/models?limit=500", "/health", "/keys?limit=500", "/budgets?limit=500",
    "/requests?limit=500", "/usage", "/prices?limit=500", "/catalog/prices?limit=500", "/settings", "/notifications?limit=500",
    "/catalog?limit=500", "/audit?limit=500", "/prices.csv", "/export",
)  # fmt: skip
"""What the pages of the window, and the commands of the operator, read."""


async def _pages(target: Target, seconds: float) -> None:
    """The window opens every page, all at once and again and again."""

    async def open_all() -> None:
        await asyncio.gather(*(_get(target, "/admin/v1" + page) for page in PAGES))

    await _repeated(open_all, seconds, parallel=2)


async def _get(target: Target, path: str) -> None:
    reader, writer = await asyncio.open_connection(*target.host)
    lines = (f"GET {path} HTTP/1.1", f"host: {urlsplit(target.address).netloc}", target.operator, "connection: close")
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
    status = "no answer"
    with suppress(OSError):
        status = (await reader.readline()).decode("latin-1")[9:12] or status
        while await reader.read(MB):
            pass
    target.outcomes[f"{status} of pages"] += 1
    writer.close()


def _with_pages(attack: Attack) -> Attack:
    async def both(target: Target, seconds: float) -> None:
        await asyncio.gather(attack(target, seconds), _pages(target, seconds))

    return both


_GZIP, _GZIP_LINE = partial(gzip.compress, b" " * (100 * MB)), "content-encoding: gzip"
_MANY = partial(_many_messages, "other-dialect", 40_000)
_GENERAL: dict[str, Attack] = {
    "plain": _posts(CHAT, partial(_text, "good", 99 * MB)),
    "gzip bomb": _posts(CHAT, _GZIP, _JSON, _GZIP_LINE),
    "gzip of gzip, 3 GB": _posts(CHAT, lambda: gzip.compress(zlib.compress(b" " * (99 * MB)) * 30), _JSON, _GZIP_LINE),
    "zstd bomb": _posts(CHAT, lambda: _zstd(b" " * (100 * MB)), _JSON, "content-encoding: zstd"),
    "br bomb": _posts(CHAT, lambda: _br(b" " * (100 * MB)), _JSON, "content-encoding: br"),
    "deep": _posts(CHAT, lambda: b'{"model":"good","messages":' + b"[" * (50 * MB)),
    "1,000 deep": _posts(CHAT, lambda: b'{"model":"good","x":' + b"[" * 1000 + b"]" * 1000 + b"}", parallel=16),
    "10^6 fields": _posts(CHAT, _fields),
    "numbers": _posts(CHAT, _numbers),
    "single bytes": _single_bytes,
    "stalled": _stalled,
    "heads": _heads,
    "form": _posts("/v1/audio/transcriptions", partial(_form, 99 * MB), "content-type: multipart/form-data; boundary=b"),
    "form of parts": _posts("/v1/audio/transcriptions", _form_of_parts, "content-type: multipart/form-data; boundary=b"),
    "websocket": _websocket,
}
ATTACKS: dict[str, tuple[str, Attack]] = {
    "operator: every page": ("operator", _pages),
    "caller: plain, and every page": ("caller", _with_pages(_GENERAL["plain"])),
    "upstream: 60 MB, and every page": ("caller", _with_pages(_upstream("allowed", path=MESSAGES))),
    "caller: 12 plain": ("caller", _posts(CHAT, partial(_text, "good", 99 * MB), parallel=12)),
    **{f"stranger: {name}": ("stranger", attack) for name, attack in _GENERAL.items()},
    "stranger: connections": ("stranger", _connections),
    **{f"caller: {name}": ("caller", attack) for name, attack in _GENERAL.items()},
    "caller: escaped text": ("caller", _posts(CHAT, partial(_text, "good", 99 * MB, b"\\u00e4\\n"))),
    "caller: many strings": (
        "caller",
        _posts(CHAT, lambda: _text("good", 90 * MB, b'"},{"role":"user","content":"' + b"y" * 1000)),
    ),
    "caller: large, translated": ("caller", _posts(CHAT, partial(_text, "other-dialect", 99 * MB))),
    "caller: 40,000 messages": ("caller", _posts(CHAT, partial(_many_messages, "good", 40_000))),
    "caller: 40,000, translated": ("caller", _posts(CHAT, _MANY)),
    "caller: embeddings": (
        "caller",
        _posts("/v1/embeddings", lambda: orjson.dumps({"model": "embeddings", "input": ["x"] * 500_000})),
    ),
    "upstream: 500 MB": ("caller", _upstream("large")),
    "upstream: 60 MB": ("caller", _upstream("allowed")),
    "upstream: 60 MB, translated": ("caller", _upstream("allowed", path=MESSAGES)),
    "upstream: endless line": ("caller", _upstream("line", True)),
    "upstream: endless line, translated": ("caller", _upstream("line", True, MESSAGES)),
    "upstream: frames of 1 MB": ("caller", _upstream("frames", True)),
    "upstream: frames of 1 MB, translated": ("caller", _upstream("frames", True, MESSAGES)),
    "upstream: frames of 20 MB": ("caller", _upstream("large-frames", True)),
    "upstream: frames of 20 MB, translated": ("caller", _upstream("large-frames", True, MESSAGES)),
    "upstream: 300 MB of images": ("caller", _upstream("images", path=IMAGES)),
    "upstream: 10^6 frames": ("caller", _upstream("small-frames", True)),
    "upstream: 10^6 frames, translated": ("caller", _upstream("small-frames", True, MESSAGES)),
    "upstream: 10^6 frames, collected": ("caller", _upstream("small-frames")),
    "upstream: gzip bomb": ("caller", _upstream("bomb")),
    "upstream: deep": ("caller", _upstream("deep")),
    "upstream: deep frame": ("caller", _upstream("deep-frame", True)),
    "upstream: 10^6 fields": ("caller", _upstream("fields")),
    "upstream: 10^6 fields in a frame": ("caller", _upstream("fields-frame", True)),
    "upstream: head": ("caller", _upstream("head")),
    "operator: 15 MB of JSON": ("operator", _posts("/admin/v1/models", lambda: orjson.dumps({"x": ["y"] * 3_500_000}))),
    "operator: 15 MB of CSV": ("operator", _posts("/admin/v1/prices.csv", lambda: _csv(300_000), "content-type: text/csv")),
}


def _csv(rows: int) -> bytes:
    return b"pattern,input,output\n" + b"".join(b"model-%d,1.5,2.5\n" % at for at in range(rows))


async def _main(address: str, key: str, master: str, name: str, seconds: float) -> None:
    who, attack = ATTACKS[name]
    line = {"stranger": "", "caller": f"authorization: Bearer {key}", "operator": f"authorization: Bearer {master}"}[who]
    target = Target(address, line, f"authorization: Bearer {master}")
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds + 20):
            await attack(target, seconds)
    print(", ".join(f"{times} x {what}" for what, times in target.outcomes.most_common()) or "none answered", flush=True)  # noqa: T201


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for argument in ("address", "key", "master", "name"):
        parser.add_argument(argument)
    parser.add_argument("seconds", type=float)
    given = parser.parse_args()
    os.nice(10)  # attackers are other computers: they must not take this one's processor from the gateway
    asyncio.run(_main(given.address, given.key, given.master, given.name, given.seconds))
