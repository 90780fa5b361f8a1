"""Passthrough: each request must reach its provider as recorded, and the response its client as recorded."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing import splitter_of
from tests.conformance.gateway import ClientResponse, ReplaySetup
from tests.conformance.recordings import Recording, parse

_OURS = (".model", ".stream_options")
"""What the gateway sets itself: the model's name, and the request for usage."""


@dataclass
class PassthroughResult:
    """One recording sent in its own dialect."""

    recording: Recording
    faults: list[str] = field(default_factory=list)


async def run(setup: ReplaySetup, wanted: Iterable[Recording]) -> list[PassthroughResult]:
    """Send every recorded request in its own dialect."""
    responses: dict[str, tuple[Recording, ClientResponse]] = {}
    for recording in wanted:
        endpoint = recording.endpoint
        assert endpoint is not None
        response = await setup.ask(
            recording, recording.request, endpoint.dialect, endpoint.client_path, recording.stream, recording.is_array
        )
        responses[recording.name] = (recording, response)
    received = await setup.upstream_requests()
    return [
        PassthroughResult(recording, [*request_differences(received.get(name)), *_response_differences(recording, response)])
        for name, (recording, response) in responses.items()
    ]


def request_differences(entry: dict[str, Any] | None, ignored: Collection[str] = ()) -> list[str]:
    """How the request that reached the provider differs from the recorded one, except at the paths in `ignored`."""
    if entry is None:
        return ["the request never reached the provider"]
    return [
        f"request{path}: {_short(was)} became {_short(now)}"
        for path, was, now in entry["diff"] or ()
        if not path.startswith(_OURS) and path not in ignored
    ]


def _response_differences(recording: Recording, response: ClientResponse) -> list[str]:
    if response.status != recording.expected_status:
        return [f"status {recording.status} became {response.status}: {response.body[:200]!r}"]
    endpoint = recording.endpoint
    assert endpoint is not None
    want, got = recording.answer, response.body
    if want == got or recording.expected_status != recording.status:
        return []
    if recording.is_array and parse(want) == parse(got):
        return []
    if recording.stream and endpoint.dialect:
        client_dialect = dialect(endpoint.dialect)
        splitter = splitter_of(client_dialect.content_type)
        kept = [
            [frame.raw for frame in splitter.split(data) if not client_dialect.is_usage_only(frame.data)] for data in (want, got)
        ]
        if b"".join(kept[0]).strip() == b"".join(kept[1]).strip():
            return []
    return [f"answer differs: {_first_difference(want, got)}"]


def _first_difference(want: bytes, got: bytes) -> str:
    at = next((index for index, (one, other) in enumerate(zip(want, got, strict=False)) if one != other), min(len(want), len(got)))
    return f"at byte {at} of {len(want)}: {want[at : at + 60]!r} became {got[at : at + 60]!r}"


def _short(value: Any) -> str:
    return orjson.dumps(value).decode()[:80]
