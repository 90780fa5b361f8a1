"""The output items of a response while they are written; each method returns the events to send, as (type, fields)."""

from __future__ import annotations

from typing import Literal

import orjson

from conduit_desktop.core.chat import Citation, Json
from conduit_desktop.wire import custom_tools, json_text
from conduit_desktop.wire.client_tools import CallForm
from conduit_desktop.wire.openai_responses.content_parts import write_citation
from conduit_desktop.wire.tool_arguments import is_complete

ItemEvents = list[tuple[str, dict[str, Json]]]
PartKind = Literal["output_text", "refusal"]


class MessageItem:
    """A message: text and refusal parts, one open at a time."""

    def __init__(self, id: str) -> None:
        self.item: dict[str, Json] = {"id": id, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        self._kind: PartKind | None = None
        self._text: list[str] = []
        self._annotations: list[Json] = []

    @property
    def _address(self) -> dict[str, Json]:
        """The fields that name the open part in an event."""
        return {"item_id": self.item["id"], "content_index": len(self.item["content"])}

    def _part(self) -> dict[str, Json]:
        if self._kind == "refusal":
            return {"type": "refusal", "refusal": "".join(self._text)}
        return {"type": "output_text", "text": "".join(self._text), "annotations": list(self._annotations), "logprobs": []}

    def open(self, kind: PartKind) -> ItemEvents:
        """Open a part of this kind, unless one is open already."""
        if self._kind == kind:
            return []
        events = self.close_part()
        self._kind = kind
        return [*events, ("response.content_part.added", {**self._address, "part": self._part()})]

    def write(self, kind: PartKind, text: str) -> ItemEvents:
        """Add text to a part of this kind."""
        events = self.open(kind)
        self._text.append(text)
        # The SDKs' type of this event requires the list.
        more: dict[str, Json] = {"logprobs": []} if kind == "output_text" else {}
        return [*events, (f"response.{kind}.delta", {**self._address, "delta": text, **more})]

    def cite(self, citation: Citation) -> ItemEvents:
        """Add a citation to the open text; nothing for one without a URL, which annotations require."""
        annotation = write_citation(citation)
        # Before the part is opened: a citation that is not written must not leave an empty part.
        if annotation is None:
            return []
        events = self.open("output_text")
        address = {**self._address, "annotation_index": len(self._annotations)}
        self._annotations.append(annotation)
        return [*events, ("response.output_text.annotation.added", {**address, "annotation": annotation})]

    def close_part(self) -> ItemEvents:
        """Close the open part, if there is one."""
        if self._kind is None:
            return []
        address, part = self._address, self._part()
        text = {"refusal": part["refusal"]} if self._kind == "refusal" else {"text": part["text"], "logprobs": []}
        self.item["content"].append(part)
        kind, self._kind, self._text, self._annotations = self._kind, None, [], []
        return [(f"response.{kind}.done", {**address, **text}), ("response.content_part.done", {**address, "part": part})]

    def close(self, complete: bool) -> ItemEvents:
        """Close the item; not `complete` if the answer was cut off."""
        events = self.close_part()
        self.item["status"] = "completed" if complete else "incomplete"
        return events


class ReasoningItem:
    """A reasoning item. Thinking is written as its summary, which is what clients show."""

    def __init__(self, id: str) -> None:
        self.item: dict[str, Json] = {"id": id, "type": "reasoning", "summary": []}
        self.signature = ""
        self._text: list[str] = []

    @property
    def _address(self) -> dict[str, Json]:
        return {"item_id": self.item["id"], "summary_index": 0}

    def write(self, text: str) -> ItemEvents:
        """Add thinking."""
        events: ItemEvents = []
        if not self._text:
            events = [("response.reasoning_summary_part.added", {**self._address, "part": {"type": "summary_text", "text": ""}})]
        self._text.append(text)
        return [*events, ("response.reasoning_summary_text.delta", {**self._address, "delta": text})]

    def close(self, encrypted: dict[str, Json]) -> ItemEvents:
        """Close the item with the fields of its encrypted content, which the client sends back."""
        self.item |= encrypted
        if "status" in self.item:
            self.item["status"] = "completed"
        if not self._text:
            return []
        part = {"type": "summary_text", "text": "".join(self._text)}
        self.item["summary"].append(part)
        return [
            ("response.reasoning_summary_text.done", {**self._address, "text": part["text"]}),
            ("response.reasoning_summary_part.done", {**self._address, "part": part}),
        ]


class CallItem:
    """A call of a function or of a custom tool (`custom`).

    `wrapped`: the model called a function that stands for a custom tool; its one argument is the tool's input.
    """

    def __init__(self, id: str, call_id: str, name: dict[str, Json], custom: bool, wrapped: bool) -> None:
        kind, self._field = ("custom_tool_call", "input") if custom else ("function_call", "arguments")
        self.item: dict[str, Json] = {"id": id, "type": kind, "status": "in_progress", "call_id": call_id, **name}
        self.item[self._field] = ""
        self._wrapped = wrapped
        self._pieces: list[str] = []

    @property
    def _is_free_text(self) -> bool:
        return self._field == "input" and not self._wrapped

    @property
    def complete(self) -> bool:
        """Whether nothing can follow. Free text can always grow."""
        return not self._is_free_text and is_complete(self._pieces)

    def write(self, arguments: str) -> ItemEvents:
        """Add arguments; wrapped ones are kept until they can be unwrapped."""
        self._pieces.append(arguments)
        # A piece of JSON cannot be unwrapped, as it may end within an escape.
        return [] if self._wrapped else self._delta(arguments)

    def close(self) -> ItemEvents:
        """Close the item: `incomplete` if its arguments are not JSON, which means that they were cut off."""
        text = "".join(self._pieces)
        # No arguments at all is a call without parameters, not one that was cut off.
        complete = self._is_free_text or _is_json(text or "{}")
        events: ItemEvents = []
        if self._wrapped:
            text = custom_tools.unwrap(text)
            events = self._delta(text)
        # Clients parse the arguments, and an empty string is not JSON.
        elif self._field == "arguments" and not text.strip():
            text = "{}"
        self.item |= {self._field: text, "status": "completed" if complete else "incomplete"}
        named = {"name": self.item["name"]} if self._field == "arguments" else {}
        return [*events, (f"{self._event}.done", {"item_id": self.item["id"], **named, self._field: text})]

    def _delta(self, text: str) -> ItemEvents:
        return [(f"{self._event}.delta", {"item_id": self.item["id"], "delta": text})] if text else []

    @property
    def _event(self) -> str:
        return "response.custom_tool_call_input" if self._field == "input" else "response.function_call_arguments"


class BuiltInCallItem:
    """A call of one of OpenAI's tools that the client runs (a shell, a patch), made of a function's arguments."""

    def __init__(self, id: str, call_id: str, form: CallForm) -> None:
        empty: Json = [] if form.holder == "actions" else {**form.empty, **form.fixed}
        self.item: dict[str, Json] = {
            "id": id, "type": form.item, "status": "in_progress", "call_id": call_id, form.holder: empty, **form.more,
        }  # fmt: skip
        self._form = form
        self._pieces: list[str] = []

    @property
    def complete(self) -> bool:
        """Whether nothing can follow."""
        return is_complete(self._pieces)

    def write(self, arguments: str) -> ItemEvents:
        """Add arguments; they are in the item when it ends, as the API has no event for parts of them."""
        self._pieces.append(arguments)
        return []

    def close(self) -> ItemEvents:
        """Close the item: `incomplete` if its arguments are not JSON, which means that they were cut off."""
        try:
            held = self._form.holder_of("".join(self._pieces))
        except ValueError:
            self.item["status"] = "incomplete"
        else:
            self.item |= {self._form.holder: held, "status": "completed"}
        return []


def _is_json(text: str) -> bool:
    try:
        json_text.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
