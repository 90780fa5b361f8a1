"""Mutated requests on every path: never a 500, never a hang, never an error that its client cannot parse.

`CONDUIT_FUZZ` is the number of examples for each path, shared among the targets (`make fuzz`: 20,000).
"""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.gateway import KEY
from tests.fuzz.mutations import JSON, mutated, places
from tests.fuzz.samples import REQUESTS
from tests.fuzz.upstream import TARGETS, serving

EXAMPLES = int(os.environ.get("CONDUIT_FUZZ", "70"))
PER_PATH = settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
PER_TARGET = settings(PER_PATH, max_examples=-(-EXAMPLES // len(TARGETS)))
CONTENT_TYPES = ("application/json", "multipart/form-data; boundary=x", "text/plain", "", "\xff")


@st.composite
def bodies(draw: st.DrawFn, sample: Any, target: str) -> Any:
    """A valid request for `target` with up to three mutations."""
    body: Any = {**sample, "model": target} if "model" in sample else sample
    if "stream" in body:
        body = {**body, "stream": draw(st.booleans())}
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(list(places(body))))
        body = mutated(body, path, draw(st.sampled_from(["change", "change", "remove", "double", "add"])), draw(JSON))
    return body


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("fuzz") / "home") as (made, _):
        yield made


@pytest.fixture
def ask(address: str) -> Iterator[Any]:
    """POST over one connection per test; ten seconds at most for a response."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)

    def post(path: str, body: bytes, content_type: str = "application/json") -> tuple[int, bytes, str]:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": content_type}
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers.get("Content-Type", "")
        except BaseException:
            connection.close()  # else every request after this one fails, too
            raise

    yield post
    connection.close()


def check_error(path: str, body: bytes) -> None:
    """The error has its dialect's format and a message."""
    error = orjson.loads(body)
    if path.startswith("/api/"):
        assert isinstance(error["error"], str)
        assert error["error"]
        return
    if "/messages" in path:
        assert error["type"] == "error"
    elif "/v1beta/" in path:
        assert isinstance(error["error"]["code"], int)
        assert error["error"]["status"]
    else:
        assert error["error"]["type"]
    assert error["error"]["message"]


def check_stream(body: bytes) -> None:
    """Every frame can be parsed, and the stream has a terminal event."""
    frames = [line[6:] for line in body.splitlines() if line.startswith(b"data: ")]
    for frame in frames:
        assert frame == b"[DONE]" or orjson.loads(frame) is not None
    assert frames
    ends = (b"[DONE]", b"message_stop", b"response.completed", b"response.incomplete", b"finishReason", b'"error"')
    assert any(end in frames[-1] or end in body for end in ends)


def check(path: str, status: int, body: bytes, content_type: str) -> None:
    assert status < 500, body[:500]
    if status != 200:
        check_error(path, body)
    elif content_type.startswith("text/event-stream"):
        check_stream(body)
    elif "ndjson" in content_type:
        assert all(isinstance(orjson.loads(line), dict) for line in body.splitlines())
    else:
        assert orjson.loads(body) is not None


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("path", REQUESTS)
def test_a_mutated_request_is_answered_or_refused_with_a_reason(ask: Any, path: str, target: str) -> None:
    statuses: dict[int, int] = {}

    @PER_TARGET
    @given(bodies(REQUESTS[path], target))
    def every(body: Any) -> None:
        try:
            raw = orjson.dumps(body)
        except (TypeError, orjson.JSONEncodeError):
            return
        status, answer, content_type = ask(path, raw)
        statuses[status] = statuses.get(status, 0) + 1
        check(path, status, answer, content_type)

    every()
    assert statuses


@pytest.mark.parametrize("path", [*REQUESTS, "/v1/audio/transcriptions", "/v1/images/edits"])
def test_any_bytes_are_answered_or_refused_with_a_reason(ask: Any, path: str) -> None:
    @PER_PATH
    @given(
        st.binary(max_size=60), st.sampled_from(["application/json", "multipart/form-data; boundary=x", "text/plain", "", "\xff"])
    )
    def every(raw: bytes, content_type: str) -> None:
        for body in (raw, b"--x\r\n" + raw + b"\r\n--x--\r\n", b"{" + raw):
            check(path, *ask(path, body, content_type))

    every()


def test_a_valid_request_is_answered_on_every_path(ask: Any) -> None:
    for path, body in REQUESTS.items():
        status, answer, _ = ask(path, orjson.dumps(body))
        assert status == 200, (path, answer)
