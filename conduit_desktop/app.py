"""The composition root: builds store, gateway, server and window from a home folder; the only module that imports every layer."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib.util
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from conduit_desktop.core import shown_text
from conduit_desktop.core.bus import Bus
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.errors import ConduitError, DatabaseUnusable, HomeHeld, PortTaken, describe
from conduit_desktop.core.paths import Home, default_home
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.store import home_files, logs
from conduit_desktop.store.lock import ACQUIRE_S, COMMAND_S, HomeLock
from conduit_desktop.store.secrets.store import open_secrets
from conduit_desktop.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from conduit_desktop.actions.context import AppContext
    from conduit_desktop.gateway.gateway import Gateway

log = logging.getLogger(__name__)

EXIT_FAILED, EXIT_PORT_TAKEN, EXIT_HOME_HELD = 1, 3, 4
INSTALL_DESKTOP = '"conduit-desktop[desktop]" with pip, pipx or uv tool'
_M_MMAP_THRESHOLD, _LARGE_BLOCK = -3, 4 * 1024 * 1024
"""glibc's name of that bound (malloc.h), and what it is set to, in bytes."""
GRACE_S = 10.0
"""Time for requests in flight when the process stops."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the command line and the environment; None where not given."""

    home: Path | None = None
    host: str | None = None
    port: int | None = None
    config: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    serves: bool = False
    """Whether this process will listen: only then is the config file applied and watched, or a former one released."""

    @property
    def folder(self) -> Home:
        """The home folder, absolute; by default the platform's user data folder."""
        return Home((self.home or default_home()).expanduser().absolute())

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that these options override; the window and the admin API cannot change them."""
        given = {"host": self.host, "port": self.port}
        return {name: value for name, value in given.items() if value is not None}


@asynccontextmanager
async def open_app(options: Options) -> AsyncIterator[AppContext]:
    """Everything one process holds, with the home locked and the gateway started, not yet listening.

    Raises HomeHeld where another process uses the home, and any other ConduitError.
    """
    from conduit_desktop.actions import pending_secrets
    from conduit_desktop.actions.background.watch import BackgroundJobs
    from conduit_desktop.actions.context import AppContext
    from conduit_desktop.actions.onboarding.new_home import prepare_new_home
    from conduit_desktop.gateway.gateway import Gateway
    from conduit_desktop.server.http_server import HttpServer, Tls

    home = options.folder
    home.prepare()
    lock = HomeLock(home)
    lock.acquire({"started_at": now_ms(), "command": not options.serves}, ACQUIRE_S if options.serves else COMMAND_S)
    try:
        # Before anything is opened: what a killed process left is finished, undone or removed.
        home_files.recover(home)
        home_files.check_present(home)
        # After the lock: two processes must not rotate the same log file.
        logs.set_up(home)
        secrets = await asyncio.to_thread(
            open_secrets, home, os.environ.get("CONDUIT_SECRETS", "auto"), os.environ.get("CONDUIT_VAULT_KEY") or None
        )
        # On the main thread: nothing else runs yet, and memory that a worker thread allocates for a migration is not given back.
        store = SqliteStore.open(home)
        try:
            tls = Tls(options.tls_cert, options.tls_key) if options.tls_cert and options.tls_key else None
            server, bus, fixed = HttpServer(tls), Bus(), dict(options.settings)
            # Before the gateway reads the secrets.
            await pending_secrets.finish(store, lambda: secrets)
            gateway = Gateway(store, secrets, bus, fixed)
            context = AppContext(home, store, secrets, gateway, bus, server, fixed)
            # The token in the lock file lets the CLI of the same user call the admin API of this process.
            SECRETS.add(context.local_token)
            lock.update(token=context.local_token)
            server.serve(context)
            await _start(gateway, home)
            if options.config is None:
                await prepare_new_home(context)
            jobs = BackgroundJobs(context, lock, options.config, options.serves)
            await jobs.begin()
            try:
                yield context
            finally:
                # The server stops before the gateway, so that no request arrives at a closed gateway.
                await jobs.end()
                await server.stop()
                await gateway.stop(GRACE_S)
        finally:
            # After the gateway: requests that end during its grace period still write their records.
            await store.close()
    finally:
        # Last: the next process must not open the databases while this one still writes.
        lock.release()


async def _start(gateway: Gateway, home: Home) -> None:
    """Raises DatabaseUnusable where the gateway cannot read what is stored."""
    try:
        await gateway.start()
    # What rows of the configuration can raise is handled where they are read; these are values in tables of ours alone.
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise DatabaseUnusable(
            f"the database {home.database} holds a value that cannot be read ({describe(error)}). "
            "Restore a backup with `conduit-desktop restore FILE`."
        ) from error


def make_database(home: Home) -> None:
    """Make the databases of a home that has none yet, or finish what a killed process has left; blocks.

    Raises what `open_app` raises for them.
    """
    from conduit_desktop.actions import pending_secrets

    async def finish(store: SqliteStore) -> None:
        try:
            await pending_secrets.finish(store, lambda: open_secrets(home, os.environ.get("CONDUIT_SECRETS", "auto")))
        finally:
            await store.close()

    home.prepare()
    with HomeLock(home).acquire({"command": True}, COMMAND_S):
        home_files.recover(home)
        home_files.check_present(home)
        asyncio.run(finish(SqliteStore.open(home)))


def forget_files(home: Home, names: Sequence[str]) -> None:
    """No longer expect files of the home that were lost; an empty one is removed. Raises HomeHeld, DatabaseUnusable, Invalid."""
    from conduit_desktop.store.inspection import forget

    home.prepare()
    with HomeLock(home).acquire({"command": True}, COMMAND_S):
        forget(home, names)


def run_headless(options: Options) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code."""
    factory = None
    with suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    return report_failure(lambda: _run(replace(options, serves=True), factory))


