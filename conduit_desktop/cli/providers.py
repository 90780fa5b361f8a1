"""`conduit-desktop providers …`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from conduit_desktop.cli import printing
from conduit_desktop.cli.connection import Connection, segment, with_connection
from conduit_desktop.cli.options import CommandGroup, options
from conduit_desktop.cli.values import NONE, Pair, body_option, given_fields, merged, secret

Pairs = tuple[Any, ...]
"""What `Pair` makes of a repeatable option: names with their values, or the word `none` alone."""

COLUMNS = (
    ("name", "name"), ("kind", "kind"), ("base URL", "base_url"),
    ("keys", lambda row: [f"{key['label']} {key['hint']}" for key in row["keys"]]), ("enabled", "enabled"), ("locked", "locked"),
)  # fmt: skip

fields = options(
    body_option("--base-url", help="Base URL, if not the vendor's default."),
    body_option("--api-key", help="`-` reads standard input, `env:NAME` names a variable; without it, a terminal prompts."),
    click.option(
        "--key", "keys", type=Pair(), multiple=True, metavar="LABEL=KEY", help="One of several keys; LABEL=none removes it."
    ),
    body_option("--header", "headers", type=Pair(), multiple=True, help="A further header; may be repeated."),
    body_option("--option", "options", type=Pair(json=True), multiple=True, help="A field of the provider kind; may be repeated."),
    body_option(
        "--accept-client-keys/--refuse-client-keys", "accept_client_keys", default=None, help="Let clients use their own keys."
    ),
    body_option("--enabled/--disabled", "enabled", default=None),
)


@click.group(cls=CommandGroup)
def providers() -> None:
    """Vendors and local servers."""


@providers.command("list")
@with_connection
def list_(connection: Connection) -> None:
    """Every provider."""
    connection.print_rows(connection.all("/providers"), COLUMNS)


@providers.command()
@with_connection
def kinds(connection: Connection) -> None:
    """Every provider kind."""
    rows = connection.all("/catalog")
    columns = (("kind", "kind"), ("name", "label"), ("base URL", "base_url"), ("dialects", "dialects"))
    connection.print_rows(rows, columns)


@providers.command()
@click.argument("name")
@with_connection
def show(connection: Connection, name: str) -> None:
    """One provider."""
    connection.print_row(connection.call("GET", f"/providers/{segment(name)}"))


@providers.command()
@click.argument("name")
@click.option("--kind", required=True, help="The provider kind; `providers kinds` lists them.")
@fields
@with_connection
def add(connection: Connection, /, name: str, kind: str, keys: Pairs, **values: Any) -> None:
    """Add a provider. Its key goes to the secret store."""
    # Looked up first, so that a terminal is asked for a key only where the kind needs one.
    kinds = {row["kind"]: row for row in connection.all("/catalog")}
    needs_key = any(field["name"] == "api_key" and field["required"] for field in kinds.get(kind, {}).get("fields", []))
    values["api_key"] = secret(values["api_key"], f"API key of {name}", ask=needs_key and not keys)
    connection.print_row(connection.call("POST", "/providers", {"name": name, "kind": kind, **_body(values), **_keys(keys)}))


@providers.command()
@click.argument("name")
@click.option("--rename", help="A new name; aliases follow it.")
@click.option("--kind", help="The provider kind.")
@fields
@with_connection
def edit(connection: Connection, /, name: str, rename: str | None, kind: str | None, keys: Pairs, **values: Any) -> None:
    """Change the fields given; `none` clears one."""
    values["api_key"] = secret(values["api_key"], f"API key of {name}")
    before = connection.call("GET", f"/providers/{segment(name)}")["keys"] if keys else []
    body = given_fields({"name": rename, "kind": kind}) | _body(values) | _keys(keys, before)
    connection.print_row(connection.call("PATCH", f"/providers/{segment(name)}", body))


@providers.command()
@click.argument("name")
@with_connection
def remove(connection: Connection, name: str) -> None:
    """Remove a provider and its secrets."""
    connection.call("DELETE", f"/providers/{segment(name)}")
    printing.echo(f"Removed the provider {name}.", err=True)


@providers.command()
@click.argument("name")
@with_connection
def test(connection: Connection, name: str) -> None:
    """Send a provider a small request; fails if it does not answer."""
    result = connection.call("POST", f"/providers/{segment(name)}/test")
    connection.print_row(result)
    click.get_current_context().exit(0 if result["ok"] else 1)


@providers.command()
@click.argument("name")
@click.option("--refresh", is_flag=True, help="Request the list again.")
@with_connection
def models(connection: Connection, name: str, refresh: bool) -> None:
    """The models a provider offers."""
    rows = connection.all(f"/providers/{segment(name)}/models", {"refresh": refresh})
    columns = (("model", "id"), ("name", "name"), ("context", "context_tokens"), ("in $/M", "input_usd"), ("out $/M", "output_usd"))
    connection.print_rows(rows, columns)


def _body(values: dict[str, Any]) -> dict[str, Any]:
    return merged(given_fields(values), "headers", "options")


def _keys(given: Pairs, before: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """The body's `api_keys`: those given, laid over those of other labels that are there already."""
    if not given:
        return {}
    if NONE in given:
        return {"api_keys": None}
    new = {label: secret(text, label) for label, text in given if text != NONE}
    named = {label for label, _ in given}
    # The field replaces the whole list: keys that were not named are sent by label, and keep their values.
    kept = [{"label": one["label"], "weight": one["weight"]} for one in before if one["label"] not in named]
    return {"api_keys": [*kept, *({"label": label, "api_key": key} for label, key in new.items())]}
