"""An upstream that answers every request with fixed bytes, so that a test chooses how the body ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

Ending = Literal["chunked", "chunked-cut", "length", "length-cut", "close"]
"""The body ends with its last chunk or without it, at its stated length or before it, or with the connection alone."""


def http_answer(body: bytes, content_type: str, ending: Ending) -> bytes:
    """One HTTP/1.1 response whose body ends as `ending` says."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n"
    if ending.startswith("chunked"):
        framed = b"%x\r\n%b\r\n" % (len(body), body) + (b"0\r\n\r\n" if ending == "chunked" else b"")
        return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + framed
    if ending.startswith("length"):
        length = len(body) + (9 if ending == "length-cut" else 0)
        return f"{head}Content-Length: {length}\r\n\r\n".encode() + body
    return f"{head}Connection: close\r\n\r\n".encode() + body


@asynccontextmanager
async def raw_upstream(answer: bytes, stalls: bool = False) -> AsyncIterator[str]:
    """The address of a server that reads each request whole, writes `answer` and closes the connection.

    `stalls`: it keeps the connection open, and writes nothing more, until the gateway closes it.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        await reader.readexactly(length)
        writer.write(answer)
        await writer.drain()
        if stalls:
            await reader.read()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
