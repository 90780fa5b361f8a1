"""What the request writers of OpenAI's two APIs have in common: the tools and the choice among them."""

from __future__ import annotations

from collections.abc import Callable

from conduit_desktop.core.chat import ChatRequest, Json, Tool, ToolChoice


class SettingsWriter:
    """Writes the settings of `request` into `body`. `own`: the request was read from this dialect."""

    def __init__(self, request: ChatRequest, body: dict[str, Json], own: bool, dropped: list[str]) -> None:
        self.request = request
        self.body = body
        self.own = own
        self.dropped = dropped

    def put(self, name: str, value: Json) -> None:
        """Write a field unless its value is None."""
        if value is not None:
            self.body[name] = value

    def put_tools(self, tools: list[Json], write_choice: Callable[[ToolChoice], Json]) -> None:
        """Write `tools` as they stand in this dialect, and the fields that belong to them."""
        if tools:
            self.body["tools"] = tools
        choice = self.request.tool_choice
        # OpenAI refuses a tool choice, or `parallel_tool_calls`, without tools.
        if choice is not None and (tools or self.own):
            self.put("tool_choice", write_choice(choice))
        elif choice is not None and choice.demands:
            self.dropped.append("tool_choice")
        if tools or self.own:
            self.put("parallel_tool_calls", self.request.parallel_tool_calls)

    def hosted_tool(self, tool: Tool) -> dict[str, Json] | None:
        """A tool that the provider runs, which only its own dialect can express; None where it is dropped."""
        if self.own:
            return {"type": tool.type, **tool.extra}
        self.dropped.append(f"tools[{tool.type or tool.name}]")
        return None

    def chosen_kind(self, choice: ToolChoice) -> str | None:
        """The kind of the tool that `choice` names; None for a hosted tool of another dialect, whose choice is dropped."""
        kind = next((tool.kind for tool in self.request.tools if tool.name == choice.name), "function")
        if kind == "hosted" and not self.own:
            self.dropped.append("tool_choice")
            return None
        return kind
