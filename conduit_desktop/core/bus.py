"""The bus: what changed, told to whoever listens, without a toolkit and without waiting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Topic = Literal["providers", "models", "keys", "prices", "settings", "ip_rules", "requests", "notifications", "health", "server"]


@dataclass(frozen=True, slots=True)
class Change:
    """Something of `topic` changed. `payload` is small: an id, or a RequestRecord for `requests`."""

    topic: Topic
    payload: Any = None


Listener = Callable[[Change], None]


class Bus:
    """Calls every listener at once, in order, on the publisher's thread (always the loop's)."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Listen from now on; call what is returned to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def publish(self, topic: Topic, payload: Any = None) -> None:
        """Tell everybody. A listener must be quick and must not raise."""
        if self._listeners:
            change = Change(topic, payload)
            for listener in tuple(self._listeners):
                listener(change)
