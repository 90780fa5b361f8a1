"""The event bus: publishes changes to subscribers synchronously, without Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Topic = Literal["providers", "models", "keys", "prices", "settings", "ip_rules", "requests", "notifications", "health", "server"]


@dataclass(frozen=True, slots=True)
class Change:
    """One published change. `payload` is small: an id, or a RequestRecord for the topic `requests`."""

    topic: Topic
    payload: Any = None


Listener = Callable[[Change], None]


class Bus:
    """Calls every listener directly, in order of subscription, on the publisher's thread (always the event loop's)."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; the returned function removes it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def publish(self, topic: Topic, payload: Any = None) -> None:
        """Call every listener with the change. A listener must be quick and must not raise."""
        if self._listeners:
            change = Change(topic, payload)
            # A copy: a listener may unsubscribe itself while it is called.
            for listener in tuple(self._listeners):
                listener(change)
