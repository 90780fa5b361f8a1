"""Starts a program that was built, as its user would, calls it, opens its pages and stops it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

MASTER_KEY = "condm_" + "a" * 43
START_S, STOP_S, PAGES_S = 120, 60, 300
"""Bounds on a busy machine; what it took is printed."""


class Failed(Exception):
    """What was built does not do what it should."""


@dataclass
class Program:
    """A command that starts Conduit Desktop, with the environment in which it runs."""

    command: Sequence[str]
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> str:
        """What a command prints. Raises Failed for an exit code other than 0."""
        done = subprocess.run(
            [*self.command, *arguments], env=dict(self.environment), capture_output=True, text=True, timeout=START_S, check=False
        )
        if done.returncode:
            raise Failed(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout


class Serving:
    """A started program; `address` is where it listens, `start_s` how long that took."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        self._errors: TextIO = log.open("w")
        begun = time.monotonic()
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=dict(environment), stdin=subprocess.DEVNULL
        )
        assert self.process.stdout is not None
        # A program that neither prints nor ends would be waited for without an end.
        watchdog = threading.Timer(START_S, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        self.start_s = time.monotonic() - begun
        if not line.startswith("Conduit listening on "):
            self.kill()
            raise Failed(f"it did not start: {line!r}\n{log.read_text()}")
        self.address = line.split()[-1]

    @property
    def log(self) -> str:
        """What it has written to standard error so far."""
        return self._log.read_text()

    def admin(self, path: str, body: Any) -> Any:
        """POST to the admin API; what exists already is left as it is."""
        try:
            return fetch(f"{self.address}/admin/v1{path}", body, MASTER_KEY)
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise Failed(f"POST {path}: {error.code} {error.read().decode()}") from error
            return None

    def answer(self) -> str:
        """The text of a chat call to the built-in demo provider, with a new virtual key."""
        self.admin("/providers", {"name": "checked", "kind": "demo"})
        self.admin("/models", {"alias": "checked", "targets": [{"provider": "checked", "model": "demo-chat"}]})
        key = self.admin("/keys", {"name": f"check {time.time_ns()}"})["key"]
        asked = {"model": "checked", "messages": [{"role": "user", "content": "Hello"}]}
        answer = fetch(f"{self.address}/v1/chat/completions", asked, key)
        text: str = answer["choices"][0]["message"]["content"]
        if not text:
            raise Failed(f"an empty answer: {answer}")
        return text

    def rest_of_output(self, timeout: float) -> str:
        """What it prints until it ends by itself, with exit code 0 and no traceback; raises Failed otherwise."""
        try:
            output, _ = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise Failed(f"it did not end within {timeout:.0f} s\n{self.log}") from error
        self._errors.close()
        if self.process.returncode or "Traceback" in self.log:
            raise Failed(f"it ended with {self.process.returncode}:\n{output}{self.log}")
        return output

    def stop(self) -> None:
        """End it as a supervisor does."""
        self.process.send_signal(signal.SIGTERM)
        self.rest_of_output(STOP_S)

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self._errors.close()


def fetch(url: str, body: Any, key: str) -> Any:
    """The JSON of a POST."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def bare_environment(**more: str) -> dict[str, str]:
    """What a new user's shell has: no variable of a checkout or of this project."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "CONDUIT_SECRETS": "vault", **kept, **more}


def check(name: str, program: Program, open_pages: Sequence[str], scratch: Path) -> str:
    """Check a program that was built: it serves with and without a window, opens every page, and stops. Returns a line of figures.

    `open_pages` is the command that opens the pages; a home is appended. `scratch` is a folder for homes and logs.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    environment = {**program.environment, "CONDUIT_MASTER_KEY": MASTER_KEY}
    version = program.run("--version").split()[-1]
    home = str(scratch / "home")
    figures = []
    for mode, options, screen in (("headless", ["serve"], {}), ("window", [], {"QT_QPA_PLATFORM": "offscreen"})):
        serving = Serving(
            [*program.command, "--home", home, "--port", "0", *options], {**environment, **screen}, scratch / f"{mode}.log"
        )
        try:
            serving.answer()
            Program(program.command, environment).run("healthcheck", "--home", home)
            serving.stop()
        finally:
            serving.kill()
        figures.append(f"{mode} listens after {serving.start_s:.2f} s")
    pages = pages_open(open_pages, environment, scratch)
    return f"{name} {version}: {', '.join(figures)}, {pages} pages open"


def pages_open(command: Sequence[str], environment: Mapping[str, str], scratch: Path) -> int:
    """How many pages the window opens without a failure, while the gateway in it listens; then it quits by itself."""
    touring = Serving([*command, str(scratch / "pages")], {**environment, "QT_QPA_PLATFORM": "offscreen"}, scratch / "pages.log")
    try:
        return len([line for line in touring.rest_of_output(PAGES_S).splitlines() if line.startswith("page ")])
    finally:
        touring.kill()
