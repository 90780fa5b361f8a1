"""Reads one choice of a Chat Completions answer, from deltas or from a whole message: both have the same fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from conduit_desktop.core.chat import Citation, Json, Opaque
from conduit_desktop.core.events import (
    Cited,
    Event,
    Finished,
    FinishReason,
    OpaqueBlock,
    Refused,
    TextDelta,
    ThinkingDelta,
)
from conduit_desktop.wire.event_validation import text_or_none
from conduit_desktop.wire.generated_media import image_of, sound_of
from conduit_desktop.wire.openai_chat.citations import read_span
from conduit_desktop.wire.openai_chat.fields import NAME
from conduit_desktop.wire.openai_chat.messages_reader import thinking_text
from conduit_desktop.wire.openai_chat.reasoning import FIELDS, PART, ThinkingReader
from conduit_desktop.wire.openai_chat.tool_calls import CallReader
from conduit_desktop.wire.token_logprobs import from_openai

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "end_turn": "stop",
    "eos": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "max_output_tokens": "length",
    "model_context_window_exceeded": "length",  # Z.ai. https://github.com/anomalyco/opencode/issues/18813
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "sensitive": "content_filter",
    "content_filtered": "content_filter",
    "recitation": "content_filter",
    "refusal": "refusal",
    # The vendor's servers failed while the model was answering.
    "error": "error",
    "network_error": "error",  # Z.ai. https://docs.z.ai/api-reference/llm/chat-completion
    "insufficient_system_resource": "error",  # DeepSeek. https://api-docs.deepseek.com/api/create-chat-completion
    "abort": "error",  # SGLang and vLLM: the request was aborted within the server
    "aborted": "error",
    "malformed_function_call": "error",
    "function_call_filter": "error",
}
"""The reasons that are words of their own, in lower case. Google's endpoint adds its own word behind a colon."""
_READ = frozenset({"role", "content", "refusal", "annotations", "tool_calls", "function_call", *FIELDS})
IMAGES, AUDIO = "images", "audio"
"""The names of blocks whose values are in the message's further fields too, from where this dialect's writers take them."""
_CHOICE = frozenset({"index", "delta", "message", "finish_reason", "logprobs"})


