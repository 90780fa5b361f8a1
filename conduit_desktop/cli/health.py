"""`conduit-desktop health …`."""

from __future__ import annotations

from typing import Any

import click

from conduit_desktop.cli import printing
from conduit_desktop.cli.connection import Connection, segment, with_connection
from conduit_desktop.cli.options import CommandGroup

COLUMNS: tuple[printing.Column, ...] = (
    ("target", "name"), ("state", "state"), ("ms", lambda row: row["latency_ms"] and round(row["latency_ms"])),
    ("in flight", "in_flight"), ("last hour", lambda row: row["errors"]), ("next probe", lambda row: _seconds(row["next_probe_s"])),
    ("credentials", lambda row: [_credential(one) for one in row["credentials"]]), ("", "text"),
)  # fmt: skip


@click.group(cls=CommandGroup)
def health() -> None:
    """Health of targets and credentials; pause and resume targets."""


@health.command("list")
@with_connection
def list_(connection: Connection) -> None:
    """Every target, with its circuit and its credentials."""
    connection.print_rows(connection.all("/health"), COLUMNS)


@health.command()
@click.argument("target", metavar="PROVIDER/MODEL")
@with_connection
def pause(connection: Connection, target: str) -> None:
    """Send a target no requests until it is resumed, also after a restart."""
    # As one segment of the path: the slash in PROVIDER/MODEL is quoted.
    connection.call("POST", f"/health/{segment(target)}/pause")
    printing.echo(f"Paused {target}.", err=True)


@health.command()
@click.argument("target", metavar="PROVIDER/MODEL")
@with_connection
def resume(connection: Connection, target: str) -> None:
    """Send a paused target requests again."""
    connection.call("POST", f"/health/{segment(target)}/resume")
    printing.echo(f"Resumed {target}.", err=True)


@health.command()
@click.argument("provider")
@click.argument("label")
@with_connection
def release(connection: Connection, provider: str, label: str) -> None:
    """Use a disabled credential, or one in cooldown, again."""
    connection.call("POST", f"/health/{segment(provider)}/credentials/{segment(label)}/release")
    printing.echo(f"The credential {label} of {provider} is used again.", err=True)


def _seconds(wait: float | None) -> str | None:
    return None if wait is None else f"{wait:,.0f} s"


def _credential(one: dict[str, Any]) -> str:
    wait = f" {one['wait_s']:,.0f} s" if one["wait_s"] else ""
    return f"{one['label']} {one['state']}{wait}"
