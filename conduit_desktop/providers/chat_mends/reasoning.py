"""Mends of reasoning efforts, and of the sampling that they exclude, in a body of OpenAI's chat dialect."""

from __future__ import annotations

from collections.abc import Mapping

from conduit_desktop.core.chat import Json
from conduit_desktop.providers.model_facts import ModelFacts, fitted_effort
from conduit_desktop.providers.request_rules import Body, Mend
from conduit_desktop.providers.thinking_switch import ThinkingSwitch

_SAMPLING_DEFAULTS: dict[str, Json] = {"temperature": 1, "top_p": 1, "logprobs": False, "top_logprobs": 0, "logit_bias": {}}
_PENALTY_DEFAULTS: dict[str, Json] = {"presence_penalty": 0, "frequency_penalty": 0}


def fit_effort(body: Body, facts: ModelFacts) -> list[str]:
    """The effort of a request becomes the nearest one that the model takes."""
    nested = isinstance(body.get("reasoning"), dict)
    holder = dict(body["reasoning"]) if nested else body
    name = "effort" if nested else "reasoning_effort"
    effort = holder.get(name)
    if not isinstance(effort, str) or facts.efforts is None:
        return []
    fitted = fitted_effort(effort, facts.efforts)
    if fitted is None:
        del holder[name]
    else:
        holder[name] = fitted
    if nested:
        body["reasoning"] = holder
        if not holder:
            del body["reasoning"]
    # A model that cannot reason already does what `none` asks for; one that always reasons does not.
    return ["reasoning_effort"] if (fitted is None) == (effort != "none") and fitted != effort else []


def effort_of(body: dict[str, Json]) -> str | None:
    """The effort that a body asks for, in either of OpenAI's dialects."""
    reasoning = body.get("reasoning")
    found = reasoning.get("effort") if isinstance(reasoning, dict) else body.get("reasoning_effort")
    return found if isinstance(found, str) else None


def thinks(body: dict[str, Json], facts: ModelFacts) -> bool:
    """Whether the model will think about this request, as far as is known."""
    effort = effort_of(body)
    return bool(facts.thinks) if effort is None else effort != "none"


def fit_sampling(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Leaves out what a reasoning model refuses, always or while it thinks; a default value is no loss."""
    thinking = thinks(body, facts)
    refused = dict(_PENALTY_DEFAULTS) if facts.penalties is False else {}
    if facts.sampling == "refused" or (facts.sampling == "not_while_thinking" and thinking):
        refused |= _SAMPLING_DEFAULTS | {"stop": []}
    lost = [name for name, default in refused.items() if body.get(name) not in (None, default)]
    for name in refused:
        body.pop(name, None)
    return lost


def effort_or_budget(body: Body, facts: ModelFacts) -> list[str]:
    """Of an effort and a budget in tokens the effort is kept."""
    reasoning = body.get("reasoning")
    if not isinstance(reasoning, dict) or reasoning.get("effort") is None or reasoning.get("max_tokens") is None:
        return []
    body["reasoning"] = {name: value for name, value in reasoning.items() if name != "max_tokens"}
    return ["reasoning.max_tokens"]


def while_thinking(switch: ThinkingSwitch, mend: Mend) -> Mend:
    """The mend, unless thinking is switched off."""

    def conditional(body: Body, facts: ModelFacts) -> list[str]:
        return [] if switch.is_off(body) else mend(body, facts)

    return conditional


def one_switch(switch: ThinkingSwitch) -> Mend:
    """Of an effort and the vendor's own switch the effort is kept: models that take one refuse the other."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        if body.get("reasoning_effort") is None:
            return []
        off = switch.is_off(body)
        for name in switch.on:
            body.pop(name, None)
        return list(switch.on) if off else []

    return mend


def parsed_reasoning(body: Body, facts: ModelFacts) -> list[str]:
    """Reasoning in the text excludes JSON mode and tools; in a field of its own it does not."""
    if body.get("reasoning_format") == "raw" and (body.get("tools") or body.get("response_format")):
        body["reasoning_format"] = "parsed"
    return []


def flat_effort(body: Body) -> list[str]:
    """The effort of the object `reasoning` in a field of its own, in place; returns the names of what is lost with the object."""
    reasoning = body.pop("reasoning", None)
    if not isinstance(reasoning, dict):
        return []
    effort = "none" if reasoning.get("enabled") is False else reasoning.get("effort")
    if effort is not None:
        body.setdefault("reasoning_effort", effort)
    return [f"reasoning.{name}" for name, value in reasoning.items() if name not in ("effort", "enabled") and value is not None]


def named_thinking(names: Mapping[str, str]) -> Mend:
    """The vendor's word for a type of thinking."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        thinking = body.get("thinking")
        if isinstance(thinking, dict) and thinking.get("type") in names:
            body["thinking"] = {**thinking, "type": names[thinking["type"]]}
        return []

    return mend
