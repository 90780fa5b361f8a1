"""What a Claude's name tells of the parameters it takes, whoever serves it."""

from __future__ import annotations

import re

# Opus 4.7 was the first to refuse sampling parameters and thinking budgets; older generations are numbered in full.
_OLDER = re.compile(r"claude-(?:v?\d|instant|(?:opus|sonnet|haiku)-(?:3|4-[0-6](?!\d)|4-2\d{7}|4$|4@))")


def takes_sampling(model: str) -> bool:
    """Whether the model takes temperature, top_p, top_k and a thinking budget; True for what is no Claude."""
    return not model.startswith("claude") or _OLDER.match(model) is not None
