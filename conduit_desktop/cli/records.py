"""`conduit-desktop usage` and `conduit-desktop requests`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import click

from conduit_desktop.cli import printing
from conduit_desktop.cli.connection import Connection, with_connection
from conduit_desktop.cli.options import Command
from conduit_desktop.core.tokens import CLASSES, INPUT_CLASSES, OUTPUT_CLASSES

GROUPS = (
    "day",
    "hour",
    "model",
    "upstream_model",
    "key",
    "team",
    "provider",
    "client",
    "session",
    "user",
    "tag",
    "endpoint",
    "status",
)


@click.command(cls=Command)
@click.option("--by", default="day", metavar="GROUP", help=f"{', '.join(GROUPS)}; several joined by commas.")
@click.option("--since", metavar="TIME", help="From this day on.")
@click.option("--until", metavar="TIME", help="Up to this day.")
@click.option("--tz", metavar="NAME", default="UTC", show_default=True, help="Time zone of days and hours, such as Europe/Berlin.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@with_connection
def usage(connection: Connection, by: str, since: str | None, until: str | None, tz: str, as_csv: bool) -> None:
    """Requests, tokens and cost."""
    query = {"group_by": by, "since": since, "until": until, "tz": tz}
    if as_csv:
        # nl=False: the CSV ends with a line break of its own.
        printing.echo(connection.call("GET", "/usage", query={**query, "format": "csv"}), nl=False)
        return
    rows = connection.all("/usage", query)
    if connection.as_json:
        printing.as_json(rows)
        return
    groups = [group.strip() for group in by.split(",") if group.strip()]
    heads: list[printing.Column] = [(group, partial(_named, group)) for group in groups]
    counts: list[printing.Column] = [("requests", "requests"), ("failed", "failed"), ("refused", "refused")]
    counts += [(one.label.lower(), one.name) for one in CLASSES]
    printing.table(rows, [*heads, *counts, ("cost", printing.usd("cost_usd")), ("unpriced", "unpriced_requests"), *_LATENCIES])


def _latency(name: str, part: str) -> Any:
    return lambda row: None if row[name][part] is None else round(row[name][part])


_LATENCIES: list[printing.Column] = [
    ("ms", _latency("latency_ms", "p50")), ("ms 95 %", _latency("latency_ms", "p95")),
    ("first ms", _latency("first_token_ms", "p50")), ("first ms 95 %", _latency("first_token_ms", "p95")),
]  # fmt: skip


_NAMELESS = {
    "model": "(unknown model)", "key": "(no key)", "provider": "(not sent)", "upstream_model": "(no upstream model)",
    "client": "(no client)", "team": "(no team)", "session": "(no session)", "user": "(no user)", "tag": "(no tag)",
}  # fmt: skip
"""What requests are shown under that have none: refused ones have no model or key that exists, and no provider."""


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
@click.option("--client", help="The product name of its User-Agent.")
@click.option("--session")
@click.option("--user")
@click.option("--tag")
@click.option("--endpoint", help="chat, embeddings, images …")
@click.option("--upstream-model", help="The provider's own name of the model.")
@click.option("--min-cost", "min_cost_usd", type=float, help="US dollars.")
@click.option("--search", "q", metavar="TEXT", help="Part of the model, the client or the error.")
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
    # Up to the limit, not `all`: the log may hold a million rows. A page of a search may be short though there is more.
    rows: list[Any] = []
    while len(rows) < query["limit"]:
        page = connection.call("GET", "/requests", query=query | {"limit": query["limit"] - len(rows)})
        rows += page["data"]
        query["cursor"] = page["next"]
        if page["next"] is None:
            break
    connection.print_rows(rows, COLUMNS)


def _follow(connection: Connection, query: dict[str, Any]) -> None:
    """A line for each request as it ends."""
    # Filtered here, because the feed takes no parameters.
    names = ("model", "provider", "status", "client", "session", "user", "endpoint", "upstream_model")
    wanted = {name: query[name] for name in names if query[name] is not None}
    try:
        for topic, row in connection.events():
            if topic != "requests" or not isinstance(row, dict) or any(row[name] != value for name, value in wanted.items()):
                continue
            if query["key"] is not None and query["key"] not in (row["key_id"], row["key_name"]):
                continue
            if query["tag"] is not None and query["tag"] not in row["tags"]:
                continue
            if query["min_cost_usd"] is not None and (row["cost_usd"] or 0) < query["min_cost_usd"]:
                continue
            if query["q"] is not None and query["q"].casefold() not in _searched(row):
                continue
            if connection.as_json:
                printing.as_json(row, indent=False)
            else:
                printing.echo("  ".join(printing.cell(source(row) if callable(source) else row[source]) for _, source in COLUMNS))
    except KeyboardInterrupt:
        # Ctrl-C is how following ends, so it is no failure.
        return


def _cost(row: Any) -> str:
    cost = printing.usd("cost_usd")(row)
    return f"~{cost}" if row["cost_state"] == "estimated" else cost


def _searched(row: Any) -> str:
    return "\n".join(str(row[name]) for name in ("model", "upstream_model", "client", "error_text", "error_code")).casefold()
