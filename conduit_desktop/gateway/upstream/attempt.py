"""One question to one target, up to the first content of its answer: from there on it is promised."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import partial

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import ConduitError, MalformedStream, StreamBroken, UpstreamError
from conduit_desktop.core.events import CONTENT_EVENTS, Event
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.redaction import redact
from conduit_desktop.gateway.routing.resolve import BoundTarget, Timeouts
from conduit_desktop.gateway.snapshot import Credential
from conduit_desktop.gateway.upstream.client import ERROR_BODY_LIMIT, LocalResponse, Response, Upstream
from conduit_desktop.gateway.upstream.translation import PreparedRequest
from conduit_desktop.providers import Secrets
from conduit_desktop.wire import StreamReader
from conduit_desktop.wire.framing import sse

_EVENTS = "text/event-stream"
_MAX_HELD = 16 * 1024 * 1024


@dataclass(slots=True)
class UpstreamAnswer:
    """A target that has begun to answer. For a whole answer `body` and `events` are all of it.

    For a streamed one `reader` and `response` go on, after `held` (bytes) and `events` that came with the first content.
    """

    target: BoundTarget
    credential: Credential
    prepared: PreparedRequest
    response: Response
    events: list[Event] = field(default_factory=list)
    body: bytes = b""
    held: bytes = b""
    reader: StreamReader | None = None
    ended: bool = False
    sent: Secrets = field(default_factory=Secrets)
    """The credential the target was shown, not to be quoted."""
    failure: ConduitError | None = None
    """What stands behind the events in the same bytes: to be raised once they have been passed on."""

    def take(self, data: bytes) -> list[Event]:
        """Read the next bytes of a stream (b"": its end); raises UpstreamError."""
        assert self.reader is not None
        with answer_errors():
            if not data:
                self.ended = True
                return self.reader.close()
            events = self.reader.feed(data)
        try:
            self.reader.feed(b"")
        except ConduitError as failure:
            self.failure = failure
        return events

    def check(self) -> None:
        """Raises UpstreamError for a fault that was waiting; what stands behind the end of a whole answer is none."""
        if self.failure is not None and not (self.reader is not None and self.reader.done):
            with answer_errors():
                raise self.failure


async def attempt(
    upstream: Upstream,
    call: Call,
    prepared: PreparedRequest,
    target: BoundTarget,
    credential: Credential,
    limits: Timeouts,
    deadline: float,
) -> UpstreamAnswer:
    """Put the question; raises UpstreamError. `deadline` (loop time) bounds everything, the first-token time-out this."""
    began = asyncio.get_running_loop().time()
    until = min(deadline, began + (limits.first_token_s if call.stream else limits.whole_s))
    response: Response | None = None
    secrets = credential.secrets
    try:
        async with asyncio.timeout_at(until):
            if target.bound.kind.renews_credentials:
                secrets = await target.bound.kind.credentials(secrets)
            response = await _send(upstream, call, prepared, target, secrets, limits)
            if response.status >= 400:
                raise refusal(prepared, response, await response.read())
            opened = await _open(call, prepared, target, credential, response)
            opened.sent = secrets
            return opened
    except TimeoutError as error:
        _abort(response)
        waited = "no first token" if call.stream else "no answer"
        raise UpstreamError(f"{waited} within {until - began:.3g} s", status=504, reason="timeout") from error
    except UpstreamError as error:
        _abort(response)
        target.bound.kind.judge(error)
        redact(error, secrets)
        raise
    except BaseException:
        _abort(response)
        raise


def _abort(response: Response | None) -> None:
    if response is not None:
        response.abort()


async def _send(
    upstream: Upstream, call: Call, prepared: PreparedRequest, target: BoundTarget, secrets: Secrets, limits: Timeouts
) -> Response:
    kind = target.bound.kind
    if kind.local:
        return LocalResponse(kind.answer("chat", orjson.loads(prepared.body), call.stream))
    relayed = prepared.relayed_headers(target)
    outbound = kind.prepare("chat", target.model, prepared.upstream.name, call.stream, prepared.body, secrets, relayed)
    if kind.several_steps:
        return await kind.open(partial(upstream.send, connect_s=limits.connect_s), outbound, call.stream, secrets)
    return await upstream.send(outbound, limits.connect_s)


def refusal(prepared: PreparedRequest, response: Response, body: bytes) -> UpstreamError:
    """A target's error answer, classified, with what it sent."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    headers.setdefault("date", formatdate(usegmt=True))  # what a Retry-After with a date counts from
    error = prepared.upstream.read_error(response.status, headers, body[:ERROR_BODY_LIMIT])
    error.dialect, error.body, error.headers = prepared.upstream.name, body, headers
    return error


