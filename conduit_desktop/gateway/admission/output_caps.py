"""The most output tokens that a request allows, by the fields of its dialect."""

from __future__ import annotations

import math

from conduit_desktop.core.chat import Json

UNBOUNDED = 2**31
"""More tokens than any model generates: the maximum of a request that sets none."""
_Paths = tuple[tuple[str, ...], ...]


def _paths(*paths: str) -> _Paths:
    return tuple(tuple(path.split(".")) for path in paths)


_CAPS: dict[str, tuple[_Paths, _Paths]] = {
    "openai_chat": (_paths("max_completion_tokens", "max_tokens"), _paths("n")),
    "openrouter_chat": (_paths("max_completion_tokens", "max_tokens"), _paths("n")),
    "openai_completions": (_paths("max_tokens"), _paths("n", "best_of")),
    "openai_responses": (_paths("max_output_tokens"), ()),
    "anthropic_messages": (_paths("max_tokens"), ()),
    "gemini": (
        _paths("generationConfig.maxOutputTokens", "generationConfig.max_output_tokens", "generation_config.maxOutputTokens",
               "generation_config.max_output_tokens"),
        _paths("generationConfig.candidateCount", "generationConfig.candidate_count", "generation_config.candidate_count"),
    ),
    "bedrock": (_paths("inferenceConfig.maxTokens"), ()),
    "cohere": (_paths("max_tokens"), ()),
    "ollama": (_paths("options.num_predict"), ()),
    "ollama_generate": (_paths("options.num_predict"), ()),
}  # fmt: skip
"""The fields for the maximum of output tokens and for the number of answers, by dialect."""
_NO_CAPS: tuple[_Paths, _Paths] = ((), ())
_MOST_CHOICES = 10**6


def output_cap(body: dict[str, Json], dialect: str, answers: int = 0) -> int | None:
    """The most output tokens that a request in `dialect` allows over all its answers; None where it sets no limit.

    `answers` are its `choices`, where they are known. Fields of other dialects count for nothing: the target does not read
    them. Of two names for one limit the higher counts, as servers differ in which they read.
    """
    found = 0
    for path in _CAPS.get(dialect, _NO_CAPS)[0]:
        if path[0] in body and (cap := _cap(_at(body, path), dialect)) > found:
            found = cap
    return found * (answers or choices(body, dialect)) if found else None


def choices(body: dict[str, Json], dialect: str) -> int:
    """How many answers the request asks for at once, each as long as the limit."""
    asked = 1
    for path in _CAPS.get(dialect, _NO_CAPS)[1]:
        if path[0] in body and (count := min(_count(_at(body, path)), _MOST_CHOICES)) > asked:
            asked = count
    return asked


def max_output_tokens(body: dict[str, Json], dialect: str = "openai_chat", answers: int = 0) -> int:
    """The most output tokens that a request in `dialect` allows; UNBOUNDED where it sets no limit.

    `answers` are its `choices`, where they are known.
    """
    cap = output_cap(body, dialect, answers)
    return UNBOUNDED if cap is None else cap


def _at(body: Json, path: tuple[str, ...]) -> Json:
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _cap(value: Json, dialect: str) -> int:
    """A limit that every server reads: a whole number. In another spelling some take it for none; Google's JSON has texts."""
    if type(value) is int:
        return value if 0 < value < 2**53 else 0
    return _count(value) if type(value) is str and dialect == "gemini" else 0


def _count(value: Json) -> int:
    """A count in any spelling that a vendor may take: 100, 100.0, "100"; 0 for anything else. `True` is no number."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 16:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 2**53:
        return 0
    return math.ceil(value)
