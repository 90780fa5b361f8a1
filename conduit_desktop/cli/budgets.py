"""`conduit-desktop budgets …`."""

from __future__ import annotations

from typing import Any

import click

from conduit_desktop.cli import printing
from conduit_desktop.cli.connection import Connection, segment, with_connection
from conduit_desktop.cli.keys import PAST, PERIODS
from conduit_desktop.cli.options import CommandGroup, options
from conduit_desktop.cli.values import body_option, given_fields

SCOPES = ("global", "provider", "alias", "team", "key")
COLUMNS = (
    ("id", "id"), ("name", "name"), ("scope", "scope"), ("of", lambda row: row["target"] or "everybody"),
    ("spent", printing.usd("spend_usd")), ("reserved", printing.usd("reserved_usd")), ("limit", printing.usd("limit_usd")),
    ("period", "period"), ("action", "action"), ("locked", "locked"),
)  # fmt: skip

fields = options(
    body_option("--target", help="The provider, the alias, the team, or the key's id or name."),
    body_option("--period", type=click.Choice(PERIODS), help="Of the UTC calendar; `total` for ever."),
    body_option("--threshold", "thresholds", type=float, multiple=True, metavar="FRACTION",
                help="Notify at this part of the limit, such as 0.75; repeatable."),
    body_option("--action", type=click.Choice(["block", "warn"]), help="Refuse requests over the limit, or only notify."),
)  # fmt: skip


@click.group(cls=CommandGroup)
def budgets() -> None:
    """Limits on what everybody, a provider, an alias, a team or a key may spend."""


@budgets.command("list")
@with_connection
def list_(connection: Connection) -> None:
    """Every budget, with its spend."""
    connection.print_rows(connection.all("/budgets"), COLUMNS)


@budgets.command()
@click.argument("budget")
@with_connection
def show(connection: Connection, budget: str) -> None:
    """One budget, by id or name."""
    connection.print_row(connection.call("GET", f"/budgets/{segment(budget)}"))


@budgets.command()
@click.option("--scope", type=click.Choice(SCOPES), required=True, help="Whose spend it limits.")
@click.option("--limit", "limit_usd", type=float, required=True, help="US dollars.")
@click.option("--name")
@fields
@with_connection
def add(connection: Connection, /, **values: Any) -> None:
    """Add a budget."""
    connection.print_row(connection.call("POST", "/budgets", given_fields(values)))


@budgets.command()
@click.argument("budget")
@click.option("--scope", type=click.Choice(SCOPES), help="Whose spend it limits.")
@click.option("--limit", "limit_usd", type=float, help="US dollars.")
@click.option("--name", help="A new name.")
@fields
@with_connection
def edit(connection: Connection, /, budget: str, **values: Any) -> None:
    """Change the fields given."""
    connection.print_row(connection.call("PATCH", f"/budgets/{segment(budget)}", given_fields(values)))


@budgets.command()
@click.argument("budget")
@with_connection
def remove(connection: Connection, budget: str) -> None:
    """Remove a budget: it limits nothing any more."""
    connection.call("DELETE", f"/budgets/{segment(budget)}")
    printing.echo(f"Removed the budget {budget}.", err=True)


@budgets.command()
@click.argument("budget")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@with_connection
def history(connection: Connection, budget: str, limit: int) -> None:
    """What was spent in its past periods, the newest first."""
    rows = connection.call("GET", f"/budgets/{segment(budget)}/history", query={"limit": limit})["data"]
    connection.print_rows(rows, PAST)
