"""Answers on a terminal: tables for people, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click
import orjson

from conduit_desktop.core import shown_text

Column = tuple[str, str | Callable[[Mapping[str, Any]], Any]]
"""A heading, and a field's name or what makes the cell of the row."""


def echo(text: str, err: bool = False, nl: bool = True) -> None:
    """Print `text`, which may hold what strangers wrote: no character of it controls the terminal.

    The escapes are those of JSON and TOML, so that printed documents say the same. Every command prints by this.
    """
    click.echo(shown_text.lines(text), err=err, nl=nl)


def as_json(value: Any, indent: bool = True) -> None:
    """JSON, indented or on one line."""
    echo(orjson.dumps(value, option=orjson.OPT_INDENT_2 if indent else 0).decode())


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    """A table; numbers to the right. In a pipe it is as wide as it needs to be."""
    # Imported here: JSON needs none of it.
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, source in columns:
        numeric = bool(rows) and all(isinstance(_value(row, source), (int, float, type(None))) for row in rows)
        shown.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        # `Text`, because rich would read brackets in a name as markup.
        shown.add_row(*(Text(cell(_value(row, source))) for _, source in columns))
    # In a pipe rich assumes 80 columns and would fold cells: a script wants each row on one line.
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 400, highlight=False).print(shown)


def details(row: Mapping[str, Any]) -> None:
    """One entity, a line for each field."""
    width = max(map(len, row), default=0)
    for name, value in row.items():
        echo(f"{name:<{width}}  {cell(value)}")


def _value(row: Mapping[str, Any], source: str | Callable[[Mapping[str, Any]], Any]) -> Any:
    return row.get(source) if isinstance(source, str) else source(row)


def cell(value: Any) -> str:
    """A value as a person reads it, on one line."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.6f}".rstrip("0").rstrip(".")
        case list() | tuple():
            return ", ".join(cell(item) for item in value) or "–"
        case dict():
            return ", ".join(f"{cell(name)}={cell(item)}" for name, item in value.items()) or "–"
        case _:
            return shown_text.one_line(str(value))


def usd(name: str) -> Callable[[Mapping[str, Any]], str]:
    """A cell of US dollars; an unknown cost is shown as unknown, never as 0."""
    from conduit_desktop.core.money import show_usd, to_nano

    return lambda row: show_usd(None if row.get(name) is None else to_nano(row[name]))
