"""`conduit-desktop models …`."""

from __future__ import annotations

import re
from typing import Any

import click
import orjson

from conduit_desktop.cli import printing
from conduit_desktop.cli.connection import Connection, segment, with_connection
from conduit_desktop.cli.options import CommandGroup, options
from conduit_desktop.cli.values import INTEGER, Pair, body_option, given_fields, merged

STRATEGIES = ("priority", "round_robin", "weighted", "random", "least_busy", "fastest", "cheapest")
COLUMNS = (
    ("alias", "alias"), ("strategy", "strategy"), ("targets", lambda row: [_target_text(one) for one in row["targets"]]),
    ("fallbacks", "fallbacks"), ("enabled", "enabled"), ("locked", "locked"),
)  # fmt: skip

fields = options(
    body_option("--target", "targets", multiple=True, metavar="PROVIDER/MODEL[=WEIGHT]", help="A target; may be repeated."),
    body_option("--strategy", type=click.Choice(STRATEGIES), help="How a target is chosen."),
    body_option("--fallback", "fallbacks", multiple=True, metavar="ALIAS", help="Alias used when all targets fail; repeatable."),
    body_option(
        "--context-fallback",
        "context_fallbacks",
        multiple=True,
        metavar="ALIAS",
        help="For requests that are too long; repeatable.",
    ),
    body_option(
        "--content-filter-fallback",
        "content_filter_fallbacks",
        multiple=True,
        metavar="ALIAS",
        help="For blocked answers; repeatable.",
    ),
    body_option(
        "--sticky",
        type=click.Choice(("session", "prefix", "none")),
        help="Session affinity: one target for related requests.",
    ),
    body_option(
        "--trim/--no-trim",
        "trim",
        default=None,
        help="Remove the oldest messages of a request that is too long.",
    ),
    body_option("--retries", type=int, help="Further attempts on the same target."),
    body_option("--timeout", "timeouts", type=Pair(json=True), multiple=True, help="connect_s, first_token_s, idle_s, total_s."),
    body_option("--max-context-tokens", type=INTEGER, help="Context length in tokens; targets of a longer request are skipped."),
    body_option("--override", "overrides", type=Pair(json=True), multiple=True, help="A parameter to set; =null removes it."),
    body_option("--enabled/--disabled", "enabled", default=None),
)


@click.group(cls=CommandGroup)
def models() -> None:
    """Model aliases: the names clients call."""


@models.command("list")
@with_connection
def list_(connection: Connection) -> None:
    """Every alias."""
    connection.print_rows(connection.all("/models"), COLUMNS)


@models.command()
@click.argument("alias")
@with_connection
def show(connection: Connection, alias: str) -> None:
    """One alias."""
    _show(connection, connection.call("GET", f"/models/{segment(alias)}"))


@models.command()
@click.argument("alias")
@fields
@with_connection
def add(connection: Connection, /, alias: str, **values: Any) -> None:
    """Add an alias."""
    _show(connection, connection.call("POST", "/models", {"alias": alias, "targets": [], **_body(values)}))


@models.command()
@click.argument("alias")
@click.option("--rename", help="A new name; fallbacks follow it.")
@fields
@with_connection
def edit(connection: Connection, /, alias: str, rename: str | None, **values: Any) -> None:
    """Change the fields given; `none` clears one."""
    _show(connection, connection.call("PATCH", f"/models/{segment(alias)}", given_fields({"alias": rename}) | _body(values)))


@models.command()
@click.argument("alias")
@with_connection
def remove(connection: Connection, alias: str) -> None:
    """Remove an alias."""
    connection.call("DELETE", f"/models/{segment(alias)}")
    printing.echo(f"Removed the alias {alias}.", err=True)


@models.command()
@click.argument("alias")
@click.option("--body", default="{}", help="A request body as JSON.")
@with_connection
def explain(connection: Connection, alias: str, body: str) -> None:
    """The targets a request would try now, with reasons."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise click.UsageError(f"--body is not valid JSON: {error}") from error
    rows = connection.call("POST", f"/models/{segment(alias)}/explain", request)["data"]
    columns = (("provider", "provider"), ("model", "model"), ("usable", "usable"), ("reason", "reason"))
    connection.print_rows(rows, columns)


def _body(values: dict[str, Any]) -> dict[str, Any]:
    body = given_fields(values)
    if body.get("targets"):
        body["targets"] = [_target(text) for text in body["targets"]]
    return merged(body, "timeouts", "overrides")


def _target(text: str) -> dict[str, Any]:
    # The weight is what follows the last `=`: model names may hold slashes and colons.
    found = re.fullmatch(r"([^/]+)/(.+?)(?:=(\d+))?", text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not PROVIDER/MODEL or PROVIDER/MODEL=WEIGHT", param_hint="--target")
    return {"provider": found[1], "model": found[2], "weight": int(found[3] or 1)}


def _target_text(target: dict[str, Any]) -> str:
    weight = f"={target['weight']}" if target["weight"] != 1 else ""
    return f"{target['provider']}/{target['model']}{weight}"


def _show(connection: Connection, row: dict[str, Any]) -> None:
    texts = {"targets": [_target_text(one) for one in row["targets"]]}
    connection.print_row(row if connection.as_json else {**row, **texts})
