"""A tool call that is being written while its arguments arrive in pieces."""

from __future__ import annotations

import orjson

from conduit_desktop.wire.tool_arguments import is_complete


class OpenTool:
    """The call whose block is open. A custom tool's free text becomes the one string of an object: `{"input": …}`."""

    def __init__(self, call_id: str, free_text: bool) -> None:
        self.id = call_id
        self._free_text = free_text
        self._pieces: list[str] = []

    @property
    def complete(self) -> bool:
        """Whether nothing can follow. Free text can always grow."""
        return not self._free_text and is_complete(self._pieces)

    def write(self, arguments: str) -> str:
        """The next arguments, as the next piece of JSON."""
        first = not self._pieces
        if first and not self._free_text:
            arguments = arguments.lstrip()  # clients parse an empty input as {}, but not one of whitespace alone
        if not arguments:
            return ""
        self._pieces.append(arguments)
        if not self._free_text:
            return arguments
        # Each piece is escaped on its own, which is safe because JSON escapes a string character by character.
        return ('{"input":"' if first else "") + orjson.dumps(arguments).decode()[1:-1]

    def rest(self) -> str:
        """The rest of the JSON when the block closes."""
        if not self._free_text:
            return ""
        return '"}' if self._pieces else '{"input":""}'
