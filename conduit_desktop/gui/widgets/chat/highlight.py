"""Syntax colours for code: comments, strings, numbers and the keywords that most languages share."""

from __future__ import annotations

import re

from PySide6.QtGui import QSyntaxHighlighter, QTextCharFormat, QTextDocument

from conduit_desktop.gui.theme import theme

DIFF = "diff"
"""A unified difference: whole lines are coloured by their first character."""
LONGEST_LINE = 1000
"""Characters; longer lines are usually data, and slow to colour at every repaint."""
PLAIN = frozenset({"", "text", "txt", "plain", "plaintext", "output", "console", "markdown", "md"})

_WORDS = (
    "and as async await break case catch class const continue def default del do elif else enum except export extends false False "
    "finally fn for from func function global go if impl import in interface is lambda let match mod mut new nil None nonlocal not "
    "null or package pass pub raise return self static struct super switch this throw trait true True try type typeof undefined "
    "use var void when where while with yield SELECT FROM WHERE INSERT UPDATE DELETE JOIN GROUP ORDER BY"
)
_HASH = r"(?<![\w$&])\#[^\n]*"
# Not after a colon, as in a URL.
_SLASHES = r"(?<!:)//[^\n]*|/\*.*?\*/"
# Texts come first: a comment sign inside a string starts no comment.
_TOKENS = (
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)|(?P<comment>{comment})|(?P<number>\b\d[\d_.]*(?:[eE][+-]?\d+)?\b)"""
)
_BY_WORD = rf"|(?P<word>\b(?:{'|'.join(_WORDS.split())})\b)"
_SLASHED = re.compile(
    "js|javascript|jsx|tsx?|typescript|java|c|cpp|c[+][+]|cs|csharp|go|rust|rs|swift|kotlin|php|scala|dart|jsonc?|s?css"
)
"""Languages whose comments start with two slashes."""


def pattern(language: str) -> re.Pattern[str]:
    """The tokens of `language`, as named groups: text, comment, number, word."""
    comment = _SLASHES if _SLASHED.fullmatch(language.lower()) else rf"{_HASH}|--\s[^\n]*" if language.lower() == "sql" else _HASH
    return re.compile(_TOKENS.format(comment=comment) + _BY_WORD)


class Highlighter(QSyntaxHighlighter):
    """Colours a document line by line; Qt calls it only for changed lines."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        self._pattern: re.Pattern[str] | None = None
        self._language = ""
        self._update_formats()
        theme.theme().changed.connect(self.on_theme_changed)

    def set_language(self, language: str) -> None:
        """Set the language; plain text is not coloured."""
        # Only for another one: `rehighlight` goes over the whole document, and a streaming block calls this ten times a second.
        if language != self._language:
            self._language = language
            self._pattern = None if language.lower() in (*PLAIN, DIFF) else pattern(language)
            self.rehighlight()

    def on_theme_changed(self) -> None:
        """The palette has changed."""
        self._update_formats()
        self.rehighlight()

    def _update_formats(self) -> None:
        colours = {
            "text": theme.colour("success"),
            "comment": theme.colour("text_faint"),
            "number": theme.colour("warning"),
            "word": theme.colour("accent_text"),
            "+": theme.colour("success"),
            "-": theme.colour("danger"),
            "@": theme.colour("text_faint"),
        }
        self._formats = {name: QTextCharFormat() for name in colours}
        for name, colour in colours.items():
            self._formats[name].setForeground(colour)

    def highlightBlock(self, text: str) -> None:
        if self._language == DIFF:
            if text[:1] in ("+", "-", "@"):
                self.setFormat(0, len(text), self._formats["@" if text.startswith(("+++", "---")) else text[0]])
            return
        if self._pattern is None or len(text) > LONGEST_LINE:
            return
        for found in self._pattern.finditer(text):
            if found.lastgroup is not None:
                self.setFormat(found.start(), found.end() - found.start(), self._formats[found.lastgroup])
