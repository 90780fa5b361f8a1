"""One request to one target: prepared, sent, classified, and opened up to the first content of its answer.

From the first content on the answer is committed to: a later failure ends the client's stream and moves on to no other target.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from email.utils import formatdate
from functools import partial

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import MalformedStream, UpstreamError
from conduit_desktop.core.events import CONTENT_EVENTS, Event, Finished, last_usage
from conduit_desktop.core.heavy_work import for_frame, in_thread
from conduit_desktop.gateway.call import GATEWAY_ID, HOP_HEADER, Call
from conduit_desktop.gateway.redaction import redact_off_loop
from conduit_desktop.gateway.routing.targets import BoundTarget, Timeouts
from conduit_desktop.gateway.snapshot import Credential
from conduit_desktop.gateway.upstream.answer_json import check_depth, check_size, read_json, read_spread
from conduit_desktop.gateway.upstream.client import Upstream
from conduit_desktop.gateway.upstream.prepared import PreparedRequest
from conduit_desktop.gateway.upstream.responses import ERROR_BODY_LIMIT, WHOLE_LIMIT, LocalResponse
from conduit_desktop.gateway.upstream.upstream_answer import LARGE_FRAME, UpstreamAnswer, answer_errors
from conduit_desktop.providers import Endpoint, OutboundRequest, UpstreamResponse
from conduit_desktop.wire import json_limits, sliced_json
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.framing.base import joined
from conduit_desktop.wire.reported_usage import usage_in

_CONTENT = frozenset[type](CONTENT_EVENTS)
_EVENT_STREAM = "text/event-stream"
_NO_ANSWER_IN_TIME = frozenset({504, 524})
"""Statuses of a proxy that has passed the request on and got no answer in time: RFC 9110 section 15.6.5, and Cloudflare's."""
_MAX_HELD = 16 * 1024 * 1024
"""Bytes of a stream held back while no content has come; some vendors send only metadata and pings for a while."""


