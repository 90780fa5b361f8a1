"""Multipart forms (RFC 7578): parts located in a body's bytes, and fields replaced without a copy of the files.

https://www.rfc-editor.org/rfc/rfc7578
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest

_PARAMETER = re.compile(r';\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))')
_MAX_PARTS = 1000
_MAX_HEADERS = 16 * 1024
_MAX_FIELD = 1024 * 1024
"""Bytes of a field that is no file. Prompts for images have 32,000 characters at most, and every SDK gives a file a name."""
_STEP = 1024 * 1024
"""Bytes that are searched or copied at once: each step has the interpreter's lock, and large forms are read in a thread."""


@dataclass(frozen=True, slots=True)
class Part:
    """One field or file. Its bytes are `body[start:end]` of the form; its delimiter begins at `head`."""

    name: str
    filename: str | None
    content_type: str
    head: int
    start: int
    end: int


@dataclass(slots=True, repr=False)
class Multipart:
    """A form as it came, and the positions of its parts."""

    body: bytes | bytearray
    boundary: bytes
    parts: list[Part] = field(default_factory=list)

    @property
    def content_type(self) -> str:
        """The value of the form's `Content-Type` header."""
        # Quoted, since a boundary may hold characters that a bare parameter must not (RFC 2045).
        return f'multipart/form-data; boundary="{self.boundary.decode("latin-1")}"'

    @property
    def files_size(self) -> int:
        """Bytes of all files in total."""
        return sum(part.end - part.start for part in self.parts if part.filename is not None)

    def fields(self) -> dict[str, Json]:
        """The fields that are not files, as text; one that is repeated, or named `…[]`, is a list."""
        found: dict[str, Json] = {}
        for part in self.parts:
            if part.filename is not None:
                continue
            value = self.body[part.start : part.end].decode("utf-8", "replace")
            name = part.name.removesuffix("[]")
            if name != part.name or name in found:
                before = found.get(name, [])
                found[name] = [*(before if isinstance(before, list) else [before]), value]
            else:
                found[name] = value
        return found

    def with_fields(self, changed: Mapping[str, str | None]) -> bytes | bytearray:
        """The body with these fields replaced or added; None removes one. Files stay as they are."""
        replaced = [part for part in self.parts if part.filename is None and part.name.removesuffix("[]") in changed]
        # In front, because the closing delimiter is at the end of the form.
        written = bytearray(b"".join(self._written(name, value) for name, value in changed.items() if value is not None))
        for piece in self._without(replaced):
            written += piece
        return bytes(written) if len(written) < _STEP else written

    def _without(self, parts: Iterable[Part]) -> Iterator[memoryview]:
        view = memoryview(self.body)
        at = self.parts[0].head
        for part in parts:
            yield from _steps(view[at : part.head])
            at = part.end + 2  # the line break before the next delimiter
        yield from _steps(view[at:])

    def _written(self, name: str, value: str) -> bytes:
        head = f'Content-Disposition: form-data; name="{name}"'.encode()
        return b"--" + self.boundary + b"\r\n" + head + b"\r\n\r\n" + value.encode() + b"\r\n"


def _steps(view: memoryview) -> Iterator[memoryview]:
    return (view[at : at + _STEP] for at in range(0, len(view), _STEP))


def _find(body: bytes | bytearray, text: bytes, start: int) -> int:
    """As `bytes.find`, in steps."""
    while start < len(body):
        at = body.find(text, start, start + _STEP + len(text) - 1)
        if at >= 0:
            return at
        start += _STEP
    return -1


def parse(body: bytes | bytearray, content_type: str) -> Multipart:
    """The parts of a form; raises BadRequest for a body that is not a form of that content type."""
    form = Multipart(body, _boundary(content_type))
    delimiter = b"--" + form.boundary
    # A form may have a preamble, so the first delimiter need not be at the start.
    at = 0 if body.startswith(delimiter) else _find(body, b"\r\n" + delimiter, 0) + 2
    if at < 2 and not body.startswith(delimiter):
        raise _broken("its boundary is not in the body")
    while not body.startswith(b"--", at + len(delimiter)):
        part = _part(body, at, delimiter)
        form.parts.append(part)
        # A small body can hold very many tiny parts, and each costs an object and several searches.
        if len(form.parts) > _MAX_PARTS:
            raise _broken(f"it has more than {_MAX_PARTS} parts")
        at = part.end + 2
    if not form.parts:
        raise _broken("it has no parts")
    return form


def _boundary(content_type: str) -> bytes:
    boundary = _parameters(content_type).get("boundary", "")
    # RFC 2046 allows 70 characters. A longer one is harmless, but it is searched for at every part, so there is a limit.
    if not 1 <= len(boundary) <= 200 or not boundary.isascii() or not boundary.isprintable():
        raise _broken("its Content-Type names no boundary")
    return boundary.encode()


def _part(body: bytes | bytearray, at: int, delimiter: bytes) -> Part:
    head = at + len(delimiter)
    # Bounded, so that a body without blank lines is not searched to its end for every part.
    blank = body.find(b"\r\n\r\n", head, head + _MAX_HEADERS)
    end = _find(body, b"\r\n" + delimiter, max(head, blank + 2))
    if blank < 0 or end < 0 or not body[head : head + 80].lstrip(b" \t").startswith(b"\r\n"):
        raise _broken("a part has no end or no headers")
    headers = _headers(body[head:blank])
    disposition = _parameters(headers.get("content-disposition", ""))
    if "name" not in disposition:
        raise _broken("a part has no name")
    # RFC 7578 forbids `filename*`, but some clients send it all the same.
    filename = disposition.get("filename", disposition.get("filename*"))
    if filename is None and end - blank > _MAX_FIELD:
        raise _broken(
            f"its field {disposition['name'][:40]!r} has more than {_MAX_FIELD >> 20} MiB and no file name, which a file needs"
        )
    return Part(disposition["name"], filename, headers.get("content-type", ""), at, min(blank + 4, end), end)


def _headers(raw: bytes | bytearray) -> dict[str, str]:
    lines = (line.partition(":") for line in raw.decode("utf-8", "replace").split("\r\n"))
    return {name.strip().lower(): value.strip() for name, _, value in lines if name.strip()}


def _parameters(value: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(value):
        name, quoted, plain = match.groups()
        text = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        found[name.lower()] = unquote(text.rpartition("''")[2]) if name.endswith("*") else text
    return found


def _broken(why: str) -> BadRequest:
    return BadRequest(f"The multipart form cannot be read: {why}.", code="invalid_multipart")
