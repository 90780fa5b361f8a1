"""A tool call on its way out, while its arguments come in pieces."""

from __future__ import annotations

import orjson


class OpenTool:
    """The call whose block is open. A custom tool's free text becomes the one string of an object: `{"input": …}`."""

    def __init__(self, call_id: str, free_text: bool) -> None:
        self.id = call_id
        self._free_text = free_text
        self._pieces: list[str] = []

    @property
    def complete(self) -> bool:
        """Whether nothing can follow: a whole JSON object cannot grow."""
        if self._free_text or not self._pieces or not self._pieces[-1].rstrip().endswith("}"):
            return False
        try:
            orjson.loads("".join(self._pieces))
        except orjson.JSONDecodeError:
            return False
        return True

    def take(self, arguments: str) -> str:
        """The next arguments, as the piece of JSON that says them."""
        first = not self._pieces
        if first and not self._free_text:
            arguments = arguments.lstrip()  # blanks alone are no JSON; nothing at all is an empty object
        if not arguments:
            return ""
        self._pieces.append(arguments)
        if not self._free_text:
            return arguments
        return ('{"input":"' if first else "") + orjson.dumps(arguments).decode()[1:-1]

    def rest(self) -> str:
        """What is owed when the block closes."""
        if not self._free_text:
            return ""
        return '"}' if self._pieces else '{"input":""}'
