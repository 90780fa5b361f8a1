"""The items of a response while they are being written; each gives the events that say it, as (type, fields)."""

from __future__ import annotations

from typing import Literal

import orjson

from conduit_desktop.core.chat import Citation, Json
from conduit_desktop.wire import custom_tools as free_text
from conduit_desktop.wire.openai_responses.content_parts import write_citation

Said = list[tuple[str, dict[str, Json]]]
PartKind = Literal["output_text", "refusal"]


class MessageItem:
    """Words and refusals: one part is open at a time."""

    def __init__(self, id: str) -> None:
        self.item: dict[str, Json] = {"id": id, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        self._kind: PartKind | None = None
        self._text: list[str] = []
        self._annotations: list[Json] = []

    @property
    def _place(self) -> dict[str, Json]:
        return {"item_id": self.item["id"], "content_index": len(self.item["content"])}

    def _part(self) -> dict[str, Json]:
        if self._kind == "refusal":
            return {"type": "refusal", "refusal": "".join(self._text)}
        return {"type": "output_text", "text": "".join(self._text), "annotations": list(self._annotations), "logprobs": []}

    def open(self, kind: PartKind) -> Said:
        """A part of this kind, unless it is open already."""
        if self._kind == kind:
            return []
        said = self.close_part()
        self._kind = kind
        return [*said, ("response.content_part.added", {**self._place, "part": self._part()})]

    def write(self, kind: PartKind, text: str) -> Said:
        """More words."""
        said = self.open(kind)
        self._text.append(text)
        more: dict[str, Json] = {"logprobs": []} if kind == "output_text" else {}
        return [*said, (f"response.{kind}.delta", {**self._place, "delta": text, **more})]

    def cite(self, citation: Citation) -> Said:
        """A source of the open text; one without an address cannot be said."""
        annotation = write_citation(citation)
        if annotation is None:
            return []
        said = self.open("output_text")
        place = {**self._place, "annotation_index": len(self._annotations)}
        self._annotations.append(annotation)
        return [*said, ("response.output_text.annotation.added", {**place, "annotation": annotation})]

    def close_part(self) -> Said:
        """End the open part."""
        if self._kind is None:
            return []
        place, part = self._place, self._part()
        text = {"refusal": part["refusal"]} if self._kind == "refusal" else {"text": part["text"], "logprobs": []}
        said: Said = [(f"response.{self._kind}.done", {**place, **text}), ("response.content_part.done", {**place, "part": part})]
        self.item["content"].append(part)
        self._kind, self._text, self._annotations = None, [], []
        return said

    def close(self, whole: bool) -> Said:
        """End the item."""
        said = self.close_part()
        self.item["status"] = "completed" if whole else "incomplete"
        return said


class ReasoningItem:
    """Thoughts, told as a summary: that is what clients show."""

    def __init__(self, id: str) -> None:
        self.item: dict[str, Json] = {"id": id, "type": "reasoning", "summary": []}
        self.signature = ""
        self._text: list[str] = []

    @property
    def _place(self) -> dict[str, Json]:
        return {"item_id": self.item["id"], "summary_index": 0}

    def write(self, text: str) -> Said:
        """More thoughts."""
        said: Said = []
        if not self._text:
            said = [("response.reasoning_summary_part.added", {**self._place, "part": {"type": "summary_text", "text": ""}})]
        self._text.append(text)
        return [*said, ("response.reasoning_summary_text.delta", {**self._place, "delta": text})]

    def close(self, proof: dict[str, Json]) -> Said:
        """End the item, with the proof that the caller is to hand back."""
        self.item |= proof
        if not self._text:
            return []
        part = {"type": "summary_text", "text": "".join(self._text)}
        self.item["summary"].append(part)
        return [
            ("response.reasoning_summary_text.done", {**self._place, "text": part["text"]}),
            ("response.reasoning_summary_part.done", {**self._place, "part": part}),
        ]


class CallItem:
    """A call of a function or of a custom tool. `wrapped`: the text comes as the function's one argument."""

    def __init__(self, id: str, call_id: str, name: dict[str, Json], custom: bool, wrapped: bool) -> None:
        kind, self._field = ("custom_tool_call", "input") if custom else ("function_call", "arguments")
        self.item: dict[str, Json] = {"id": id, "type": kind, "status": "in_progress", "call_id": call_id, **name}
        self.item[self._field] = ""
        self._wrapped = wrapped
        self._pieces: list[str] = []

    @property
    def complete(self) -> bool:
        """Nothing can follow: a whole JSON object cannot grow. Free text always can."""
        if (self._field == "input" and not self._wrapped) or not self._pieces or not self._pieces[-1].rstrip().endswith("}"):
            return False
        return self._is_json()

    def _is_json(self) -> bool:
        try:
            orjson.loads("".join(self._pieces) or "{}")
        except orjson.JSONDecodeError:
            return False
        return True

    def _delta(self, text: str) -> Said:
        return [(f"{self._event}.delta", {"item_id": self.item["id"], "delta": text})] if text else []

    @property
    def _event(self) -> str:
        return "response.custom_tool_call_input" if self._field == "input" else "response.function_call_arguments"

    def write(self, arguments: str) -> Said:
        """More arguments; those that wrap a text wait until they are whole."""
        self._pieces.append(arguments)
        return [] if self._wrapped else self._delta(arguments)

    def close(self) -> Said:
        """End the item; arguments that are no JSON were cut off."""
        text = "".join(self._pieces)
        whole = self._is_json() or (self._field == "input" and not self._wrapped)
        said: Said = []
        if self._wrapped:
            text = free_text.unwrap(text)
            said = self._delta(text)
        elif self._field == "arguments" and not text.strip():
            text = "{}"
        self.item |= {self._field: text, "status": "completed" if whole else "incomplete"}
        named = {"name": self.item["name"]} if self._field == "arguments" else {}
        return [*said, (f"{self._event}.done", {"item_id": self.item["id"], **named, self._field: text})]
