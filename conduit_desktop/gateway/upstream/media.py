"""Attempts at the media endpoints and token counts: sent in the target's format, read whole where the answer is JSON.

Sound, subtitles and server-sent events are relayed as bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.core.heavy_work import for_frame
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.targets import BoundTarget, Timeouts
from conduit_desktop.gateway.snapshot import Credential
from conduit_desktop.gateway.upstream import token_counts
from conduit_desktop.gateway.upstream.answer_json import check_depth, check_size, read_json, read_spread
from conduit_desktop.gateway.upstream.attempt import TargetAttempt, content_type_of
from conduit_desktop.gateway.upstream.client import Upstream
from conduit_desktop.gateway.upstream.prepared import PreparedRequest
from conduit_desktop.gateway.upstream.responses import MEDIA_LIMIT, HttpResponse
from conduit_desktop.gateway.upstream.upstream_answer import UpstreamAnswer, answer_errors
from conduit_desktop.providers import Endpoint, UpstreamResponse
from conduit_desktop.wire import dialect
from conduit_desktop.wire.media.endpoints import MediaFormat, MediaRequest, OutgoingBody, format_for
from conduit_desktop.wire.media.usage import READ_ONLY, read_media_usage
from conduit_desktop.wire.sliced_json import is_heavy

THREAD_FROM = 256 * 1024
"""Answers of more bytes are parsed and converted in a worker thread: on the loop they would hold up every stream."""
MOST_VALUES = 20_000_000
"""Numbers of one answer: 2,048 embeddings of 4,096 dimensions are eight million."""
# Enough to hide the round trips; all at once would run into the vendor's own rate limit.
PARALLEL = 8
"""Upstream requests in flight at the same time where one client request needs many."""
_BINARY = frozenset({"speech", "transcriptions", "translations"})
"""Endpoints whose answers may be something else than JSON: sound, subtitles."""
T = TypeVar("T")


class MediaAttempt(TargetAttempt):
    """One request to a media endpoint of one target; raises BadRequest where it cannot be expressed there."""

    __slots__ = ("_bodies", "_format", "_media_request")

    def __init__(
        self,
        upstream: Upstream,
        call: Call,
        target: BoundTarget,
        credential: Credential,
        timeouts: Timeouts,
        deadline: float,
        overrides: Mapping[str, Json],
    ) -> None:
        assert call.media_request is not None
        kind = target.bound.kind
        if call.endpoint == "count_tokens" and call.dialect.name == "gemini":
            # Overrides are fields of a generation; Gemini refuses them in a request to count.
            self._media_request: MediaRequest = call.media_request
            self._format: MediaFormat = token_counts.GeminiTokenCount(kind.kind)
        else:
            name = kind.media_format_for(call.endpoint, target.model)
            self._media_request, self._format = format_for(
                call.media_request, name, kind.passthrough_formats, call.model, overrides
            )
        # A converted request gets its errors in the target's dialect, even where the target also speaks the client's.
        converted = call.media_request.caller_format is not None and self._media_request is not call.media_request
        upstream_dialect = call.dialect if kind.supports(call.dialect.name) and not converted else dialect(kind.dialects[0])
        prepared = PreparedRequest(call, upstream_dialect, passthrough=self._format.passthrough, body=b"")
        self._bodies = self._format.write(self._media_request, kind.upstream_model(target.model), prepared.dropped)
        super().__init__(upstream, prepared, target, credential, timeouts, deadline)

    def _wait_s(self) -> float:
        whole_s = self._timeouts.begins_within_s(self.target.bound.kind, stream=False)
        return min(whole_s, token_counts.COUNT_S) if self.prepared.call.endpoint == "count_tokens" else whole_s

    async def _open(self) -> UpstreamAnswer:
        # The first alone: where the target refuses it, the others are not sent, and not paid for.
        first, *others = self._bodies
        response = await self._request(first)
        if _is_relayed(self.prepared.call.endpoint, content_type_of(response)):
            return await self._begun(response)
        answers = [await self._read(response)]
        if others:
            answers += await self._read_all(others)
        objects, last = [value for value, _ in answers], answers[-1][1]
        size = sum(len(body) for _, body in answers)
        answer = self._answer(response)
        try:
            with answer_errors():
                answer.media = await _in_thread(
                    size, self._format.read, objects, last, self._media_request, self.prepared.call.model
                )
        except UpstreamError as error:
            error.usage = read_media_usage(self.prepared.call.endpoint, objects[-1])
            raise
        named = objects[-1].get("model")
        answer.media.model = named if isinstance(named, str) else ""
        answer.ended = True
        return answer

    async def _read_all(self, bodies: list[OutgoingBody]) -> list[tuple[dict[str, Json], bytes]]:
        """The answers to further requests, in their order: some vendors take one input at a time."""
        free = asyncio.Semaphore(PARALLEL)

        async def read_one(body: OutgoingBody) -> tuple[dict[str, Json], bytes]:
            async with free:
                return await self._read(await self._request(body))

        tasks = [asyncio.ensure_future(read_one(body)) for body in bodies]
        try:
            return await asyncio.gather(*tasks)
        finally:
            # `gather` leaves the others running when one fails: they would cost money for answers that are not read.
            for task in tasks:
                task.cancel()

    async def _request(self, body: OutgoingBody) -> UpstreamResponse:
        headers = {**self.prepared.relayed_headers(self.target), "content-type": body.content_type}
        if self.prepared.call.endpoint in _BINARY:
            # Sound gains nothing by compression, and the end of compressed bytes that were cut off looks like any other.
            headers["accept-encoding"] = "identity"
        endpoint: Endpoint = "embedding" if body.single else self.prepared.call.endpoint
        response = await self._send(body.body, endpoint, headers)
        if isinstance(response, HttpResponse):
            response.most = MEDIA_LIMIT
        if content_type_of(response) == "text/html":
            raise UpstreamError("the provider answers with a web page; check its base URL", status=502, reason="malformed")
        return response

    async def _read(self, response: UpstreamResponse) -> tuple[dict[str, Json], bytes]:
        body = await response.read()
        if body[:3] == b"\xef\xbb\xbf":  # some servers' byte-order mark
            body = body[3:]
        await check_size(body, MOST_VALUES)
        value = _as_object(await read_spread(body)) if is_heavy(body) else await _in_thread(len(body), _object, body)
        # Before the format reads the answer: some Bedrock models report their input tokens in a header only.
        self.target.bound.kind.add_header_usage(value, response.headers)
        # A sound answer may have such a field among many others; an error that came with status 200 has little else.
        if value.get("error") and len(value) < 4:
            raise self._refusal_with_status_200(response, body)
        response.finish()
        return value, body

    async def _begun(self, response: UpstreamResponse) -> UpstreamAnswer:
        """An answer that is relayed as bytes, with the first of them."""
        first = await response.chunk()
        if not first:
            raise UpstreamError("the provider's answer is empty", status=502, reason="malformed")
        headers = response.headers
        # The length of a compressed answer says nothing of the bytes that are relayed.
        length = headers.get("content-length", "") if "content-encoding" not in headers else ""
        answer = self._answer(response)
        answer.streamed, answer.held = True, first
        answer.content_type = headers.get("content-type", "application/octet-stream")
        answer.length = int(length) if length.isdecimal() else None
        return answer

    def _refusal(self, response: UpstreamResponse, body: bytes) -> UpstreamError:
        error = super()._refusal(response, body)
        if not self._format.passthrough:
            error.dialect = ""  # the body is in the vendor's own shape, which the client does not read
        return error


def _is_relayed(endpoint: Endpoint, content_type: str) -> bool:
    """Whether an answer is relayed as bytes. Some vendors send JSON under another content type, or under none."""
    if endpoint in _BINARY:
        return bool(content_type) and not content_type.endswith("json")
    return content_type == "text/event-stream" and endpoint not in READ_ONLY


async def _in_thread(size: int, work: Callable[..., T], *args: object) -> T:
    """The result of `work`, which runs in a worker thread where `size` bytes are many."""
    return await for_frame(work, *args) if size > THREAD_FROM else work(*args)


def _as_object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise UpstreamError("the provider's answer is no JSON object", status=502, reason="malformed")
    return value


def _object(body: bytes) -> dict[str, Json]:
    value = read_json(body)
    check_depth(body, value)
    return _as_object(value)
