"""`conduit-desktop usage` and `conduit-desktop requests`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import click
import orjson

from conduit_desktop.cli import printing
from conduit_desktop.cli.connection import Connection, with_connection
from conduit_desktop.cli.options import Command
from conduit_desktop.core.tokens import CLASSES, INPUT_CLASSES, OUTPUT_CLASSES


@click.command(cls=Command)
@click.option("--by", default="day", metavar="GROUP", help="day, model, key or provider; several joined by commas.")
@click.option("--since", metavar="TIME", help="From this day (UTC) on.")
@click.option("--until", metavar="TIME", help="Up to this day (UTC).")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@with_connection
def usage(connection: Connection, by: str, since: str | None, until: str | None, as_csv: bool) -> None:
    """Requests, tokens and cost."""
    query = {"group_by": by, "since": since, "until": until}
    if as_csv:
        # nl=False: the CSV ends with a line break of its own.
        click.echo(connection.call("GET", "/usage", query={**query, "format": "csv"}), nl=False)
        return
    rows = connection.all("/usage", query)
    if connection.as_json:
        printing.as_json(rows)
        return
    groups = [group.strip() for group in by.split(",") if group.strip()]
    heads: list[printing.Column] = [(group, partial(_named, group)) for group in groups]
    counts: list[printing.Column] = [("requests", "requests"), ("errors", "errors")]
    counts += [(one.label.lower(), one.name) for one in CLASSES]
    printing.table(rows, [*heads, *counts, ("cost", printing.usd("cost_usd")), ("unpriced", "unpriced_requests")])


_NAMELESS = {"model": "(unknown model)", "key": "(no key)", "provider": "(not sent)"}
"""What refused requests are shown under, which have no model or key that exists, and no provider."""


def _named(group: str, row: Mapping[str, Any]) -> Any:
    return row["key_name" if group == "key" else group] or _NAMELESS.get(group, "")


COLUMNS: tuple[printing.Column, ...] = (
    ("time", lambda row: str(row["started_at"])[:19].replace("T", " ")), ("id", "id"), ("key", "key_name"), ("model", "model"),
    ("provider", "provider"), ("status", "status"), ("ms", lambda row: round(row["duration_ms"])),
    ("in", lambda row: sum(row[name] for name in INPUT_CLASSES)),
    ("out", lambda row: sum(row[name] for name in OUTPUT_CLASSES)), ("cost", lambda row: _cost(row)),
)  # fmt: skip


@click.command(cls=Command)
@click.argument("id", required=False)
@click.option("--key", help="A key's id or name.")
@click.option("--model", help="The requested alias.")
@click.option("--provider")
@click.option("--status", type=click.Choice(["success", "error", "broken", "cancelled", "refused"]))
@click.option("--since", metavar="TIME")
@click.option("--until", metavar="TIME")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--follow", is_flag=True, help="Print new requests as they end, until Ctrl-C.")
@with_connection
def requests(connection: Connection, /, id: str | None, follow: bool, **query: Any) -> None:
    """The request log, newest first. With an ID: that request in full."""
    if id is not None:
        row = connection.call("GET", f"/requests/{id}")
        connection.print_row(row)
        return
    if follow:
        _follow(connection, query)
        return
    # One page, not `all`: the log may hold a million rows.
    rows = connection.call("GET", "/requests", query=query)["data"]
    connection.print_rows(rows, COLUMNS)


def _follow(connection: Connection, query: dict[str, Any]) -> None:
    """A line for each request as it ends."""
    # Filtered here, because the feed takes no parameters.
    wanted = {name: query[name] for name in ("model", "provider", "status") if query[name] is not None}
    try:
        for topic, row in connection.events():
            if topic != "requests" or not isinstance(row, dict) or any(row[name] != value for name, value in wanted.items()):
                continue
            if query["key"] is not None and query["key"] not in (row["key_id"], row["key_name"]):
                continue
            if connection.as_json:
                click.echo(orjson.dumps(row).decode())
            else:
                click.echo("  ".join(printing.cell(source(row) if callable(source) else row[source]) for _, source in COLUMNS))
    except KeyboardInterrupt:
        # Ctrl-C is how following ends, so it is no failure.
        return


def _cost(row: Any) -> str:
    cost = printing.usd("cost_usd")(row)
    return f"~{cost}" if row["cost_state"] == "estimated" else cost
