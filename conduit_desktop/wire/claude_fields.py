"""How a request asks Claude to think, in Anthropic's Messages API and in Bedrock's `additionalModelRequestFields` alike."""

from __future__ import annotations

from conduit_desktop.core.chat import Json, Reasoning
from conduit_desktop.wire.values import disables_reasoning


def thinking_fields(reasoning: Reasoning, effort_alone: bool = False) -> dict[str, Json]:
    """`thinking` and `output_config` as the request asks for them: the budget in tokens that it names, or its word.

    Which of them a model takes depends on its generation; the provider kind fits them. `effort_alone`: an effort without a mode
    asks for no thinking, as in Anthropic's own API, where it is a field of its own.
    """
    if disables_reasoning(reasoning):
        return {"thinking": {"type": "disabled"}}
    fields: dict[str, Json] = {}
    if reasoning.budget_tokens is not None:
        fields["thinking"] = {"type": "enabled", "budget_tokens": reasoning.budget_tokens}
    elif not effort_alone or reasoning.mode is not None:
        fields["thinking"] = {"type": "adaptive"}
    if reasoning.summary is not None and "thinking" in fields:
        # From 4.7 on, thoughts come without text unless it is asked for: anthropics/claude-code#49268
        fields["thinking"]["display"] = "summarized"
    if reasoning.effort is not None:
        fields["output_config"] = {"effort": reasoning.effort}
    return fields
