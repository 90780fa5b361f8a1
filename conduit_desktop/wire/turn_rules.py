"""What a target demands of the order of a conversation: one set of rules for each vendor that owns a dialect."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from conduit_desktop.wire.tool_names import (
    ANTHROPIC_ID,
    ANY_ID,
    BEDROCK_ID,
    CHAT_ID,
    GEMINI_NAME,
    LONG_NAME,
    OPENAI_NAME,
    RESPONSES_ID,
    Fitting,
)


@dataclass(frozen=True, slots=True)
class TurnRules:
    """What a target demands of a conversation.

    `system`: where system messages may stand: anywhere, several at the beginning, a single one there, or none at all.
    `late_system`: what becomes of the others: a user's text in their place, or a part of the instructions at the beginning.
    """

    system: Literal["anywhere", "leading", "first", "none"] = "anywhere"
    late_system: Literal["user", "hoisted"] = "user"
    alternate: bool = False
    """No two turns of one role, and the user begins."""
    speakers: bool = False
    """Messages have the name of their speaker: turns under different names stay apart."""
    needs_user: bool = False
    """A conversation of system messages only is refused."""
    results_in_user_turn: bool = False
    """Results are parts of a user turn, at its beginning; otherwise messages of their own."""
    result_media: bool = True
    """Results may hold images and files."""
    user_after_results: bool = True
    """A user turn may follow directly on results."""
    assistant_last: bool = True
    """The last message may be the assistant's: an answer to be continued."""
    empty_messages: bool = True
    """A message may be empty, where the dialect allows it; in a translated request none is."""
    blank_texts: bool = True
    """A text may be white space alone."""
    names: Fitting = OPENAI_NAME
    ids: Fitting = CHAT_ID
    in_passthrough: bool = False
    """Whether the rules go beyond those of the vendor whose dialect it is: then passthrough keeps them too."""


CHAT_TURNS = TurnRules(speakers=True, result_media=False)
"""OpenAI's chat format. Its tool messages hold text only. https://platform.openai.com/docs/api-reference/chat"""


BY_DIALECT = {
    "openai_chat": CHAT_TURNS,
    "sagemaker": CHAT_TURNS,
    "openai_completions": CHAT_TURNS,
    "openai_responses": TurnRules(names=LONG_NAME, ids=RESPONSES_ID),
    "anthropic_messages": TurnRules(
        "first", "hoisted", alternate=True, needs_user=True, results_in_user_turn=True, blank_texts=False, names=LONG_NAME,
        ids=ANTHROPIC_ID,
    ),
    "bedrock": TurnRules(
        "first", "hoisted", alternate=True, needs_user=True, results_in_user_turn=True, blank_texts=False, ids=BEDROCK_ID
    ),
    "gemini": TurnRules(
        "first", "hoisted", alternate=True, needs_user=True, results_in_user_turn=True, names=GEMINI_NAME, ids=ANY_ID
    ),
    "cohere": TurnRules(ids=ANY_ID),
    "ollama": TurnRules("first", ids=ANY_ID),
}  # fmt: skip
"""The rules of the vendor that owns the dialect; those of other vendors are on their provider kinds."""


BORROWED_MESSAGES = replace(BY_DIALECT["anthropic_messages"], late_system="user", in_passthrough=True)
"""Other vendors with Anthropic's API do not know its role `system` in the middle of a conversation, which Claude Code sends.

https://github.com/QwenLM/Qwen/issues/2244; a user's text keeps its place, and with it the prompt cache of what is before it.
"""


_UNKNOWN = TurnRules(ids=ANY_ID)


def rules_of(dialect: str) -> TurnRules:
    """The rules of the vendor that owns `dialect`; few where none are known."""
    return BY_DIALECT.get(dialect, _UNKNOWN)
