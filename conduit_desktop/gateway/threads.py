"""Message threads kept for targets that keep none: the conversation so far, by the id of the last answer.

Anthropic's beta lets a client send only what is new: the API keeps the conversation for five minutes after its last request, and a
client replays the whole of it where the thread is gone. https://platform.claude.com/docs/en/build-with-claude/message-threads
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from conduit_desktop.core.chat import Json

KEEP_S = 300.0
"""As at Anthropic: clients are made for that."""
MAX_BYTES = 64 * 1024 * 1024
"""Of all threads together; the least recently used are dropped first, and their clients replay them."""


@dataclass(frozen=True, slots=True)
class KeptThread:
    """A conversation up to and including an answer. `fixed` holds the fields that only the first request of a thread has."""

    messages: tuple[Json, ...]
    fixed: dict[str, Json]


class Threads:
    """Threads by owner and message id. Memory only: the contents are the client's, and a restart costs it one replay."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: OrderedDict[tuple[str, str], tuple[float, int, KeptThread]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, owner: str, message_id: str, thread: KeptThread) -> None:
        """Keep `thread` under the id of its last answer; one that is larger than all may be is not kept."""
        size = len(orjson.dumps([thread.messages, thread.fixed]))
        self._forget((owner, message_id))
        if size > MAX_BYTES:
            return
        self._kept[owner, message_id] = (self._now() + KEEP_S, size, thread)
        self._size += size
        while self._size > MAX_BYTES or (self._kept and next(iter(self._kept.values()))[0] <= self._now()):
            self._forget(next(iter(self._kept)))

    def find(self, owner: str, message_id: str) -> KeptThread | None:
        """The owner's thread; None once it has expired. It stays: a client may continue it again after a failure."""
        found = self._kept.get((owner, message_id))
        if found is None or found[0] <= self._now():
            self._forget((owner, message_id))
            return None
        return found[2]

    def _forget(self, key: tuple[str, str]) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._size -= gone[1]
