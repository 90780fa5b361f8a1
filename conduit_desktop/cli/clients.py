"""`conduit-desktop clients …`: the tools on this computer that can use the gateway."""

from __future__ import annotations

import time
from typing import Any

import click

from conduit_desktop.cli import printing
from conduit_desktop.cli.connection import Connection, segment, with_connection
from conduit_desktop.cli.keys import PERIODS
from conduit_desktop.cli.options import CliError, CommandGroup, options

COLUMNS = (
    ("name", "name"), ("tool", "label"), ("state", lambda row: row["state"].replace("_", " ") if row["can_set"] else "by hand"),
    ("version", lambda row: (row["installed"] or {}).get("version", "")),
    ("model", lambda row: row["model"] if row["set_at"] else None),
    ("seen", "first_seen"), ("files", lambda row: [one["path"] for one in row["files"]]),
)  # fmt: skip
STEP_S = 0.5

models = options(
    click.option("--model", metavar="ALIAS", help="The model that the tool begins with; the first alias by default."),
    click.option("--small-model", metavar="ALIAS", help="For its background work; the same by default."),
)


@click.group(cls=CommandGroup)
def clients() -> None:
    """Set up the tools on this computer that can use the gateway, and take it back.

    A tool's own config file is changed, with a backup in the home folder, and gets a virtual key of its own. While a server runs
    for this home, its user's files are meant.
    """


@clients.command("list")
@with_connection
def list_(connection: Connection) -> None:
    """Every tool, with its state."""
    connection.print_rows(connection.all("/clients"), COLUMNS)


@clients.command()
@click.argument("name")
@models
@with_connection
def diff(connection: Connection, name: str, model: str | None, small_model: str | None) -> None:
    """What `set` would change in a tool's files; for a tool that is set up by hand, what to enter."""
    row = _get(connection, name, model, small_model)
    if connection.as_json:
        printing.as_json(row)
    elif not row["can_set"]:
        printing.echo(f"{row['label']} is set up by hand. {row['reason']}", err=True)
        printing.echo(row["snippet"], nl=False)
    else:
        if row["problem"]:
            printing.echo(row["problem"], err=True)
        printing.echo(row["diff"] or "", nl=False)
        if not row["diff"] and not row["problem"]:
            printing.echo("Nothing would change.", err=True)
    _note(row)


@clients.command("set")
@click.argument("name")
@models
@click.option("--budget", "budget_usd", type=float, help="US dollars that its key may spend.")
@click.option("--period", "budget_period", type=click.Choice(PERIODS), help="Of the budget; `total` for ever.")
@click.option("--models", "allowed", multiple=True, metavar="PATTERN", help="What its key may call; repeatable; all by default.")
@click.option("--anyway", is_flag=True, help="Also where the tool was not found.")
@click.option("--wait", type=click.IntRange(1), metavar="SECONDS", help="Wait for its first request.")
@with_connection
def set_(connection: Connection, /, name: str, wait: int | None, allowed: tuple[str, ...], **values: Any) -> None:
    """Point a tool at the gateway, in its own config files and with a key of its own."""
    body = {field: value for field, value in values.items() if value is not None and value is not False}
    if allowed:
        body["models"] = list(allowed)
    if wait is not None and connection.address is None:
        raise CliError("no server runs for this home, so no request can be waited for.")
    row = connection.call("POST", f"/clients/{segment(name)}/set", body)
    if not connection.as_json:
        for one in row["files"]:
            backup = one["backup"] or "none: there was no file"
            printing.echo(f"Wrote {one['path']} (backup: {backup})", err=True)
        printing.echo(
            f"{row['label']} calls {row['address']} with the key {row['key_hint']} and the model {row['model']}.", err=True
        )
        printing.echo(f"Start it: {row['run']}", err=True)
        _note(row)
    if wait is not None:
        row = _first_request(connection, row, wait)
    if connection.as_json:
        printing.as_json(row)


@clients.command()
@click.argument("name")
@with_connection
def undo(connection: Connection, name: str) -> None:
    """Take a set-up back: the files as they were, where nobody changed them since; its key is removed."""
    row = connection.call("POST", f"/clients/{segment(name)}/undo")
    printing.as_json(row) if connection.as_json else printing.echo(
        f"{row['label']} is as it was, and its key is removed.", err=True
    )


def _get(connection: Connection, name: str, model: str | None = None, small_model: str | None = None) -> dict[str, Any]:
    query = {key: value for key, value in (("model", model), ("small_model", small_model)) if value}
    row: dict[str, Any] = connection.call("GET", f"/clients/{segment(name)}", query=query)
    return row


def _first_request(connection: Connection, row: dict[str, Any], seconds: int) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while not row["first_seen"]:
        if time.monotonic() > deadline:
            raise CliError(f"no request of {row['label']} came within {seconds} s.")
        time.sleep(STEP_S)
        row = _get(connection, row["name"])
    printing.echo(f"First request: {row['first_seen']} ({row['first_request']})", err=True)
    return row


def _note(row: dict[str, Any]) -> None:
    if row["note"]:
        printing.echo(row["note"], err=True)
