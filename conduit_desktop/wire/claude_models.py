"""Which parameters a Claude model accepts, by its name; the same on Anthropic, Bedrock and Vertex AI."""

from __future__ import annotations

import re

from conduit_desktop.core.chat import Json

MIN_BUDGET = 1024
"""The smallest thinking budget in tokens. https://platform.claude.com/docs/en/build-with-claude/extended-thinking"""
EFFORT_BUDGETS = {"minimal": MIN_BUDGET, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 24_576, "max": 32_000}
"""Thinking budgets in tokens for OpenAI's efforts; the largest still allows an answer without streaming."""
DEFAULT_MAX_TOKENS = 8192
"""`max_tokens` where the caller sets none: the field is required, and every Claude since 3.5 can answer that much."""
LEAST_TOP_P_WHILE_THINKING = 0.95

# Claude 4.7 and later refuse sampling parameters and thinking budgets; this lists the generations before.
# https://platform.claude.com/docs/en/build-with-claude/extended-thinking
_TAKES_SAMPLING = re.compile(r"claude-(?:v?\d|instant|(?:opus|sonnet|haiku)-(?:3|4-[0-6](?!\d)|4-2\d{7}|4$|4@))")


def takes_sampling(model: str) -> bool:
    """Whether the model accepts temperature, top_p, top_k and a thinking budget; True for other models than Claude."""
    # An unknown Claude counts as a new one: a dropped parameter is reported, a refused one fails the call.
    return not model.startswith("claude") or _TAKES_SAMPLING.match(model) is not None


def drop_while_thinking(body: dict[str, Json], top_p: str = "top_p") -> list[str]:
    """Drop, in place, the sampling parameters that a Claude refuses while it thinks; returns the names of those dropped.

    It takes a temperature of 1 only, no top_k, and a top_p of at least 0.95. `top_p` is the field's name in `body`.
    https://platform.claude.com/docs/en/build-with-claude/extended-thinking
    """
    refused = {
        "temperature": body.get("temperature") not in (None, 1),
        top_p: body.get(top_p) is not None and body[top_p] < LEAST_TOP_P_WHILE_THINKING,
        "top_k": body.get("top_k") is not None,
    }
    dropped = [name for name, is_refused in refused.items() if is_refused]
    for name in dropped:
        del body[name]
    return dropped
