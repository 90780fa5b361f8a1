"""The neutral chat request: one set of types into which every dialect's request is read.

Fields that only the source dialect has are kept in `extra` (of the request, a message, a part or a tool). The same
dialect writes them back; every other one reports them as dropped. `source_form` records, by field path, which of two
equivalent forms the source used (`max_tokens` or `max_completion_tokens`); only the source dialect's writer reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import Any, Literal

Json = Any
"""A value as orjson reads it: dict, list, str, int, float, bool or None."""

Role = Literal["system", "developer", "user", "assistant", "tool"]
ToolKind = Literal["function", "custom", "hosted"]
MediaKind = Literal["image", "document", "audio", "video"]
CacheTtl = Literal["5m", "1h"]


@dataclass(slots=True)
class Citation:
    """A source cited for a span of the answer's text.

    `start` and `end` are character offsets into the part, None where the provider sent none; `quote` is text of the source.
    `raw` is the citation as `dialect` sent it, so that the same dialect can write it unchanged.
    """

    url: str | None = None
    title: str | None = None
    quote: str | None = None
    start: int | None = None
    end: int | None = None
    dialect: str = ""
    raw: Json = None

    def moved(self, by: int) -> Citation:
        """A copy with both offsets shifted by `by` characters; unchanged where there are no offsets."""
        return self if self.start is None or self.end is None else replace(self, start=self.start + by, end=self.end + by)

    def over(self, length: int) -> Citation:
        """A copy that spans a text of `length` characters, where the citation has no offsets."""
        return replace(self, start=0, end=length) if length and self.start is None else self


@dataclass(slots=True)
class Text:
    """Text. `cache` asks the provider to cache the prompt up to and including this part."""

    text: str
    cache: CacheTtl | None = None
    citations: list[Citation] = field(default_factory=list)
    extra: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Media:
    """An image, document, audio or video: exactly one of `url`, `data` (base64), `file_id` and `text` is set."""

    kind: MediaKind
    url: str | None = None
    data: str | None = None
    file_id: str | None = None
    text: str | None = None
    media_type: str | None = None
    name: str | None = None
    detail: str | None = None
    cache: CacheTtl | None = None
    extra: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Thinking:
    """The model's thinking, with the provider's signature over it.

    `raw` is the block as `dialect` sent it, where that is more than text and signature, so that the same dialect can
    write it unchanged.
    """

    text: str
    signature: str | None = None
    extra: dict[str, Json] = field(default_factory=dict)
    dialect: str = ""
    raw: Json = None


@dataclass(slots=True)
class RedactedThinking:
    """Thinking that the provider encrypts: opaque, to be sent back unchanged."""

    data: str


@dataclass(slots=True)
class Refusal:
    """The model's text that declines the request."""

    text: str


@dataclass(slots=True)
class ToolCall:
    """A call of a tool by the model. `arguments` is the JSON text as received (free text for custom tools)."""

    id: str
    name: str
    # Text, not an object: models write invalid JSON, and only the client can ask them to mend it.
    arguments: str
    kind: ToolKind = "function"
    signature: str | None = None
    cache: CacheTtl | None = None
    extra: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class ToolResult:
    """A tool's output. `plain`: the source sent a string, not a list of parts."""

    call_id: str
    parts: list[Part] = field(default_factory=list)
    name: str | None = None
    is_error: bool | None = None
    plain: bool = False
    cache: CacheTtl | None = None
    extra: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Opaque:
    """A part that only `dialect` has (a hosted tool's result, a search block): `value` is the part as received.

    `media` is the picture or sound in it, which other dialects may have as well.
    """

    dialect: str
    name: str
    value: Json
    media: Media | None = field(default=None, compare=False)


Part = Text | Media | Thinking | RedactedThinking | Refusal | ToolCall | ToolResult | Opaque


@dataclass(slots=True)
class Message:
    """One message. `plain`: the source sent a string, not a list of parts."""

    role: Role
    parts: list[Part] = field(default_factory=list)
    name: str | None = None
    plain: bool = False
    extra: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Tool:
    """A tool definition. Hosted tools carry their vendor's type in `type` and its settings in `extra`."""

    name: str
    description: str | None = None
    schema: dict[str, Json] | None = None
    kind: ToolKind = "function"
    type: str | None = None
    strict: bool | None = None
    cache: CacheTtl | None = None
    extra: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class ToolChoice:
    """The mode `auto`, `none`, `required` (any tool) or `tool` (the one in `name`)."""

    mode: Literal["auto", "none", "required", "tool"]
    name: str | None = None
    extra: dict[str, Json] = field(default_factory=dict)

    @property
    def demands(self) -> bool:
        """Whether a tool call is required, or vendor fields are set: dropping the choice would change the request."""
        return self.mode in ("required", "tool") or bool(self.extra)


@dataclass(slots=True)
class OutputFormat:
    """The answer's format: plain text, any JSON, or JSON that matches `schema`."""

    kind: Literal["text", "json", "schema"]
    schema: dict[str, Json] | None = None
    name: str | None = None
    description: str | None = None
    strict: bool | None = None
    extra: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Reasoning:
    """How much the model may think: an effort level or a budget in tokens.

    `mode`: `enabled` (with a budget), `adaptive` (the model decides), `disabled`, or None where only an effort was sent.
    """

    effort: str | None = None
    budget_tokens: int | None = None
    mode: Literal["enabled", "adaptive", "disabled"] | None = None
    summary: str | None = None
    extra: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class ChatRequest:
    """One chat request in neutral form. None means that the request has no such field."""

    dialect: str
    model: str
    messages: list[Message] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    output: OutputFormat | None = None
    reasoning: Reasoning | None = None
    user: str | None = None
    metadata: dict[str, Json] | None = None
    service_tier: str | None = None
    stream: bool = False
    include_usage: bool = False
    extra: dict[str, Json] = field(default_factory=dict)
    source_form: dict[str, str] = field(default_factory=dict)


_REQUEST_FIELDS = attrgetter(*(each.name for each in fields(ChatRequest)))


def with_messages(request: ChatRequest, messages: list[Message]) -> ChatRequest:
    """A copy of `request` with these messages, in a quarter of the time of `dataclasses.replace`."""
    made = ChatRequest(*_REQUEST_FIELDS(request))
    made.messages = messages
    return made
