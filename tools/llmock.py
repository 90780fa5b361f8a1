"""Tests the gateway with llmock, a server that breaks answers on purpose and reports what its client does wrong.

    python -m tools.llmock          (needs: pip install llmock)

For every combination of client and upstream dialect, each fault is scripted, the gateway is called, and llmock's verdict is
read. The client retries once where a stream ends with an error event. A break that the gateway hides shows as a finding. Exits
with 1 on any finding, or where the client got another status than expected, or no error event.
"""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.conduit import Admin
from benchmarks.subjects import module, start

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
DIALECT_PAIRS = (
    ("openai", "openai-compatible", "/v1", CHAT),
    ("anthropic", "anthropic-compatible", "/anthropic", MESSAGES),
    ("openai-to-anthropic", "anthropic-compatible", "/anthropic", CHAT),
    ("anthropic-to-openai", "openai-compatible", "/v1", MESSAGES),
    ("openai-to-gemini", "gemini", "/gemini", CHAT),
)
RUN = "from llmock.cli import app; app()"
RETRIES, IDLE_S, STALL_S = 3, 0.6, 2.5
IN_THE_TEXT = 6
"""Chunks after which the stream contains text in every dialect."""
PACE = ("--stream-chunk-delay-ms", "20", "--response-style", "echo")
"""Without a pause llmock has written everything before a client can stop reading, and reports that it read on."""
UNSUPPORTED = {("openai-to-gemini", "422 for good")}
"""Google has no 422: llmock sends FAILED_PRECONDITION, which for Google means the project and not the request."""


@dataclass(frozen=True)
class Case:
    """A fault with the client's expected final status; `error_reported`: the first stream must end with an error event."""

    name: str
    behaviour: dict[str, Any]
    status: int = 200
    streams: tuple[bool, ...] = (False, True)
    error_reported: bool = False


def _fail(status: int, times: int | None, expected_status: int, **more: Any) -> Case:
    wait = f", retry-after {more['retry_after']:g} s" if more else ""
    count = "for good" if times is None else f"{times} times"
    return Case(f"{status} {count}{wait}", {"type": "fail", "status": status, "times": times, **more}, expected_status)


def _stream(kind: str, after: int, **more: Any) -> Case:
    behaviour = {"type": "stream_fault", "kind": kind, "after_chunks": after, **more}
    return Case(f"{kind} after {after} chunks", behaviour, streams=(True,), error_reported=after >= IN_THE_TEXT)


CASES = (
    _fail(429, 2, 200, retry_after=0.5), _fail(429, 1, 200, retry_after=1.5), _fail(429, 2, 200),
    *(_fail(status, 2, 200) for status in (500, 502, 503, 504, 529)), _fail(500, 3, 200), _fail(503, None, 502),
    *(_fail(status, None, status) for status in (400, 422)), _fail(404, None, 404), _fail(403, None, 502),
    Case("late by 1 s", {"type": "delay", "seconds": 1}),
    Case("first token late by 1 s", {"type": "slow_first_token", "seconds": 1}, streams=(True,)),
    *(_stream(kind, after) for kind in ("disconnect", "truncate", "malformed") for after in (0, IN_THE_TEXT)),
    _stream("stall", IN_THE_TEXT, stall_seconds=STALL_S),
    # Last, and not streamed: the gateway disables the credential after it.
    Case("401 for good", {"type": "fail", "status": 401, "times": None}, 502, streams=(False,)),
)  # fmt: skip


