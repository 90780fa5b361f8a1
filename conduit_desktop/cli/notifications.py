"""`conduit-desktop notifications …`, `webhook …` and `audit`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from conduit_desktop.cli import printing
from conduit_desktop.cli.connection import Connection, segment, with_connection
from conduit_desktop.cli.options import CliError, Command, CommandGroup
from conduit_desktop.cli.values import secret


def _time(name: str) -> printing.Column:
    def text(row: Mapping[str, Any]) -> str:
        return str(row[name])[:19].replace("T", " ")

    return ("time", text)


NOTES = (
    _time("created_at"), ("id", "id"), ("severity", "severity"), ("kind", "kind"), ("title", "title"), ("text", "text"),
    ("read", "read"),
)  # fmt: skip
ENTRIES = (_time("at"), ("by", "actor"), ("action", "action"), ("of", "subject"), ("changes", "changes"))
limit = click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)


@click.group(cls=CommandGroup)
def notifications() -> None:
    """What the gateway has to report: budgets, failing providers, keys that expire."""


@notifications.command("list")
@click.option("--unread", is_flag=True, help="Only those that nobody has read.")
@limit
@with_connection
def list_(connection: Connection, unread: bool, limit: int) -> None:
    """Notifications, the newest first."""
    query = {"limit": limit, **({"unread": "1"} if unread else {})}
    connection.print_rows(connection.call("GET", "/notifications", query=query)["data"], NOTES)


@notifications.command()
@click.argument("id", required=False)
@with_connection
def read(connection: Connection, id: str | None) -> None:
    """Mark one as read, or all where no ID is given."""
    if id is not None:
        connection.call("POST", f"/notifications/{segment(id)}/read")
        printing.echo(f"Marked {id} as read.", err=True)
        return
    answer = connection.call("POST", "/notifications/read")
    printing.as_json(answer) if connection.as_json else printing.echo(f"Marked {answer['read']} as read.")


@click.command(cls=Command)
@limit
@with_connection
def audit(connection: Connection, limit: int) -> None:
    """Who changed what, and when; the newest first."""
    connection.print_rows(connection.call("GET", "/audit", query={"limit": limit})["data"], ENTRIES)


@click.group(cls=CommandGroup)
def webhook() -> None:
    """An address to which every notification is sent, signed."""


@webhook.command()
@with_connection
def show(connection: Connection) -> None:
    """Where notifications are sent."""
    connection.print_row(connection.call("GET", "/webhook"))


@webhook.command("set")
@click.argument("url")
@with_connection
def set_(connection: Connection, url: str) -> None:
    """Send notifications to URL (`-` reads it from standard input, env:NAME from the environment); prints the signing secret."""
    row = connection.call("PUT", "/webhook", {"url": secret(url, "Address")})
    if connection.as_json:
        printing.as_json(row)
        return
    printing.echo(row["secret"])
    printing.echo(f"Notifications are sent to {row['url']}. The secret is not shown again.", err=True)


@webhook.command()
@with_connection
def test(connection: Connection) -> None:
    """Send a test notification."""
    row = connection.call("POST", "/webhook/test")
    if not row["ok"]:
        raise CliError(f"the webhook failed: {row['error']}")
    printing.echo("The webhook took the test notification.")


@webhook.command()
@with_connection
def remove(connection: Connection) -> None:
    """Send notifications nowhere."""
    connection.call("DELETE", "/webhook")
    printing.echo("Removed the webhook.", err=True)
