"""Scripts of the fake vendor: one declarative step per call, with every fault that real providers have shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Tokens:
    """The usage that the vendor reports. The classes are disjoint, except that `reasoning` is a part of `output`."""

    input: int = 20
    cache_read: int = 0
    cache_write: int = 0
    output: int = 7
    reasoning: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How one call is answered. The default is an immediate success.

    "After n" counts content frames of a stream (a non-streamed answer is cut or stalls in the middle of its body for any n).
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | bytes | Mapping[str, Any] | None = None
    """Replaces the answer, or the error body for `status`."""
    content_type: str | None = None
    message: str = "scripted failure"
    error_type: str | None = None
    """The type in the error body; also OpenAI's `code`."""

    reset: bool = False
    """TCP reset before any byte."""
    hang: bool = False
    """Accept the call and never answer."""
    delay_s: float = 0.0
    """Seconds before the headers."""
    think_s: float = 0.0
    """Seconds between a stream's headers and its first frame; before a non-streamed answer."""
    frame_s: float = 0.0
    """Seconds before each further frame."""
    split_bytes: int = 0
    """Write the stream in pieces of this many bytes."""

    cut_after: int | None = None
    stall_after: int | None = None
    malformed_after: int | None = None
    error_after: int | None = None
    """Send the dialect's in-stream error event, then end."""
    no_end: bool = False
    """All content, then a clean end of the connection without the terminal event, or without a chunked body's last chunk."""

    text: str | None = None
    """The answer's text instead of the echo; each word is a frame."""
    thinking: str = ""
    tools: int = 1
    """How many of the offered tools to call at once; 0 for none."""
    calls: Mapping[str, Mapping[str, Any]] | None = None
    """Call the first of these tools that the request offers, with these arguments; none where it offers none of them."""
    tokens: Tokens | None = Tokens()
    """None: usage is not reported."""


class Script:
    """Steps in order; after the last one it is repeated, or with `cycle` all of them."""

    def __init__(self, steps: Sequence[Step], cycle: bool = False) -> None:
        if not steps:
            raise ValueError("a script needs a step")
        self._steps = tuple(steps)
        self._cycle = cycle
        self._next = 0

    def take(self) -> Step:
        """The step for the next call."""
        at = self._next % len(self._steps) if self._cycle else min(self._next, len(self._steps) - 1)
        self._next += 1
        return self._steps[at]


class Scripts:
    """Selects the script of a call: that of its credential, else of its model, else the default."""

    def __init__(self) -> None:
        self._by_key: dict[str, Script] = {}
        self._by_model: dict[str, Script] = {}
        self._all = Script([Step()])

    def set(self, script: Script, model: str | None = None, key: str | None = None) -> None:
        """Use `script` from the next call on."""
        if key is not None:
            self._by_key[key] = script
        elif model is not None:
            self._by_model[model] = script
        else:
            self._all = script

    def take(self, model: str, key: str) -> Step:
        """The step for this call."""
        return (self._by_key.get(key) or self._by_model.get(model) or self._all).take()
