"""The event bus: publishes changes to subscribers synchronously, without Qt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

Topic = Literal[
    "providers", "models", "keys", "budgets", "prices", "settings", "ip_rules", "clients", "requests", "notifications", "health",
    "server", "audit",
]  # fmt: skip


class Change(NamedTuple):
    """One published change. `payload` is small: an id, or a RequestRecord for the topic `requests`."""

    topic: Topic
    payload: Any = None


Listener = Callable[[Change], None]


class Bus:
    """Calls every listener directly, in order of subscription, on the publisher's thread (always the event loop's)."""

    def __init__(self) -> None:
        self._listeners: list[tuple[Listener, frozenset[Topic] | None]] = []
        self._by_topic: dict[Topic, tuple[Listener, ...]] = {}
        """The listeners of a topic, until the next subscription: every request publishes, and few listen to that."""

    def subscribe(self, listener: Listener, *topics: Topic) -> Callable[[], None]:
        """Add a listener to `topics`, or to all where none is named; the returned function removes it."""
        entry = (listener, frozenset(topics) or None)
        self._listeners.append(entry)
        self._by_topic.clear()

        def remove() -> None:
            if entry in self._listeners:
                self._listeners.remove(entry)
                self._by_topic.clear()

        return remove

    def publish(self, topic: Topic, payload: Any = None) -> None:
        """Call every listener with the change. A listener must be quick and must not raise."""
        listeners = self._by_topic.get(topic)
        if listeners is None:
            listeners = tuple(listener for listener, topics in self._listeners if topics is None or topic in topics)
            self._by_topic[topic] = listeners
        if listeners:
            change = Change(topic, payload)
            # A tuple made before: a listener may unsubscribe itself while it is called.
            for listener in listeners:
                listener(change)
