"""Joins the arguments of a function call that come in pieces (`streamFunctionCallArguments` of Vertex AI).

https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling
"""

from __future__ import annotations

import re

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.gemini.field_names import Fields

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[['\"]([^'\"]*)['\"]\]")
_VALUES = ("stringValue", "numberValue", "boolValue", "nullValue")


class PartialCall:
    """A call that is being read. Each piece names its place by a JSON path; a string may come in several pieces."""

    def __init__(self, call_id: str) -> None:
        self.id = call_id
        self.args: Fields = {}
        self._open: str | None = None

    def read(self, inner: Fields) -> None:
        """Read the next `functionCall` of the call."""
        if isinstance(inner.get("args"), dict):
            self.args.update(inner["args"])
        pieces = inner.get("partialArgs")
        for piece in pieces if isinstance(pieces, list) else ():
            if isinstance(piece, dict) and isinstance(piece.get("jsonPath"), str):
                self._piece(piece, piece["jsonPath"])

    def _piece(self, piece: Fields, path: str) -> None:
        kind = next((name for name in _VALUES if name in piece), None)
        value: Json = None if kind in (None, "nullValue") else piece[kind]
        steps = [name or key or int(index) for name, index, key in _STEP.findall(path)]
        if kind is not None and steps:
            _put(self.args, steps, value, grows=self._open == path and isinstance(value, str))
        self._open = path if piece.get("willContinue") else None


def _put(at: Json, steps: list[str | int], value: Json, grows: bool) -> None:
    """Set the value at `steps`, or append to it (`grows`); missing objects and lists are created."""
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        # A path that contradicts the pieces before it costs its value only: the other arguments are still good.
        if isinstance(step, int) != isinstance(at, list):
            return
        if isinstance(step, int):
            # The index comes from the vendor: without the bound a single piece could ask for a list of any size.
            at.extend([None] * (step + 1 - len(at)) if step < len(at) + 64 else [])
            if step >= len(at):
                return
        known = at[step] if isinstance(step, int) else at.get(step)
        if after is None:
            at[step] = known + value if grows and isinstance(known, str) else value
        elif known is None:
            at[step] = [] if isinstance(after, int) else {}
        at = at[step]
