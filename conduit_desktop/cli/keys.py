"""`conduit-desktop keys …`."""

from __future__ import annotations

from typing import Any

import click

from conduit_desktop.cli import printing
from conduit_desktop.cli.connection import Connection, segment, with_connection
from conduit_desktop.cli.options import CommandGroup, options
from conduit_desktop.cli.values import INTEGER, NUMBER, Pair, body_option, given_fields, merged

PERIODS = ("total", "daily", "weekly", "monthly")
COLUMNS = (
    ("id", "id"), ("name", "name"), ("key", "hint"), ("status", "status"), ("models", lambda row: row["models"] or "all"),
    ("spent", printing.usd("spend_usd")), ("budget", lambda row: _budget(row)), ("locked", "locked"),
)  # fmt: skip
PAST = (("from", "period_start"), ("until", "period_end"), ("spent", printing.usd("spend_usd")))

fields = options(
    body_option("--description"),
    body_option("--team", help="The team whose budget and usage it counts towards."),
    body_option("--tag", "tags", multiple=True, help="A tag of its requests; repeatable."),
    body_option("--budget", "budget_usd", type=NUMBER, help="US dollars."),
    body_option("--period", "budget_period", type=click.Choice(PERIODS), help="Period of the budget."),
    body_option("--models", "models", multiple=True, metavar="PATTERN", help="Aliases it may call: gpt-*,o3; repeatable."),
    body_option("--rpm", type=INTEGER, help="Requests a minute."),
    body_option("--rpd", type=INTEGER, help="Requests a day."),
    body_option("--tpm", type=INTEGER, help="Tokens a minute."),
    body_option("--max-parallel", type=INTEGER, help="Requests in parallel."),
    body_option("--expires", "expires_at", metavar="TIME", help="Expiry, such as 2027-01-31T12:00:00Z, or none."),
    body_option("--unpriced", type=click.Choice(["allow", "block"]), help="Allow or block models of unknown price."),
    body_option("--log-payloads/--no-log-payloads", "log_payloads", default=None, help="Keep prompts and answers."),
    body_option("--allowed-ip", "allowed_ips", multiple=True, metavar="NETWORK", help="Network it may be used from; repeatable."),
    body_option("--metadata", "metadata", type=Pair(json=True), multiple=True, help="A note of your own; may be repeated."),
    body_option("--enabled/--disabled", "enabled", default=None),
)


@click.group(cls=CommandGroup)
def keys() -> None:
    """Virtual keys, with their models, limits and budgets."""


@keys.command("list")
@with_connection
def list_(connection: Connection) -> None:
    """Every virtual key."""
    connection.print_rows(connection.all("/keys"), COLUMNS)


@keys.command()
@click.argument("key")
@with_connection
def show(connection: Connection, key: str) -> None:
    """One key, by id or name."""
    connection.print_row(connection.call("GET", f"/keys/{segment(key)}"))


@keys.command()
@click.option("--name", required=True)
@fields
@with_connection
def create(connection: Connection, /, name: str, **values: Any) -> None:
    """Create a virtual key and print its value, this once."""
    _show_key(connection, connection.call("POST", "/keys", {"name": name, **_body(values)}))


# Both words: the groups of providers, models and prices have `add`.
keys.add_command(create, "add")


@keys.command()
@click.argument("key")
@click.option("--name", help="A new name.")
@fields
@with_connection
def edit(connection: Connection, /, key: str, name: str | None, **values: Any) -> None:
    """Change the fields given; `none` clears one."""
    connection.print_row(connection.call("PATCH", f"/keys/{segment(key)}", given_fields({"name": name}) | _body(values)))


@keys.command()
@click.argument("key")
@with_connection
def remove(connection: Connection, key: str) -> None:
    """Remove a key: it is refused at once."""
    connection.call("DELETE", f"/keys/{segment(key)}")
    printing.echo(f"Removed the key {key}.", err=True)


@keys.command()
@click.argument("key")
@with_connection
def rotate(connection: Connection, key: str) -> None:
    """Give a key a new value and print it, this once."""
    _show_key(connection, connection.call("POST", f"/keys/{segment(key)}/rotate"))


@keys.command("reset-spend")
@click.argument("key")
@with_connection
def reset_spend(connection: Connection, key: str) -> None:
    """Set the spend of the current period to zero."""
    connection.print_row(connection.call("POST", f"/keys/{segment(key)}/reset-spend"))


@keys.command()
@click.argument("key")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@with_connection
def history(connection: Connection, key: str, limit: int) -> None:
    """What it spent in the past periods of its own budget, the newest first."""
    connection.print_rows(connection.call("GET", f"/keys/{segment(key)}/history", query={"limit": limit})["data"], PAST)


def _body(values: dict[str, Any]) -> dict[str, Any]:
    body = merged(given_fields(values), "metadata")
    if body.get("models"):
        body["models"] = [pattern.strip() for part in body["models"] for pattern in part.split(",") if pattern.strip()]
    return body


def _budget(row: dict[str, Any]) -> str:
    return "–" if row["budget_usd"] is None else f"{printing.usd('budget_usd')(row)} {row['budget_period']}"


def _show_key(connection: Connection, row: dict[str, Any]) -> None:
    """The key alone on standard output, so that a script can take it."""
    if connection.as_json:
        printing.as_json(row)
        return
    # Alone on standard output, so that KEY=$(conduit-desktop keys create …) works; the rest goes to standard error.
    printing.echo(row["key"])
    printing.echo(f"Key {row['name']} ({row['id']}). It is not shown again.", err=True)