class TargetAttempt:
    """One request to one target with one credential; `deadline` is the event loop's time.

    Subclasses open the answer: `ChatAttempt` as events, `media.MediaAttempt` as JSON or as a stream of bytes.
    """

    __slots__ = (
        "_deadline",
        "_opened",
        "_outbounds",
        "_responses",
        "_timeouts",
        "_upstream",
        "credential",
        "prepared",
        "secrets",
        "target",
    )

    def __init__(
        self,
        upstream: Upstream,
        prepared: PreparedRequest,
        target: BoundTarget,
        credential: Credential,
        timeouts: Timeouts,
        deadline: float,
    ) -> None:
        self._upstream = upstream
        self._timeouts = timeouts
        self._deadline = deadline
        self._outbounds: list[OutboundRequest] = []
        self._responses: list[UpstreamResponse] = []
        self._opened: UpstreamAnswer | None = None
        self.prepared = prepared
        self.target = target
        self.credential = credential
        # A caller of another dialect sends its key in its own vendor's header, which this one does not read.
        own = credential.secrets.came_in and not prepared.passthrough
        self.secrets = replace(credential.secrets, came_in="") if own else credential.secrets

    async def run(self) -> UpstreamAnswer:
        """Send the request and open its answer; raises UpstreamError, classified and without credentials in it."""
        kind = self.target.bound.kind
        began = asyncio.get_running_loop().time()
        # The request's own deadline bounds every attempt: retries and fallbacks must not add up to more than `total_s`.
        until = min(self._deadline, began + self._wait_s())
        try:
            # One time-out for renewing the credential, sending, and waiting for the first content.
            with self._upstream.deadlines.at(until):
                if kind.renews_credentials:
                    self.secrets = await kind.credentials(self.secrets)
                return await self._open()
        except TimeoutError as error:
            self._abort()
            missing = "first token" if self.prepared.call.stream else "answer"
            late = UpstreamError(f"no {missing} within {until - began:.3g} s", status=504, reason="timeout")
            self._add_usage(late)
            raise late from error
        except UpstreamError as error:
            self._abort()
            self._add_usage(error)
            kind.judge(error)
            await redact_off_loop(error, self.secrets)
            raise
        except BaseException:
            # Also a cancellation: a provider whose connection stays open goes on generating, and billing, after the client hung up.
            self._abort()
            raise

    def _wait_s(self) -> float:
        """Seconds until the answer must have begun."""
        raise NotImplementedError

    async def _open(self) -> UpstreamAnswer:
        """Send, and read until the answer is whole or its first content has come."""
        raise NotImplementedError

    async def _send(self, body: bytes | bytearray, endpoint: Endpoint, headers: dict[str, str]) -> UpstreamResponse:
        """The head of the answer; raises UpstreamError for a refusal and for a redirect."""
        kind, call = self.target.bound.kind, self.prepared.call
        response: UpstreamResponse
        if kind.local:
            # From the bytes, not from the call: a local kind gets what a vendor would get, overrides included.
            response = LocalResponse(kind.answer(endpoint, orjson.loads(body), call.stream))
        else:
            if kind.may_lead_back:
                headers = {**headers, HOP_HEADER: _hops(call)}
            outbound = kind.prepare(
                endpoint, self.target.model, self.prepared.upstream.name, self.prepared.streams, body, self.secrets, headers
            )
            self._outbounds.append(outbound)
            connect_s = self._timeouts.connect_s
            if kind.several_steps:
                send = partial(self._upstream.send, connect_s=connect_s)
                response = await kind.open(send, outbound, call.stream, self.secrets)
            else:
                response = await self._upstream.send(outbound, connect_s)
        self._responses.append(response)
        if response.status >= 400:
            raise self._refusal(response, await response.read())
        # Redirects are not followed (see `Upstream.send`), so there is no answer behind this one.
        if response.status >= 300:
            raise UpstreamError(
                f"the provider redirects (status {response.status}); check its base URL", status=502, reason="server"
            )
        return response

    def _answer(self, response: UpstreamResponse) -> UpstreamAnswer:
        self._opened = UpstreamAnswer(self.target, self.credential, self.prepared, response, self.secrets)
        return self._opened

    def _add_usage(self, error: UpstreamError) -> None:
        """Set what the target reported before it failed, and whether it had begun to answer or had the request at least."""
        if error.usage is not None:
            return
        events = self._opened.events if self._opened is not None else []
        # Anthropic counts the input at a stream's start, and bills it.
        usage = last_usage(events)
        if usage is not None:
            reader = self._opened.reader if self._opened is not None else None
            is_whole = (reader is not None and reader.done) or any(isinstance(event, Finished) for event in events)
            error.usage = usage if is_whole else replace(usage, source="estimated")
        elif error.reason in ("broken", "timeout"):
            error.cut_off = any(response.status < 300 for response in self._responses)
        if error.usage is None and not error.cut_off:
            error.unanswered = sum(one.sent for one in self._outbounds) > len(self._responses) or any(
                response.status in _NO_ANSWER_IN_TIME for response in self._responses
            )

    def _refusal(self, response: UpstreamResponse, body: bytes) -> UpstreamError:
        """An error answer, classified, with what the provider sent."""
        headers = lower_names(response)
        headers.setdefault("date", formatdate(usegmt=True))  # a Retry-After with a date counts from it
        upstream = self.prepared.upstream
        # Cut here as well: an error that came with status 200 was read with the far larger limit of whole answers.
        body = body[:ERROR_BODY_LIMIT]
        error = upstream.read_error(response.status, headers, body)
        error.dialect, error.body, error.headers = upstream.name, body, headers
        if b'"usage' in body:
            with suppress(orjson.JSONDecodeError):
                error.usage = usage_in(orjson.loads(body), upstream.name)
        # Loop Detected (RFC 5842): sent again, or to another target that leads back, the request would only come back again.
        if response.status == 508:
            error.set_reason("bad_request")
        elif error.status >= 500 and error.callers_fault:
            error.status = 400  # clients send again what was answered with 500, as Ollama and llama.cpp do for long prompts
        return error

    def _refusal_with_status_200(self, response: UpstreamResponse, body: bytes) -> UpstreamError:
        """An error that a vendor sent with status 200: never the client's fault, as nothing says that it is."""
        error = self._refusal(response, body)
        if error.status < 400:
            error.status = 502
        if error.reason == "bad_request":
            error.set_reason("server")
        return error

    def _abort(self) -> None:
        for response in self._responses:
            response.abort()


