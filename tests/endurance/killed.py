"""A home whose processes are killed (SIGKILL) at random moments, over and over: nothing is lost, nothing half, no file left over.

    python -m tests.endurance.killed [--rounds 60] [--seed 1]

Each round kills one process: the server under load, during admin changes, writes of secrets, a backup or an import over the admin
API; the commands `restore` and `import`; the migration of a database of the first release; the first start of a new home. Then the
next start is checked: every answer that a client got whole has its record, every change that was confirmed is there, the secret of
each provider is the one of its hint, no secret is there without its provider, databases are sound, an archive that is there can be
restored, and no temporary file is left. Exits with 1 where one of these does not hold. POSIX only.
"""

# ruff: noqa: T201 (a command that prints its result)

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from conduit_desktop.core.paths import Home
from conduit_desktop.store.secrets.store import hint
from conduit_desktop.store.secrets.vault import Vault
from conduit_desktop.store.sqlite import migrations
from tests.endurance import run_command
from tests.fakes.vendor import API_KEY
from tests.journeys.processes import MASTER_KEY, RunningGateway, conduit, environment, vendor

BEFORE_KILL_S = (0.0, 1.5)
"""The range of the time for which the work of a round goes on before the kill."""
CLIENTS = 8


@dataclass
class Confirmed:
    """What clients got as answers: it must be there after every start."""

    calls: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)
    secrets: list[str] = field(default_factory=list)
    """Secrets of the provider `changing`, in their order; the last confirmed one, and those sent after it, are at `since`."""
    since: int = 0
    archive: int = 0
    """Keys that the newest confirmed archive has."""


