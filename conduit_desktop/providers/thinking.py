"""Vendors that switch thinking with a field of their own, and what they refuse while it is on: data, and how it is applied."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from conduit_desktop.core.chat import Json

_UNFORCED = (None, "auto", "none")


@dataclass(frozen=True, slots=True)
class ThinkingSwitch:
    """The switch of one vendor. Its models are told by regular expressions at the start of their names."""

    on: Mapping[str, Json]
    """What a body holds to switch thinking on."""
    off: Mapping[str, Json]
    takes_effort: str = ""
    """Models that know `reasoning_effort` beside the switch."""
    always: str = ""
    """Models whose thinking cannot be switched off."""
    unforced: str = ""
    """Models that think unasked, and that can be made to call a tool only while they do not."""

    def apply(self, body: dict[str, Json]) -> list[str]:
        """Say with the switch what `body` says with an effort, and let a forced tool be called; the names of what is lost."""
        model = str(body.get("model", ""))
        return [*self._mend_effort(body, model), *self._mend_choice(body, model)]

    def _mend_effort(self, body: dict[str, Json], model: str) -> list[str]:
        effort = body.get("reasoning_effort")
        if effort is None or (effort != "none" and _is(self.takes_effort, model)):
            return []
        del body["reasoning_effort"]
        if effort == "none" and _is(self.always, model):
            return ["reasoning_effort"]
        body.update(self.off if effort == "none" else self.on)
        return [] if effort == "none" else ["reasoning_effort"]

    def _mend_choice(self, body: dict[str, Json], model: str) -> list[str]:
        if body.get("tool_choice") in _UNFORCED or not _is(self.unforced, model):
            return []
        asked_to_think = "reasoning_effort" in body or not body.keys().isdisjoint(self.on)
        if asked_to_think and all(body.get(name) == value for name, value in self.off.items()):
            return []
        if asked_to_think or _is(self.always, model):
            body["tool_choice"] = "auto"
            return ["tool_choice"]
        body.update(self.off)  # nobody asked for the thinking, but for the tool
        return []


def _is(pattern: str, model: str) -> bool:
    return bool(pattern) and re.match(pattern, model) is not None
