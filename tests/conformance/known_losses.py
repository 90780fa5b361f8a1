"""The known losses of translation, by name, with the reason."""

from __future__ import annotations

from typing import Any

from tests.conformance.translated import TranslatedResult

UNKNOWN = "unexplained"


def name_of(result: TranslatedResult, field: str, recorded: Any, summary: Any) -> str:
    """The name of a difference; `unexplained` for one that is a bug."""
    upstream = result.recording.endpoint.dialect if result.recording.endpoint else ""
    match field:
        case "citations" if upstream == "anthropic_messages":
            return "citations without a URL (passages of the client's own documents): the other dialect has no such citation"
        case "finish" if recorded == "other" and upstream == "openai_responses":
            return "a background response has no finish reason yet: only Responses has such a status"
        case "finish" if recorded == "other" or summary == "other":
            return "finish reasons that the other dialect does not have"
        case "usage.cache_write" if result.caller == "gemini":
            return "tokens written to the cache: Gemini has no such count; they are in the total"
        case "usage.reasoning" if upstream == "openai_chat" and recorded == 0:
            return "reasoning tokens that the provider bills but does not report"
        case "media":
            return "images in answers: the other dialect has no such part"
        case "choices":
            return "further choices: the other dialect has one"
        case _:
            return UNKNOWN
