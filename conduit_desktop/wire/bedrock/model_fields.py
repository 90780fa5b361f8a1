"""What Bedrock's models take beside Converse's own fields: thinking and `top_k`, each family in its own words."""

from __future__ import annotations

from collections.abc import Callable

from conduit_desktop.core.chat import ChatRequest, Json, Reasoning
from conduit_desktop.wire.claude_models import takes_sampling

Drop = Callable[..., None]

MIN_BUDGET = 1024
_BUDGETS = {"minimal": MIN_BUDGET, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 24_576, "max": 32_000}
"""A Claude's thinking tokens for an effort word."""
_EFFORTS = ((4096, "low"), (16_384, "medium"))
"""Thinking budgets, at most, and the effort that comes nearest; above them `high`."""
_NOVA_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
_DEFAULT_MAX_TOKENS = 8192


def write_model_fields(body: dict[str, Json], request: ChatRequest, model: str, drop: Drop) -> None:
    """Add `additionalModelRequestFields` for a foreign request, and mend what the model would refuse beside them."""
    family, name = _family(model)
    fields: dict[str, Json] = {}
    if family == "claude":
        _claude(body, fields, request, name, drop)
    elif family == "nova":
        _nova(fields, request, name, drop)
    else:
        if request.top_k is not None:
            drop("top_k")
        if request.reasoning is not None and family == "gpt-oss" and request.reasoning.effort != "none":
            fields["reasoning_effort"] = _NOVA_EFFORTS[_effort(request.reasoning)]
        elif request.reasoning is not None:
            drop("reasoning")
    if fields:
        body["additionalModelRequestFields"] = fields


def _family(model: str) -> tuple[str, str]:
    """The family, and the vendor's own name: `eu.anthropic.claude-…` is a Claude, as is an ARN that names one."""
    for mark, family in (("anthropic.claude", "claude"), ("amazon.nova", "nova"), ("gpt-oss", "gpt-oss")):
        at = model.find(mark)
        if at >= 0:
            return family, model[at:].partition(".")[2]
    return "", model


def _off(reasoning: Reasoning) -> bool:
    return reasoning.mode == "disabled" or reasoning.effort == "none" or reasoning.budget_tokens == 0


def _effort(reasoning: Reasoning) -> str:
    if reasoning.effort in _BUDGETS:
        return str(reasoning.effort)
    budget = reasoning.budget_tokens
    return "medium" if budget is None else next((word for limit, word in _EFFORTS if budget <= limit), "high")


def _claude(body: dict[str, Json], fields: dict[str, Json], request: ChatRequest, name: str, drop: Drop) -> None:
    config = body.setdefault("inferenceConfig", {})
    reasoning = request.reasoning
    if request.top_k is not None:
        fields["top_k"] = request.top_k
    thinks = reasoning is not None and not _off(reasoning) and not _in_thoughtless_loop(body["messages"])
    if reasoning is not None and not _off(reasoning) and not thinks:
        drop("reasoning")
    if thinks and reasoning is not None:
        _claude_thinks(config, fields, reasoning, name, request.max_tokens)
        _unforce(body, drop)
    if not takes_sampling(name):
        _take(config, fields, ("temperature", "topP", "top_k"), drop)
    elif thinks:
        low = (config.get("topP") or 1) < 0.95
        cold = config.get("temperature") not in (None, 1)
        _take(config, fields, ("top_k", *(["topP"] if low else []), *(["temperature"] if cold else [])), drop)
    elif "temperature" in config and "topP" in config:
        _take(config, fields, ("topP",), drop)  # from Opus 4.1 on, one of the two
    if (config.get("temperature") or 0) > 1:
        config["temperature"] = 1.0
        drop("temperature>1")
    if not config:
        del body["inferenceConfig"]


def _claude_thinks(config: dict[str, Json], fields: dict[str, Json], reasoning: Reasoning, name: str, limit: int | None) -> None:
    if reasoning.mode == "adaptive" or not takes_sampling(name):
        fields["thinking"] = {"type": "adaptive"}
        if reasoning.effort is not None or reasoning.budget_tokens is not None:
            effort = _effort(reasoning)
            fields["output_config"] = {"effort": "low" if effort == "minimal" else effort}
        return
    budget = max(reasoning.budget_tokens or _BUDGETS[_effort(reasoning)], MIN_BUDGET)
    fields["thinking"] = {"type": "enabled", "budget_tokens": budget}
    if limit is None or limit <= budget:  # the budget counts against the limit, and must be less
        config["maxTokens"] = (limit or _DEFAULT_MAX_TOKENS) + budget


def _in_thoughtless_loop(messages: list[Json]) -> bool:
    """Whether the model is being answered a call that it made without a thought: thinking is refused then."""
    if len(messages) < 2 or not any("toolResult" in block for block in messages[-1]["content"]):
        return False
    return "reasoningContent" not in messages[-2]["content"][0]


def _unforce(body: dict[str, Json], drop: Drop) -> None:
    choice = body.get("toolConfig", {}).get("toolChoice", {})
    if "any" in choice or "tool" in choice:
        drop("tool_choice")
        body["toolConfig"]["toolChoice"] = {"auto": {}}


def _take(config: dict[str, Json], fields: dict[str, Json], names: tuple[str, ...], drop: Drop) -> None:
    for name in names:
        if config.pop(name, None) is not None or fields.pop(name, None) is not None:
            drop("top_p" if name == "topP" else name)


def _nova(fields: dict[str, Json], request: ChatRequest, name: str, drop: Drop) -> None:
    if request.top_k is not None:
        fields["inferenceConfig"] = {"topK": request.top_k}
    reasoning = request.reasoning
    if reasoning is None:
        return
    if not name.startswith("nova-2"):
        drop("reasoning")
    elif _off(reasoning):
        fields["reasoningConfig"] = {"type": "disabled"}
    else:
        fields["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": _NOVA_EFFORTS[_effort(reasoning)]}
