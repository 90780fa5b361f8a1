"""Splits markdown into blocks while it is still arriving: prose that renders within a millisecond, and code."""

from __future__ import annotations

import re
from dataclasses import dataclass

PROSE_SIZE = 1200
"""Characters of prose after which the next paragraph starts a new block: Qt needs 0.5 ms to render 1,000 of them."""

LONG_LIST = 3 * PROSE_SIZE
"""Characters after which a list is split too: every item has its own number, so it looks the same."""

_ITEM = re.compile(r"^([-*+]|\d+[.)]) ")
# As in CommonMark: with four spaces it would be indented code, and with a backtick after it, inline code.
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)[^`]*$")
_CONTINUES = re.compile(r"^(\s|[-*+>|]|\d+[.)])")
"""A line that may continue the list, quote or table before the blank line."""


@dataclass(slots=True)
class ProseChunk:
    """Markdown without fenced code."""

    text: str


@dataclass(slots=True)
class CodeChunk:
    """A fenced block's text, without the fences."""

    text: str
    language: str = ""


Block = ProseChunk | CodeChunk


class MarkdownSplitter:
    """Takes a text in any fragments. Blocks in `settled` never change; `open_block` may still change."""

    def __init__(self) -> None:
        self.settled: list[Block] = []
        self._lines: list[str] = []
        self._size = 0
        self._partial = ""
        self._fence = ""
        self._language = ""

    def feed(self, text: str) -> None:
        """Append text."""
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            self._take(line)

    def open_block(self) -> Block | None:
        """The unfinished block, with its incomplete last line unless that may become a fence."""
        lines = list(self._lines)
        if self._partial and not self._partial.lstrip(" ").startswith(("`" * 3, "~" * 3)):
            lines.append(self._partial)
        if self._fence:
            return CodeChunk("\n".join(lines), self._language)
        text = "\n".join(lines).strip("\n")
        return ProseChunk(text) if text.strip() else None

    def close(self) -> list[Block]:
        """The text is complete: all of its blocks."""
        if self._partial:
            self._take(self._partial)
            self._partial = ""
        self._settle()
        return self.settled

    def _take(self, line: str) -> None:
        if self._fence:
            self._take_code(line)
        elif opened := _FENCE.match(line):
            self._settle()
            self._fence, self._language = opened[1], opened[2]
        else:
            self._take_prose(line)

    def _take_code(self, line: str) -> None:
        bare = line.strip()
        # A shorter or different fence belongs to the code, such as a markdown example that contains a fence.
        if len(bare) >= len(self._fence) and set(bare) == {self._fence[0]}:
            self._settle()
        else:
            self._lines.append(line)

    def _take_prose(self, line: str) -> None:
        if self._size > PROSE_SIZE and self._may_split(line):
            self._settle()
        self._lines.append(line)
        self._size += len(line) + 1

    def _may_split(self, line: str) -> bool:
        """Whether a split before `line` keeps the rendering: at a paragraph or, in a very long list, at an item."""
        after_blank = bool(self._lines) and not self._lines[-1].strip()
        # A line that continues a list, a quote or a table would be rendered as the start of another.
        if after_blank and line.strip() and not _CONTINUES.match(line):
            return True
        return self._size > LONG_LIST and _ITEM.match(line) is not None

    def _settle(self) -> None:
        text = "\n".join(self._lines)
        if self._fence:
            self.settled.append(CodeChunk(text, self._language))
        elif text.strip():
            self.settled.append(ProseChunk(text.strip("\n")))
        self._lines, self._size, self._fence, self._language = [], 0, "", ""


def split_markdown(markdown: str) -> list[Block]:
    """The blocks of a complete text, in order."""
    splitter = MarkdownSplitter()
    splitter.feed(markdown)
    return splitter.close()
