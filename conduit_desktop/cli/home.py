"""Commands on the whole home: master key, backup and restore, export and import."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from conduit_desktop.cli import printing
from conduit_desktop.cli.connection import Connection, with_connection
from conduit_desktop.cli.exports import write
from conduit_desktop.cli.options import CliError, Command, CommandGroup, CommandOptions
from conduit_desktop.core import shown_text
from conduit_desktop.core.errors import HomeHeld


@click.group("master-key", cls=CommandGroup)
def master_key() -> None:
    """The key of the admin API."""


@master_key.command()
@click.pass_obj
def show(given: CommandOptions, /) -> None:
    """Print the master key."""
    # The environment comes first, as it does in the server.
    key = os.environ.get("CONDUIT_MASTER_KEY", "").strip() or _kept_key(given)
    printing.echo(key)


def _kept_key(given: CommandOptions) -> str:
    """The one kept with the secrets, made now if there is none yet."""
    from conduit_desktop.actions.master_key import get_or_create
    from conduit_desktop.app import make_database
    from conduit_desktop.store import inspection
    from conduit_desktop.store.secrets.store import open_secrets

    # Without effect here: a script takes the key as it is.
    given.values.pop("json", None)
    home = given.options().folder
    # First, as in every new home: secrets without a database are those of a home that has lost it.
    if not home.database.exists():
        make_database(home)
    elif inspection.has_pending_secrets(home.database):
        # A rotation that was killed holds from the next start on; a process that holds the home is in the middle of one.
        with suppress(HomeHeld):
            make_database(home)
    return get_or_create(open_secrets(home, os.environ.get("CONDUIT_SECRETS", "auto")))


@master_key.command()
@with_connection
def rotate(connection: Connection) -> None:
    """Replace it, and print the new one."""
    printing.echo(connection.call("POST", "/master-key/rotate")["master_key"])


@click.command(cls=Command)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_connection
def backup(connection: Connection, file: Path) -> None:
    """Copy the databases to FILE. Secrets are not in it."""
    # An absolute path, because the server that writes the file has another working directory.
    made = connection.call("POST", "/backup", {"path": str(file.expanduser().absolute())})
    printing.as_json(made) if connection.as_json else printing.echo(f"Wrote {made['path']} ({made['bytes']:,} bytes).")


@click.command(cls=Command)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def restore(given: CommandOptions, /, file: Path, yes: bool) -> None:
    """Put a backup back in place. The home's server must not run."""
    from conduit_desktop.store.backup import restore as put_back

    given.values.pop("json", None)
    home = given.options().folder
    if home.database.exists() and not yes:
        # On standard error, because standard output is for what a script reads.
        click.confirm(f"Replace the databases in {home.root}? They stay there as *.before-restore", abort=True, err=True)
    put_back(file, home)
    printing.echo(f"Restored {home.root} from {file}.")


@click.command(cls=Command)
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@with_connection
def export(connection: Connection, file: Path) -> None:
    """Write the configuration as a conduit.toml. Secrets are not in it; `-` as FILE prints it."""
    if write(file, connection.call("GET", "/export")["toml"]):
        printing.echo(f"Wrote {file}. Secrets are not in it: it names environment variables in their place.", err=True)


@click.command("import", cls=Command)
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--allow-env", multiple=True, metavar="NAME", help="An environment variable that the file may take.")
@with_connection
def import_(connection: Connection, file: Any, yes: bool, allow_env: tuple[str, ...]) -> None:
    """Read a conduit.toml. Shows what would change, then asks; also for each environment variable that the file names."""
    text = file.read()
    allowed = list(allow_env)
    preview = connection.call("POST", "/import", {"toml": text, "allow_env": allowed})
    if missing := [one for one in preview["variables"] if one["needed"] and not one["allowed"]]:
        allowed += _allowed_variables(missing, ask=not yes and sys.stdin.isatty())
        preview = connection.call("POST", "/import", {"toml": text, "allow_env": allowed})
    _preview(connection, preview["changes"])
    if not any(row["change"] in ("add", "change") for row in preview["changes"]):
        printing.echo("Nothing to change.", err=True)
        return
    if not yes:
        # FILE may be standard input, which then has no answer to give; a script must say --yes.
        if not sys.stdin.isatty():
            raise CliError("nothing was changed: give --yes to import.")
        click.confirm("Import this?", abort=True, err=True)
    made = connection.call("POST", "/import", {"toml": text, "apply": True, "allow_env": allowed})
    if connection.as_json:
        printing.as_json(made)
    for name, key in ({} if connection.as_json else made["new_keys"]).items():
        printing.echo(f"{key}  {name}")


def _allowed_variables(missing: list[dict[str, Any]], ask: bool) -> list[str]:
    """The variables that the user lets the file take; aborts at the first one that he does not."""
    if not ask:
        options = " ".join(f"--allow-env {one['name']}" for one in missing)
        raise CliError(f"nothing was changed: the file takes environment variables. To let it, give {options}")
    for one in missing:
        where = ", ".join(one["used_in"]) + (f", sent to {', '.join(one['hosts'])}" if one["hosts"] else "")
        text = shown_text.one_line(f"May the file take the environment variable {one['name']} ({where})?")
        click.confirm(text, abort=True, err=True)
    return [one["name"] for one in missing]


def _preview(connection: Connection, changes: list[dict[str, Any]]) -> None:
    """The changes with their hosts and values."""
    if not connection.as_json:
        columns = (
            ("change", "change"), ("what", "kind"), ("name", "name"), ("host", "host"),
            ("values", lambda row: "; ".join(map(_value_line, row["values"]))),
        )  # fmt: skip
        printing.table([row for row in changes if row["change"] != "same"], columns)


def _value_line(value: dict[str, Any]) -> str:
    after = "none" if value["after"] is None else value["after"]
    return f"{value['field']}: {after}" if value["before"] is None else f"{value['field']}: {value['before']} -> {after}"
