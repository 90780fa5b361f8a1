"""`conduit-desktop doctor`: one line for each check, with advice where it fails."""

from __future__ import annotations

import asyncio
import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

import click

from conduit_desktop.cli import printing
from conduit_desktop.cli.options import Command, CommandOptions
from conduit_desktop.core.errors import ConduitError

if TYPE_CHECKING:
    from conduit_desktop.app import Options

Verdict = Literal["ok", "note", "bad"]
Finding = tuple[Verdict, str, str]


@click.command(cls=Command)
@click.option("--forget", multiple=True, metavar="FILE", help="Go on without a file of the home that was lost.")
@click.pass_obj
def doctor(given: CommandOptions, /, forget: tuple[str, ...]) -> None:
    """Check the installation and print advice for what fails.

    Checks the home, its server, database, secrets and providers, the config file, the port, the display and the prices, and
    names the provider keys and the model servers that are found on this computer.
    """
    as_json = bool(given.values.pop("json", False))
    if forget:
        from conduit_desktop.app import forget_files

        forget_files(given.options().folder, forget)
    found = list(findings(given.options()))
    if as_json:
        printing.as_json([{"verdict": verdict, "what": what, "text": text} for verdict, what, text in found])
    else:
        for verdict, what, text in found:
            printing.echo(f"{verdict:<4}  {what:<9}  {text}")
    # A note is no failure: a server without display or keyring is in order.
    click.get_current_context().exit(1 if any(verdict == "bad" for verdict, _, _ in found) else 0)


def findings(options: Options) -> Iterator[Finding]:
    """The finding of every check; a check that raises is a finding too."""
    checks: tuple[tuple[str, Callable[[Options], Finding]], ...] = (
        ("home", _home), ("server", _server), ("database", _database), ("secrets", _secrets),
        ("providers", _providers), ("keys", _keys), ("models", _servers), ("config", _config),
        ("port", _port), ("display", _display), ("prices", _prices),
    )  # fmt: skip
    for what, check in checks:
        try:
            yield check(options)
        except (ConduitError, OSError, sqlite3.Error) as error:
            yield "bad", what, str(error)


def _home(options: Options) -> Finding:
    home = options.folder
    home.prepare()
    return "ok", "home", f"{home.root} can be written"


def _server(options: Options) -> Finding:
    from conduit_desktop.store.lock import HomeLock

    holder = HomeLock(options.folder).holder()
    if holder is None:
        return "ok", "server", "no server runs for this home"
    return "ok", "server", f"process {holder.get('pid', '?')} serves this home at {holder.get('address') or 'no address'}"


def _database(options: Options) -> Finding:
    from conduit_desktop.store import inspection

    path = options.folder.database
    inspection.check_home(options.folder)
    if not path.exists():
        return "ok", "database", "not made yet"
    # Read-only, not through the store: opening that would migrate the database, which may be in use.
    verdict, version = inspection.verdict(path)
    if verdict != "ok":
        return "bad", "database", f"{path} is damaged: {verdict}. Restore a backup with `conduit-desktop restore FILE`."
    return "ok", "database", f"{path} is sound (schema {version}, {path.stat().st_size:,} bytes)"


def _secrets(options: Options) -> Finding:
    from conduit_desktop.store.secrets.store import open_secrets

    secrets = open_secrets(options.folder, os.environ.get("CONDUIT_SECRETS", "auto"))
    text = f"kept in the {secrets.backend}. {secrets.note}".strip()
    return ("note" if secrets.note else "ok"), "secrets", text


def _providers(options: Options) -> Finding:
    """Whether the providers' keys exist, in the secret store or in the environment of this shell."""
    from conduit_desktop.store.inspection import provider_secrets
    from conduit_desktop.store.secrets.store import open_secrets, resolve

    path = options.folder.database
    if not path.exists():
        return "ok", "providers", "none yet"
    rows = provider_secrets(path)
    if rows is None:  # a damaged database has a check of its own
        return "note", "providers", "cannot be read from this database"
    named = [(name, secret) for name, secrets in rows for secret in secrets]
    if not named:
        return "ok", "providers", f"{len(rows)}, and none names a key" if rows else "none yet"
    secrets = open_secrets(options.folder, os.environ.get("CONDUIT_SECRETS", "auto"))
    missing = [f"{name}: {_place(secret)}" for name, secret in named if resolve(secrets, secret) is None]
    if missing:
        return "bad", "providers", f"keys are missing: {'; '.join(missing)}"
    return "ok", "providers", f"{len(rows)}, with every key that they name"