@dataclass
class Rounds:
    """One home over all rounds."""

    root: Path
    upstream: str
    draw: random.Random
    confirmed: Confirmed = field(default_factory=Confirmed)
    number: int = 0
    restored: bool = False
    starts: list[float] = field(default_factory=list)
    command_s: float = 2.0
    """How long a command takes here: one that is killed is killed somewhere in that time, or just after it."""

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def archive(self) -> Path:
        return self.root / "archives" / "conduit.zip"

    def prepare(self) -> None:
        """The home with what every round needs."""
        self.archive.parent.mkdir()
        with conduit(self.home) as served:
            served.add("providers", name="oa", kind="openai-compatible", base_url=f"{self.upstream}/v1", api_key=API_KEY)
            served.add("models", alias="m", targets=[{"provider": "oa", "model": "gpt-x"}])
            served.admin("PUT", "/prices/gpt-x", {"input": 3, "output": 15})
            self._secret(served, "POST")
            self.key = str(served.add("keys", name="first", budget_usd=100_000)["key"])
            self.confirmed.keys.add("first")
        began = time.monotonic()
        subprocess.run([*COMMAND, "keys", "list", "--home", str(self.home)], check=True, env=_environment(), capture_output=True)
        self.command_s = 1.2 * (time.monotonic() - began)

    def _secret(self, served: RunningGateway, method: str = "PATCH") -> None:
        confirmed = self.confirmed
        confirmed.secrets.append(f"sk-{len(confirmed.secrets):020}")
        sent = len(confirmed.secrets)
        if method == "POST":
            served.add("providers", name="changing", kind="openai", api_key=confirmed.secrets[-1])
        else:
            served.admin("PATCH", "/providers/changing", {"api_key": confirmed.secrets[-1]})
        confirmed.since = sent - 1

    # What a round does until its process is killed.

    def load(self, served: RunningGateway) -> None:
        """Small calls, streamed and not."""
        asyncio.run(self._load(served))

    async def _load(self, served: RunningGateway) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as session:

            async def client(stream: bool) -> None:
                body = {"model": "m", "messages": [{"role": "user", "content": "one two"}], "max_tokens": 50, "stream": stream}
                headers = {"authorization": f"Bearer {self.key}"}
                with contextlib.suppress(aiohttp.ClientError, ConnectionError):
                    while True:
                        async with session.post(f"{served.address}/v1/chat/completions", json=body, headers=headers) as answer:
                            raw = await answer.read()
                            if answer.status == 200 and (not stream or b"[DONE]" in raw):
                                self.confirmed.calls.add(answer.headers["x-conduit-request-id"])

            await asyncio.gather(*(client(number % 2 == 0) for number in range(CLIENTS)))

    def changes(self, served: RunningGateway) -> None:
        """New keys, one after the other."""
        for number in range(10_000):
            name = f"key-{self.number}-{number}"
            served.add("keys", name=name, rpm=10)
            self.confirmed.keys.add(name)

    def secrets(self, served: RunningGateway) -> None:
        """Another key for a provider, again and again."""
        while True:
            self._secret(served)

    def backup(self, served: RunningGateway) -> None:
        """A backup over the same archive, again and again."""
        while True:
            keys = len(self.confirmed.keys)
            served.admin("POST", "/backup", {"path": str(self.archive)})
            self.confirmed.archive = keys

    def imports(self, served: RunningGateway) -> None:
        """Config files with two providers each: both are there, or none."""
        for number in range(10_000):
            name = f"file-{self.number}-{number}"
            served.admin("POST", "/import", {"toml": _file(name), "apply": True})
            self.confirmed.imported.add(name)

    def run(self, kind: str) -> None:
        """One round: work, kill, and the check of what the next start finds."""
        self.number += 1
        if kind in ("restore", "import command"):
            self._command(kind)
        elif kind == "first start":
            self._first_start()
        elif kind == "migration":
            self._migration()
        else:
            work: Callable[[RunningGateway], None] = {
                "load": self.load, "changes": self.changes, "secrets": self.secrets, "backup": self.backup, "import": self.imports,
            }[kind]  # fmt: skip
            with conduit(self.home) as served, _until_killed(served, lambda: work(served)):
                time.sleep(self.draw.uniform(*BEFORE_KILL_S))
                _kill(served.process)
        self.check()

    def _command(self, kind: str) -> None:
        if kind == "restore":
            if not self.archive.exists():
                self._made_archive()
            # What the archive does not have is gone after a restore, and there after none.
            before = len(list(self.home.glob("conduit.db.before-restore*")))
            self._killed("restore", str(self.archive), "--yes", "--home", str(self.home))
            with conduit(self.home) as served:
                keys = {row["name"] for row in _all(served, "/keys")}
            if not self.confirmed.keys <= keys or len(list(self.home.glob("conduit.db.before-restore*"))) > before:
                self._after_restore(keys)
            return
        name = f"file-{self.number}"
        file = self.root / "import.toml"
        file.write_text(_file(name))
        if self._killed("import", str(file), "--yes", "--home", str(self.home)) == 0:
            self.confirmed.imported.add(name)

    def _killed(self, *arguments: str) -> int:
        """Run a command and kill it somewhere in the time that it takes; its exit code, negative where the kill came first."""
        process = subprocess.Popen(
            [*COMMAND, *arguments], env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
        )
        try:
            time.sleep(self.draw.uniform(0.2, self.command_s))
        finally:
            _kill(process)
        return process.returncode

    def _made_archive(self) -> None:
        with conduit(self.home) as served:
            keys = len(self.confirmed.keys)
            served.admin("POST", "/backup", {"path": str(self.archive)})
            self.confirmed.archive = keys

    def _after_restore(self, keys: set[str]) -> None:
        """What was confirmed is in the files that were replaced; the home is that of the archive."""
        newest = max(self.home.glob("conduit.db.before-restore*"), key=lambda path: path.stat().st_mtime_ns)
        kept = {path for path in self.home.glob("conduit.db.before-restore*") if not path.name.endswith(("-wal", "-shm"))}
        found = [_names(path, "keys") for path in kept]
        assert any(self.confirmed.keys <= names for names in found), f"the originals are not kept whole ({newest.name})"
        assert len(keys) >= min(self.confirmed.archive, len(keys)), "the restored home lacks keys of its archive"
        self.restored = True
        # From here on the restored home counts; the archive is older than what it is checked for.
        self.confirmed = Confirmed(keys=keys, secrets=self.confirmed.secrets, since=0, archive=len(keys))
        with conduit(self.home) as served:
            self._secret(served)
        for path in self.home.glob("*.before-restore*"):
            path.unlink()
        self._made_archive()

    def _first_start(self) -> None:
        home = self.root / f"new-{self.number}"
        self._killed("serve", "--port", "0", "--home", str(home))
        with conduit(home) as served:
            assert [row["name"] for row in _all(served, "/providers")] == ["demo"]
            assert [row["alias"] for row in _all(served, "/models")] == ["demo"]
        _check_files(home)
        shutil.rmtree(home)

    def _migration(self) -> None:
        home = Home(self.root / f"old-{self.number}")
        home.root.mkdir()
        _first_release(home.database)
        self._killed("keys", "list", "--home", str(home.root))
        with conduit(home.root) as served:
            assert {row["name"] for row in _all(served, "/keys")} == {f"old {number}" for number in range(200)}
        _check_files(home.root)
        assert _names(home.root / "conduit.db.before-v2", "keys") == {f"old {number}" for number in range(200)}
        shutil.rmtree(home.root)

    def check(self) -> None:
        """The next start, and what it must find."""
        began = time.monotonic()
        with conduit(self.home) as served:
            self.starts.append(time.monotonic() - began)
            keys = {row["name"] for row in _all(served, "/keys")}
            assert self.confirmed.keys <= keys, f"keys are lost: {self.confirmed.keys - keys}"
            providers = {row["name"]: row for row in _all(served, "/providers")}
            for name in self.confirmed.imported:
                assert {f"{name}-a", f"{name}-b"} <= set(providers), f"an import is lost: {name}"
            imported = [name.removesuffix("-a").removesuffix("-b") for name in providers if name.startswith("file-")]
            assert all(count == 2 for count in Counter(imported).values()), "half an import"
            [credential] = providers["changing"]["keys"]
            possible = {hint(secret) for secret in self.confirmed.secrets[self.confirmed.since :]}
            assert credential["hint"] in possible, "a confirmed secret is lost"
            recorded = {row["id"] for row in _all(served, "/requests?limit=500")} if self.confirmed.calls else set()
            assert self.confirmed.calls <= recorded, f"{len(self.confirmed.calls - recorded)} whole answers have no record"
            [first] = [row for row in _all(served, "/keys") if row["name"] == "first"]
            assert float(first["reserved_usd"]) == 0
        self._check_secret(credential["hint"])
        _check_files(self.home)
        assert [path.name for path in self.archive.parent.iterdir() if path.name != self.archive.name] == []
        if self.archive.exists():
            other = self.root / "restored"
            subprocess.run(
                [*COMMAND, "restore", str(self.archive), "--yes", "--home", str(other)],
                check=True,
                env=_environment(),
                capture_output=True,
            )
            assert len(_names(other / "conduit.db", "keys")) >= self.confirmed.archive
            shutil.rmtree(other)

    def _check_secret(self, shown: str) -> None:
        """The secret that the row refers to is the one of its hint."""
        with contextlib.closing(sqlite3.connect(self.home / "conduit.db")) as connection:
            rows = connection.execute("SELECT name, credentials FROM providers").fetchall()
        credentials = {name: json.loads(text) for name, text in rows}
        [credential] = credentials["changing"]
        vault = Vault.open(Home(self.home), None)
        value = vault.get(credential["secret"])
        assert value is not None, "a provider's secret is gone"
        assert hint(value) == shown, "a provider's secret is another one than its row says"
        named = {one["secret"] for each in credentials.values() for one in each}
        # A restored database does not name the secrets of the one that it replaced, which stays there.
        assert self.restored or set(vault.names()) == named, f"secrets without a row: {set(vault.names()) - named}"


