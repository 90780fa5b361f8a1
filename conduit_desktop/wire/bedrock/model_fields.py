"""Thinking and `top_k` in `additionalModelRequestFields`, which each family of models on Bedrock names differently.

Here stands what the request asks for; what a model takes of it the provider kind knows.
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
"""

from __future__ import annotations

from collections.abc import Callable

from conduit_desktop.core.chat import ChatRequest, Json, Reasoning
from conduit_desktop.wire.claude_fields import thinking_fields
from conduit_desktop.wire.values import disables_reasoning, effort_for_budget

Drop = Callable[..., None]


def model_fields(request: ChatRequest, model: str, drop: Drop) -> dict[str, Json]:
    """`additionalModelRequestFields` of a translated request; empty where it asks for none of them."""
    family = _family(model)
    reasoning = request.reasoning
    fields: dict[str, Json] = {}
    if request.top_k is not None and family == "claude":
        fields["top_k"] = request.top_k
    elif request.top_k is not None and family == "nova":
        # Nova has `topK` in an `inferenceConfig` of its own, apart from Converse's.
        fields["inferenceConfig"] = {"topK": request.top_k}
    elif request.top_k is not None:
        drop("top_k")
    if reasoning is None:
        return fields
    match family:
        case "claude":
            fields |= thinking_fields(reasoning, effort_alone=request.dialect == "anthropic_messages")
        case "nova" if disables_reasoning(reasoning):
            fields["reasoningConfig"] = {"type": "disabled"}
        case "nova":
            fields["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": _effort(reasoning)}
        case "gpt-oss":
            fields["reasoning_effort"] = "none" if disables_reasoning(reasoning) else _effort(reasoning)
        case _:
            drop("reasoning")
    return fields


def _family(model: str) -> str:
    """The family by the model's name. `eu.anthropic.claude-…` is Claude, as is an ARN that contains it."""
    # Not a prefix: inference profiles put a region before the name, and ARNs hold it in the middle.
    marks = (("anthropic.claude", "claude"), ("amazon.nova", "nova"), ("gpt-oss", "gpt-oss"))
    return next((family for mark, family in marks if mark in model), "")


def _effort(reasoning: Reasoning) -> str:
    if reasoning.effort is not None:
        return reasoning.effort
    return "medium" if reasoning.budget_tokens is None else effort_for_budget(reasoning.budget_tokens)
