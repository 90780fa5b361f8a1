"""Reads the heads of requests: doubled headers are folded where that is safe, and bodies of very small chunks are read in parts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import (
    BadHttpMessage,
    BadHttpMethod,
    BadStatusLine,
    ContentEncodingError,
    HttpProcessingError,
    InvalidURLError,
    LineTooLong,
)
from aiohttp.http_parser import HeadersParser, HttpRequestParser, HttpRequestParserPy
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import _ErrInfo

from conduit_desktop.core.errors import release

_JOINED = frozenset({b"user-agent"})
"""Singleton headers whose repeated values are joined: a User-Agent is a list of products (RFC 9110, section 10.1.5)."""
_SAME = frozenset({b"content-type", b"server", b"etag", b"content-location", b"content-range", b"max-forwards"})
"""Those that may be repeated with the same value. Host, Content-Length and Transfer-Encoding may not: where two readers could
disagree on which one holds, one request can be smuggled within another."""
_MAX_HEAD = 64 * 1024
"""Bytes of an unfinished head that are kept to be read again."""
_PART, _SMALL_CHUNK = 16 * 1024, 8
"""Bytes that are read at once of a body whose chunks have fewer than about so many bytes, with what is around each."""
_HEAD_END = b"\r\n\r\n"
_UNKNOWN = -1
# Called unbound: `super()` would be looked up for every piece of every request.
_feed_data = HttpRequestParser.feed_data


class FoldingHeaders(HeadersParser):
    """Reads headers strictly, after the doubled ones have been folded."""

    def parse_headers(self, lines: list[bytes]) -> Any:
        """As aiohttp's; raises BadHttpMessage where a doubled header cannot be folded."""
        return super().parse_headers(_folded(lines))


def _folded(lines: list[bytes]) -> list[bytes]:
    found: dict[bytes, int] = {}
    folded: list[bytes] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        key = name.lower()
        if colon and key in found and key in _JOINED:
            folded[found[key]] += b" " + value.strip(b" \t")
            continue
        if colon and key in found and key in _SAME and folded[found[key]].partition(b":")[2].strip(b" \t") == value.strip(b" \t"):
            continue
        found.setdefault(key, len(folded))
        folded.append(line)
    return folded


class FoldingParser(HttpRequestParser):
    """aiohttp's parser, which refuses doubled headers; a refused head with some that can be folded is read again by another.

    pydantic-ai with google-genai sends two User-Agents, and no vendor minds. The fast parser has no option that accepts
    them, and reading every head twice would cost all the others, so only a connection that sends one pays for the slower parser.
    """

    def __init__(self, protocol: web.RequestHandler, loop: asyncio.AbstractEventLoop, limit: int, **options: Any) -> None:
        super().__init__(protocol, loop, limit, **options)
        self._slow: Callable[[], HttpRequestParserPy] = lambda: _slow_parser(protocol, loop, limit, options)
        self._connection = protocol
        self._request_body: StreamReader = EMPTY_PAYLOAD
        self._head = b""
        """What has come of a head that is not complete."""
        self._loop = loop
        self._parts: deque[bytes] = deque()
        """What has come and is not read yet."""
        self._left = 0
        """Bytes to come of the body; _UNKNOWN where it is not certain where the next head begins."""
        self._last: tuple[Any, bytes] | None = None
        """The last request, where it came in one piece: its messages and its bytes, from which `_left` is still to be set."""
        self.refused_path = ""
        """The path of the request that is being refused; empty where it is not certain where its head begins."""

    def feed_data(self, data: bytes) -> Any:  # type: ignore[override]
        """As aiohttp's: the messages that `data` completes, whether it switched protocols, and the rest of `data`."""
        # aiohttp feeds nothing at all after each request, to go on with what it kept.
        if not data:
            return _feed_data(self, data)
        # Behind the head, nearly all bodies have none; one byte is found in no time, and counting takes a millisecond a megabyte.
        if self._parts or (len(data) > _PART and data.find(b"\r", _PART) >= 0 and data.count(b"\r\n") * _SMALL_CHUNK > len(data)):
            return self._feed_later(data)
        return self._feed(data)

    def _feed_later(self, data: bytes) -> Any:
        """Read a body of very small chunks in parts, between which others go on: each chunk takes 3 µs, however small it is."""
        if not self._parts:
            self._loop.call_soon(self._feed_part)
        # Each time: aiohttp, which knows nothing of the parts, may have resumed reading for another reason.
        self._connection._pause_reading_for_buffer()
        self._parts.extend(data[at : at + _PART] for at in range(0, len(data), _PART))
        return (), False, b""

    def _feed_part(self) -> None:
        parts, self._parts = self._parts, deque()
        self._connection.data_received(parts.popleft())
        self._parts = parts
        if parts:
            self._loop.call_soon(self._feed_part)
        else:
            self._connection._resume_reading_for_buffer()

    def _feed(self, data: bytes) -> Any:
        try:
            result = _feed_data(self, data)
        except HttpProcessingError as error:
            return self._refused(data, error)
        messages = result[0]
        if messages:
            body = self._request_body = messages[-1][1]
            # Nearly every request: what is to be known of it is computed only if it is asked for.
            if body.is_eof() and not self._head and self._left == 0 and len(data) <= _MAX_HEAD:
                self._last = (messages, data)
            else:
                self._note(messages, data)
        else:
            self._note_rest(data)
        return result

    def _refused(self, data: bytes, error: HttpProcessingError) -> Any:
        """What follows from a head or a body that cannot be read."""
        if not self._request_body.is_eof():
            # A handler waits for this body, and aiohttp does not always tell it.
            if self._request_body.exception() is None:
                self._request_body.set_exception(web.RequestPayloadError(why_unreadable(error)))
            self._connection.close()
            return (), False, b""
        self._note_last()
        # Only from the beginning of a head: bytes read from anywhere else could be made to look like another request.
        if self._left == 0 and _is_foldable(error):
            slow = self._connection._parser = self._slow()
            return slow.feed_data(self._head + data)
        self.refused_path = _path_of(self._head + data) if self._left == 0 else ""
        return _refused_head(error)

    def _note_last(self) -> None:
        if self._last is not None:
            (messages, data), self._last = self._last, None
            self._note(messages, data)

    def _note(self, messages: Any, data: bytes) -> None:
        """Note how much of the body is to come, after the head of `messages` was completed by `data`."""
        self._last = None
        head = self._head + data if self._head else data
        self._head = b""
        message = messages[0][0]
        end = head.find(_HEAD_END) + len(_HEAD_END)
        # Bytes of the body before, or empty lines, would be taken for a part of this head.
        if self._left != 0 or len(messages) > 1 or message.chunked or end < len(_HEAD_END) or head[:1] in b"\r\n":
            self._left = _UNKNOWN
        else:
            self._left = max(int(message.headers.get("Content-Length", 0)) - (len(head) - end), _UNKNOWN)

    def _note_rest(self, data: bytes) -> None:
        self._note_last()
        if self._left > 0:
            self._left = max(self._left - len(data), _UNKNOWN)
        elif self._left == 0:
            self._head += data
            if len(self._head) > _MAX_HEAD:
                self._head, self._left = b"", _UNKNOWN


