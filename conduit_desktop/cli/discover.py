"""`conduit-desktop discover`: provider keys in the environment and model servers on this computer."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import click

from conduit_desktop.cli import printing
from conduit_desktop.cli.connection import Connection, segment, with_connection
from conduit_desktop.cli.options import CliError, Command

COLUMNS: tuple[printing.Column, ...] = (
    ("found", "found"), ("kind", "kind"), ("", "detail"), ("in use", "used"),
)  # fmt: skip
MOST_MODELS = 200
"""A provider that offers more (OpenRouter has hundreds) gets no aliases by itself."""


@click.command(cls=Command)
@click.option("--add", is_flag=True, help="Make providers of what is not in use yet, and aliases of their models.")
@with_connection
def discover(connection: Connection, add: bool) -> None:
    """Find provider keys in the environment and model servers on this computer.

    Of a key, only the variable's name and a hint are shown. While a server runs for this home, its environment counts. A key that
    is added stays in the environment, where the server reads it at each start.
    """
    found = connection.call("GET", "/discovery")
    if add:
        _add(connection, found)
        return
    if connection.as_json:
        printing.as_json(found)
    elif rows := [*map(_key_row, found["keys"]), *map(_server_row, found["servers"])]:
        printing.table(rows, COLUMNS)
        if not all(row["used"] for row in rows):
            printing.echo("`conduit-desktop discover --add` makes providers and aliases of them.", err=True)
    else:
        printing.echo("No provider keys in the environment and no model servers on this computer.", err=True)
    _name_keys_of_this_shell(connection, found["keys"])


def _add(connection: Connection, found: Mapping[str, Any]) -> None:
    wanted = {
        "variables": [one["variable"] for one in found["keys"] if not one["used"]],
        "servers": [one["base_url"] for one in found["servers"] if not one["used"]],
    }
    _name_keys_of_this_shell(connection, found["keys"])
    if not any(wanted.values()):
        if connection.as_json:
            printing.as_json({"providers": [], "aliases": {}})
        printing.echo("Nothing new was found.", err=True)
        return
    # The answer has them in the order sent, the keys first.
    names = connection.call("POST", "/discovery", wanted)["providers"]
    with_key = names[: len(wanted["variables"])]
    aliases = {name: _publish(connection, name) if name in with_key else _aliases_of(connection, name) for name in names}
    if connection.as_json:
        printing.as_json({"providers": names, "aliases": aliases})
        return
    for name in names:
        listed = ", ".join(aliases[name][:5]) + (" …" if len(aliases[name]) > 5 else "")
        printing.echo(f"{name}  {len(aliases[name])} aliases: {listed}" if aliases[name] else f"{name}  called as {name}/MODEL")


def _publish(connection: Connection, provider: str) -> list[str]:
    """Aliases of the models that a provider offers; none, with the reason on standard error, where they cannot be listed."""
    try:
        offered = [row["id"] for row in connection.all(f"/providers/{segment(provider)}/models", {"refresh": True})]
        if len(offered) > MOST_MODELS:
            printing.echo(
                f"{provider} offers {len(offered)} models: add those you want with `conduit-desktop models add`.", err=True
            )
            return []
        made: list[str] = connection.call("POST", f"/providers/{segment(provider)}/publish", {"models": offered})["aliases"]
    except CliError as error:
        # The provider is there all the same, and can be called without aliases.
        printing.echo(f"The models of {provider} could not be listed: {error.message}", err=True)
        return []
    return made


def _aliases_of(connection: Connection, provider: str) -> list[str]:
    """The aliases that were made of a local server's models, when it was added."""
    rows = connection.all("/models")
    return [row["alias"] for row in rows if any(target["provider"] == provider for target in row["targets"])]


def _name_keys_of_this_shell(connection: Connection, known: Iterable[Mapping[str, Any]]) -> None:
    """Name keys that are set in this shell but not where the server runs: it could not read them."""
    from conduit_desktop.actions.onboarding.discovery import keys_in

    if connection.address is None:
        return
    there = {one["variable"] for one in known}
    if missing := [one for one in keys_in(os.environ, ()) if one.variable not in there]:
        names = ", ".join(one.variable for one in missing)
        first = missing[0]
        printing.echo(
            f"Set in this shell, but not where the server runs: {names}. Start the server from here, or give it the key itself: "
            f"conduit-desktop providers add {first.kind} --kind {first.kind}",
            err=True,
        )


def _key_row(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"found": one["variable"], "kind": one["label"], "detail": one["hint"], "used": one["used"]}


def _server_row(one: Mapping[str, Any]) -> dict[str, Any]:
    models = f"{len(one['models'])} {'model' if len(one['models']) == 1 else 'models'}"
    return {"found": one["base_url"], "kind": one["label"], "detail": models, "used": one["used"]}
