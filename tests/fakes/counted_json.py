"""orjson, with the sizes of the texts that it read or wrote on the event loop's thread."""

from __future__ import annotations

import importlib
import sys
import threading
from typing import Any

import orjson
import pytest


class CountedJson:
    """In place of the module orjson in every module of the package that is loaded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *also: str) -> None:
        self.on_loop: list[int] = []
        """Bytes of each text on this thread."""
        self.elsewhere: list[int] = []
        self._thread = threading.get_ident()
        for name in also:
            importlib.import_module(name)
        for name, module in list(sys.modules.items()):
            if name.startswith("conduit_desktop.") and getattr(module, "orjson", None) is orjson:
                monkeypatch.setattr(module, "orjson", self)

    def __getattr__(self, name: str) -> Any:
        return getattr(orjson, name)

    def _count(self, size: int) -> None:
        (self.on_loop if threading.get_ident() == self._thread else self.elsewhere).append(size)

    def loads(self, text: Any) -> Any:
        """As orjson's."""
        self._count(len(text))
        return orjson.loads(text)

    def dumps(self, *args: Any, **options: Any) -> bytes:
        """As orjson's."""
        text = orjson.dumps(*args, **options)
        self._count(len(text))
        return text