class _SlowParser(HttpRequestParserPy):
    """aiohttp's parser in Python."""

    def feed_data(self, data: bytes, *args: Any, **options: Any) -> Any:
        """As aiohttp's, but that it raises nothing."""
        try:
            return super().feed_data(data, *args, **options)
        except HttpProcessingError as error:
            return _refused_head(error)


def _refused_head(error: HttpProcessingError) -> Any:
    """What aiohttp makes of the error of a head.

    It would keep the error together with its frames, which hold the error again and a piece of the head: a cycle of 256 KB for
    each head of a stranger.
    """
    release(error)
    return [(_ErrInfo(status=400, exc=error, message=error.message), EMPTY_PAYLOAD)], False, b""


def _slow_parser(
    protocol: web.RequestHandler, loop: asyncio.AbstractEventLoop, limit: int, options: dict[str, Any]
) -> HttpRequestParserPy:
    parser = _SlowParser(protocol, loop, limit, **options)
    parser._headers_parser = FoldingHeaders(parser.max_line_size, parser.max_headers, parser.max_field_size)
    return parser


def _is_foldable(error: BaseException) -> bool:
    name = _doubled(error).encode().lower()
    return name in _JOINED or name in _SAME


def _doubled(error: BaseException) -> str:
    """The name of the header that was sent twice; empty for another error."""
    text = str(getattr(error, "message", ""))
    return text.split("'")[1] if text.startswith("Duplicate '") else ""


def _path_of(head: bytes) -> str:
    """The path in the request line; empty where it has none."""
    parts = head.lstrip(b"\r\n").partition(b"\r\n")[0].split(b" ")
    return parts[1].partition(b"?")[0].decode("ascii", "replace") if len(parts) == 3 and parts[1][:1] == b"/" else ""


def why_unreadable(error: BaseException) -> str:
    """What is wrong with a request that could not be read, without any of its values."""
    message = str(getattr(error, "message", ""))
    match error:
        case BadHttpMethod():
            return "The request line is malformed. Is it HTTP, and without TLS where the gateway has none?"
        case LineTooLong():
            return "A line of the request's head is too long."
        case InvalidURLError() | BadStatusLine():
            return "The path of the request is malformed."
        case ContentEncodingError():
            return "The request body cannot be decoded."
        case BadHttpMessage() if name := _doubled(error):
            return f"The header {name} was sent twice."
        case BadHttpMessage() if message in _TEXTS:
            return _TEXTS[message]
        case HttpProcessingError() if ":\n\n" in message:
            # llhttp's reason, a constant text, comes before the bytes that it is about.
            return f"The request is malformed: {message.partition(':')[0]}."
        case _:
            return "The request is malformed."


_TEXTS = {
    "Missing 'Host' header in request.": "The header Host is missing.",
    "Too many headers received": "The request has too many headers.",
}
