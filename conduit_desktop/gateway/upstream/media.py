"""The endpoints beside chat: put to a target in its own form, read whole where the answer is JSON, else relayed as bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.redaction import redact
from conduit_desktop.gateway.routing.resolve import BoundTarget, Timeouts
from conduit_desktop.gateway.snapshot import Credential
from conduit_desktop.gateway.upstream.attempt import UpstreamAnswer, answer_errors, read_json, refusal
from conduit_desktop.gateway.upstream.client import Response, Upstream
from conduit_desktop.gateway.upstream.translation import PreparedRequest
from conduit_desktop.providers import Endpoint, Secrets
from conduit_desktop.wire import dialect
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaFormat, MediaRequest, OutgoingBody, format_for
from conduit_desktop.wire.media.usage import READ_ONLY

ASIDE = 256 * 1024
"""Answers of more bytes are read and turned in a worker thread: on the loop they would hold up every stream."""
AT_ONCE = 8
"""Requests under way at the same time where one of the caller's makes many."""
_HEARD = frozenset({"speech", "transcriptions", "translations"})
"""Endpoints whose answers may be something else than JSON: sound, subtitles."""
T = TypeVar("T")


@dataclass(slots=True)
class UpstreamMediaAnswer(UpstreamAnswer):
    """A target that answers: `told` where its answer was JSON; else its bytes go on after `held`, the first of them."""

    told: MediaAnswer | None = None
    content_type: str = "application/json"
    length: int | None = None
    """Bytes in all, where the target says so."""


@dataclass(slots=True, repr=False)
class MediaAttempt:
    """One request beside chat on its way to one target."""

    upstream: Upstream
    call: Call
    media_request: MediaRequest
    form: MediaFormat
    prepared: PreparedRequest
    target: BoundTarget
    credential: Credential
    limits: Timeouts
    secrets: Secrets
    """What is sent: the door's, or what it renewed them to."""

    async def run(self, sendings: list[OutgoingBody], responses: list[Response]) -> UpstreamMediaAnswer:
        """The answer to all of `sendings`; what is open stands in `responses`. Raises UpstreamError."""
        first, *others = sendings
        response = await self._head(first, responses)
        if _comes_in_pieces(self.call.endpoint, _type_of(response)):
            return await self._begun(response)
        read = [await self._read(response)]
        if others:
            read += await self._together(others, responses)
        answers, raw = [answer for answer, _ in read], read[-1][1]
        with answer_errors():
            told = await _aside(sum(len(raw) for _, raw in read), self.form.read, answers, raw, self.media_request, self.call.model)
        return UpstreamMediaAnswer(self.target, self.credential, self.prepared, response, told=told, ended=True)

    async def _together(self, sendings: list[OutgoingBody], responses: list[Response]) -> list[tuple[dict[str, Json], bytes]]:
        """The answers to more requests, in their order: some vendors take one input at a time."""
        free = asyncio.Semaphore(AT_ONCE)

        async def attempt(sending: OutgoingBody) -> tuple[dict[str, Json], bytes]:
            async with free:
                return await self._read(await self._head(sending, responses))

        asking = [asyncio.ensure_future(attempt(sending)) for sending in sendings]
        try:
            return await asyncio.gather(*asking)
        finally:
            for one in asking:
                one.cancel()

    async def _head(self, sending: OutgoingBody, responses: list[Response]) -> Response:
        response = await self._send(sending)
        responses.append(response)
        if response.status >= 400:
            raise self._refusal(response, await response.read())
        if 300 <= response.status < 400 or _type_of(response) == "text/html":
            raise UpstreamError(
                f"the provider answers with a web page or a redirect (status {response.status}); check its base URL",
                status=502, reason="malformed",
            )  # fmt: skip
        return response

    async def _read(self, response: Response) -> tuple[dict[str, Json], bytes]:
        raw = await response.read()
        answer = await _aside(len(raw), _object, raw)
        self.target.bound.kind.add_header_usage(answer, response.headers)
        if answer.get("error") and len(answer) < 4:
            raise self._refusal_in_200(response, raw)
        response.finish()
        return answer, raw

    async def _send(self, sending: OutgoingBody) -> Response:
        call, target = self.call, self.target
        headers = {**self.prepared.relayed_headers(target), "content-type": sending.content_type}
        where: Endpoint = "embedding" if sending.single else call.endpoint
        outbound = target.bound.kind.prepare(
            where, target.model, self.prepared.upstream.name, call.stream, sending.body, self.secrets, headers
        )
        return await self.upstream.send(outbound, self.limits.connect_s)

    async def _begun(self, response: Response) -> UpstreamMediaAnswer:
        first = await response.chunk()
        if not first:
            raise UpstreamError("the provider's answer is empty", status=502, reason="malformed")
        headers = response.headers
        length = headers.get("content-length", "") if "content-encoding" not in headers else ""
        opened = UpstreamMediaAnswer(self.target, self.credential, self.prepared, response, held=first)
        opened.content_type = headers.get("content-type", "application/octet-stream")
        opened.length = int(length) if length.isdecimal() else None
        return opened

    def _refusal(self, response: Response, body: bytes) -> UpstreamError:
        error = refusal(self.prepared, response, body)
        if not self.form.passthrough:
            error.dialect = ""  # in the vendor's own shape, which the caller does not read
        return error

    def _refusal_in_200(self, response: Response, body: bytes) -> UpstreamError:
        error = self._refusal(response, body)
        error.status = error.status if error.status >= 400 else 502
        if error.reason == "bad_request":
            error.set_reason("server")
        return error


