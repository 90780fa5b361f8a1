"""Text from outside as a person may see it: without characters that a terminal obeys or that change the order of what is shown."""

from __future__ import annotations

import re

# C0, DEL and C1 (a terminal obeys both: ECMA-48), line and paragraph separators, zero-width and directional characters
# ("Trojan Source", CVE-2021-42574), tag characters, and lone surrogates, which no output can encode.
_UNSAFE = (
    "\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f"
)
_ANY = re.compile(f"[{_UNSAFE}]")
_BUT_LAYOUT = re.compile(f"(?!\n|\t|\r\n)[{_UNSAFE}]")


def one_line(text: str) -> str:
    """`text` on one line: each unsafe character, a line break too, as its escape (`\\u001b`), which JSON and TOML read back."""
    return _ANY.sub(_escape, text) if _ANY.search(text) else text


def lines(text: str) -> str:
    """As `one_line`, with line breaks and tabs kept."""
    return _BUT_LAYOUT.sub(_escape, text) if _BUT_LAYOUT.search(text) else text


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code > 0xFFFF:
        # As JSON has it: two escapes.
        code -= 0x10000
        return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
    return f"\\u{code:04x}"