class ChatAttempt(TargetAttempt):
    """A chat request: its answer is read as events, whole or up to the first content."""

    __slots__ = ()

    def _wait_s(self) -> float:
        prepared = self.prepared
        return self._timeouts.begins_within_s(self.target.bound.kind, prepared.call.stream and not prepared.asked_whole)

    async def _open(self) -> UpstreamAnswer:
        prepared, stream = self.prepared, self.prepared.streams
        response = await self._send(prepared.body, "chat", prepared.relayed_headers(self.target))
        content_type = content_type_of(response)
        first = b""
        # A wrong base URL often leads to a web page with status 200: read whole, it is named as that in the error.
        if not stream and content_type == _EVENT_STREAM:
            return await self._streamed_unasked(response)
        if not stream or content_type == "text/html":
            return await self._whole(response, await response.read())
        if content_type != _EVENT_STREAM:
            # Some vendors stream under another content type, or none; some send a whole answer to a request for a stream.
            # The first bytes decide, except for dialects that stream lines of JSON: those begin as a whole answer does.
            first = await response.chunk()
            json_lines = prepared.upstream.content_type.partition(";")[0] != _EVENT_STREAM and content_type != "application/json"
            if first.lstrip()[:1] in (b"{", b"[", b"<") and not json_lines:
                return await self._whole(response, first + await response.read())
        answer = self._answer(response)
        answer.streamed, answer.reader = not prepared.collected, prepared.upstream.reader()
        await _read_until_content(answer, first)
        if prepared.collected:
            await _read_rest(answer)
        return answer

    async def _streamed_unasked(self, response: UpstreamResponse) -> UpstreamAnswer:
        """The whole answer of a server that streams whatever it is asked for; an answer that it only labels so is read as it is."""
        first = await response.chunk()
        if first.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
            return await self._whole(response, first + await response.read())
        answer = self._answer(response)
        answer.reader = self.prepared.upstream.reader()
        await _read_until_content(answer, first)
        await _read_rest(answer)
        return answer

    async def _whole(self, response: UpstreamResponse, body: bytes) -> UpstreamAnswer:
        if len(body) > json_limits.LARGE:
            await check_size(body)
        is_heavy = sliced_json.is_heavy(body)
        value = await read_spread(body) if is_heavy else read_json(body)
        # What is passed through is not written again; a heavy one was read by what counts the levels.
        if not (self.prepared.passthrough or is_heavy):
            check_depth(body, value)
        # By its value: the Responses API has `"error": null` in every sound answer. With choices or content it is an answer.
        if isinstance(value, dict) and value.get("error") and "choices" not in value and "content" not in value:
            raise self._error_in(response, body, value)
        try:
            with answer_errors():
                events = await in_thread(self._events_of, value) if is_heavy else self._events_of(value)
        except UpstreamError as error:
            # An answer that cannot be read was paid for all the same.
            error.usage = error.usage or usage_in(value, self.prepared.upstream.name)
            raise
        if (failed := self.prepared.failed_answer(events)) is not None:
            raise failed
        # A failure, so that another target is tried before the client gets an empty answer.
        if _CONTENT.isdisjoint(map(type, events)):
            empty = UpstreamError("the provider's answer holds no answer", status=502, reason="malformed")
            empty.usage = last_usage(events)
            raise empty
        response.finish()
        answer = self._answer(response)
        answer.streamed, answer.events, answer.body, answer.ended = self.prepared.call.stream, events, body, True
        answer.heavy = is_heavy
        return answer

    def _events_of(self, value: Json) -> list[Event]:
        """The events of a whole answer. Gemini's stream without `alt=sse` is one JSON array of what its frames would hold."""
        if isinstance(value, dict):
            return self.prepared.upstream.read_response(value)
        if not (self.prepared.call.stream and isinstance(value, list) and value):
            raise UpstreamError("the provider's answer is no JSON object", status=502, reason="malformed")
        # Each element is framed again for the stream's reader: a second reader of the same objects would drift from it.
        reader = self.prepared.upstream.reader()
        events = [event for one in value for event in reader.feed(sse.write(orjson.dumps(one)))]
        return events + reader.close(clean=True)

    def _error_in(self, response: UpstreamResponse, body: bytes, value: dict[str, Json]) -> UpstreamError:
        """The error in place of an answer, as its dialect reads it; in another shape, as any refusal."""
        # MalformedStream: an error in another vendor's shape is no answer of the dialect either.
        with suppress(MalformedStream):
            try:
                self.prepared.upstream.read_response(value)
            except UpstreamError as error:
                error.dialect, error.body = self.prepared.upstream.name, body[:ERROR_BODY_LIMIT]
                error.headers = lower_names(response)
                error.usage = error.usage or usage_in(value, self.prepared.upstream.name)
                return error
        return self._refusal_with_status_200(response, body)