COMMAND = (sys.executable, "-m", "conduit_desktop")
KINDS = ("load", "changes", "secrets", "backup", "restore", "import", "import command", "migration", "first start")


def _environment() -> dict[str, str]:
    return environment(CONDUIT_MASTER_KEY=MASTER_KEY)


def _kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(20)


@contextlib.contextmanager
def _until_killed(served: RunningGateway, work: Callable[[], None]) -> Iterator[None]:
    """Do `work` on a thread until the server is killed; any other failure of it is raised."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except (urllib.error.URLError, ConnectionError, OSError):
            return  # the server is gone
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        # Killed already, but where this program itself is ended: the work goes on as long as there is a server.
        served.process.kill()
        thread.join(60)
    assert not thread.is_alive()
    if failures:
        raise failures[0]


def _all(served: RunningGateway, path: str) -> list[dict[str, Any]]:
    """Every row of a list."""
    rows: list[dict[str, Any]] = []
    separator, cursor = "&" if "?" in path else "?", ""
    while True:
        answer = served.admin("GET", f"{path}{separator}limit=500{cursor}" if "limit" not in path else f"{path}{cursor}")
        rows += answer["data"]
        if not answer["next"]:
            return rows
        cursor = f"&cursor={answer['next']}"


def _names(path: Path, table: str) -> set[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {str(row[0]) for row in connection.execute(f"SELECT name FROM {table}")}


def _check_files(home: Path) -> None:
    """After an orderly end: sound databases, and nothing that belongs to no one."""
    for name in ("conduit.db", "payloads.db"):
        with contextlib.closing(sqlite3.connect(home / name)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), f"{name} is damaged"
    stray = [path.name for path in home.rglob("*") if path.name.startswith(".") or ".part" in path.name]
    assert stray == [], f"files are left over: {stray}"
    assert not (home / "unwritten.jsonl").exists()


def _file(name: str) -> str:
    return "".join(
        f'[[providers]]\nname = "{name}-{end}"\nkind = "openai"\napi_key = "sk-{name}-0123456789abcdef"\n' for end in "ab"
    )


def _first_release(path: Path) -> None:
    """A database of the first release with keys."""
    from sqlite_utils import Database as SqliteUtils
    from sqlite_utils.migrations import Migrations

    with contextlib.closing(sqlite3.connect(path)) as connection:
        steps = Migrations("conduit")
        steps()(migrations.m001_everything)
        steps.apply(SqliteUtils(connection, execute_plugins=False))
        for number in range(200):
            connection.execute(
                "INSERT INTO keys (id, name, digest, hint, description, enabled, models, budget_period, unpriced, log_payloads,"
                " allowed_ips, metadata, baseline_nano, baseline_at, source, created_at, updated_at)"
                " VALUES (?, ?, ?, '…', '', 1, '[]', 'total', 'allow', 0, '[]', '{}', 0, 0, 'user', 0, 0)",
                (f"key_{number}", f"old {number}", f"{number:064}"),
            )
        connection.commit()


def run(rounds: int, seed: int, kinds: tuple[str, ...] = KINDS, say: Callable[[str], None] = print) -> Counter[str]:
    """So many rounds, of every kind in turn; how many of each. Raises AssertionError with the seed of the round that failed."""
    done: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="killed-") as folder, vendor() as upstream:
        state = Rounds(Path(folder), upstream, random.Random(seed))
        state.prepare()
        for number in range(rounds):
            kind = kinds[number % len(kinds)]
            try:
                state.run(kind)
            except AssertionError as error:
                raise AssertionError(f"round {number + 1} ({kind}, --seed {seed}): {error}") from error
            done[kind] += 1
            say(f"{number + 1:3}  {kind:<15} {len(state.confirmed.calls):6} calls  {len(state.confirmed.keys):5} keys")
        say(f"{sum(done.values())} rounds; the slowest start took {max(state.starts):.1f} s")
    return done


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    try:
        print(dict(run(given.rounds, given.seed)))
    except AssertionError as error:
        print(f"FAILED: {error}")
        return 1
    return 0


if __name__ == "__main__":
    run_command(main)
