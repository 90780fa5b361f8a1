"""The endpoints beside chat: put to a target in its own form, read whole where the answer is JSON, else relayed as bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import GatewayError, MalformedStream, ProviderFailed, ProviderTimeout, UpstreamError
from conduit_desktop.gateway.asking import Opened, readable, refusal
from conduit_desktop.gateway.blotting import blot
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.lane import Lane
from conduit_desktop.gateway.meter import Meter
from conduit_desktop.gateway.routing import BoundTarget, Limits
from conduit_desktop.gateway.snapshot import Door
from conduit_desktop.gateway.stream import Pulse, own_fault
from conduit_desktop.gateway.upstream import Response, Upstream
from conduit_desktop.providers import Endpoint, Secrets
from conduit_desktop.wire import dialect, forms, sse
from conduit_desktop.wire.form_usage import READ_ONLY, told_usage
from conduit_desktop.wire.forms import Form, Sending, Told, Wish

ASIDE = 256 * 1024
"""Answers of more bytes are read and turned in a worker thread: on the loop they would hold up every stream."""
_HEARD = frozenset({"speech", "transcriptions", "translations"})
"""Endpoints whose answers may be something else than JSON: sound, subtitles."""
T = TypeVar("T")
_NEVER = 10**6.0
"""Seconds: bytes of sound have no pings."""


@dataclass(slots=True)
class OpenedMedia(Opened):
    """A target that answers: `told` where its answer was JSON; else its bytes go on after `held`, the first of them."""

    told: Told | None = None
    content_type: str = "application/json"
    length: int | None = None
    """Bytes in all, where the target says so."""


@dataclass(slots=True, repr=False)
class Errand:
    """One request beside chat on its way to one target."""

    upstream: Upstream
    call: Call
    wish: Wish
    form: Form
    lane: Lane
    target: BoundTarget
    door: Door
    limits: Limits
    secrets: Secrets
    """What is sent: the door's, or what it renewed them to."""

    async def run(self, sendings: list[Sending], responses: list[Response]) -> OpenedMedia:
        """The answer to all of `sendings`; what is open stands in `responses`. Raises UpstreamError."""
        answers: list[dict[str, Json]] = []
        raw = b""
        for sending in sendings:
            response = await self._send(sending)
            responses[:] = [response]
            if response.status >= 400:
                raise self._refusal(response, await response.read())
            content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if 300 <= response.status < 400 or content_type == "text/html":
                raise UpstreamError(
                    f"the provider answers with a web page or a redirect (status {response.status}); check its base URL",
                    status=502, reason="malformed",
                )  # fmt: skip
            if _comes_in_pieces(self.call.endpoint, content_type):
                return await self._begun(response)
            raw = await response.read()
            answers.append(await _aside(len(raw), _json, raw))
            self.target.bound.kind.complete(answers[-1], response.headers)
            if answers[-1].get("error") and len(answers[-1]) < 4:
                raise self._refusal_in_200(response, raw)
            response.finish()
        with readable():
            told = await _aside(len(raw) * len(answers), self.form.read, answers, raw, self.wish, self.call.model)
        return OpenedMedia(self.target, self.door, self.lane, response, told=told, ended=True)

    async def _send(self, sending: Sending) -> Response:
        call, target = self.call, self.target
        headers = {**self.lane.relayed_headers(target), "content-type": sending.content_type}
        where: Endpoint = "embedding" if sending.single else call.endpoint
        outbound = target.bound.kind.prepare(
            where, target.model, self.lane.upstream.name, call.stream, sending.body, self.secrets, headers
        )
        return await self.upstream.send(outbound, self.limits.connect_s)

    async def _begun(self, response: Response) -> OpenedMedia:
        first = await response.chunk()
        if not first:
            raise UpstreamError("the provider's answer is empty", status=502, reason="malformed")
        headers = response.headers
        length = headers.get("content-length", "") if "content-encoding" not in headers else ""
        opened = OpenedMedia(self.target, self.door, self.lane, response, held=first)
        opened.content_type = headers.get("content-type", "application/octet-stream")
        opened.length = int(length) if length.isdecimal() else None
        return opened

    def _refusal(self, response: Response, body: bytes) -> UpstreamError:
        error = refusal(self.lane, response, body)
        if not self.form.own:
            error.dialect = ""  # in the vendor's own shape, which the caller does not read
        return error

    def _refusal_in_200(self, response: Response, body: bytes) -> UpstreamError:
        error = self._refusal(response, body)
        error.status = error.status if error.status >= 400 else 502
        if error.reason == "bad_request":
            error.judge("server")
        return error


async def ask(
    upstream: Upstream, call: Call, target: BoundTarget, door: Door, limits: Limits, deadline: float, overrides: Mapping[str, Json]
) -> OpenedMedia:
    """Put the request to one target; raises UpstreamError, or BadRequest where it cannot be said there."""
    kind = target.bound.kind
    assert call.wish is not None
    wish, form = forms.said_to(call.wish, kind.form_for(call.endpoint, target.model), call.model, overrides)
    upstream_dialect = call.dialect if kind.speaks(call.dialect.name) else dialect(kind.dialects[0])
    lane = Lane(call, upstream_dialect, native=form.own, body=b"")
    sendings = form.write(wish, kind.named(target.model), lane.dropped)
    errand = Errand(upstream, call, wish, form, lane, target, door, limits, door.secrets)
    until = min(deadline, (began := asyncio.get_running_loop().time()) + limits.whole_s)
    responses: list[Response] = []
    try:
        async with asyncio.timeout_at(until):
            if kind.renews_credentials:
                errand.secrets = await kind.credentials(door.secrets)
            opened = await errand.run(sendings, responses)
            opened.sent = errand.secrets
            return opened
    except TimeoutError as error:
        _abort(responses)
        raise UpstreamError(f"no answer within {until - began:.3g} s", status=504, reason="timeout") from error
    except UpstreamError as error:
        _abort(responses)
        kind.judge(error)
        blot(error, errand.secrets)
        raise
    except BaseException:
        _abort(responses)
        raise


