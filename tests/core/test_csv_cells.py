"""Cells that a spreadsheet opens: no text of a stranger runs as a formula, and numbers stay numbers."""

from __future__ import annotations

import pytest

from conduit_desktop.core.csv_cells import as_cell, from_cell


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_a_text_that_would_run_as_a_formula_is_text(start: str) -> None:
    text = f"{start}cmd|' /C calc'!A0"
    assert as_cell(text) == f"'{text}"
    assert from_cell(as_cell(text)) == text


def test_numbers_stay_numbers() -> None:
    assert (as_cell(-5), as_cell(0), as_cell(True)) == (-5, 0, True)
    assert as_cell(-0.000001) == "-0.000001"
    assert as_cell("gpt-5") == "gpt-5"
    assert as_cell("") == ""
