"""Builds the house from a home folder, and opens its doors; the only place that knows every room."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from conduit_desktop.core.bus import Bus
from conduit_desktop.core.errors import ConduitError, HomeHeld, PortTaken
from conduit_desktop.core.paths import Home, default_home
from conduit_desktop.store import Store, logs
from conduit_desktop.store.lock import HomeLock
from conduit_desktop.store.secrets.store import open_secrets

if TYPE_CHECKING:
    from conduit_desktop.actions.context import AppContext

log = logging.getLogger(__name__)

EXIT_FAILED, EXIT_PORT_TAKEN, EXIT_HOME_HELD = 1, 3, 4
GRACE_S = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line and the environment say; None: nothing."""

    home: Path | None = None
    host: str | None = None
    port: int | None = None
    config: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    serves: bool = False
    """Whether this opening is the one that serves, which alone follows the config file or lets an earlier one go."""

    @property
    def folder(self) -> Home:
        """The home to use."""
        return Home((self.home or default_home()).expanduser().absolute())

    @property
    def settings(self) -> dict[str, Any]:
        """The settings fixed by these options."""
        given = {"host": self.host, "port": self.port}
        return {name: value for name, value in given.items() if value is not None}


@asynccontextmanager
async def open_app(options: Options) -> AsyncIterator[AppContext]:
    """The house, held alone and ready to act, without listening. Raises HomeHeld and every other ConduitError."""
    from conduit_desktop.actions.background.watch import BackgroundJobs
    from conduit_desktop.actions.context import AppContext
    from conduit_desktop.gateway.gateway import Gateway
    from conduit_desktop.server.http_server import HttpServer, Tls

    home = options.folder
    home.prepare()
    lock = HomeLock(home)
    lock.acquire({"started_at": int(time.time() * 1000)})
    try:
        logs.set_up(home)
        secrets = await asyncio.to_thread(
            open_secrets, home, os.environ.get("CONDUIT_SECRETS", "auto"), os.environ.get("CONDUIT_VAULT_KEY") or None
        )
        # On this thread, for nothing runs beside it yet: what another one allocates (a first start's migration) stays with it.
        store = Store.open(home)
        try:
            tls = Tls(options.tls_cert, options.tls_key) if options.tls_cert and options.tls_key else None
            server, bus, fixed = HttpServer(tls), Bus(), dict(options.settings)
            gateway = Gateway(store, secrets, bus, fixed)
            context = AppContext(home, store, secrets, gateway, bus, server, fixed)
            lock.update(token=context.local_token)
            server.serve(context)
            await gateway.start()
            watch = BackgroundJobs(context, lock, options.config, options.serves)
            await watch.begin()
            try:
                yield context
            finally:
                await watch.end()
                await server.stop()
                await gateway.stop(GRACE_S)
        finally:
            await store.close()
    finally:
        lock.release()


def run_headless(options: Options) -> int:
    """Serve until SIGINT or SIGTERM; the exit code."""
    factory = None
    with suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    return explained(lambda: _run(replace(options, serves=True), factory))


def _run(options: Options, factory: Any) -> int:
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(_serve(options))


def calm_collector() -> None:
    """Pass over what start-up made, and look less often: a request makes hundreds of short-lived objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    # The ledger's writer asks for the interpreter a few times a commit: by default a busy loop keeps it waiting 5 ms each time.
    sys.setswitchinterval(0.001)


async def _serve(options: Options) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    async with open_app(options) as context:
        await context.server.start()
        calm_collector()
        announce(context)
        await stop.wait()
    return 0


def announce(context: AppContext) -> None:
    """The one line on standard output: where the gateway listens."""
    sys.stdout.write(f"Conduit listening on {context.server.address}\n")
    sys.stdout.flush()


def run_desktop(options: Options) -> int:
    """The desktop app; where there is no display, it says so and serves headless."""
    if why := no_window():
        sys.stderr.write(f"{why}: serving without a window.\n")
        return run_headless(options)
    from conduit_desktop.gui.app import run

    def listening(context: AppContext) -> None:
        calm_collector()
        announce(context)

    return _leave(explained(lambda: run(options.folder, lambda: open_app(replace(options, serves=True)), listening)))


def _leave(code: int) -> NoReturn:
    """End the process now, with everything of ours closed.

    At an orderly end Python's last collection takes Qt's objects down in no order, and now and then crashes in it.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def no_window() -> str:
    """Why no window can be shown; empty where one can."""
    asked = os.environ.get("QT_QPA_PLATFORM")
    if sys.platform.startswith("linux") and not (asked or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "There is no display"
    try:
        import PySide6.QtWidgets  # noqa: F401
        import qasync  # noqa: F401
    except ImportError as error:
        return f"The desktop app cannot start ({error})"
    return ""


def explained(run: Any) -> int:
    """Run; an expected failure is one line on standard error and its exit code."""
    try:
        code: int = run()
    except KeyboardInterrupt:
        return 0
    except PortTaken as error:
        return _said(error, EXIT_PORT_TAKEN)
    except HomeHeld as error:
        return _said(error, EXIT_HOME_HELD)
    except ConduitError as error:
        return _said(error, EXIT_FAILED)
    return code


def _said(error: ConduitError, code: int) -> int:
    sys.stderr.write(f"conduit-desktop: {error}\n")
    return code
