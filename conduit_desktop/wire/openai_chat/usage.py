"""Token counts and finish reasons of OpenAI and its compatible vendors; counts are read into disjoint classes.

OpenAI counts cached and audio tokens inside `prompt_tokens`, reasoning and audio inside `completion_tokens`. Vendors that count
some of them outside are found by `total_tokens`, which is then larger than the sum: xAI for reasoning, Mistral for audio, and
Gemini's compatible endpoint for thinking, which it reports nowhere else. Azure's Grok counts cached tokens nowhere but in their
own field (`_cached_is_outside`).
"""

from __future__ import annotations

from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.core.events import Finished, FinishReason, Usage
from conduit_desktop.core.money import to_nano
from conduit_desktop.wire.usage_dimensions import all_counts, faulty, names, surcharge, tier, unread
from conduit_desktop.wire.values import MAX_COUNT, count

_MAX_USD = 1_000_000
_TICKS_PER_NANO = 10
"""xAI's ticks are 1e-10 US dollars: https://docs.x.ai/developers/cost-tracking"""

_FINISH_REASONS: dict[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
    "error": "stop",
    "other": "stop",
}

_OPENAI = frozenset({
    "prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details",
})  # fmt: skip
_COUNTED = _OPENAI | {
    "prompt_cache_hit_tokens", "prompt_cache_miss_tokens", "num_cached_tokens", "cached_tokens",
    "cache_read_input_tokens", "cache_creation_input_tokens",
}  # fmt: skip
_COUNTED_PROMPT = frozenset({"cached_tokens", "audio_tokens", "cache_write_tokens", "cache_creation_tokens"})
_COUNTED_COMPLETION = frozenset({"reasoning_tokens", "audio_tokens"})
_PLAIN_PROMPT = frozenset({"cached_tokens", "audio_tokens", "cache_write_tokens"})
_PLAIN_COMPLETION = frozenset({
    "reasoning_tokens", "audio_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens",
})  # fmt: skip
_INTEGERS = {int}
_OTHER_NAMES = {
    "prompt_token_details": "prompt_tokens_details",  # Writer, and Mistral in some answers
    "completion_token_details": "completion_tokens_details",
    "input_token_details": "prompt_tokens_details",  # OpenAI's transcriptions
    "output_token_details": "completion_tokens_details",
    "input_tokens_details": "prompt_tokens_details",
    "output_tokens_details": "completion_tokens_details",
}
_READ_AS_WELL = frozenset({
    "image_tokens", "cached_tokens_details", "cache_creation", "cache_creation_input_tokens", "web_search_requests",
    "num_search_queries", "num_sources_used", "web_search_calls", "x_search_calls", "plugins", "reasoning_tokens",
    "audio_prompt_tokens", "audio_tokens", "cached_tokens", "input_tokens", "output_tokens", "cache_write_tokens", "seconds",
})  # fmt: skip
"""Further names that are read here, and are written back as they came."""
_PROMPT_COUNTS = (*_COUNTED_PROMPT, "image_tokens")
_COMPLETION_COUNTS = (*_COUNTED_COMPLETION, "image_tokens")
_ODD_NAMES = frozenset({*_OTHER_NAMES, "input_tokens", "output_tokens"})
_MAIN_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_cache_hit_tokens", "num_cached_tokens")
_SEARCHES = (
    ("server_tool_use_details", "web_search_requests"),  # OpenRouter
    ("server_tool_use", "web_search_requests"),  # Claude behind OpenAI's API
    ("server_side_tool_usage_details", "web_search_calls", "x_search_calls"),  # xAI's agent tools
)
_HIDDEN = "hidden_tokens"
"""Output that only the total shows: of any vendor but Google a contradiction."""
_HIDES_THINKING = ("gemini", "gemma")
_SINGLE_SEARCHES = ("num_search_queries", "num_sources_used", "web_search_requests")
"""Perplexity's searches; xAI's sources, each billed as a search; others."""
_FURTHER = frozenset(
    {*(owner for owner, *_ in _SEARCHES), *_SINGLE_SEARCHES, "plugins", "service_tier", "speed", "search_context_size"}
)
"""Fields of a report that are read besides its counts."""