async def attempt(
    upstream: Upstream,
    call: Call,
    target: BoundTarget,
    credential: Credential,
    limits: Timeouts,
    deadline: float,
    overrides: Mapping[str, Json],
) -> UpstreamMediaAnswer:
    """Put the request to one target; raises UpstreamError, or BadRequest where it cannot be said there."""
    kind = target.bound.kind
    assert call.media_request is not None
    media_request, form = format_for(
        call.media_request, kind.media_format_for(call.endpoint, target.model), kind.native_caller_formats, call.model, overrides
    )
    reworded = call.media_request.caller_format is not None and media_request is not call.media_request
    upstream_dialect = call.dialect if kind.supports(call.dialect.name) and not reworded else dialect(kind.dialects[0])
    prepared = PreparedRequest(call, upstream_dialect, native=form.passthrough, body=b"")
    sendings = form.write(media_request, kind.upstream_model(target.model), prepared.dropped)
    errand = MediaAttempt(upstream, call, media_request, form, prepared, target, credential, limits, credential.secrets)
    until = min(deadline, (began := asyncio.get_running_loop().time()) + limits.whole_s)
    responses: list[Response] = []
    try:
        async with asyncio.timeout_at(until):
            if kind.renews_credentials:
                errand.secrets = await kind.credentials(credential.secrets)
            opened = await errand.run(sendings, responses)
            opened.sent = errand.secrets
            return opened
    except TimeoutError as error:
        _abort(responses)
        raise UpstreamError(f"no answer within {until - began:.3g} s", status=504, reason="timeout") from error
    except UpstreamError as error:
        _abort(responses)
        kind.judge(error)
        redact(error, errand.secrets)
        raise
    except BaseException:
        _abort(responses)
        raise


def _abort(responses: list[Response]) -> None:
    for response in responses:
        response.abort()


def _type_of(response: Response) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


def _comes_in_pieces(endpoint: Endpoint, content_type: str) -> bool:
    """Whether an answer is relayed as bytes. JSON is JSON whatever a vendor calls it, and some do not call it anything."""
    if endpoint in _HEARD:
        return bool(content_type) and not content_type.endswith("json")
    return content_type == "text/event-stream" and endpoint not in READ_ONLY


async def _aside(size: int, work: Callable[..., T], *args: object) -> T:
    return await asyncio.to_thread(work, *args) if size > ASIDE else work(*args)


def _object(body: bytes) -> dict[str, Json]:
    value = read_json(body)
    if not isinstance(value, dict):
        raise UpstreamError("the provider's answer is no JSON object", status=502, reason="malformed")
    return value
