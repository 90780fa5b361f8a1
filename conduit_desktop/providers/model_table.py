"""The generated facts of models: `resources/models.json`, made by `make model-facts` from public tables and dated.

The file is read when the first model is looked up, in about two milliseconds, and kept: some hundred kilobytes.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from conduit_desktop.core.paths import resource
from conduit_desktop.providers.model_names import family_names


class ModelTable:
    """The table in memory. A row is a mapping of fact names (those of `ModelFacts`) to values, shared between models."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.date = date.fromisoformat(data["date"])
        self.source: str = data["source"]
        self._rows: list[dict[str, Any]] = data["facts"]
        self._models: dict[str, int] = data["models"]
        self._vendors: dict[str, dict[str, int]] = data["vendors"]

    @classmethod
    def load(cls, path: Path | None = None) -> ModelTable:
        """Read the file (blocking)."""
        return cls(orjson.loads((path or resource("models.json")).read_bytes()))

    def find(self, model: str, vendor: str = "") -> dict[str, Any]:
        """The facts of a model at a vendor (the provider kind): what holds anywhere, then what that vendor states otherwise.

        A dated or decorated name that is not in the table has the facts of the name without; an unknown model has none.
        """
        own = self._vendors.get(vendor, {})
        for name in family_names(model):
            if name in self._models or name in own:
                found = dict(self._rows[self._models[name]]) if name in self._models else {}
                return found | self._rows[own[name]] if name in own else found
        return {}


@cache
def model_table() -> ModelTable:
    """The table that ships with the program."""
    return ModelTable.load()
