"""The clients that `make clients` installs: where they are, and how one runs, alone with a gateway."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import STRICT, ConfiguredGateway
from tests.journeys.processes import ROOT

RecordProperty = Callable[[str, object], None]
"""What names the client of a journey to the table that `make clients` prints."""
CLIENTS = Path(os.environ.get("CONDUIT_CLIENTS", ROOT / "build" / "clients"))
NPM = CLIENTS / "node_modules"
MODELS = {alias: model for alias, (_, _, model) in STRICT.items()}
ToolCalls = Mapping[str, Mapping[str, Any]]
TWO_CITIES: Sequence[ToolCalls] = tuple(
    {name: {"city": city} for name in ("weather", "mcp__here__weather", "Weather-weather")} for city in ("Bern", "Oslo")
)
"""The rounds of a loop of three turns: two calls, each after the result of the one before, then the text `TWO_CITIES_TEXT`."""
TWO_CITIES_TEXT = "The tool said: sunny in Bern / sunny in Oslo"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
NOWHERE = "http://127.0.0.1:9"
QUIET = {
    "DO_NOT_TRACK": "1",
    "DISABLE_TELEMETRY": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    "GEMINI_TELEMETRY_ENABLED": "false",
    "AIDER_ANALYTICS_DISABLE": "true",
    "AIDER_CHECK_UPDATE": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_TRACKING": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
    "MEM0_TELEMETRY": "False",
    "ANONYMIZED_TELEMETRY": "False",
    "AUTOGEN_DISABLE_RUNTIME_TRACING": "true",
    "NEXT_TELEMETRY_DISABLED": "1",
}
"""Environment variables that stop the clients' telemetry and update checks."""


@dataclass(frozen=True)
class Client:
    """An installed client, in a home and a working folder of its own."""

    program: Path
    home: Path
    work: Path

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 120) -> str:
        """What it printed; whatever it asks beyond loopback fails at once."""
        done = subprocess.run(
            [str(self.program), *arguments],
            cwd=self.work,
            env={**self._environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, (
            f"{self.program.name} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )
        return done.stdout

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT", "NODE_EXTRA_CA_CERTS") if name in os.environ}
        folders = {
            "HOME": self.home, "USERPROFILE": self.home, "TMPDIR": self.home / "tmp", "XDG_CONFIG_HOME": self.home / ".config",
            "XDG_DATA_HOME": self.home / ".local" / "share", "XDG_CACHE_HOME": self.home / ".cache",
            "XDG_STATE_HOME": self.home / ".local" / "state",
        }  # fmt: skip
        (self.home / "tmp").mkdir(parents=True, exist_ok=True)
        proxies = dict.fromkeys(PROXIES, NOWHERE)
        loopback = dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1,::1")
        return {**kept, **QUIET, **proxies, **loopback, **{name: str(path) for name, path in folders.items()}}


def installed(program: Path, folder: Path) -> Client:
    """The client in fresh folders under `folder`; skips the test where it is not installed."""
    if not program.exists():
        pytest.skip(f"{program.name} is not installed under {CLIENTS.name}: run `make clients`")
    home, work = folder / "home", folder / "work"
    home.mkdir()
    work.mkdir()
    return Client(program, home, work)


def play(
    strict_gateway: ConfiguredGateway,
    alias: str,
    rounds: ToolCalls | Sequence[ToolCalls | Sequence[ToolCalls]] | None = None,
    texts: Sequence[str] | None = None,
    thinking: str = "let me see",
    by_request: bool = False,
) -> None:
    """Set what the strict vendor behind `alias` answers, and forget what it refused so far.

    A round is the calls of one answer: one, or several in parallel. Of several names the first that is offered is called. Once
    every round has its results, the answer is "The tool said: " and all of them. Without `rounds` there is one call of the first
    tool. `by_request`: each request gets the next round, for clients that send results as texts. `texts` are answers without
    tools, one after the other; the last is repeated.
    """
    given = [rounds] if isinstance(rounds, Mapping) else rounds
    listed = None if given is None else [[each] if isinstance(each, Mapping) else list(each) for each in given]
    script = {
        "model": MODELS[alias],
        "rounds": listed,
        "texts": texts and list(texts),
        "thinking": thinking,
        "by_request": by_request,
    }
    url = f"{strict_gateway.vendor}/__script"
    request = urllib.request.Request(url, data=json.dumps(script).encode(), headers={"content-type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()


def last_requests(strict_gateway: ConfiguredGateway, count: int = 10) -> list[Any]:
    """The newest records, newest first."""
    found: list[Any] = strict_gateway.served.admin("GET", f"/requests?limit={count}")["data"]
    return found