def _run(options: Options, factory: Any) -> int:
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_serve(options))


def tune_interpreter() -> None:
    """Exclude the objects of the start from garbage collection, and collect less often: a request makes hundreds of objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    # The database thread takes the GIL a few times per commit, and with the default of 5 ms a busy event loop delays each time.
    # With 1 ms the two threads switch so often that a small call costs a sixth more.
    sys.setswitchinterval(0.003)
    _give_memory_back()


def _give_memory_back() -> None:
    """Have glibc map blocks of _LARGE_BLOCK bytes on their own: they grow without a copy, and freed ones go back.

    By itself it raises this bound to 32 MiB as soon as such a block is freed, and keeps what large bodies leave.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # musl has no such bound
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)


async def _serve(options: Options) -> int:
    from conduit_desktop.actions.onboarding.new_home import first_call

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    async with open_app(options) as context:
        await context.server.start()
        tune_interpreter()
        announce(context)
        sys.stderr.write(first_call(context))
        sys.stderr.flush()
        await stop.wait()
    return 0


def announce(context: AppContext) -> None:
    """Print the one line of standard output: the address. Process supervisors and tests wait for it."""
    sys.stdout.write(f"Conduit listening on {context.server.address}\n")
    sys.stdout.flush()


def run_desktop(options: Options) -> int:
    """Run the desktop app; without a display, print the reason and serve headless. Returns the exit code or exits."""
    if why := no_window():
        sys.stderr.write(f"{why}: serving without a window.\n")
        return run_headless(options)
    from conduit_desktop.gui.app import run

    def listening(context: AppContext) -> None:
        tune_interpreter()
        announce(context)

    return _exit_now(report_failure(lambda: run(options.folder, lambda: open_app(replace(options, serves=True)), listening)))


def _exit_now(code: int) -> NoReturn:
    """Exit without the interpreter's shutdown; everything of ours is closed already.

    In an orderly shutdown Python destroys Qt's objects in arbitrary order, which sometimes crashes.
    """
    # `os._exit` runs no exit handlers, so what is buffered is written here.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def no_window() -> str:
    """The reason why no window can be shown, with what helps; empty where one can."""
    # Looked for, not imported: without a display, Qt's libraries would take memory for nothing.
    if missing := [name for name in ("PySide6", "qasync", "qtawesome") if importlib.util.find_spec(name) is None]:
        return f"The window is not installed ({', '.join(missing)} missing). Install {INSTALL_DESKTOP}"
    platform = os.environ.get("QT_QPA_PLATFORM")
    if sys.platform.startswith("linux") and not (platform or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "There is no display"
    try:
        import PySide6.QtWidgets  # noqa: F401
        import qasync  # noqa: F401
    except ImportError as error:  # a library of the system that Qt loads is missing
        return f"The desktop app cannot start ({error})"
    return ""


def report_failure(run: Any) -> int:
    """Call `run`; print a ConduitError as one line on standard error and return its exit code."""
    try:
        code: int = run()
    except KeyboardInterrupt:
        return 0
    except PortTaken as error:
        return _print_error(error, EXIT_PORT_TAKEN)
    except HomeHeld as error:
        return _print_error(error, EXIT_HOME_HELD)
    except ConduitError as error:
        return _print_error(error, EXIT_FAILED)
    return code


def _print_error(error: ConduitError, code: int) -> int:
    # Its text may hold what others wrote: names in a config file, the program on a port.
    sys.stderr.write(f"conduit-desktop: {shown_text.lines(SECRETS.redact(str(error)))}\n")
    return code
