"""Puts the interpreter's full garbage collections off while a large text is read: each would walk all that it holds."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NEVER = 1_000_000
_lock = threading.Lock()
_users = 0
_usual: tuple[int, int, int] = (0, 0, 0)


@contextmanager
def put_off() -> Iterator[None]:
    """Only the youngest objects are collected within; from any thread, and several at once."""
    global _users, _usual
    with _lock:
        _users += 1
        if _users == 1:
            _usual = gc.get_threshold()
            # A million objects hold up the event loop for 0.2 s, and nearly all of these are freed without any collection.
            gc.set_threshold(_usual[0], _NEVER, _NEVER)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                gc.set_threshold(*_usual)