async def _open(
    call: Call, prepared: PreparedRequest, target: BoundTarget, credential: Credential, response: Response
) -> UpstreamAnswer:
    content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if 300 <= response.status < 400:
        raise UpstreamError(f"the provider redirects (status {response.status}); check its base URL", status=502, reason="server")
    first = b""
    if not call.stream or content_type == "text/html":
        return await _whole(call, prepared, target, credential, response, await response.read())
    if content_type != _EVENTS:
        # Under another name, or none, what comes tells what it is; lines of JSON alone begin as a whole answer does.
        first = await response.chunk()
        lines = prepared.upstream.content_type.partition(";")[0] != _EVENTS and content_type != "application/json"
        if first.lstrip()[:1] in (b"{", b"[", b"<") and not lines:
            return await _whole(call, prepared, target, credential, response, first + await response.read())
    opened = UpstreamAnswer(target, credential, prepared, response, reader=prepared.upstream.reader())
    await _until_content(opened, first)
    return opened


async def _until_content(opened: UpstreamAnswer, first: bytes) -> None:
    """Read on from the bytes in `first` until something was said."""
    reader = opened.reader
    assert reader is not None
    held: list[bytes] = []
    size = 0
    while not any(isinstance(event, CONTENT_EVENTS) for event in opened.events):
        opened.check()
        data, first = first or await opened.response.chunk(), b""
        opened.events += opened.take(data)
        held.append(data)
        size += len(data)
        if opened.ended or size > _MAX_HELD or reader.done:
            break
    opened.held = b"".join(held)


async def _whole(
    call: Call, prepared: PreparedRequest, target: BoundTarget, credential: Credential, response: Response, body: bytes
) -> UpstreamAnswer:
    value = read_json(body)
    if isinstance(value, dict) and value.get("error") and "choices" not in value and "content" not in value:
        # Some vendors say 200 and mean an error.
        raise _refusal_in_200(prepared, response, body, value)
    with answer_errors():
        events = _events(call, prepared, value)
    if not any(isinstance(event, CONTENT_EVENTS) for event in events):
        raise UpstreamError("the provider's answer holds no answer", status=502, reason="malformed")
    response.finish()
    return UpstreamAnswer(target, credential, prepared, response, events=events, body=body, ended=True)


def _events(call: Call, prepared: PreparedRequest, value: Json) -> list[Event]:
    """What an answer that came whole says; a stream may come as one array of what its frames would hold (Google's does)."""
    if isinstance(value, dict):
        return prepared.upstream.read_response(value)
    if not (call.stream and isinstance(value, list) and value):
        raise UpstreamError("the provider's answer is no JSON object", status=502, reason="malformed")
    reader = prepared.upstream.reader()
    events = [event for one in value for event in reader.feed(sse.write(orjson.dumps(one)))]
    return events + reader.close()


def _refusal_in_200(prepared: PreparedRequest, response: Response, body: bytes, value: dict[str, Json]) -> UpstreamError:
    """Why it came, as its dialect reads an error in place of an answer; in another shape, as any refusal."""
    try:
        prepared.upstream.read_response(value)
    except UpstreamError as told:
        told.dialect, told.body = prepared.upstream.name, body
        told.headers = {name.lower(): said for name, said in response.headers.items()}
        return told
    except MalformedStream:
        pass
    error = refusal(prepared, response, body)
    if error.status < 400:
        error.status = 502
    if error.reason == "bad_request":
        error.set_reason("server")
    return error


def read_json(body: bytes) -> Json:
    """What a provider answered; raises UpstreamError where it is no JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        what = "a web page" if body.lstrip()[:1] == b"<" else "not JSON"
        raise UpstreamError(f"the provider's answer is {what}", status=502, reason="malformed") from error


class answer_errors:
    """Unreadable bytes and missing ends become UpstreamErrors."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, MalformedStream):
            raise UpstreamError(f"the provider's answer cannot be read: {error}", status=502, reason="malformed") from error
        if isinstance(error, StreamBroken):
            raise UpstreamError(f"the provider's answer broke off: {error}", status=502, reason="broken") from error
