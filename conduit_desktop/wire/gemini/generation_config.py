"""`generationConfig`, both ways: limits, sampling, thinking, and the format of the answer."""

from __future__ import annotations

from conduit_desktop.core.chat import ChatRequest, Json, OutputFormat, Reasoning
from conduit_desktop.wire.gemini.field_names import INT64, Fields, instead, note, renamed, wrong
from conduit_desktop.wire.gemini.schema import for_gemini, to_json_schema

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
"""Gemini's word for a number, and the neutral one."""
_WHOLE = frozenset({"maxOutputTokens", "topK", "candidateCount", "seed", "logprobs"})
_KNOWN = frozenset(
    {*NUMBERS, "stopSequences", "responseLogprobs", "responseMimeType", "responseSchema", "responseJsonSchema", "thinkingConfig"}
)
_WHERE = "generationConfig"
_PLAIN_MODALITIES: tuple[list[str], ...] = (["TEXT"], ["text"], [])
LEVELS = {"minimal": "minimal", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
"""Effort words, and Gemini's thinking levels."""
MAX_STOPS = 5
_TIERS = {"default": "standard", "standard_only": "standard", "flex": "flex", "priority": "priority"}


def read_config(request: ChatRequest, fields: Fields) -> None:
    """Take `generationConfig` into `request`; raises BadRequest with the field's path."""
    config = fields.get(_WHERE)
    if config is None:
        return
    if not isinstance(config, dict):
        raise wrong(_WHERE, "a GenerationConfig")
    _read_sampling(request, config)
    _read_format(request, config)
    if "thinkingConfig" in config:
        request.reasoning = _read_thinking(request, config["thinkingConfig"])
    for key, value in config.items():
        if key == "responseModalities" and value in _PLAIN_MODALITIES:
            instead(request.source_form, f"{_WHERE}.{key}", value)  # words alone: nothing that others could not do
        elif key not in _KNOWN:
            request.extra[f"{_WHERE}.{key}"] = value
    if not config:
        note(request.source_form, _WHERE, "object")


def _read_sampling(request: ChatRequest, config: Fields) -> None:
    for said, name in NUMBERS.items():
        if said in config:
            setattr(request, name, _number(config[said], said))
    stop = config.get("stopSequences")
    if stop is not None:
        if not isinstance(stop, list) or not all(isinstance(text, str) for text in stop):
            raise wrong(f"{_WHERE}.stopSequences", "an array of strings")
        request.stop = stop
    if "responseLogprobs" in config:
        request.logprobs = bool(config["responseLogprobs"])


def _number(value: Json, name: str) -> Json:
    """A number; whole ones may come as 40.0, and as text, as Google's JSON writes int64."""
    if isinstance(value, str) and name in _WHOLE and INT64.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(f"{_WHERE}.{name}", "a number")
    if name in _WHOLE and abs(value) >= 2**63:
        raise wrong(f"{_WHERE}.{name}", "an integer of 64 bits")  # 1e300 is whole, and no JSON integer can hold it
    return int(value) if name in _WHOLE and value == int(value) else value


def _read_format(request: ChatRequest, config: Fields) -> None:
    mime = config.get("responseMimeType")
    said = next((key for key in ("responseJsonSchema", "responseSchema") if isinstance(config.get(key), dict)), None)
    if mime == "text/plain" and said is None:
        request.output = OutputFormat("text")
    elif mime == "application/json" and said is None:
        request.output = OutputFormat("json")
    elif said is not None and mime in ("application/json", None):
        _read_schema(request, config, said)
        if mime is None:
            request.source_form[f"{_WHERE}.responseMimeType|absent"] = ""
    elif mime is not None:
        request.extra[f"{_WHERE}.responseMimeType"] = mime
    for key in ("responseJsonSchema", "responseSchema"):
        if key in config and (key != said or request.output is None):
            request.extra[f"{_WHERE}.{key}"] = config[key]


def _read_schema(request: ChatRequest, config: Fields, said: str) -> None:
    if said == "responseSchema":
        renamed(request.source_form, _WHERE, "responseJsonSchema", said)
        schema = to_json_schema(config[said])
        if schema != config[said]:
            instead(request.source_form, f"{_WHERE}.responseJsonSchema", config[said])
    else:
        schema = config[said]
    request.output = OutputFormat("schema", schema)


def _read_thinking(request: ChatRequest, config: Json) -> Reasoning:
    where = f"{_WHERE}.thinkingConfig"
    if not isinstance(config, dict):
        raise wrong(where, "a ThinkingConfig")
    reasoning = Reasoning(
        extra={k: v for k, v in config.items() if k not in ("includeThoughts", "thinkingBudget", "thinkingLevel")}
    )
    if "includeThoughts" in config:
        reasoning.summary = "auto" if config["includeThoughts"] is True else None
        if reasoning.summary is None:
            instead(request.source_form, f"{where}.includeThoughts", config["includeThoughts"])
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    if isinstance(level, str):
        reasoning.effort = level.lower()
        if level != reasoning.effort:
            instead(request.source_form, f"{where}.thinkingLevel", level)
    elif level is not None:
        instead(request.source_form, f"{where}.thinkingLevel", level)
    if isinstance(budget, int) and not isinstance(budget, bool):
        reasoning.mode = "disabled" if budget == 0 else "adaptive" if budget < 0 else "enabled"
        reasoning.budget_tokens = budget if budget > 0 else None
        if budget < -1:
            instead(request.source_form, f"{where}.thinkingBudget", budget)
    elif budget is not None:
        instead(request.source_form, f"{where}.thinkingBudget", budget)
    return reasoning


def write_config(request: ChatRequest, own: bool, dropped: list[str]) -> Fields:
    """The whole `generationConfig`, empty where nothing was said."""
    config: Fields = {}
    for said, name in NUMBERS.items():
        if (value := getattr(request, name)) is not None:
            config[said] = value
    if request.stop is not None:
        config["stopSequences"] = request.stop if own else request.stop[:MAX_STOPS]
        if not own and len(request.stop) > MAX_STOPS:
            dropped.append("stop")
    if request.logprobs is not None and (own or request.logprobs):
        config["responseLogprobs"] = request.logprobs
    _write_format(config, request.output, own, dropped)
    if request.reasoning is not None:
        config["thinkingConfig"] = _own_thinking(request.reasoning) if own else _thinking(request.reasoning, dropped)
        if not own and not config["thinkingConfig"]:
            del config["thinkingConfig"]
    return config


def write_tier(request: ChatRequest, own: bool, dropped: list[str]) -> Fields:
    """`serviceTier`, where it was said and Gemini has it."""
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
    """A budget or a level, and the thoughts themselves: whoever asks for thinking can read it."""
    dropped += [f"reasoning.{name}" for name, value in reasoning.extra.items() if value is not None]
    if reasoning.mode == "disabled" or reasoning.effort == "none" or reasoning.budget_tokens == 0:
        return {"thinkingBudget": 0}
    if reasoning.budget_tokens is not None:
        return {"includeThoughts": True, "thinkingBudget": reasoning.budget_tokens}
    if reasoning.effort in LEVELS:
        return {"includeThoughts": True, "thinkingLevel": LEVELS[reasoning.effort]}
    if reasoning.effort is not None:
        dropped.append("reasoning.effort")
    if reasoning.mode is not None:
        return {"includeThoughts": True, "thinkingBudget": -1}
    return {"includeThoughts": True} if reasoning.summary is not None else {}
