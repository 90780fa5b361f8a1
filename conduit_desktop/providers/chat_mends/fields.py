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


def without_empty_tools(body: Body, facts: ModelFacts) -> list[str]:
    """Leave out a list of tools without any; the choice stays, which the same vendors take alone."""
    if body.get("tools") == []:
        del body["tools"]
    return []


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


def above_zero(name: str, least: float) -> Mend:
    """Replace a zero by `least`, for a vendor whose range is open below. Nothing is lost: the two mean the same."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        value = body.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < least:
            body[name] = least
        return []

    return mend


def without_zero(*names: str) -> Mend:
    """Leave out numbers that are 0, which is the default, for a vendor that takes only greater ones."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        for name in names:
            if body.get(name) == 0:
                del body[name]
        return []

    return mend


def greedy(body: Body, facts: ModelFacts) -> list[str]:
    """With the temperature 0 there is one answer, whatever `top_p` is: a lower one is refused, and so are several answers."""
    if body.get("temperature") != 0:
        return []
    dropped = []
    for name in ("top_p", "n"):
        if body.get(name) not in (None, 1):
            del body[name]
            dropped.append(name)
    return dropped


def without_empty_stops(body: Body, facts: ModelFacts) -> list[str]:
    """Leave out stop sequences that are empty, which would stop every answer at once or never."""
    stop = body.get("stop")
    if stop == "" or (isinstance(stop, list) and "" in stop):
        body["stop"] = [text for text in stop if text != ""]
        if not body["stop"]:
            del body["stop"]
    return []


def first_of(name: str, count: int) -> Mend:
    """Keep the first values of a list."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        values = body.get(name)
        if not isinstance(values, list) or len(values) <= count:
            return []
        body[name] = values[:count]
        return [name]

    return mend


def counted_logprobs(body: Body, facts: ModelFacts) -> list[str]:
    """Log probabilities are asked for by the number of tokens to list at each place."""
    wanted = body.get("logprobs")
    if isinstance(wanted, bool):
        count = body.pop("top_logprobs", None)
        del body["logprobs"]
        if wanted:
            body["logprobs"] = count or 1
    return []


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
