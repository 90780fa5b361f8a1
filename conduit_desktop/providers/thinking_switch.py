"""Thinking at vendors that switch it with a field of their own: the data of one vendor, and how a request is adapted to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from conduit_desktop.core.chat import Json

_NOT_FORCED = (None, "auto", "none")


@dataclass(frozen=True, slots=True)
class ThinkingSwitch:
    """The switch of one vendor. The sets of models are regular expressions at the start of their names."""

    on: Mapping[str, Json]
    """Fields that switch thinking on."""
    off: Mapping[str, Json]
    """Fields that switch it off."""
    takes_effort: str = ""
    """Models that accept `reasoning_effort` besides the switch."""
    always_on: str = ""
    """Models whose thinking cannot be switched off."""
    no_forced_tools: str = ""
    """Models that think by default, and refuse a `tool_choice` that forces a call while they do."""

    def apply(self, model: str, body: dict[str, Json]) -> list[str]:
        """Replace `reasoning_effort` by the switch and make forced tools possible, in place; returns the names of what is lost."""
        # The effort comes first: whether a tool can be forced depends on the switch that it leaves in the body.
        return [*self._adapt_effort(model, body), *self._adapt_choice(model, body)]

    def _adapt_effort(self, model: str, body: dict[str, Json]) -> list[str]:
        effort = body.get("reasoning_effort")
        if effort is None or (effort != "none" and _matches(self.takes_effort, model)):
            return []
        del body["reasoning_effort"]
        if effort == "none" and _matches(self.always_on, model):
            return ["reasoning_effort"]
        # A client that set the vendor's own field knows the vendor.
        if body.keys().isdisjoint(self.on):
            body.update(self.off if effort == "none" else self.on)
        # The switch expresses `none` fully; of any other effort only the thinking remains, and its level is lost.
        return [] if effort == "none" else ["reasoning_effort"]

    def _adapt_choice(self, model: str, body: dict[str, Json]) -> list[str]:
        if body.get("tool_choice") in _NOT_FORCED or self.is_off(body):
            return []
        switched_on = not body.keys().isdisjoint(self.on)
        if not switched_on and not _matches(self.no_forced_tools, model):
            return []
        if switched_on or "reasoning_effort" in body or _matches(self.always_on, model):
            body["tool_choice"] = "auto"
            return ["tool_choice"]
        body.update(self.off)  # the caller asked for the tool and not for thinking
        return []

    def is_off(self, body: Mapping[str, Json]) -> bool:
        """Whether thinking is switched off in `body`."""
        return all(body.get(name) == value for name, value in self.off.items())


def _matches(pattern: str, model: str) -> bool:
    return bool(pattern) and re.match(pattern, model) is not None
