"""What nobody caught: written to the log and shown as a notification, never the end of the app."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from conduit_desktop.core.errors import ConduitError, describe

log = logging.getLogger(__name__)

Tell = Callable[[str], None]


def in_words(error: BaseException) -> str:
    """What the user is told: an expected error by its own text, a bug by its kind."""
    if isinstance(error, ConduitError):
        return str(error)
    return f"Something went wrong: {describe(error)}. The log has the details."


def catch_all(loop: asyncio.AbstractEventLoop, tell: Tell) -> Callable[[], None]:
    """Send the failures of slots and of forgotten tasks to the log and to `tell`; call what is returned to stop."""
    before = sys.excepthook

    def on_slot(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            before(kind, error, trace)
            return
        log.error("unexpected error in the window", exc_info=(kind, error, trace))
        tell(in_words(error))

    def on_task(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            log.error("unexpected error: %s", context.get("message"), exc_info=(type(error), error, error.__traceback__))
            tell(in_words(error))
        else:
            log.error("%s", context.get("message"))

    sys.excepthook = on_slot
    loop.set_exception_handler(on_task)

    def stop() -> None:
        sys.excepthook = before
        loop.set_exception_handler(None)

    return stop
