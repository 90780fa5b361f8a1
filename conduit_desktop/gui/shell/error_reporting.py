"""Unhandled exceptions of slots and tasks: logged and shown to the user, without ending the app."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from conduit_desktop.core.errors import ConduitError, describe

log = logging.getLogger(__name__)

Show = Callable[[str], None]


def error_text(error: BaseException) -> str:
    """The text for the user: an expected error as it is, a bug with its type."""
    if isinstance(error, ConduitError):
        return str(error)
    return f"Unexpected error: {describe(error)}. See the log for details."


def install_error_handlers(loop: asyncio.AbstractEventLoop, show: Show) -> Callable[[], None]:
    """Log unhandled exceptions of slots and tasks and pass them to `show`; returns a function that removes the handlers."""
    before = sys.excepthook

    def on_slot(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        # Ctrl+C in a terminal is meant by the user, and no error to show.
        if issubclass(kind, KeyboardInterrupt):
            before(kind, error, trace)
            return
        log.error("unexpected error in the window", exc_info=(kind, error, trace))
        show(error_text(error))

    def on_task(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException):
            log.error("unexpected error: %s", context.get("message"), exc_info=(type(error), error, error.__traceback__))
            show(error_text(error))
        else:
            log.error("%s", context.get("message"))

    # PySide prints an exception of a slot to stderr, which an app without a terminal does not have, and goes on.
    sys.excepthook = on_slot
    loop.set_exception_handler(on_task)

    def stop() -> None:
        sys.excepthook = before
        loop.set_exception_handler(None)

    return stop