def main() -> int:
    """Run every case for every pair of dialects, print the findings; returns the exit code."""
    if importlib.util.find_spec("llmock") is None:
        print("skipped: llmock is not installed here (pip install llmock)")
        return 0
    with tempfile.TemporaryDirectory(prefix="conduit-llmock-") as name:
        folder = Path(name)
        url = f"http://127.0.0.1:{_free_port()}"
        mock = subprocess.Popen(
            [sys.executable, "-c", RUN, "serve", "--port", url.rpartition(":")[2], "--log-level", "error", *PACE],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        env = {"CONDUIT_MASTER_KEY": "llmock-master-key", "CONDUIT_SECRETS": "vault", "CONDUIT_VAULT_KEY": "llmock"}
        try:
            _wait_for(url)
            conduit = start(module("conduit_desktop", "serve", "--home", str(folder / "home"), "--port", "0"), folder / "log", env)
            try:
                key = _configure(Admin(conduit.address, env["CONDUIT_MASTER_KEY"]), url)
                return _judge_all(url, conduit.address, key)
            finally:
                conduit.stop()
        finally:
            mock.terminate()
            mock.wait(10)


def _configure(admin: Admin, url: str) -> str:
    for name, kind, path, _ in DIALECT_PAIRS:
        admin.send("POST", "/providers", {"name": name, "kind": kind, "base_url": url + path, "api_key": "sk-anything"})
        target = {"provider": name, "model": "*"}
        timeouts = {"idle_s": IDLE_S, "first_token_s": 5}
        # A separate model for each case, so that the circuit breaker of one case does not affect another.
        admin.send("POST", "/models", {"alias": f"{name}.*", "targets": [target], "retries": RETRIES, "timeouts": timeouts})
    return str(admin.send("POST", "/keys", {"name": "llmock"})["key"])


def _judge_all(url: str, address: str, key: str) -> int:
    wrong = cases = 0
    for name, _, _, path in DIALECT_PAIRS:
        for index, case in enumerate(CASES):
            for stream in case.streams if (name, case.name) not in UNSUPPORTED else ():
                cases += 1
                problems = _judge(url, address + path, key, f"{name}.{index}{'s' if stream else 'w'}", case, stream)
                for problem in problems:
                    print(f"{name}, {'streamed' if stream else 'whole'}, {case.name}: {problem}")
                wrong += bool(problems)
        print(f"{name}: done", file=sys.stderr)
    print(f"{cases} cases, {cases - wrong} without a finding, {wrong} with")
    return 1 if wrong else 0


def _judge(url: str, address: str, key: str, model: str, case: Case, stream: bool) -> list[str]:
    _control(url, "POST", "/reset", {})
    _control(url, "POST", "/scenario", {"behaviors": [case.behaviour]})
    status, broken = _ask(address, key, model, stream)
    error_reported = broken
    if broken:
        status, broken = _ask(address, key, model, stream)
    problems = [f"{one['severity']} {one['code']}: {one['title']}" for one in _control(url, "GET", "/verdict")["findings"]]
    if status != case.status or broken:
        problems.append(f"the caller got {status}{' and a broken stream' if broken else ''} instead of {case.status}")
    if error_reported != case.error_reported:
        problems.append("unexpected error event in the stream" if error_reported else "no error event in the broken stream")
    return problems


def _ask(address: str, key: str, model: str, stream: bool) -> tuple[int, bool]:
    """The status, and whether the stream contains an error event."""
    text = "Name the days of the week, the months of the year, and the four seasons, please."
    body = {"model": model, "max_tokens": 200, "stream": stream, "messages": [{"role": "user", "content": text}]}
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json", "anthropic-version": "2026-10-21"}
    request = urllib.request.Request(address, orjson.dumps(body), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            raw = answer.read()
    except urllib.error.HTTPError as error:
        return error.code, False
    return 200, stream and b'"error"' in raw


def _control(url: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
    data = None if body is None else orjson.dumps(body)
    request = urllib.request.Request(f"{url}/_llmock{path}", data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        read: dict[str, Any] = orjson.loads(answer.read())
        return read


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(url: str, within_s: float = 30) -> None:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        with suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=2):
            return
        time.sleep(0.1)
    raise RuntimeError("llmock did not start")


if __name__ == "__main__":
    sys.exit(main())
