"""Runs the benchmark's own processes on uvloop where it is installed, as `serve` does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


def _new_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run until the end or SIGINT."""
    with asyncio.Runner(loop_factory=_new_loop()) as runner:
        runner.run(main)
