"""Reads the parts of an HTTP request that all dialects share: key, body, common JSON fields, client name."""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from itertools import takewhile
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import orjson
from aiohttp import web
from multidict import istr

from conduit_desktop.core import full_collections
from conduit_desktop.core.errors import BadRequest, BodyTimeout, PayloadTooLarge
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.gateway.admission import body_survey
from conduit_desktop.gateway.admission.access import KEY_HEADER, KEY_PREFIX
from conduit_desktop.gateway.admission.body_survey import BodySurvey
from conduit_desktop.gateway.call import Call
from conduit_desktop.server.large_bodies import LARGE, HeldBody, held_body
from conduit_desktop.server.unpacking import ALWAYS, ENCODINGS, MOST_TIMES, unpack
from conduit_desktop.wire import json_limits, sliced_json

_VERSION = re.compile(r"v?\d")
_MB = 1024 * 1024
_AUTHORIZATION, _KEY_HEADER = istr("authorization"), istr(KEY_HEADER)
_KEY_HEADERS = (_KEY_HEADER, _AUTHORIZATION, istr("x-api-key"), istr("api-key"), istr("x-goog-api-key"))
_BEARER_KEY = f"Bearer {KEY_PREFIX}"
_OTHER_KEYS = tuple(name for name in _KEY_HEADERS if name is not _AUTHORIZATION)
_COPIED = 64 * 1024
"""Bytes of a body that is copied once more; a larger one stays a bytearray."""
_MANY = 100_000
"""Values of a body of a few megabytes that takes up to 50 ms: several such are read one after the other."""
_reading = WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock]()
_ENCODING = istr("Content-Encoding")
STALL_S = 30.0
"""Seconds that the next piece of a body may take."""
SLOW_S, SLOWEST = 60.0, 8 * 1024
"""Seconds after which a body must have come at SLOWEST bytes a second on average: one byte now and then is no progress."""


RECEIVED = web.RequestKey[tuple[bytes | bytearray, dict[str, Any], bool, BodySurvey | None]]("received")
"""What `Call.receive` takes of a JSON body."""


class Keys(NamedTuple):
    """What a request authenticates with: the virtual key, else a provider's own, and the latter with its header."""

    credential: str | None = None
    own_key: str | None = None
    own_key_header: str = ""

    def __repr__(self) -> str:
        return "<Keys>"


def keys(request: web.Request) -> Keys:
    """The keys from x-conduit-key, Bearer, x-api-key, api-key, x-goog-api-key and ?key=; the first of each sort, in this order."""
    # Every header on every path: SDKs of one vendor are pointed at another one's paths, and Anthropic's also send Bearer.
    headers = request.headers
    first = headers.get(_AUTHORIZATION, "")
    # Nearly every request: a virtual key as a bearer token, and nothing else.
    if first.startswith(_BEARER_KEY) and "?" not in request.raw_path and not any(map(headers.__contains__, _OTHER_KEYS)):
        return Keys(first[7:].strip())
    virtual = own = None
    own_header = ""
    for name in _KEY_HEADERS:
        key = headers.get(name)
        if not key:
            continue
        if name is _AUTHORIZATION:
            key = key[7:] if key[:7].lower() == "bearer " else ""
        key = key.strip()
        if key.startswith(KEY_PREFIX):
            virtual = virtual or key
        elif name is _KEY_HEADER and key:
            return Keys(key, None, KEY_HEADER)  # refused, whatever else was sent
        elif own is None and key:
            own, own_header = key, name
    if request.query_string and (key := request.query.get("key")):
        if key.startswith(KEY_PREFIX):
            virtual = virtual or key
        elif own is None:
            own = key
    return Keys(virtual or own, own, own_header)


async def read_body(request: web.Request, max_mb: float) -> bytes | bytearray:
    """The whole body, decompressed; raises PayloadTooLarge as soon as it is over `max_mb` MiB, and BadRequest."""
    limit = int(max_mb * _MB)
    content = request.content
    try:
        # Most bodies arrive in one piece, together with the head: nothing is copied, and nothing has to be waited for.
        if content.is_eof():
            body: bytes | bytearray = content.read_nowait()
            if len(body) > limit:
                raise _too_large(max_mb)
        else:
            # A stated length is refused before anything is read; one that is not stated is counted as it comes.
            if request.content_length is not None and request.content_length > limit:
                raise _too_large(max_mb)
            body = await _coming(request, limit, max_mb)
    except web.RequestPayloadError:
        # `from None`: it chains errors of the parser, and a client's broken body is no fault to trace.
        raise BadRequest("The request body is malformed.", code="invalid_body") from None
    if _ENCODING in request.headers:
        return await _unpacked(request, body, max_mb)
    return body


