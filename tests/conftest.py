"""Fixtures of every test: loopback only, an own home folder, no keyring and no API key of the machine's user."""

from __future__ import annotations

import gc
import itertools
import os
import re
import socket
import weakref
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from hypothesis import HealthCheck, settings

from conduit_desktop.core.paths import Home
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.gateway.admission.learned_factors import LEARNED
from conduit_desktop.gui.event_loop.collector import collect_due
from tests.fakes.memory_keyring import MemoryKeyring
from tests.fakes.migrated import copied_databases
from tests.fakes.network import loopback_only, watched_sockets

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = Path(os.environ.get("CONDUIT_RECORDINGS") or ROOT.parent / "shared" / "replay")
FOREIGN = re.compile(
    r"^(CONDUIT_|OPENAI_|ANTHROPIC_|GEMINI_|GOOGLE_|AZURE_|AWS_|MISTRAL_|COHERE_|GROQ_|OLLAMA_|PYTHON_KEYRING_)"
    r"|_API_KEY$|_AUTH_TOKEN$|_PROXY$",
    re.IGNORECASE,
)

IN_MEMORY = Path("/dev/shm")
LEAST_FREE = 3 * 1024**3
"""Bytes: far more than the tests have at any time, as the folder of a passed test is removed."""


def _is_usable(folder: Path) -> bool:
    try:
        found = os.statvfs(folder)
    except (OSError, AttributeError):
        return False
    return found.f_bavail * found.f_frsize > LEAST_FREE and not found.f_flag & (os.ST_NOEXEC | os.ST_RDONLY)


_users = itertools.count()
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if _is_usable(IN_MEMORY):
    # Nearly every test makes two databases, and SQLite waits for the disk when it makes one and when it closes one.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))
settings.register_profile(
    "conduit",
    deadline=None,
    max_examples=50,
    derandomize="CI" in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("conduit")

SHRINKING_S = 300
"""For how long Hypothesis makes a failing example smaller at most."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let a drawn test report its failure: cut off while Hypothesis shrinks it, it would fail as FlakyStrategyDefinition."""
    if config.getoption("timeout") is None:
        limit = pytest.mark.timeout(float(config.getini("timeout")) + SHRINKING_S)
        for item in items:
            is_drawn = isinstance(item, pytest.Function) and getattr(item.obj, "is_hypothesis_test", False)
            if is_drawn and item.get_closest_marker("timeout") is None:
                item.add_marker(limit)


@pytest.fixture(scope="session", autouse=True)
def _network() -> Iterator[list[str]]:
    with loopback_only() as refused:
        yield refused


@pytest.fixture(scope="session", autouse=True)
def _no_collection_on_other_threads() -> Iterator[None]:
    """As in the app: a widget of an earlier test that a database's thread destroyed would crash a later one."""
    gc.disable()
    gc.collect()
    # Modules and collected tests live until the end of the run. To walk them in every full collection took a seventh of the run.
    gc.freeze()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def _collected(_no_collection_on_other_threads: None) -> Iterator[None]:
    yield
    collect_due()


@pytest.fixture(scope="session", autouse=True)
def _migrated_databases() -> Iterator[None]:
    with copied_databases():
        yield


@pytest.fixture(scope="session", autouse=True)
def _sockets() -> Iterator[weakref.WeakSet[socket.socket]]:
    with watched_sockets() as made:
        yield made


@pytest.fixture(autouse=True)
def _no_socket_left(_sockets: weakref.WeakSet[socket.socket]) -> Iterator[None]:
    """Fails the test that leaves a socket open, not the one, or the end of the run, in which it is collected.

    Fixtures of a module or of the session are made before this one, so theirs do not count.
    """
    _sockets.clear()
    yield
    left = [sock for sock in list(_sockets) if sock.fileno() != -1]
    assert left == [], "sockets left open: the test, or a fixture of it, does not close a client, a server or an event loop"


@pytest.fixture(autouse=True)
def _nothing_left_the_machine(_network: list[str]) -> Iterator[None]:
    """Fails also a test whose code swallowed the guard's error."""
    del _network[:]
    yield
    assert _network == [], f"tried to reach {_network}"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No setting and no key of the user; a temporary user folder for this test."""
    for name in [name for name in os.environ if FOREIGN.search(name)]:
        monkeypatch.delenv(name)
    # Not mktemp(): it lists the base folder for every test, which gets slow with thousands of tests.
    user = tmp_path_factory.getbasetemp() / "users" / str(next(_users))
    user.mkdir(parents=True)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(user))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(user / name.lower()))
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    # For child processes; this one has the fixture below.
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")


@pytest.fixture(autouse=True)
def _no_secret_of_another_test() -> None:
    """Each test begins without known secrets: what one uses as a key may be an ordinary word of the next."""
    SECRETS.__init__()  # type: ignore[misc]


@pytest.fixture(autouse=True)
def _nothing_learned_by_another_test() -> None:
    """Fakes report any number of tokens, which correct the estimates for the models of those names."""
    LEARNED.__init__()  # type: ignore[misc]


@pytest.fixture(autouse=True)
def system_keyring(_own_environment: None) -> MemoryKeyring:
    """The keyring of this test: in memory, empty at its start."""
    memory = MemoryKeyring()
    keyring.set_keyring(memory)
    return memory


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home folder, made and without files."""
    made = Home(tmp_path / "home")
    made.prepare()
    return made


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of recorded provider traffic (`CONDUIT_RECORDINGS`)."""
    if not (RECORDINGS / "recordings.jsonl.gz").is_file():
        pytest.skip("no recorded traffic: set CONDUIT_RECORDINGS to the folder with recordings.jsonl.gz")
    return RECORDINGS