def _first(*values: Json) -> int:
    """The first of the values that is a positive number."""
    # The first that is not 0: a vendor may send OpenAI's name with 0 and its own with the count.
    for value in values:
        if value is not None and (found := count(value)):
            return found
    return 0


def _details(raw: dict[str, Json], name: str) -> dict[str, Any]:
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


def read_usage(raw: dict[str, Json]) -> Usage:
    """The usage of a body or a chunk. Counts are never negative; unknown counters go to `extra` and to `unclear`."""
    return _read_plain(raw) or _read_any(raw)


def _read_plain(raw: dict[str, Json]) -> Usage | None:
    """A report in OpenAI's names alone whose parts fit into its totals; None for any other, which takes three times as long."""
    if not _OPENAI.issuperset(raw):
        return None
    prompt, completion, total = raw.get("prompt_tokens"), raw.get("completion_tokens"), raw.get("total_tokens")
    if not (type(prompt) is int and type(completion) is int and 0 <= prompt <= MAX_COUNT and 0 <= completion <= MAX_COUNT):
        return None
    if total is not None and (type(total) is not int or total != prompt + completion):
        return None
    usage = Usage(input=prompt, output=completion)
    if details := raw.get("prompt_tokens_details"):
        if type(details) is not dict or not _PLAIN_PROMPT.issuperset(details) or not _are_counts(details):
            return None
        if any(details.values()):
            usage.cache_read, usage.audio_in = details.get("cached_tokens", 0), details.get("audio_tokens", 0)
            usage.cache_write_5m = details.get("cache_write_tokens", 0)
            usage.input = prompt - usage.cache_read - usage.audio_in - usage.cache_write_5m
    if details := raw.get("completion_tokens_details"):
        if type(details) is not dict or not _PLAIN_COMPLETION.issuperset(details) or not _are_counts(details):
            return None
        usage.reasoning, usage.audio_out = details.get("reasoning_tokens", 0), details.get("audio_tokens", 0)
        usage.output = completion - usage.audio_out
        if not _COUNTED_COMPLETION.issuperset(details):
            usage.extra = _extra(raw, {}, details)
    return usage if usage.input >= 0 and usage.output >= usage.reasoning else None


def _are_counts(details: dict[str, Any]) -> bool:
    return set(map(type, details.values())) == _INTEGERS and min(details.values()) >= 0


def _read_any(raw: dict[str, Json]) -> Usage:
    unclear: list[str] = []
    # Sets and `all_counts`, since this reads nearly every answer: a loop over names would cost more than all the rest.
    if not _ODD_NAMES.isdisjoint(raw):
        raw = _in_chat_names(raw, unclear)
    prompt_details, completion_details = _details(raw, "prompt_tokens_details"), _details(raw, "completion_tokens_details")
    unclear += faulty(raw, _MAIN_COUNTS)
    if prompt_details and not all_counts(prompt_details):
        unclear += faulty(prompt_details, _PROMPT_COUNTS)
    if completion_details and not all_counts(completion_details):
        unclear += faulty(completion_details, _COMPLETION_COUNTS)
    cached, (written, one_hour) = _cached(raw, prompt_details), _written(raw, prompt_details)
    audio_in, audio_out = count(prompt_details.get("audio_tokens")), count(completion_details.get("audio_tokens"))
    # Perplexity counts its reasoning in a field of its own.
    reasoning = _first(completion_details.get("reasoning_tokens"), raw.get("reasoning_tokens"))
    prompt, completion, hidden = _sums(raw, prompt_details, cached, written, audio_in, reasoning, unclear)
    cached_parts = _details(prompt_details, "cached_tokens_details")
    if cached_audio := min(audio_in, cached, count(cached_parts.get("audio_tokens"))):
        # Sound read from the cache has a price of its own, which no class has.
        audio_in -= cached_audio
        unclear.append("cached_audio_tokens")
    if audio_in > prompt - cached:
        unclear.append("audio_tokens" if audio_in > prompt else "cached_tokens")
    fresh, cached = _uncached(prompt, cached, written, audio_in, unclear)
    output = max(0, completion - audio_out)
    image_in = max(0, count(prompt_details.get("image_tokens")) - count(cached_parts.get("image_tokens")))
    image_out = count(completion_details.get("image_tokens"))
    unclear += ["audio_tokens"] if audio_out > completion else []
    unclear += ["reasoning_tokens"] if reasoning > output else []
    reasoning = min(output, reasoning or hidden)
    # Where a part of the prompt was cached, pictures may be in that part.
    unclear += ["image_tokens"] if (image_in > fresh and not cached) or image_out > output - reasoning else []
    cost, extra = _cost(raw), _extra(raw, prompt_details, completion_details)
    # What is in none of OpenAI's own fields is in `extra`.
    if extra and cost is None:
        unclear += unread(extra, _READ_AS_WELL)
    searches, tier_name, surcharges = _further(raw) if not _FURTHER.isdisjoint(extra) else (0, "", ())
    return Usage(
        input=fresh,
        cache_read=cached,
        cache_write_5m=written - one_hour,
        cache_write_1h=one_hour,
        output=output,
        reasoning=reasoning,
        audio_in=audio_in,
        audio_out=audio_out,
        image_in=min(image_in, fresh),
        image_out=min(image_out, output - reasoning),
        searches=searches,
        service_tier=tier_name,
        surcharges=surcharges,
        # What the vendor itself reports as the cost holds every dimension.
        unclear=names(unclear) if unclear and cost is None else (),
        cost_nano=cost,
        extra=extra,
    )


