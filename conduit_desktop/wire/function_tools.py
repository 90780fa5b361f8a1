"""What Cohere's and Ollama's requests have in common: OpenAI's functions for tools, and names for what cannot be said."""

from __future__ import annotations

from typing import ClassVar

from conduit_desktop.core.chat import ChatRequest, Json, Tool
from conduit_desktop.wire import custom_tools as free_text
from conduit_desktop.wire.json_fields import FieldReader, restore_source_form


def read_function_tool(fields: FieldReader) -> Tool:
    """A tool in OpenAI's form: name, description and parameters of a function; what else it holds is in `extra`."""
    kind, inner = fields.string("type"), fields.required_child("function")
    tool = Tool(inner.required_string("name"), inner.string("description"), inner.mapping("parameters"), type=kind)
    tool.extra = fields.rest_with(inner)
    return tool


class FunctionToolsWriter:
    """Writes one request. `own`: it was read from this dialect, so it is said again exactly as it was."""

    unsayable: ClassVar[tuple[str, ...]] = ()
    """The fields of a request that the dialect has no word for."""

    def __init__(self, request: ChatRequest, own: bool) -> None:
        self.request = request
        self.own = own
        self.dropped: dict[str, None] = {}

    def drop(self, *names: str) -> None:
        """Note what had to go."""
        self.dropped.update(dict.fromkeys(names))

    def with_extra(self, said: dict[str, Json], extra: dict[str, Json], what: str) -> dict[str, Json]:
        """`said` with the fields that only its own dialect knows."""
        if self.own:
            return {**said, **extra}
        self.drop(*(f"{what}.{name}" for name, value in extra.items() if value is not None))
        return said

    def tool(self, tool: Tool) -> Json:
        """A tool as a function; None for one that runs at another vendor's."""
        if tool.kind == "hosted":
            self.drop(f"tools[{tool.type or tool.name}]")
            return None
        inner: dict[str, Json] = {"name": tool.name}
        if (description := free_text.described(tool)) is not None:
            inner["description"] = description
        schema = free_text.schema() if tool.kind == "custom" else tool.schema
        if schema is not None or not self.own:
            inner["parameters"] = schema or {"type": "object", "properties": {}}
        if self.own:
            extra = dict(tool.extra)
            inner |= extra.pop("function", {})
            return {**({} if tool.type is None else {"type": tool.type}), "function": inner, **extra}
        self.drop(*(f"tools.{name}" for name in tool.extra))
        self.drop(*(["cache_control"] if tool.cache else []), *(["tools.strict"] if tool.strict else []))
        return {"type": "function", "function": inner}

    def rest(self, body: dict[str, Json], extra: dict[str, Json]) -> None:
        """What only this dialect knows (`extra`), or what it has no word for."""
        if self.own:
            body.update(extra)
            restore_source_form(body, self.request.source_form)
            return
        self.drop(*(name for name in self.unsayable if getattr(self.request, name) is not None))
        if self.request.n is not None and self.request.n > 1:
            self.drop("n")
        self.drop(*(name for name, value in self.request.extra.items() if value is not None))
