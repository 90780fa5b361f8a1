"""Token counts and finish reasons of Cohere, read and written."""

from __future__ import annotations

from conduit_desktop.core.chat import (
    Json,
)
from conduit_desktop.core.errors import Reason, UpstreamError
from conduit_desktop.core.events import Finished, FinishReason, Usage
from conduit_desktop.wire.cohere.request_reader import NAME
from conduit_desktop.wire.event_validation import word
from conduit_desktop.wire.token_counts import count

_REASONS: dict[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "ERROR_LIMIT": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}
_FAILURES: dict[str, tuple[int, Reason]] = {"ERROR": (500, "server"), "TIMEOUT": (504, "timeout")}
"""Reasons that say the answer failed."""
_WORDS: dict[FinishReason, str] = {
    "stop": "COMPLETE",
    "length": "MAX_TOKENS",
    "tool_calls": "TOOL_CALL",
    "content_filter": "ERROR_TOXIC",
    "refusal": "ERROR_TOXIC",
    "pause": "COMPLETE",
    "error": "ERROR",
    "other": "COMPLETE",
}
PLAN_AT = "tool_plan"
"""Where `Finished.extra` keeps which part of the answer is the tool plan."""


def read_finish(said: str | None, extra: dict[str, Json], error: Json = None) -> Finished | None:
    """Why the model stopped; raises UpstreamError where the word says that it failed."""
    if said is None:
        return None
    if said in _FAILURES:
        status, reason = _FAILURES[said]
        raise UpstreamError(str(error or f"the answer ended with {said}"), status=status, reason=reason, kind=said, dialect=NAME)
    return Finished(_REASONS.get(said, "other"), word(said), extra=extra)


def read_usage(raw: dict[str, Json]) -> Usage:
    """Tokens as they are billed: `tokens` counts Cohere's own prompt too, which costs nothing, and is kept in `extra`."""
    tokens = raw.get("tokens") if isinstance(raw.get("tokens"), dict) else {}
    billed = raw.get("billed_units") if isinstance(raw.get("billed_units"), dict) else {}
    counted = {**(tokens or {}), **(billed or {})}
    output = count(counted.get("output_tokens"))
    return Usage(
        input=count(counted.get("input_tokens")),
        output=output,
        reasoning=min(output, count(counted.get("reasoning_tokens"))),
        extra=raw,
    )


def write_usage(usage: Usage | None, own: bool) -> dict[str, Json]:
    """Counts in Cohere's words."""
    usage = usage or Usage()
    if own and usage.extra:
        return usage.extra
    counts = {"input_tokens": usage.total_input, "output_tokens": usage.total_output}
    more = {"reasoning_tokens": usage.reasoning} if usage.reasoning else {}
    cached = {"cached_tokens": usage.cache_read} if usage.cache_read else {}
    return {"billed_units": counts, "tokens": {**counts, **more}, **cached}


def finish_word(finish: Finished | None, own: bool) -> str:
    """How the answer ended, in Cohere's word."""
    if finish is None:
        return "COMPLETE"
    return finish.raw if own and finish.raw else _WORDS[finish.reason]


def own_extra(finish: Finished | None, own: bool) -> dict[str, Json]:
    """What this dialect had said besides."""
    return {name: value for name, value in finish.extra.items() if name != PLAN_AT} if own and finish is not None else {}