def _uncached(prompt: int, cached: int, written: int, audio_in: int, unclear: list[str]) -> tuple[int, int]:
    """The tokens of the prompt that no cache had and none keeps, and those that were read from a cache."""
    # Never negative, as that would lower the price.
    fresh = max(0, prompt - cached - audio_in)
    if written <= fresh:
        fresh -= written
    elif written <= cached:
        # OpenRouter reports tokens that a call writes to Gemini's cache as read by the same call too.
        cached -= written
    else:
        unclear.append("cache_write_tokens")
    return fresh, cached


def _further(raw: dict[str, Json]) -> tuple[int, str, tuple[str, ...]]:
    """Searches, service tier and surcharges."""
    return _searches(raw), tier(raw.get("service_tier")), _surcharges(raw)


def _cached(raw: dict[str, Json], prompt_details: dict[str, Any]) -> int:
    return _first(
        prompt_details.get("cached_tokens"),
        raw.get("prompt_cache_hit_tokens"),
        raw.get("num_cached_tokens"),
        raw.get("cached_tokens"),
        raw.get("cache_read_input_tokens"),
    )


def _written(raw: dict[str, Json], prompt_details: dict[str, Any]) -> tuple[int, int]:
    """Tokens written to the cache, and those of them that are kept for an hour."""
    # By lifetime where it is split: Qwen, and gateways in front of Claude.
    split = _details(prompt_details, "cache_creation") or _details(raw, "cache_creation")
    one_hour = count(split.get("ephemeral_1h_input_tokens"))
    written = _first(
        prompt_details.get("cache_write_tokens"),
        prompt_details.get("cache_creation_tokens"),
        prompt_details.get("cache_creation_input_tokens"),
        raw.get("cache_creation_input_tokens"),
        one_hour + count(split.get("ephemeral_5m_input_tokens")),
    )
    return written, min(one_hour, written)


