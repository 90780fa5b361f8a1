"""`conduit-desktop ip-rules …`."""

from __future__ import annotations

import click

from conduit_desktop.cli import printing
from conduit_desktop.cli.connection import Connection, segment, with_connection
from conduit_desktop.cli.options import CommandGroup

COLUMNS = (("id", "id"), ("action", "action"), ("network", "network"), ("created", "created_at"))


@click.group("ip-rules", cls=CommandGroup)
def ip_rules() -> None:
    """Addresses that may call the gateway, and those that may not."""


@ip_rules.command("list")
@with_connection
def list_(connection: Connection) -> None:
    """Every rule."""
    connection.print_rows(connection.all("/ip-rules"), COLUMNS)


@ip_rules.command()
@click.argument("action", type=click.Choice(["allow", "deny"]))
@click.argument("network")
@with_connection
def add(connection: Connection, action: str, network: str) -> None:
    """Allow or deny NETWORK, an address or a CIDR block. With one rule that allows, all others are denied."""
    connection.print_row(connection.call("POST", "/ip-rules", {"action": action, "network": network}))


@ip_rules.command()
@click.argument("rule")
@with_connection
def remove(connection: Connection, rule: str) -> None:
    """Remove a rule, by id or network."""
    ids = {row["network"]: row["id"] for row in connection.all("/ip-rules")}
    connection.call("DELETE", f"/ip-rules/{segment(ids.get(rule, rule))}")
    printing.echo(f"Removed the rule {rule}.", err=True)
