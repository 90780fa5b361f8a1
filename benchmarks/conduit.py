"""Conduit as a subject: a home set up over the admin API with everything on, then `serve` or the desktop app on it."""

from __future__ import annotations

import secrets
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks.subjects import ROOT, Process, Subject, module, start

PLENTY = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Home:
    """A home folder that is set up, and the virtual key to call it with."""

    folder: Path
    env: Mapping[str, str]
    key: str
    log: Path
    version: str
    tree: Path = ROOT
    """Where the source is: `python -m` imports from the current folder first."""

    def serve(self, prefix: Sequence[str] = ()) -> Process:
        """The headless gateway."""
        return start(module("conduit_desktop", "serve", *self._options), self.log, self.env, prefix, cwd=self.tree)

    def desktop(self, display: Mapping[str, str], prefix: Sequence[str] = (), driven: bool = False) -> Process:
        """The desktop app on `display`; `driven`: with simulated user input (`benchmarks.driven_desktop`)."""
        command = module("benchmarks.driven_desktop" if driven else "conduit_desktop", *self._options)
        return start(command, self.log, {**self.env, **display}, prefix, cwd=self.tree)

    @property
    def _options(self) -> tuple[str, ...]:
        return ("--home", str(self.folder), "--port", "0")

    def subject(self, name: str, process: Process) -> Subject:
        """The running process as a subject of load and streams."""
        headers = {"authorization": f"Bearer {self.key}"}
        return Subject(name, process.address, process, headers, model="bench", version=self.version)


def prepare(folder: Path, upstream: str, tree: Path = ROOT) -> Home:
    """Make a home with the source in `tree`: providers at `upstream`, a price, aliases, a key with every limit and a budget."""
    master = secrets.token_urlsafe(24)
    env = {"CONDUIT_MASTER_KEY": master, "CONDUIT_SECRETS": "vault", "CONDUIT_VAULT_KEY": secrets.token_urlsafe(24)}
    log = folder.with_suffix(".log")
    process = start(module("conduit_desktop", "serve", "--home", str(folder), "--port", "0"), log, env, cwd=tree)
    try:
        admin = Admin(process.address, master)
        provider = {"name": "bench", "kind": "openai-compatible", "base_url": f"{upstream}/v1", "api_key": "sk-bench"}
        admin.send("POST", "/providers", provider)
        admin.send("POST", "/providers", {**provider, "name": "bench-messages", "kind": "anthropic"})
        admin.send("PUT", "/prices/bench-model", {"input": 1, "output": 2})
        for name in ("bench", "bench-messages"):
            admin.send("POST", "/models", {"alias": name, "targets": [{"provider": name, "model": "bench-model"}]})
        limits = {"rpm": PLENTY, "rpd": PLENTY, "tpm": PLENTY, "max_parallel": 10_000}
        made = admin.send("POST", "/keys", {"name": "bench", "budget_usd": 1_000_000, "budget_period": "monthly", **limits})
        admin.send("PATCH", "/settings", {"welcome_done": True})
        version = str(admin.send("GET", "/status").get("version", ""))
    finally:
        process.stop()
    return Home(folder, env, str(made["key"]), log, version, tree)


@dataclass(frozen=True, slots=True)
class Admin:
    """The admin API."""

    address: str
    master: str

    def send(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """One call; raises urllib.error.HTTPError for a refusal."""
        request = urllib.request.Request(
            f"{self.address}/admin/v1{path}",
            method=method,
            data=None if body is None else orjson.dumps(body),
            headers={"authorization": f"Bearer {self.master}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            parsed: dict[str, object] = orjson.loads(answer.read() or b"{}")
            return parsed