def _sums(
    raw: dict[str, Json],
    prompt_details: dict[str, Any],
    cached: int,
    written: int,
    audio_in: int,
    reasoning: int,
    unclear: list[str],
) -> tuple[int, int, int]:
    """Prompt and completion with all that belongs to them, and the output that only the total shows.

    `total_tokens` tells which parts a vendor counts outside; what it cannot tell goes to `unclear`.
    """
    prompt, completion, total = (count(raw.get(name)) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
    if total and not (prompt or completion):
        # Nothing tells input from output: taken for the prompt, which is the greater part of most calls.
        unclear.append("total_tokens")
        prompt = total
    elif total and total < prompt + completion:
        unclear.append("total_tokens")
    outside = max(0, total - prompt - completion)
    # Mistral counts audio outside the prompt. The surplus must match exactly, as otherwise it is thinking.
    if audio_in and outside in (audio_in, audio_in + reasoning):
        # Made to look like the others, which count audio inside the prompt.
        prompt += audio_in
        outside -= audio_in
    # The surplus may be the cached tokens, too, unless it is the reasoning that the vendor reports.
    in_total = bool(cached) and outside == cached and reasoning != outside
    if in_total or _cached_is_outside(raw, prompt, cached, prompt_details):
        if not in_total and cached > prompt and "text_tokens" not in prompt_details:
            # No other count shows that the vendor means it so.
            unclear.append("cached_tokens")
        prompt += cached
        outside -= cached if in_total else 0
    elif written and outside in (written, cached + written) and outside != reasoning:
        prompt += outside
        outside = 0
    # A count that cannot be read explains what is missing, and is named already.
    if outside and outside != reasoning and "prompt_tokens" not in unclear and "completion_tokens" not in unclear:
        unclear.append("total_tokens" if reasoning else _HIDDEN)
    return prompt, completion + outside, outside


def _surcharges(raw: dict[str, Json]) -> tuple[str, ...]:
    speed = surcharge("speed", raw.get("speed"), ("standard",))
    # Perplexity's price of a request is that of its smallest search.
    return (*speed, *surcharge("search_context", raw.get("search_context_size"), ("low",)))


def _in_chat_names(raw: dict[str, Json], unclear: list[str]) -> dict[str, Json]:
    """The report in the names of Chat Completions; other names of the main counts go to `unclear`."""
    renamed = raw
    for name, own in _OTHER_NAMES.items():
        # Writer sends both, one of them null.
        if name in renamed and not renamed.get(own) and isinstance(renamed[name], dict):
            renamed = {**{key: value for key, value in renamed.items() if key not in (name, own)}, own: renamed[name]}
    for name, own in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")):
        if name in renamed and renamed.get(own) is None:
            renamed = {**renamed, own: renamed[name]}
            # Another API's words: whether cached tokens are inside them, nobody tells.
            unclear += [name] if renamed[name] else []
    return renamed


def _searches(raw: dict[str, Json]) -> int:
    """Searches that are billed singly, by the first field that has any."""
    for owner, *fields in _SEARCHES:
        if (details := _details(raw, owner)) and (found := sum(count(details.get(name)) for name in fields)):
            return found
    plugins = _details(_details(raw, "plugins"), "search")  # DashScope
    return _first(*(raw.get(name) for name in _SINGLE_SEARCHES), plugins.get("count"))


FIELDS_OUTSIDE_USAGE = frozenset({"service_tier", "usage_breakdown"})
"""The fields of an answer that `take_answer` reads."""


def take_answer(usage: Usage, body: dict[str, Json], *earlier: dict[str, Json]) -> Usage:
    """Add what the body says outside its usage: the tier, the models within Groq's `compound`, and Google's hidden thinking.

    `earlier` are fields of the chunks before, where the body is a chunk. The usage itself is returned.
    """
    for fields in (body, *earlier):
        if not usage.service_tier:
            usage.service_tier = tier(fields.get("service_tier"))
        # Each model within has its own price: https://console.groq.com/docs/compound
        if "usage_breakdown" in fields and _details(fields, "usage_breakdown").get("models") and usage.cost_nano is None:
            usage.unclear = names((*usage.unclear, "usage_breakdown"))
        if _HIDDEN in usage.unclear and str(fields.get("model") or "").rpartition("/")[2].startswith(_HIDES_THINKING):
            usage.unclear = tuple(name for name in usage.unclear if name != _HIDDEN)
    return usage


def _cached_is_outside(raw: dict[str, Json], prompt: int, cached: int, prompt_details: dict[str, Any]) -> bool:
    """Whether `prompt` does not hold the cached tokens: Azure's Grok counts the new ones alone.

    At xAI itself `text_tokens` is the whole prompt, cached tokens included, and so equals `prompt_tokens` as well
    (https://docs.x.ai/developers/advanced-api-usage/prompt-caching/usage-and-pricing). Azure's reports have a field of their own
    in whole answers and a price of 0 in streams (recorded traffic, 2026).
    """
    if cached > prompt:
        return True
    if not cached or "text_tokens" not in prompt_details:
        return False
    parts = sum(count(prompt_details.get(name)) for name in ("text_tokens", "image_tokens", "audio_tokens"))
    return parts == prompt and ("audio_prompt_tokens" in raw or raw.get("cost_in_usd_ticks") == 0)


def _extra(raw: dict[str, Json], prompt_details: dict[str, Any], completion_details: dict[str, Any]) -> dict[str, Json]:
    if (
        _COUNTED.issuperset(raw)
        and _COUNTED_PROMPT.issuperset(prompt_details)
        and _COUNTED_COMPLETION.issuperset(completion_details)
    ):
        return {}
    extra = {name: value for name, value in raw.items() if name not in _COUNTED}
    further_prompt = {name: value for name, value in prompt_details.items() if name not in _COUNTED_PROMPT}
    further_completion = {name: value for name, value in completion_details.items() if name not in _COUNTED_COMPLETION}
    if further_prompt:
        extra["prompt_tokens_details"] = further_prompt
    if further_completion:
        extra["completion_tokens_details"] = further_completion
    return extra


def _cost(raw: dict[str, Json]) -> int | None:
    """The cost that the vendor reports, in nano-dollars: OpenRouter (a number), Perplexity (an object), xAI (ticks).

    DeepInfra names what it bills `estimated_cost`: https://deepinfra.com/docs/advanced/cost
    """
    cost = raw.get("cost")
    # Most vendors report no cost, which is not a cost of 0: the price list applies then.
    if cost is None and "cost_in_usd_ticks" not in raw and "estimated_cost" not in raw:
        return None
    nano = _nano(cost.get("total_cost") if isinstance(cost, dict) else cost)
    if nano is not None:
        # With the user's own vendor key (BYOK), OpenRouter's `cost` is its fee alone; the vendor's price is added.
        # https://openrouter.ai/docs/use-cases/usage-accounting
        upstream = _details(raw, "cost_details").get("upstream_inference_cost") if raw.get("is_byok") else None
        return nano + (_nano(upstream) or 0)
    if (estimated := _nano(raw.get("estimated_cost"))) is not None:
        return estimated
    ticks = raw.get("cost_in_usd_ticks")
    return ticks // _TICKS_PER_NANO if type(ticks) is int and 0 < ticks < _MAX_USD * 10**10 else None


def _nano(usd: Json) -> int | None:
    """A price in nano-dollars; None for a number that is no plausible price, and would not fit into the database."""
    return to_nano(usd) if type(usd) in (int, float) and 0 <= usd < _MAX_USD else None


def write_usage(usage: Usage, own: bool) -> dict[str, Json]:
    """The usage as OpenAI reports it. `own`: `usage.extra` is this dialect's."""
    extra = dict(usage.extra) if own else {}
    prompt_details: dict[str, Json] = {"cached_tokens": usage.cache_read, "audio_tokens": usage.audio_in}
    if usage.cache_write_5m or usage.cache_write_1h:
        prompt_details["cache_write_tokens"] = usage.cache_write_5m + usage.cache_write_1h
    completion_details: dict[str, Json] = {"reasoning_tokens": usage.reasoning, "audio_tokens": usage.audio_out}
    if usage.image_in:
        prompt_details["image_tokens"] = usage.image_in
    if usage.image_out:
        completion_details["image_tokens"] = usage.image_out
    return {
        "prompt_tokens": usage.total_input,
        "completion_tokens": usage.total_output,
        "total_tokens": usage.total_input + usage.total_output,
        "prompt_tokens_details": {**prompt_details, **extra.pop("prompt_tokens_details", {})},
        "completion_tokens_details": {**completion_details, **extra.pop("completion_tokens_details", {})},
        **extra,
    }


def write_finish(finish: Finished, own: bool, functions: bool = False) -> str:
    """The `finish_reason`; the original one if the answer was read in this dialect (`own`).

    `functions`: the client wrote its tools as `functions`, and expects a call by its older name.
    """
    if functions and finish.reason == "tool_calls":
        return "function_call"
    return finish.raw if own and finish.raw else _FINISH_REASONS[finish.reason]


def own_extra(finish: Finished | None, own: bool) -> tuple[dict[str, Json], dict[str, Json]]:
    """The further fields of the choice, and those of its message, if the answer was read in this dialect (`own`)."""
    extra = dict(finish.extra) if finish is not None and own else {}
    # Fields of the body, not of the choice: the writers put them where they came from.
    extra.pop("response", None)
    return extra, extra.pop("message", {})
