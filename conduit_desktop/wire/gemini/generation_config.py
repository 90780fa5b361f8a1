"""Reads and writes `generationConfig`: limits, sampling, thinking, and the format of the answer."""

from __future__ import annotations

from conduit_desktop.core.chat import ChatRequest, Json, OutputFormat, Reasoning
from conduit_desktop.wire.gemini.field_names import INT64, Fields, note, note_name, note_value
from conduit_desktop.wire.gemini.schema import for_gemini, to_json_schema
from conduit_desktop.wire.json_fields import FieldReader

NUMBERS = {
    "maxOutputTokens": "max_tokens",
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "candidateCount": "n",
    "seed": "seed",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "logprobs": "top_logprobs",
}
"""Gemini's names of numbers, and the neutral ones."""
_INTEGERS = frozenset({"maxOutputTokens", "topK", "candidateCount", "seed", "logprobs"})
_PATH = "generationConfig"
_SCHEMAS = ("responseJsonSchema", "responseSchema")
"""The first counts where both are there."""
_TEXT_ALONE: tuple[list[str], ...] = (["TEXT"], ["text"], [])
LEVELS = {"minimal": "minimal", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
"""Neutral effort levels, and Gemini's thinking levels."""
# Google refuses more than five.
MAX_STOPS = 5
_RANGES = {"temperature": (0, 2), "topP": (0, 1), "topK": (1, 2**31 - 1), "candidateCount": (1, 8), "logprobs": (0, 20)}
"""The least and the most of each number. https://ai.google.dev/api/generate-content#generationconfig"""
_SEEDS = 2**31
"""Seeds are int32 in Google's schema, and other vendors take 64 bits."""
_TIERS = {"default": "standard", "standard_only": "standard", "flex": "flex", "priority": "priority"}


def read_config(request: ChatRequest, fields: FieldReader) -> None:
    """Take `generationConfig` into `request`; raises BadRequest with the field's path."""
    config = fields.child(_PATH, "a GenerationConfig")
    if config is None:
        return
    _read_sampling(request, config)
    _read_format(request, config)
    thinking = config.child("thinkingConfig", "a ThinkingConfig")
    if thinking is not None:
        request.reasoning = _read_thinking(thinking)
    if config.rest.get("responseModalities") in _TEXT_ALONE:
        # Text is what every model answers with: nothing for another dialect to drop.
        note_value(request.source_form, config.at("responseModalities"), config.take("responseModalities"))
    request.extra |= {config.at(name): value for name, value in config.rest.items()}
    if not config.raw:
        note(request.source_form, _PATH, "object")


def _read_sampling(request: ChatRequest, config: FieldReader) -> None:
    for name, neutral in NUMBERS.items():
        if name in config.rest:
            setattr(request, neutral, _number(config, name))
    stop = config.take("stopSequences")
    if stop is not None:
        if not isinstance(stop, list) or not all(isinstance(text, str) for text in stop):
            raise config.invalid("stopSequences", "an array of strings", stop)
        request.stop = stop
    if "responseLogprobs" in config.rest:
        request.logprobs = bool(config.take("responseLogprobs"))


def _number(config: FieldReader, name: str) -> Json:
    """A number. An integer may come as 40.0, and as text: protobuf's JSON writes int64 as a string."""
    value = config.rest.get(name)
    is_integer = name in _INTEGERS
    if isinstance(value, str) and is_integer and INT64.fullmatch(value):
        config.take(name)
        return int(value)
    number = config.number(name)
    if is_integer and number is not None:
        if abs(number) >= 2**63:
            raise config.invalid(name, "an integer of 64 bits", value)  # 1e300 is integral, and no JSON integer can hold it
        return int(number) if number == int(number) else number
    return number


def _read_format(request: ChatRequest, config: FieldReader) -> None:
    """`responseMimeType` and the schema, where the two fit each other; otherwise both stay in `rest`."""
    mime = config.rest.get("responseMimeType")
    name = next((name for name in _SCHEMAS if isinstance(config.rest.get(name), dict)), None)
    if name is None and mime in ("text/plain", "application/json"):
        request.output = OutputFormat("text" if mime == "text/plain" else "json")
        config.take("responseMimeType")
    elif name is not None and mime in ("application/json", None):
        request.output = OutputFormat("schema", _read_schema(config, name))
        if config.take("responseMimeType") is None:
            note(request.source_form, config.at("responseMimeType"), "absent")


def _read_schema(config: FieldReader, name: str) -> Json:
    given = config.take(name)
    if name == "responseJsonSchema":
        return given
    note_name(config.source_form, config.path, "responseJsonSchema", name)
    schema = to_json_schema(given)
    if schema != given:
        # The conversion loses Google's own keywords, so the original is kept for Gemini itself.
        note_value(config.source_form, config.at("responseJsonSchema"), given)
    return schema


def _read_thinking(config: FieldReader) -> Reasoning:
    """Values that the neutral form does not hold, or holds in another form, are noted for Gemini's own writer."""
    reasoning = Reasoning()
    for name in ("includeThoughts", "thinkingLevel", "thinkingBudget"):
        value = config.rest.pop(name, None)
        if value is None:
            continue
        lossless = False
        if name == "includeThoughts":
            lossless = value is True
            reasoning.summary = "auto" if lossless else None
        elif name == "thinkingLevel" and isinstance(value, str):
            reasoning.effort = value.lower()
            lossless = value == reasoning.effort
        elif name == "thinkingBudget" and isinstance(value, int) and not isinstance(value, bool):
            # 0 turns thinking off, -1 lets the model decide: https://ai.google.dev/gemini-api/docs/thinking
            reasoning.mode = "disabled" if value == 0 else "adaptive" if value < 0 else "enabled"
            reasoning.budget_tokens = value if value > 0 else None
            lossless = value >= -1
        if not lossless:
            note_value(config.source_form, config.at(name), value)
    reasoning.extra = config.rest
    return reasoning


def write_config(request: ChatRequest, own: bool, dropped: list[str]) -> Fields:
    """`generationConfig` of `request`; empty where it sets none. Fields without a place are added to `dropped`."""
    config: Fields = {}
    for name, neutral in NUMBERS.items():
        # Refused without `responseLogprobs`; the Responses API asks for `top_logprobs` alone.
        if name == "logprobs" and not own and not request.logprobs:
            dropped += [neutral] if request.top_logprobs else []
            continue
        if (value := getattr(request, neutral)) is not None:
            config[name] = value if own else _in_range(name, value)
            if config[name] != value and name != "seed":
                dropped.append(neutral)
    if request.stop is not None:
        config["stopSequences"] = request.stop if own else request.stop[:MAX_STOPS]
        if not own and len(request.stop) > MAX_STOPS:
            dropped.append("stop")
    # False is the default, so it is written only where the client wrote it.
    if request.logprobs is not None and (own or request.logprobs):
        config["responseLogprobs"] = request.logprobs
    _write_format(config, request.output, own, dropped)
    if request.reasoning is not None:
        config["thinkingConfig"] = _own_thinking(request.reasoning) if own else _thinking(request.reasoning, dropped)
        if not own and not config["thinkingConfig"]:
            del config["thinkingConfig"]
    return config


def _in_range(name: str, value: Json) -> Json:
    if name == "seed":
        return value % _SEEDS  # the same seed stays the same
    least, most = _RANGES.get(name, (value, value))
    return max(least, min(most, value))


def write_tier(request: ChatRequest, own: bool, dropped: list[str]) -> Fields:
    """`serviceTier`, where the request has one that Gemini has too."""
    if request.service_tier is None:
        return {}
    if own:
        return {"serviceTier": request.service_tier}
    if request.service_tier in _TIERS:
        return {"serviceTier": _TIERS[request.service_tier]}
    if request.service_tier != "auto":
        dropped.append("service_tier")
    return {}


def _write_format(config: Fields, output: OutputFormat | None, own: bool, dropped: list[str]) -> None:
    if output is None:
        return
    if not own:
        dropped += [f"response_format.{name}" for name in output.extra]
        if output.description is not None:
            dropped.append("response_format.description")
        if output.kind == "text":
            return
    config["responseMimeType"] = "text/plain" if output.kind == "text" else "application/json"
    if output.kind == "schema" and output.schema is not None:
        config["responseJsonSchema"] = output.schema if own else for_gemini(output.schema)


def _own_thinking(reasoning: Reasoning) -> Fields:
    config: Fields = dict(reasoning.extra)
    if reasoning.summary is not None:
        config["includeThoughts"] = True
    if reasoning.effort is not None:
        config["thinkingLevel"] = reasoning.effort
    if reasoning.mode is not None:
        config["thinkingBudget"] = {"disabled": 0, "adaptive": -1}.get(reasoning.mode, reasoning.budget_tokens)
    return config


def _thinking(reasoning: Reasoning, dropped: list[str]) -> Fields:
    """A budget or a level, and the thoughts themselves: a client that asks for thinking can read it."""
    dropped += [f"reasoning.{name}" for name, value in reasoning.extra.items() if value is not None]
    # The level and the budget exclude each other at Google, so each branch writes one of them.
    if reasoning.mode == "disabled" or reasoning.effort == "none" or reasoning.budget_tokens == 0:
        return {"thinkingBudget": 0}
    if reasoning.budget_tokens is not None:
        # A budget is the caller's exact number, so it goes before a level.
        return {"includeThoughts": True, "thinkingBudget": reasoning.budget_tokens}
    if reasoning.effort in LEVELS:
        return {"includeThoughts": True, "thinkingLevel": LEVELS[reasoning.effort]}
    if reasoning.effort is not None:
        dropped.append("reasoning.effort")
    if reasoning.mode is not None:
        return {"includeThoughts": True, "thinkingBudget": -1}
    return {"includeThoughts": True} if reasoning.summary is not None else {}