async def _coming(request: web.Request, limit: int, max_mb: float) -> bytes | bytearray:
    """A body that is still coming; raises PayloadTooLarge, BodyTimeout and TooManyLargeBodies."""
    content, loop = request.content, asyncio.get_running_loop()
    held: HeldBody | None = None
    counted = LARGE
    began = loop.time()
    # It grows in place. Joining pieces at the end would hold up every other stream for half a millisecond a megabyte.
    body = bytearray()
    while True:
        try:
            async with asyncio.timeout(STALL_S):
                chunk = await content.readany()
        except TimeoutError:
            raise BodyTimeout(f"Nothing more of the request body came for {STALL_S:g} s.") from None
        if not chunk:
            break
        body += chunk
        if loop.time() - began > SLOW_S + len(body) / SLOWEST:
            raise BodyTimeout("The request body comes too slowly.")
        if len(body) > limit:
            raise _too_large(max_mb)
        if len(body) > counted:
            held = held or held_body(request, limit)
            waits = loop.time()
            await held.grow(len(body))
            began += loop.time() - waits
            counted = len(body) + LARGE
    if held is not None:
        held.came(len(body))
    return bytes(body) if len(body) < _COPIED else body


async def _unpacked(request: web.Request, body: bytes | bytearray, max_mb: float) -> bytes | bytearray:
    encoding = request.headers[_ENCODING]
    named = encoding.strip().lower()
    if named in ENCODINGS:
        limit = int(max_mb * _MB)
        held = held_body(request, limit)
        # What it unpacks to is known only afterwards. One that is hardly ever large is unpacked at once.
        if MOST_TIMES * len(body) > LARGE:
            await held.grow(min(limit, max(ALWAYS, MOST_TIMES * len(body))))
        unpacked = await unpack(body, named, max_mb)
        if len(unpacked) > max(LARGE, held.size):
            await held.grow(len(unpacked))
        held.came(len(unpacked))
        return unpacked
    # Some clients name an encoding and send plain JSON.
    if named in ("", "identity") or body.lstrip()[:1] == b"{":
        return body
    raise BadRequest(
        f"The Content-Encoding {encoding[:40]!r} is not supported: use one of {', '.join(ENCODINGS)}.",
        code="unsupported_encoding",
    )


def _too_large(max_mb: float) -> PayloadTooLarge:
    return PayloadTooLarge(f"The request body is over {max_mb} MB (the setting max_body_mb).")


async def read_json(request: web.Request, max_mb: int, call: Call | None = None) -> dict[str, Any]:
    """The body as a JSON object, set as what `call` received.

    Raises BadRequest (with the position of a syntax error) or PayloadTooLarge.
    """
    # Only forms are refused: JSON under another content type, or none, is still JSON.
    if request.headers.get("Content-Type", "")[:10].lower() == "multipart/":
        raise BadRequest("This path takes JSON (Content-Type: application/json).", code="unsupported_media_type")
    raw = await read_body(request, max_mb)
    if not raw:
        raise BadRequest("The request body is empty; a JSON object is needed.", code="invalid_json")
    # .NET's and PowerShell's writers put a byte-order mark before the text; a parser may ignore it (RFC 8259, section 8.1).
    if raw[:1] == b"\xef":
        raw = raw.removeprefix(b"\xef\xbb\xbf")
    if len(raw) <= body_survey.FROM:
        body, is_heavy, found = parse_json(raw), False, None
    else:
        body, is_heavy, found = await _parse_large(raw)
    if not isinstance(body, dict):
        raise BadRequest("The request body must be a JSON object.", code="invalid_json")
    if call is None:
        request[RECEIVED] = (raw, body, is_heavy, found)
    else:
        call.receive(raw, body, is_heavy, found)
    return with_model_of_path(request, body)


async def _parse_large(raw: bytes | bytearray) -> tuple[Any, bool, BodySurvey | None]:
    """The JSON in a large body, whether it is heavy, and what else was found in it; raises BadRequest."""
    if len(raw) > json_limits.LARGE:
        await check_size(raw)
        if sliced_json.is_heavy(raw):
            return await _parse_sliced(raw), True, None
        if raw.count(b",") > _MANY:
            return await _one_at_a_time(raw)
    return _surveyed(parse_json(raw, is_deep=False))


async def _one_at_a_time(raw: bytes | bytearray) -> tuple[Any, bool, BodySurvey | None]:
    # Not in a thread, which would take the interpreter's lock for as long, and at each write of the loop.
    async with _reading.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        body = parse_json(raw, is_deep=False)
        await asyncio.sleep(0)
        found = _surveyed(body)
        await asyncio.sleep(0)
        return found


def _surveyed(body: Any) -> tuple[Any, bool, BodySurvey | None]:
    # At most a megabyte, or hardly any objects and lists: read at once, and its depth is seen in the survey.
    try:
        found = body_survey.survey(body)
    except json_limits.TooComplex as error:
        raise _too_complex(error) from None
    return body, found.is_heavy, found


