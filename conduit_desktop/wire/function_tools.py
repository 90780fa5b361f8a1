"""Tools in OpenAI's function format, which Cohere and Ollama use: their reader, and the base of the two request writers."""

from __future__ import annotations

from typing import ClassVar

from conduit_desktop.core.chat import ChatRequest, Json, Tool
from conduit_desktop.wire import custom_tools
from conduit_desktop.wire.base import DroppingWriter
from conduit_desktop.wire.json_fields import FieldReader, restore_source_form


def read_function_tool(fields: FieldReader) -> Tool:
    """A tool in OpenAI's form: name, description and parameters of a function; what else it holds is in `extra`."""
    kind, inner = fields.string("type"), fields.required_child("function")
    tool = Tool(inner.required_string("name"), inner.string("description"), inner.mapping("parameters"), type=kind)
    tool.extra = fields.rest_with(inner)
    return tool


class BaseRequestWriter(DroppingWriter):
    """Writes one request."""

    unsupported: ClassVar[tuple[str, ...]] = ()
    """The fields of `ChatRequest` that the dialect cannot express."""

    def __init__(self, request: ChatRequest, own: bool) -> None:
        super().__init__(own)
        self.request = request

    def tool(self, tool: Tool) -> Json:
        """A tool as a function; None for a hosted tool, which runs at another vendor."""
        if tool.kind == "hosted":
            self.drop(f"tools[{tool.type or tool.name}]")
            return None
        inner: dict[str, Json] = {"name": tool.name}
        if (description := custom_tools.described(tool)) is not None:
            inner["description"] = description
        schema = custom_tools.schema() if tool.kind == "custom" else tool.schema
        # Foreign tools always get a schema, since other dialects may leave it out.
        if schema is not None or not self.own:
            inner["parameters"] = schema or {"type": "object", "properties": {}}
        if self.own:
            extra = dict(tool.extra)
            inner |= extra.pop("function", {})
            return {**({} if tool.type is None else {"type": tool.type}), "function": inner, **extra}
        self.drop(*(f"tools.{name}" for name in tool.extra))
        # A `strict` of false is the default, so only a true one is lost.
        self.drop(*(["cache_control"] if tool.cache else []), *(["tools.strict"] if tool.strict else []))
        return {"type": "function", "function": inner}

    def rest(self, body: dict[str, Json], extra: dict[str, Json]) -> None:
        """Add `extra` to a request of the same dialect; of another, record what cannot be expressed."""
        if self.own:
            body.update(extra)
            restore_source_form(body, self.request.source_form)
            return
        self.drop(*(name for name in self.unsupported if getattr(self.request, name) is not None))
        if self.request.n is not None and self.request.n > 1:
            self.drop("n")
        self.drop(*(name for name, value in self.request.extra.items() if value is not None))