def _hops(call: Call) -> str:
    earlier = call.headers.get(HOP_HEADER)
    return f"{earlier[-1000:]}, {GATEWAY_ID}" if earlier and earlier.isascii() else GATEWAY_ID


async def _read_until_content(answer: UpstreamAnswer, first: bytes) -> None:
    """Read on from the bytes in `first` until the first content event; what was read is kept in the answer."""
    reader = answer.reader
    assert reader is not None
    held: list[bytes] = []
    size = 0
    while _CONTENT.isdisjoint(map(type, answer.events)):
        # A fault before the first content still lets another target answer.
        answer.check()
        data, first = first or await answer.response.chunk(), b""
        size += len(data)
        answer.events += answer.take(data) if size <= LARGE_FRAME else await for_frame(answer.take, data)
        held.append(data)
        # Past the limit the stream is committed to without content: holding back more would let one stream fill the memory.
        if answer.ended or size > _MAX_HELD or reader.done:
            break
    answer.held = joined(held)


async def _read_rest(answer: UpstreamAnswer) -> None:
    """Read a stream to its end, for a client that gets the whole answer. Raises UpstreamError where it breaks or is too long."""
    assert answer.reader is not None
    size = len(answer.held)
    coming = 0
    """Bytes since the last event: of a frame that is not whole, mostly."""
    while not (answer.ended or answer.reader.done):
        answer.check()
        data = await answer.response.chunk()
        coming += len(data)
        events = answer.take(data) if coming <= LARGE_FRAME else await for_frame(answer.take, data)
        answer.events += events
        coming = 0 if events else coming
        size += len(data)
        if size > WHOLE_LIMIT:
            raise UpstreamError("the provider's answer is too long", status=502, reason="malformed")
    answer.check()
    answer.held, answer.reader, answer.ended = b"", None, True
    answer.heavy = size > sliced_json.LARGE
    answer.response.finish()


def content_type_of(response: UpstreamResponse) -> str:
    """The media type in lower case, without parameters; empty where none is stated."""
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


def lower_names(response: UpstreamResponse) -> dict[str, str]:
    """The response's headers by name in lower case."""
    return {name.lower(): value for name, value in response.headers.items()}
