"""Mends of single fields in a body of OpenAI's chat dialect: leave out, clamp, shorten."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from conduit_desktop.core.chat import Json
from conduit_desktop.providers.model_facts import ModelFacts
from conduit_desktop.providers.request_rules import Body, Mend


def without_orphans(body: Body, facts: ModelFacts) -> list[str]:
    """Remove fields that mean nothing without another: vendors answer 400 to them, and some to empty lists."""
    if not body.get("stream"):
        body.pop("stream_options", None)
    if body.get("stop") == []:
        del body["stop"]
    if not body.get("logprobs") and body.get("top_logprobs") is not None:
        return [*popped(body, "top_logprobs"), *without_tool_settings(body)]
    return without_tool_settings(body)


def without_tool_settings(body: Body) -> list[str]:
    """Remove what belongs to tools from a request without any; only a choice that demands a call is a loss."""
    if body.get("tools"):
        return []
    choice = body.get("tool_choice")
    for name in ("tools", "tool_choice", "parallel_tool_calls"):
        body.pop(name, None)
    return [] if choice in (None, "auto", "none") else ["tool_choice"]


def popped(body: Body, name: str) -> list[str]:
    """Leave a field out; returns its name where it had a value."""
    return [name] if body.pop(name, None) is not None else []


def dropping(*names: str) -> Mend:
    """Drop these fields."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        return [name for name in names if name in body and popped(body, name)]

    return mend


def dropping_unless(value: Json, *names: str) -> Mend:
    """Drop these fields where they have another value, which is the only one that the vendor takes."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        refused = [name for name in names if body.get(name, value) != value]
        # A null asks for nothing.
        return [name for name in refused if body.pop(name) is not None]

    return mend


def only_fields(known: Collection[str]) -> Mend:
    """Drop every field that the vendor does not know."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        unknown = [name for name in body if name not in known]
        return [name for name in unknown if popped(body, name)]

    return mend


def within(name: str, low: float, high: float) -> Mend:
    """Move a number into the vendor's range."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        value = body.get(name)
        if not isinstance(value, (int, float)) or low <= value <= high:
            return []
        body[name] = min(max(value, low), high)
        return [name]

    return mend


def cap_output(body: Body, facts: ModelFacts) -> list[str]:
    """Lower a limit that is more than the model can put out. Nothing is lost: no answer is longer."""
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        limit = body.get(name)
        if facts.max_output is not None and isinstance(limit, int) and limit > facts.max_output:
            body[name] = facts.max_output
    return []


def at_most_stops(count: int) -> Mend:
    """Keep the first stop sequences, as many as the vendor takes, or fewer where the model is known to take fewer."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        stops = body.get("stop")
        most = count if facts.stops is None else min(count, facts.stops)
        if stops is None or (isinstance(stops, str) and most) or (isinstance(stops, list) and len(stops) <= most):
            return []
        body["stop"] = stops[:most]
        if not most:
            del body["stop"]
        return ["stop"]

    return mend


def short_id(name: str, longest: int, shortest: int = 1) -> Mend:
    """Replace an identifier of the user that the vendor finds too long or too short by a hash, always the same for the same one."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        value = body.get(name)
        if isinstance(value, str) and not shortest <= len(value) <= longest:
            # The vendor only compares it: the hash serves it as well, so nothing is lost.
            body[name] = hashlib.sha256(value.encode()).hexdigest()[:longest]
        return []

    return mend
