"""What a client sees of an answer, whatever its dialect: the measure by which two answers are compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

Fields = dict[str, Any]


@dataclass(slots=True)
class Seen:
    """An answer's first choice. `usage` holds `input`, `cache_read`, `cache_write`, `output` and `reasoning`, where said."""

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
        """The model's own words for not answering: a refusal, whatever the vendor calls the end."""
        self.text += text
        self.refusal = True

    def ended(self, reason: str | None, words: dict[str, str]) -> None:
        """How the answer ended, in our word for the dialect's."""
        if reason is not None:
            self.finish = words.get(reason, "other")

    @property
    def end(self) -> str:
        """How it ended, as it is told: some vendors end a refusal with `stop`, others with a word of its own."""
        return "filtered" if self.refusal and self.finish == "stop" else self.finish

    def counted(self, input: int, cache_read: int, cache_write: int, output: int, reasoning: int) -> None:
        """Tokens; `input` and `output` are totals that include the others."""
        self.usage = {
            "input": input, "cache_read": cache_read, "cache_write": cache_write, "output": output, "reasoning": reasoning,
        }  # fmt: skip


def parsed(arguments: Any) -> Any:
    """Arguments as a value; text that is no JSON stays text, and no arguments are an empty object."""
    if not isinstance(arguments, str):
        return arguments if arguments is not None else {}
    if not arguments.strip():
        return {}
    try:
        return orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments


def differences(recorded: Seen, seen: Seen) -> dict[str, tuple[Any, Any]]:
    """The fields in which two answers differ: what was recorded, and what arrived."""
    if recorded.status != seen.status:
        return {"status": (recorded.status, f"{seen.status} {seen.error}")}
    if "error" in (recorded.finish, seen.finish):
        # A stream that ends in an error is no answer: only that it is told counts.
        return {} if recorded.finish == seen.finish else {"finish": (recorded.finish, seen.finish)}
    found: dict[str, tuple[Any, Any]] = {}
    if recorded.end and recorded.end != seen.end:
        found["finish"] = (recorded.end, seen.end)
    for name in ("text", "thinking", "calls", "media", "choices"):
        one, other = getattr(recorded, name), getattr(seen, name)
        if name in ("text", "thinking"):
            # Thoughts come in parts; what stands between them is the dialect's own.
            one, other = (one.strip(), other.strip()) if name == "text" else ("".join(one.split()), "".join(other.split()))
        if one != other:
            found[name] = (one, other)
    if recorded.citations != seen.citations:
        found["citations"] = (sorted(recorded.citations), sorted(seen.citations))
    for name in recorded.usage.keys() | seen.usage.keys():
        if recorded.usage and recorded.usage.get(name, 0) != seen.usage.get(name, 0):
            found[f"usage.{name}"] = (recorded.usage.get(name, 0), seen.usage.get(name, 0))
    return found


def number(value: Any) -> int:
    """A count, 0 where none was said."""
    return int(value) if isinstance(value, (int, float)) else 0