def _place(secret: str) -> str:
    return (
        f"{secret[4:]} is not set in this shell"
        if secret.startswith("env:")
        else "its key is not in the secret store; enter it anew"
    )


def _keys(options: Options) -> Finding:
    """The provider keys in the environment of this shell, by the names of their variables."""
    from conduit_desktop.actions.onboarding.discovery import keys_in
    from conduit_desktop.store.inspection import provider_secrets

    path = options.folder.database
    rows = (provider_secrets(path) or []) if path.exists() else []
    found = keys_in(os.environ, {secret for _, secrets in rows for secret in secrets})
    if not found:
        return "ok", "keys", "no provider key is set in this shell's environment"
    unused = [f"{one.variable} ({one.label})" for one in found if not one.used]
    used = [one.variable for one in found if one.used]
    parts = [f"set and not used: {', '.join(unused)}; `conduit-desktop discover --add` adds them"] if unused else []
    return "ok", "keys", "; ".join([*parts, *([f"used: {', '.join(used)}"] if used else [])])


def _servers(options: Options) -> Finding:
    """The model servers that answer on this computer's usual ports."""
    from conduit_desktop.actions.onboarding import discovery
    from conduit_desktop.providers.catalog import CATALOG

    port = _wanted_port(options)
    # Not the port of this gateway, which is no model server to add.
    found = asyncio.run(discovery.servers_on([one for one in discovery.PORTS if one[0] != port]))
    if not found:
        looked = ", ".join(f"{CATALOG[kind].label} ({port})" for port, kind in discovery.PORTS)
        return "ok", "models", f"no model server answers on the usual ports: {looked}"
    return "ok", "models", "; ".join(f"{one.label} at {one.base_url} with {len(one.models)} models" for one in found)


def _config(options: Options) -> Finding:
    from conduit_desktop.actions.config_file.document import load

    if options.config is None:
        return "ok", "config", "no config file is followed"
    load(options.config)
    return "ok", "config", f"{options.config} can be read"


def _port(options: Options) -> Finding:
    from conduit_desktop.server.listeners import port_hint, port_holder
    from conduit_desktop.store.lock import HomeLock

    port = _wanted_port(options)
    home = options.folder
    served = (HomeLock(home).holder() or {}).get("address") if home.root.is_dir() else None
    if served and str(served).endswith(f":{port}"):
        return "ok", "port", f"{port} is this home's own server"
    with socket.socket() as trial:
        # On Windows, SO_REUSEADDR would bind a port in use; elsewhere it passes over connections that are still closing.
        if not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((options.host or "127.0.0.1", port))
        except OSError as error:
            who = port_holder(port)
            by = f" by {who}" if who else ""
            return "bad", "port", f"{port} is taken{by} ({error.strerror}); choose another with --port.{port_hint(port)}"
    return "ok", "port", f"{port or 'any'} is free"


def _wanted_port(options: Options) -> int:
    """The option's, else the one set in the database, else the default."""
    from conduit_desktop.core.settings import Settings

    if options.port is not None:
        return options.port
    path = options.folder.database
    if path.exists():
        from conduit_desktop.store.inspection import stored_port

        if (port := stored_port(path)) is not None:
            return port
    default: int = Settings.model_fields["port"].default
    return default


def _display(options: Options) -> Finding:
    from conduit_desktop.app import no_window

    if why := no_window():
        return "note", "display", f"{why}: the app serves without a window"
    return "ok", "display", "a window can be shown"


def _prices(options: Options) -> Finding:
    from conduit_desktop.gateway.accounting.price_catalog import PriceCatalog

    catalog = PriceCatalog.load(options.folder.prices)
    return "ok", "prices", f"the price catalog is of {catalog.date}"