class ChoiceReader:
    """Reads one choice. Its further fields are kept until its end, its finish reason is in `finish`."""

    __slots__ = ("_annotated", "_calls", "_extra", "_has_text", "_held_citations", "_refused", "_thinking", "finish", "index")

    def __init__(self, index: int, answer_id: str) -> None:
        self.index = index
        self.finish: str | None = None
        self._calls = CallReader(index, answer_id)
        self._thinking = ThinkingReader(index)
        self._extra: dict[str, Json] = {}
        self._held_citations: list[Event] = []
        self._annotated = False
        self._has_text = False
        self._refused = False

    def read(self, raw: dict[str, Json], events: list[Event]) -> None:
        """Read one entry of `choices` of a chunk."""
        delta = raw.get("delta")
        if delta is None and not self._has_text:
            delta = raw.get("message")  # some vendors send a whole message in a stream for models that do not stream
        if isinstance(delta, dict):
            content = delta.get("content")
            # Most deltas are text alone: finding that out first saves looking for every other field.
            if type(content) is str and len(delta) == 1 and not self._held_citations:
                if content:
                    self._has_text = True
                    events.append(TextDelta(content, self.index))
            else:
                self.read_message(delta, events)
        finish = raw.get("finish_reason")
        if finish and self.finish is None:
            self.finish = str(finish)
        # `logprobs` is null in most chunks, and only a filled one is worth keeping.
        if not _CHOICE.issuperset(raw) or raw.get("logprobs"):
            self.keep(raw)

    def read_message(self, message: dict[str, Any], events: list[Event]) -> None:
        """Read a delta or a whole message: thinking, text, citations, refusal and calls, in this order."""
        if not message.keys().isdisjoint(FIELDS):
            events += self._thinking.read(message)
        content = message.get("content")
        if content:
            self._content(content, events)
        for annotation in _list(message.get("annotations")):
            self._annotate(annotation, events)
        refusal = message.get("refusal")
        if refusal and isinstance(refusal, str):
            self._refused = True
            events.append(Refused(refusal, self.index))
        for call in _list(message.get("tool_calls")):
            self._calls.read(call, events)
        legacy = message.get("function_call")
        if isinstance(legacy, dict):
            self._calls.read_legacy(legacy, events)
        if not _READ.issuperset(message):
            self._keep_fields(message)
            # OpenRouter's pictures. https://openrouter.ai/docs/guides/overview/multimodal/image-generation
            for image in _list(message.get("images")):
                url = image.get("image_url") if isinstance(image, dict) else None
                media = image_of(url.get("url") if isinstance(url, dict) else url)
                events.append(OpaqueBlock(Opaque(NAME, IMAGES, image, media), self.index))

    def keep(self, raw: dict[str, Json]) -> None:
        """Keep the further fields of the choice (log probabilities, a filter's result) for its finish."""
        for name, value in raw.items():
            if value is None or name in ("index", "delta", "message", "finish_reason"):
                continue
            known = self._extra.get(name)
            # A chunk has the log probabilities of its own tokens only; any other field is whole each time it comes.
            if name == "logprobs" and isinstance(known, dict) and isinstance(value, dict):
                self._extra[name] = {key: _joined(known.get(key), value.get(key)) for key in {**known, **value}}
            else:
                self._extra[name] = value

    def cite(self, citations: Iterable[Citation]) -> None:
        """Add citations that stand outside the choices, unless the message has annotations: those have places too."""
        if not self._annotated:
            self._held_citations += [Cited(citation, self.index) for citation in citations]

    def end(self, events: list[Event]) -> None:
        """Add what was held back, and the finish."""
        self._calls.end(events)
        events += self._held_citations
        self._held_citations = []
        self._sound(events)
        raw = self.finish or None
        # `[DONE]` without a finish reason is a complete answer too: not every vendor sends one.
        reason = _FINISH.get(raw.lower().partition(":")[0], "other") if raw else "stop"
        if reason == "stop":
            # With tool calls too, "stop" is sent by Ollama, by Gemini, and by OpenAI for a forced tool.
            reason = "tool_calls" if self._calls.any else "refusal" if self._refused else "stop"
        # vLLM's field for the stop sequence; a number where a token id ended the answer. vllm-project/vllm#2976
        stopped_by = self._extra.get("stop_reason")
        sequence = stopped_by if isinstance(stopped_by, str) else None
        tokens = from_openai(self._extra.get("logprobs")) or None
        events.append(Finished(reason, raw, sequence, self.index, self._extra, logprobs=tokens))

    def _sound(self, events: list[Event]) -> None:
        """Add the sound, which is whole only now; its text is what other dialects can have of it."""
        message = self._extra.get("message")
        audio = message.get("audio") if isinstance(message, dict) else None
        media = sound_of(audio.get("data")) if isinstance(audio, dict) else None
        if isinstance(audio, dict) and media is not None:
            media.text = text_or_none(audio.get("transcript"))
            events.append(OpaqueBlock(Opaque(NAME, AUDIO, audio, media), self.index))

    def _content(self, content: Json, events: list[Event]) -> None:
        if isinstance(content, str):
            self._text(content, events)
            return
        # Mistral sends a list where the model thinks, with the thinking as a part of it.
        for part in content if isinstance(content, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            if kind == "text" and isinstance(part.get("text"), str):
                self._text(part["text"], events)
            elif kind == "thinking":
                text = thinking_text(part.get("thinking"))
                if text:
                    events.append(ThinkingDelta(text, self.index, PART))
            elif isinstance(part, dict):
                events.append(OpaqueBlock(Opaque(NAME, "content", part), self.index))

    def _text(self, text: str, events: list[Event]) -> None:
        if not text:
            return
        self._has_text = True
        events.append(TextDelta(text, self.index))
        if self._held_citations:
            events += self._held_citations
            self._held_citations = []

    def _annotate(self, annotation: Json, events: list[Event]) -> None:
        """Add an annotation. Those before any text are held until the first, so that they do not open an empty block."""
        self._annotated = True
        body = annotation.get("url_citation") if isinstance(annotation, dict) else None
        body = body if isinstance(body, dict) else {}
        span = read_span(body)
        cited = Cited(
            Citation(
                url=text_or_none(body.get("url")),
                title=text_or_none(body.get("title")),
                quote=text_or_none(body.get("content")),
                start=span[0],
                end=span[1],
                dialect=NAME,
                raw=annotation,
            ),
            self.index,
        )
        (events if self._has_text else self._held_citations).append(cited)

    def _keep_fields(self, message: dict[str, Any]) -> None:
        """Keep the fields of the message that no neutral event has (audio, images); pieces are joined."""
        for name, value in message.items():
            if name in _READ or value is None:
                continue
            kept = self._extra.setdefault("message", {})
            kept[name] = _joined(kept.get(name), value) if name in ("audio", "images") else value


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _joined(before: Json, value: Json) -> Json:
    """Two pieces of one value: lists are joined, objects field by field, anything else is replaced."""
    if before is None or value is None:
        return value if before is None else before
    if isinstance(before, list) and isinstance(value, list):
        return before + value
    if isinstance(before, dict) and isinstance(value, dict):
        return {**before, **{key: _piece(key, before.get(key), more) for key, more in value.items()}}
    return value


def _piece(key: str, before: Json, value: Json) -> Json:
    # Audio comes as pieces of base64 and of its transcript; its id and expiry are whole in every chunk.
    grows = key in ("data", "transcript") and isinstance(before, str) and isinstance(value, str)
    return before + value if grows else value if value is not None else before
