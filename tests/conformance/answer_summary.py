"""The content of an answer in no particular dialect, to compare two answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

Fields = dict[str, Any]


@dataclass(slots=True)
class AnswerSummary:
    """An answer's first choice. `usage` holds `input`, `cache_read`, `cache_write`, `output` and `reasoning`."""

    text: str = ""
    thinking: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    finish: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    citations: set[str] = field(default_factory=set)
    media: int = 0
    choices: int = 1
    refusal: bool = False
    status: int = 200
    error: str = ""

    def call(self, name: str, arguments: Any) -> None:
        """A tool call; its arguments are parsed where they are JSON."""
        self.calls.append((name, parsed(arguments)))

    def refused(self, text: str) -> None:
        """Add the text of a refusal."""
        self.text += text
        self.refusal = True

    def ended(self, reason: str | None, names: dict[str, str]) -> None:
        """Set the finish reason, translated by `names`; `other` for one that is not in it."""
        if reason is not None:
            self.finish = names.get(reason, "other")

    @property
    def end(self) -> str:
        """The finish reason to compare: some vendors end a refusal with `stop`, others with a separate reason."""
        return "filtered" if self.refusal and self.finish == "stop" else self.finish

    def counted(self, input: int, cache_read: int, cache_write: int, output: int, reasoning: int) -> None:
        """Tokens; `input` and `output` are totals that include the others."""
        self.usage = {
            "input": input, "cache_read": cache_read, "cache_write": cache_write, "output": output, "reasoning": reasoning,
        }  # fmt: skip


def parsed(arguments: Any) -> Any:
    """Arguments as a value; text that is not JSON stays text, and missing arguments are an empty object."""
    if not isinstance(arguments, str):
        return arguments if arguments is not None else {}
    if not arguments.strip():
        return {}
    try:
        return orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments


def differences(recorded: AnswerSummary, summary: AnswerSummary) -> dict[str, tuple[Any, Any]]:
    """The fields in which two answers differ: what was recorded, and what arrived."""
    if recorded.status != summary.status:
        return {"status": (recorded.status, f"{summary.status} {summary.error}")}
    if "error" in (recorded.finish, summary.finish):
        # After an error event only the fact of the error is compared.
        return {} if recorded.finish == summary.finish else {"finish": (recorded.finish, summary.finish)}
    found: dict[str, tuple[Any, Any]] = {}
    if recorded.end and recorded.end != summary.end:
        found["finish"] = (recorded.end, summary.end)
    for name in ("text", "thinking", "calls", "media", "choices"):
        one, other = getattr(recorded, name), getattr(summary, name)
        if name in ("text", "thinking"):
            # Thinking comes in parts, and dialects join the parts with different white space.
            one, other = (one.strip(), other.strip()) if name == "text" else ("".join(one.split()), "".join(other.split()))
        if one != other:
            found[name] = (one, other)
    if recorded.citations != summary.citations:
        found["citations"] = (sorted(recorded.citations), sorted(summary.citations))
    for name in recorded.usage.keys() | summary.usage.keys():
        if recorded.usage and recorded.usage.get(name, 0) != summary.usage.get(name, 0):
            found[f"usage.{name}"] = (recorded.usage.get(name, 0), summary.usage.get(name, 0))
    return found


def number(value: Any) -> int:
    """A count; 0 where it is missing."""
    return int(value) if isinstance(value, (int, float)) else 0
