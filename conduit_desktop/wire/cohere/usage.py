"""Token counts and finish reasons of Cohere, read and written."""

from __future__ import annotations

from conduit_desktop.core.chat import (
    Json,
)
from conduit_desktop.core.errors import Reason, UpstreamError
from conduit_desktop.core.events import Finished, FinishReason, Usage
from conduit_desktop.wire.cohere.request_reader import NAME
from conduit_desktop.wire.event_validation import text_or_none
from conduit_desktop.wire.usage_dimensions import faulty, names, unread
from conduit_desktop.wire.values import count

_FINISH: dict[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "ERROR_LIMIT": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}
_FAILURES: dict[str, tuple[int, Reason]] = {"ERROR": (500, "server"), "TIMEOUT": (504, "timeout")}
"""Finish reasons of failed answers. https://docs.cohere.com/v2/reference/chat"""
_FINISH_REASONS: dict[FinishReason, str] = {
    "stop": "COMPLETE",
    "length": "MAX_TOKENS",
    "tool_calls": "TOOL_CALL",
    "content_filter": "ERROR_TOXIC",
    "refusal": "ERROR_TOXIC",
    "pause": "COMPLETE",
    "error": "ERROR",
    "other": "COMPLETE",
}
_BILLED = frozenset({"input_tokens", "output_tokens", "reasoning_tokens", "search_units", "image_tokens"})
PLAN_AT = "tool_plan"
"""The key in `Finished.extra` for the index of the part that is the tool plan."""


def read_finish(raw: str | None, extra: dict[str, Json], error: Json = None) -> Finished | None:
    """The finish of `finish_reason`; raises UpstreamError, with the text of `error`, for the reasons of failed answers."""
    if raw is None:
        return None
    if raw in _FAILURES:
        status, reason = _FAILURES[raw]
        raise UpstreamError(str(error or f"the answer ended with {raw}"), status=status, reason=reason, kind=raw, dialect=NAME)
    return Finished(_FINISH.get(raw, "other"), text_or_none(raw), extra=extra)


def read_usage(raw: dict[str, Json]) -> Usage:
    """The usage as it is billed: `tokens` also counts the prompt that Cohere adds, which costs nothing, and is kept in `extra`."""
    tokens = raw.get("tokens") if isinstance(raw.get("tokens"), dict) else {}
    billed = raw.get("billed_units") if isinstance(raw.get("billed_units"), dict) else {}
    # In this order: billed counts replace the others of the same name.
    counted = {**(tokens or {}), **(billed or {})}
    output = count(counted.get("output_tokens"))
    unclear = faulty(counted, ("input_tokens", "output_tokens", "reasoning_tokens"))
    # `tokens` and the cached ones are counts of the whole prompt; what is billed stands in `billed_units` alone.
    unclear += unread(billed or {}, _BILLED, "billed_units.")
    image_in = min(count((billed or {}).get("image_tokens")), count(counted.get("input_tokens")))
    return Usage(
        input=count(counted.get("input_tokens")),
        output=output,
        # Billed output may be less than all output, and the part must not exceed the whole.
        reasoning=min(output, count(counted.get("reasoning_tokens"))),
        image_in=image_in,
        searches=count((billed or {}).get("search_units")),
        unclear=names(unclear) if unclear else (),
        extra=raw,
    )


def write_usage(usage: Usage | None, own: bool) -> dict[str, Json]:
    """The usage as Cohere reports it."""
    usage = usage or Usage()
    if own and usage.extra:
        return usage.extra
    counts = {"input_tokens": usage.total_input, "output_tokens": usage.total_output}
    more = {"reasoning_tokens": usage.reasoning} if usage.reasoning else {}
    cached = {"cached_tokens": usage.cache_read} if usage.cache_read else {}
    return {"billed_units": counts, "tokens": {**counts, **more}, **cached}


def write_finish(finish: Finished | None, own: bool) -> str:
    """The `finish_reason`."""
    if finish is None:
        return "COMPLETE"
    return finish.raw if own and finish.raw else _FINISH_REASONS[finish.reason]


def own_extra(finish: Finished | None, own: bool) -> dict[str, Json]:
    """The further fields of a response that was read in this dialect (`own`)."""
    return {name: value for name, value in finish.extra.items() if name != PLAN_AT} if own and finish is not None else {}