async def check_size(raw: bytes | bytearray) -> bool:
    """Check how much a large JSON text holds, while other requests go on; raises BadRequest. Whether it may be nested deep."""
    # The parser is not put into a thread: it holds the interpreter's lock until it is done. What bounds its time is this.
    checking = json_limits.check(raw)
    try:
        while True:
            next(checking)
            await asyncio.sleep(0)
    except StopIteration as end:
        return bool(end.value)
    except json_limits.TooComplex as error:
        raise _too_complex(error) from None


async def parse_spread(raw: bytes | bytearray, what: str = "request body") -> Any:
    """As `parse_json`; other requests go on while a large text is read."""
    is_deep = await check_size(raw) if len(raw) > json_limits.LARGE else None
    return await _parse_sliced(raw, what) if sliced_json.is_heavy(raw) else parse_json(raw, what, is_deep)


async def _parse_sliced(raw: bytes | bytearray, what: str = "request body") -> Any:
    try:
        with full_collections.put_off():
            return await sliced_json.spread(sliced_json.read(raw))
    except json_limits.TooComplex as error:
        raise _too_complex(error, what) from None
    except sliced_json.NotJson as error:
        raise BadRequest(f"The {what} is not valid JSON: {error}", code="invalid_json") from None


def _too_complex(error: json_limits.TooComplex, what: str = "request body") -> BadRequest:
    return BadRequest(f"The {what} cannot be read: {error}.", code=error.code)


def parse_json(raw: bytes | bytearray, what: str = "request body", is_deep: bool | None = None) -> Any:
    """The JSON in a body or another text; raises BadRequest for one that is none or nested too deep.

    A large one is checked by `check_size` first, which says whether it may be deep.
    """
    try:
        body = orjson.loads(raw)
        if len(raw) > json_limits.SHALLOW and (json_limits.may_be_deep(raw) if is_deep is None else is_deep):
            json_limits.check_depth(body)
        return body
    except json_limits.TooComplex as error:
        raise _too_complex(error, what) from None
    except orjson.JSONDecodeError as error:
        if error.msg.startswith("depth limit"):
            raise _too_complex(json_limits.too_deep(), what) from None
        # `from None`: the text has the position already, and the parser's traceback says nothing more.
        raise BadRequest(f"The {what} is not valid JSON: {error}", code="invalid_json") from None


def with_model_of_path(request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """The body with the model that Azure's clients name in the path: their deployment."""
    # A path that the server handles directly has no match of the router.
    if "/deployments/" not in request.raw_path:
        return body
    deployment = request.match_info.get("deployment")
    return body if deployment is None else {**body, "model": deployment}


def model_of(body: dict[str, Any]) -> str:
    """The field `model`, at most 512 characters; raises BadRequest."""
    model = body.get("model")
    if model is None or model == "":
        raise BadRequest("The field 'model' is missing.", code="missing_parameter", param="model")
    if not isinstance(model, str) or len(model) > 512:
        raise BadRequest("The field 'model' must be a string of at most 512 characters.", param="model")
    return model


def flag(body: dict[str, Any], name: str) -> bool:
    """A boolean field, False where it is absent or null; raises BadRequest."""
    value = body.get(name)
    # No truthiness: the text "false" would stream.
    if value is None or isinstance(value, bool):
        return bool(value)
    raise BadRequest(f"The field {name!r} must be true or false.", param=name)


def need_messages(body: dict[str, Any]) -> None:
    """Raises BadRequest where `messages` is not a list of objects with a role; the dialect or the provider checks the rest."""
    messages = body.get("messages")
    if messages is None:
        raise BadRequest("The field 'messages' is missing.", code="missing_parameter", param="messages")
    if not isinstance(messages, list) or not messages:
        raise BadRequest("The field 'messages' must be a list with at least one message.", param="messages")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise BadRequest(f"messages[{index}] must be an object with a 'role'.", param=f"messages[{index}].role")


def user_agent(request: web.Request) -> str:
    """The User-Agent up to its comment, at most 80 characters, for the log: `claude-cli/2.1`, `OpenAI/Python 3.54.0`."""
    return request.headers.get("User-Agent", "")[:80].split(" (", 1)[0]


def client_name(request: web.Request) -> str:
    """The `product_name` of a request's User-Agent."""
    return product_name(request.headers.get("User-Agent", "")[:200])


def product_name(agent: str) -> str:
    """The product name of a User-Agent, without its version: `claude-cli`, `OpenAI/Python`, `codex_cli_rs`.

    At most 80 characters; those that cannot be printed are left out, and secrets are redacted. Totals by client would have a row
    for every version.
    """
    return _product_name(agent, SECRETS.generation)


@lru_cache(maxsize=1024)
def _product_name(agent: str, _secrets: int) -> str:
    product = SECRETS.redact(agent).strip().split(" ", 1)[0]
    # OpenAI's and Anthropic's SDKs put their language where other products have the version.
    parts = product.split("/")
    kept = list(takewhile(lambda part: _VERSION.match(part) is None, parts[1:]))
    name = "/".join((parts[0], *kept))[:80].rstrip("/")
    return name if name.isprintable() else "".join(character for character in name if character.isprintable())