def _abort(responses: list[Response]) -> None:
    for response in responses:
        response.abort()


def _comes_in_pieces(endpoint: Endpoint, content_type: str) -> bool:
    """Whether an answer is relayed as bytes. JSON is JSON whatever a vendor calls it, and some do not call it anything."""
    if endpoint in _HEARD:
        return bool(content_type) and not content_type.endswith("json")
    return content_type == "text/event-stream" and endpoint not in READ_ONLY


async def _aside(size: int, work: Callable[..., T], *args: object) -> T:
    return await asyncio.to_thread(work, *args) if size > ASIDE else work(*args)


def _json(body: bytes) -> dict[str, Json]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        what = "a web page" if body.lstrip()[:1] == b"<" else "not JSON"
        raise UpstreamError(f"the provider's answer is {what}", status=502, reason="malformed") from error
    if not isinstance(value, dict):
        raise UpstreamError("the provider's answer is no JSON object", status=502, reason="malformed")
    return value


Broken = Callable[[Opened, UpstreamError], None]


class Cut(Exception):  # no error of ours: it says to cut the connection
    """A relayed answer broke off where no words can say so: the caller must see its connection break, too."""


async def relayed(opened: OpenedMedia, meter: Meter, idle_s: float, broken: Broken, pulses: set[Pulse]) -> AsyncGenerator[bytes]:
    """The answer's bytes as they come. The record is durable before the last of them; raises Cut where the upstream broke."""
    events = Events() if opened.content_type.startswith("text/event-stream") else None
    response, pulse = opened.response, Pulse(opened.response, _NEVER, idle_s)
    last, got = b"", 0
    pulses.add(pulse)
    try:
        data: bytes | None = opened.held
        while data:
            got += len(data)
            if events is not None:
                events.watch(data, meter)
                meter.keep(data)
            out, last = last + data[:-1], data[-1:]
            if out:
                yield out
            data = await pulse.chunk(said=True)
        if (opened.length is not None and got != opened.length) or (events is not None and not events.whole):
            raise UpstreamError("the answer ended before its end", status=502, reason="broken")
        response.finish()
        await meter.settle("success")
        yield last
    except (asyncio.CancelledError, GeneratorExit):
        response.abort()
        meter.close("cancelled", 499)
        raise
    except Exception as error:  # whatever went wrong, the caller must not take it for success
        response.abort()
        if isinstance(error, UpstreamError):
            blot(error, opened.sent)
            meter.broke(error)
            broken(opened, error)
        told = _told(error, opened)
        await meter.settle("broken", told.status, told)
        if events is None:
            raise Cut from error
        # The byte held back ends the line that came last, so the error begins a frame of its own.
        yield last + b"\n\n" + sse.write(orjson.dumps(opened.lane.call.dialect.write_error(told)[1]), "error")
    finally:
        pulses.discard(pulse)


def _told(error: Exception, opened: Opened) -> GatewayError:
    if not isinstance(error, UpstreamError):
        return own_fault(error)
    text = f"The answer of {opened.target.name} broke off: {error.message}"
    return ProviderTimeout(text) if error.reason == "timeout" else ProviderFailed(text, code="provider_stream_broken")


class Events:
    """Watches relayed server-sent events for usage, errors, and the last one."""

    def __init__(self) -> None:
        self._splitter = sse.FrameSplitter()
        self._typed = False
        self._over = False

    @property
    def whole(self) -> bool:
        """The stream has said that it is complete; one whose events have no types cannot say so."""
        return self._over or not self._typed

    def watch(self, data: bytes, meter: Meter) -> None:
        """Read on; raises UpstreamError for an error in the stream."""
        try:
            frames = self._splitter.feed(data)
        except MalformedStream as error:
            raise UpstreamError(f"the provider's answer cannot be read: {error}", status=502, reason="malformed") from error
        for frame in frames:
            # Pictures come as megabytes of base64: only a frame that may say something to us is read.
            if frame.data.strip() == b"[DONE]":
                self._over = True
            elif b'"usage"' in frame.data or b'"error"' in frame.data or b'"type"' in frame.data[:4096] or frame.event:
                self._read(frame, meter)

    def _read(self, frame: sse.Frame, meter: Meter) -> None:
        try:
            value = orjson.loads(frame.data) if frame.data else {}
        except orjson.JSONDecodeError:
            return
        if not isinstance(value, dict):
            return
        kind = str(value.get("type") or frame.event or "")
        self._typed = self._typed or bool(kind)
        if kind == "error" or (value.get("error") and "." not in kind):
            detail = value.get("error")
            message = detail.get("message") if isinstance(detail, dict) else None
            raise UpstreamError(str(message or "the provider reported an error"), status=502, reason="server")
        self._over = self._over or kind.endswith((".completed", ".done"))
        usage = told_usage(meter.record.endpoint, value)
        if usage is not None:
            meter.usage = usage
