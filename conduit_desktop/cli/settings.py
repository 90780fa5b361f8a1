"""`conduit-desktop settings …`."""

from __future__ import annotations

import click

from conduit_desktop.cli import printing
from conduit_desktop.cli.connection import Connection, with_connection
from conduit_desktop.cli.options import CommandGroup
from conduit_desktop.cli.values import NONE, json_or_text


@click.group(cls=CommandGroup)
def settings() -> None:
    """Every option of the gateway."""


@settings.command("list")
@with_connection
def list_(connection: Connection) -> None:
    """Every setting with its value."""
    rows = connection.all("/settings")
    columns = (("name", "name"), ("value", "value"), ("default", "default"), ("locked", "locked"), ("what it does", "description"))
    connection.print_rows(rows, columns)


@settings.command("set")
@click.argument("name")
@click.argument("value")
@with_connection
def set_(connection: Connection, name: str, value: str) -> None:
    """Set one; VALUE is JSON or text, `none` restores the default."""
    kinds = {row["name"]: row["type"] for row in connection.all("/settings")}
    # Text options take the text as it is: `123` must not become a number, nor `true` a boolean.
    given = None if value == NONE else value if kinds.get(name) == "string" else json_or_text(value)
    rows = connection.call("PATCH", "/settings", {name: given})["data"]
    row = next(row for row in rows if row["name"] == name)
    printing.as_json(row) if connection.as_json else printing.echo(f"{name} = {printing.cell(row['value'])}")
