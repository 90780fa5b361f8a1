"""Thinking and `top_k` in `additionalModelRequestFields`, which each family of models on Bedrock names differently.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
"""

from __future__ import annotations

from collections.abc import Callable

from conduit_desktop.core.chat import ChatRequest, Json, Reasoning
from conduit_desktop.wire.claude_models import (
    DEFAULT_MAX_TOKENS,
    EFFORT_BUDGETS,
    MIN_BUDGET,
    drop_while_thinking,
    takes_sampling,
)
from conduit_desktop.wire.values import disables_reasoning, effort_for_budget

Drop = Callable[..., None]
_OPENAI_NAMES = {"topP": "top_p"}

_THREE_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
"""OpenAI's efforts in those of Nova 2 and gpt-oss."""


def write_model_fields(body: dict[str, Json], request: ChatRequest, model: str, drop: Drop) -> None:
    """Add `additionalModelRequestFields` to a translated request, and drop what the model refuses along with them."""
    family, name = _family(model)
    fields: dict[str, Json] = {}
    if family == "claude":
        _claude(body, fields, request, name, drop)
    elif family == "nova":
        _nova(fields, request, name, drop)
    else:
        if request.top_k is not None:
            drop("top_k")
        # gpt-oss has three efforts and cannot be kept from reasoning, so `none` is dropped.
        if request.reasoning is not None and family == "gpt-oss" and request.reasoning.effort != "none":
            fields["reasoning_effort"] = _THREE_EFFORTS[_effort(request.reasoning)]
        elif request.reasoning is not None:
            drop("reasoning")
    if fields:
        body["additionalModelRequestFields"] = fields


def _family(model: str) -> tuple[str, str]:
    """The family, and the name at its vendor. `eu.anthropic.claude-…` is Claude, as is an ARN that contains it."""
    for mark, family in (("anthropic.claude", "claude"), ("amazon.nova", "nova"), ("gpt-oss", "gpt-oss")):
        # Not a prefix: inference profiles put a region before the name, and ARNs hold it in the middle.
        at = model.find(mark)
        if at >= 0:
            return family, model[at:].partition(".")[2]
    return "", model


def _effort(reasoning: Reasoning) -> str:
    if reasoning.effort in EFFORT_BUDGETS:
        return str(reasoning.effort)
    budget = reasoning.budget_tokens
    return "medium" if budget is None else effort_for_budget(budget)


def _claude(body: dict[str, Json], fields: dict[str, Json], request: ChatRequest, name: str, drop: Drop) -> None:
    config = body.setdefault("inferenceConfig", {})
    reasoning = request.reasoning
    if request.top_k is not None:
        fields["top_k"] = request.top_k
    thinks = reasoning is not None and not disables_reasoning(reasoning) and not _in_tool_loop_without_thinking(body["messages"])
    if reasoning is not None and not disables_reasoning(reasoning) and not thinks:
        drop("reasoning")
    if thinks and reasoning is not None:
        _claude_thinks(config, fields, reasoning, name, request.max_tokens)
        # A forced tool excludes thinking.
        # https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html
        _allow_text(body, drop)
    # After thinking is written, because what is refused depends on whether the model thinks.
    if not takes_sampling(name):
        _drop(config, fields, ("temperature", "topP", "top_k"), drop)
    elif thinks:
        drop(*(_OPENAI_NAMES.get(each, each) for part in (fields, config) for each in drop_while_thinking(part, "topP")))
    elif "temperature" in config and "topP" in config:
        _drop(config, fields, ("topP",), drop)  # see providers/anthropic.py
    # Claude's range ends at 1, OpenAI's at 2.
    if (config.get("temperature") or 0) > 1:
        config["temperature"] = 1.0
        drop("temperature>1")
    if not config:
        del body["inferenceConfig"]


def _claude_thinks(config: dict[str, Json], fields: dict[str, Json], reasoning: Reasoning, name: str, limit: int | None) -> None:
    # Models that refuse sampling parameters get no budget either, so one is turned into an effort.
    if reasoning.mode == "adaptive" or not takes_sampling(name):
        fields["thinking"] = {"type": "adaptive"}
        if reasoning.effort is not None or reasoning.budget_tokens is not None:
            # `minimal` is OpenAI's word; Claude's efforts begin at `low`.
            effort = _effort(reasoning)
            fields["output_config"] = {"effort": "low" if effort == "minimal" else effort}
        return
    # Budgets below the minimum are refused.
    budget = max(reasoning.budget_tokens or EFFORT_BUDGETS[_effort(reasoning)], MIN_BUDGET)
    fields["thinking"] = {"type": "enabled", "budget_tokens": budget}
    if limit is None or limit <= budget:  # the budget counts against the limit, and must be less
        config["maxTokens"] = (limit or DEFAULT_MAX_TOKENS) + budget


def _in_tool_loop_without_thinking(messages: list[Json]) -> bool:
    """Whether the conversation ends with the result of a tool call without a thought before it: thinking is refused then."""
    if len(messages) < 2 or not any("toolResult" in block for block in messages[-1]["content"]):
        return False
    return "reasoningContent" not in messages[-2]["content"][0]


def _allow_text(body: dict[str, Json], drop: Drop) -> None:
    choice = body.get("toolConfig", {}).get("toolChoice", {})
    if "any" in choice or "tool" in choice:
        drop("tool_choice")
        body["toolConfig"]["toolChoice"] = {"auto": {}}


def _drop(config: dict[str, Json], fields: dict[str, Json], names: tuple[str, ...], drop: Drop) -> None:
    for name in names:
        if config.pop(name, None) is not None or fields.pop(name, None) is not None:
            drop(_OPENAI_NAMES.get(name, name))


def _nova(fields: dict[str, Json], request: ChatRequest, name: str, drop: Drop) -> None:
    if request.top_k is not None:
        # Nova has `topK` in an `inferenceConfig` of its own, apart from Converse's.
        fields["inferenceConfig"] = {"topK": request.top_k}
    reasoning = request.reasoning
    if reasoning is None:
        return
    # The first Nova generation does not reason.
    if not name.startswith("nova-2"):
        drop("reasoning")
    elif disables_reasoning(reasoning):
        fields["reasoningConfig"] = {"type": "disabled"}
    else:
        fields["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": _THREE_EFFORTS[_effort(reasoning)]}
