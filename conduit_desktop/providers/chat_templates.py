"""What the chat templates of open models demand of a conversation: the same at every server that applies the model's template.

A template raises an error for a conversation that it does not expect, and the server answers 400 or 500.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from conduit_desktop.wire.tool_names import MISTRAL_ID
from conduit_desktop.wire.turn_rules import TurnRules


@dataclass(frozen=True, slots=True)
class Template:
    """The demands of one family of models. `pattern` is found anywhere in the model's name; `demands`: fields of TurnRules."""

    pattern: str
    demands: Mapping[str, Any]
    source: str


TEMPLATES: tuple[Template, ...] = (
    Template(
        r"(?:mi[sx]tr|ministr|magistr|devstr|codestr|pixtr|voxtr)al",
        {
            "system": "leading", "alternate": True, "user_after_results": False, "ids": MISTRAL_ID,
        },
        "https://github.com/mistralai/mistral-common/blob/main/src/mistral_common/protocol/instruct/validator.py; the templates: "
        '"conversation roles must alternate user and assistant roles except for tool calls and results"',
    ),
    Template(
        r"qwen-?3\.[5-9]|qwen-?[4-9]|ornith",
        {"system": "first"},
        'chat_template.jinja of Qwen/Qwen3.5-9B: "System message must be at the beginning."',
    ),
    Template(
        r"gemma",
        {"system": "first", "alternate": True},
        'chat_template.jinja of google/gemma-3-27b-it: "Conversation roles must alternate user/assistant/user/assistant/..."',
    ),
)  # fmt: skip


@lru_cache(maxsize=4096)
def with_template(rules: TurnRules, model: str) -> TurnRules:
    """`rules`, and what the template of `model` demands besides; the same object where it is not known to demand anything."""
    for template in TEMPLATES:
        if re.search(template.pattern, model.lower()):
            return replace(rules, **template.demands, in_passthrough=True)
    return rules
