"""The operator's prices as CSV: one row for each pattern and start, every rate in a column of its own."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

import orjson

from conduit_desktop.actions.schemas.checks import price_pattern
from conduit_desktop.actions.schemas.inputs import NewPrice
from conduit_desktop.actions.schemas.validation import read
from conduit_desktop.actions.schemas.views import PriceView
from conduit_desktop.core.csv_cells import as_cell, from_cell
from conduit_desktop.core.errors import Invalid
from conduit_desktop.core.media import UNIT_RATES
from conduit_desktop.core.tokens import RATE_NAMES

NESTED = ("tiers", "service_tiers")
"""Columns that hold JSON, as the admin API writes it. `per_image` does where it is not one number."""
COLUMNS = ("pattern", *RATE_NAMES, *UNIT_RATES, "min_seconds", *NESTED, "valid_from")
MOST_ROWS = 12_000
"""Prices of one file: twice those of the whole catalog. Each is a row in the store, and in the snapshot of every request."""


def write(prices: Iterable[PriceView]) -> str:
    """CSV with a heading; an empty cell is a rate that the price does not have."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for price in prices:
        values = price.model_dump(mode="json")
        values["tiers"] = [{name: rate for name, rate in tier.items() if rate is not None} for tier in values["tiers"]]
        writer.writerow({name: _text(values[name]) for name in COLUMNS})
    return out.getvalue()


def _text(value: Any) -> Any:
    if value is None or value in ([], {}):
        return ""
    return orjson.dumps(value).decode() if isinstance(value, (list, dict)) else as_cell(value)


def parse(text: str) -> list[tuple[str, str, NewPrice]]:
    """The place (`line 2`), pattern and price of every row.

    Raises Invalid for a row that cannot be used; its field is the line and the column, as in `line 3: input`.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    found: list[tuple[str, str, NewPrice]] = []
    seen: set[tuple[str, str | None]] = set()
    try:
        heading = [name.strip() for name in reader.fieldnames or ()]
        if "pattern" not in heading:
            raise Invalid("line 1: there is no column `pattern`", "line 1")
        if unknown := [name for name in heading if name not in COLUMNS]:
            raise Invalid(f"line 1: there is no column {unknown[0]!r} of prices; there are {', '.join(COLUMNS)}", "line 1")
        reader.fieldnames = heading
        for row in reader:
            with_line = f"line {reader.line_num}"
            if len(found) == MOST_ROWS:
                raise Invalid(f"{with_line}: a file may have {MOST_ROWS:,} prices; import the others in another one", with_line)
            if None in row:
                raise Invalid(f"{with_line}: has more cells than the heading", with_line)
            pattern, price = _row(row, with_line)
            place = (pattern.casefold(), price.valid_from)
            if place in seen:
                raise Invalid(f"{with_line}: {pattern!r} is there twice", f"{with_line}: pattern")
            seen.add(place)
            found.append((with_line, pattern, price))
    except csv.Error as error:
        line = f"line {reader.reader.line_num}"  # the DictReader's own number is that of the row before
        raise Invalid(f"{line}: is not valid CSV: {error}", line) from error
    return found


def _row(row: dict[str, str | None], line: str) -> tuple[str, NewPrice]:
    values: dict[str, Any] = {}
    pattern = from_cell((row["pattern"] or "").strip())
    for name, cell in row.items():
        text = (cell or "").strip()
        if name != "pattern" and text:
            values[name] = from_cell(text) if name == "valid_from" else _value(name, text, line)
    try:
        return price_pattern(pattern), read(NewPrice, values)
    except Invalid as error:
        raise at_line(line, error) from error
    except ValueError as error:
        raise Invalid(f"{line}: pattern: {error}", f"{line}: pattern") from error


def at_line(line: str, error: Invalid) -> Invalid:
    """The error of one row's price, with its line before the field: `line 3: input`."""
    return Invalid(f"{line}: {error.message}", f"{line}: {error.field}" if error.field else line)


def _value(name: str, text: str, line: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        kind = "JSON" if name in (*NESTED, "per_image") else "a number"
        raise Invalid(f"{line}: {name}: {text[:50]!r} is not {kind}", f"{line}: {name}") from None
