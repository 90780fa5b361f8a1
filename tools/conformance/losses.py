"""Every loss that is known, by name: what a crossing cannot keep, and why."""

from __future__ import annotations

from typing import Any

from tools.conformance.translated import Crossing

UNKNOWN = "unexplained"


def name_of(scenario: Crossing, field: str, recorded: Any, seen: Any) -> str:
    """The name of a difference; `unexplained` for one that should not be."""
    upstream = scenario.recording.place.dialect if scenario.recording.place else ""
    match field:
        case "citations" if upstream == "anthropic_messages":
            return "sources without an address (passages of the caller's own documents) cannot be said"
        case "finish" if recorded == "other" and upstream == "openai_responses":
            return "a response made in the background has no end yet, which only Responses can say"
        case "finish" if recorded == "other" or seen == "other":
            return "reasons to stop that the other dialect has no word for"
        case "usage.cache_write" if scenario.caller == "gemini":
            return "tokens written to the cache: Gemini has no such count; they are in the total"
        case "usage.reasoning" if upstream == "openai_chat" and recorded == 0:
            return "thought that is counted but not named"
        case "media":
            return "pictures in answers have no place in the other dialect"
        case "choices":
            return "further choices: the other dialect has one"
        case _:
            return UNKNOWN
