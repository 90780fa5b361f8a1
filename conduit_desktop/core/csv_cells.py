"""Cells of CSV files that a spreadsheet opens: no text runs as a formula, no number has an exponent."""

from __future__ import annotations

from typing import Any

from conduit_desktop.core.money import decimal_usd, to_nano

# Names come from outside: a cell that begins with one of these runs as a formula in a spreadsheet
# (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA = "=+-@\t\r\n＝＋－＠"


def as_cell(value: Any) -> Any:
    """A cell for text or a number; amounts in full decimals."""
    if isinstance(value, float):
        # A float's own text may have an exponent (1e-06).
        return decimal_usd(to_nano(value))
    return f"'{value}" if isinstance(value, str) and value[:1] in _FORMULA and value else value


def from_cell(text: str) -> str:
    """The text that `as_cell` wrote."""
    return text[1:] if len(text) > 1 and text[0] == "'" and text[1] in _FORMULA else text
