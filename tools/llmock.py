"""Has llmock, a server that breaks answers on purpose and judges its client, say how the gateway copes.

    python -m tools.llmock          (needs: pip install llmock)

For every way a request can go, each fault is scripted, the gateway is called, and llmock's verdict is read. Our caller does
what a caller should: where a stream breaks after its first words, and it is told so, it asks again. A break that the gateway
hid would show as a finding. Exits with 1 on any finding, or where the caller was not told what it should have been.
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
WAYS = (
    ("openai", "openai-compatible", "/v1", CHAT),
    ("anthropic", "anthropic-compatible", "/anthropic", MESSAGES),
    ("openai-to-anthropic", "anthropic-compatible", "/anthropic", CHAT),
    ("anthropic-to-openai", "openai-compatible", "/v1", MESSAGES),
    ("openai-to-gemini", "gemini", "/gemini", CHAT),
)
RUN = "from llmock.cli import app; app()"
RETRIES, IDLE_S, STALL_S = 3, 0.6, 2.5
IN_THE_TEXT = 6
"""Chunks after which every dialect has begun to say words."""
PACE = ("--stream-chunk-delay-ms", "20", "--response-style", "echo")
"""Without a pause llmock has written all before a client can stop reading, and takes it for one that read on."""
NOT_ITS_WORDS = {("openai-to-gemini", "422 for good")}
"""Google knows no 422: llmock sends it as FAILED_PRECONDITION, which there means the project and not the request."""


@dataclass(frozen=True)
class Case:
    """A fault, and what the caller is told in the end: a status, with `told` an error in the stream before it asked again."""

    name: str
    behaviour: dict[str, Any]
    status: int = 200
    streams: tuple[bool, ...] = (False, True)
    told: bool = False


def _fail(status: int, times: int | None, told: int, **more: Any) -> Case:
    wait = f", retry-after {more['retry_after']:g} s" if more else ""
    count = "for good" if times is None else f"{times} times"
    return Case(f"{status} {count}{wait}", {"type": "fail", "status": status, "times": times, **more}, told)


def _stream(kind: str, after: int, **more: Any) -> Case:
    behaviour = {"type": "stream_fault", "kind": kind, "after_chunks": after, **more}
    return Case(f"{kind} after {after} chunks", behaviour, streams=(True,), told=after >= IN_THE_TEXT)


CASES = (
    _fail(429, 2, 200, retry_after=0.5), _fail(429, 1, 200, retry_after=1.5), _fail(429, 2, 200),
    *(_fail(status, 2, 200) for status in (500, 502, 503, 504, 529)), _fail(500, 3, 200), _fail(503, None, 502),
    *(_fail(status, None, status) for status in (400, 422)), _fail(404, None, 404), _fail(403, None, 502),
    Case("late by 1 s", {"type": "delay", "seconds": 1}),
    Case("first token late by 1 s", {"type": "slow_first_token", "seconds": 1}, streams=(True,)),
    *(_stream(kind, after) for kind in ("disconnect", "truncate", "malformed") for after in (0, IN_THE_TEXT)),
    _stream("stall", IN_THE_TEXT, stall_seconds=STALL_S),
    # Last, and whole alone: the credential is parked after it.
    Case("401 for good", {"type": "fail", "status": 401, "times": None}, 502, streams=(False,)),
)  # fmt: skip


def main() -> int:
    """Run every case on every way, print what llmock says, and judge."""
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
                key = _furnish(Admin(conduit.address, env["CONDUIT_MASTER_KEY"]), url)
                return _judge_all(url, conduit.address, key)
            finally:
                conduit.stop()
        finally:
            mock.terminate()
            mock.wait(10)


def _furnish(admin: Admin, url: str) -> str:
    for name, kind, path, _ in WAYS:
        admin.send("POST", "/providers", {"name": name, "kind": kind, "base_url": url + path, "api_key": "sk-anything"})
        target = {"provider": name, "model": "*"}
        timeouts = {"idle_s": IDLE_S, "first_token_s": 5}
        # A model of its own for each case: no breaker of one meets another.
        admin.send("POST", "/models", {"alias": f"{name}.*", "targets": [target], "retries": RETRIES, "timeouts": timeouts})
    return str(admin.send("POST", "/keys", {"name": "llmock"})["key"])


def _judge_all(url: str, address: str, key: str) -> int:
    wrong = cases = 0
    for name, _, _, path in WAYS:
        for index, case in enumerate(CASES):
            for stream in case.streams if (name, case.name) not in NOT_ITS_WORDS else ():
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
    told = broken
    if broken:
        status, broken = _ask(address, key, model, stream)
    problems = [f"{one['severity']} {one['code']}: {one['title']}" for one in _control(url, "GET", "/verdict")["findings"]]
    if status != case.status or broken:
        problems.append(f"the caller got {status}{' and a broken stream' if broken else ''} instead of {case.status}")
    if told != case.told:
        problems.append("the caller was told of a break" if told else "the caller was not told of the break")
    return problems


def _ask(address: str, key: str, model: str, stream: bool) -> tuple[int, bool]:
    """The status, and whether the stream told of an error."""
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
