"""`conduit-desktop prices …`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from conduit_desktop.cli import printing
from conduit_desktop.cli.connection import Connection, segment, with_connection
from conduit_desktop.cli.exports import write
from conduit_desktop.cli.options import CommandGroup, options
from conduit_desktop.cli.values import NUMBER, Pair, body_option, given_fields, merged
from conduit_desktop.core.media import UNIT_RATES
from conduit_desktop.core.tokens import RATE_NAMES

RATES = (*RATE_NAMES, *UNIT_RATES, "min_seconds")
COLUMNS = (
    ("pattern", "pattern"), ("input", "input"), ("output", "output"), ("cache read", "cache_read"), ("cache write", "cache_write"),
    ("image", "per_image"), ("minute", "per_minute"), ("from", "valid_from"), ("locked", "locked"),
)  # fmt: skip
CATALOG_COLUMNS = (("provider", "provider"), ("model", "model"), *COLUMNS[1:7])

fields = options(
    *(body_option(f"--{rate.replace('_', '-')}", rate, type=NUMBER) for rate in RATES),
    body_option("--service-tier", "service_tiers", type=Pair(json=True), multiple=True, metavar="NAME=FACTOR",
                help="Factor on every rate for a tier, speed:NAME or region:NAME as the provider reports it; repeatable."),
    body_option("--valid-from", metavar="TIME", help="Start of its validity; without it, always valid."),
)  # fmt: skip


@click.group(cls=CommandGroup)
def prices() -> None:
    """Prices of your own, in US dollars per million tokens."""


@prices.command("list")
@with_connection
def list_(connection: Connection) -> None:
    """Every price you set."""
    connection.print_rows(connection.all("/prices"), COLUMNS)


@prices.command()
@click.option("--search", metavar="TEXT", help="Only models with this text in provider/model.")
@with_connection
def catalog(connection: Connection, search: str | None) -> None:
    """The price catalog, with its date."""
    connection.print_rows(connection.all("/catalog/prices", {"q": search} if search else None), CATALOG_COLUMNS)
    found = connection.call("GET", "/catalog/prices")
    printing.echo(f"{found['models']} models, {found['date']}, {found['source']}", err=True)


@prices.command()
@with_connection
def refresh(connection: Connection) -> None:
    """Take a newer price catalog from the address of the setting catalog_url."""
    connection.print_row(connection.call("POST", "/catalog/prices/refresh"))


@prices.command()
@click.argument("pattern")
@with_connection
def show(connection: Connection, pattern: str) -> None:
    """The price of a pattern that is valid now."""
    connection.print_row(connection.call("GET", f"/prices/{segment(pattern)}"))


@prices.command()
@click.argument("pattern")
@fields
@with_connection
def add(connection: Connection, /, pattern: str, **values: Any) -> None:
    """Set the price of a model. PATTERN is provider/model or a model's name, with * for any text."""
    connection.print_row(connection.call("PUT", f"/prices/{segment(pattern)}", _body(values)))


@prices.command()
@click.argument("pattern")
@fields
@with_connection
def edit(connection: Connection, /, pattern: str, **values: Any) -> None:
    """Change the rates given; `none` clears one. The others stay as they are."""
    # PUT replaces the whole price, so what was not given has to be sent again.
    before = connection.call("GET", f"/prices/{segment(pattern)}")
    kept = {name: before[name] for name in (*RATES, "tiers", "service_tiers", "valid_from") if before[name] is not None}
    # The API names every rate of a tier; one that it does not have is not sent.
    kept["tiers"] = [{name: rate for name, rate in tier.items() if rate is not None} for tier in kept["tiers"]]
    connection.print_row(connection.call("PUT", f"/prices/{segment(pattern)}", kept | _body(values)))


@prices.command()
@click.argument("pattern")
@with_connection
def remove(connection: Connection, pattern: str) -> None:
    """Remove a price; the catalog's is used again."""
    connection.call("DELETE", f"/prices/{segment(pattern)}")
    printing.echo(f"Removed the price of {pattern}.", err=True)


@prices.command()
@click.option("--since", metavar="TIME", help="From this day on.")
@click.option("--until", metavar="TIME", help="Up to this day.")
@click.option("--model", help="An alias, an upstream model or provider/model.")
@click.option("--all", "mode", flag_value="all", help="Known costs, too; without it, only unknown ones.")
@click.option("--preview", is_flag=True, default=None, help="Change nothing: say what would change.")
@with_connection
def reprice(connection: Connection, /, **values: Any) -> None:
    """Compute the cost of past requests from the prices of their time."""
    answer = connection.call("POST", "/prices/reprice", given_fields(values))
    if connection.as_json:
        printing.as_json(answer)
        return
    would = "would have" if answer["preview"] else "have"
    before, after = printing.usd("before_usd")(answer), printing.usd("after_usd")(answer)
    printing.echo(
        f"{answer['repriced']} requests {would} another cost, {answer['changed']} of them a known one: {before} -> {after}."
    )


@prices.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), default="-")
@with_connection
def export(connection: Connection, file: Path) -> None:
    """Write every price you set as CSV to FILE, or to standard output."""
    write(file, connection.call("GET", "/prices.csv"))


@prices.command("import")
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@with_connection
def import_(connection: Connection, file: Any) -> None:
    """Set every price of a CSV FILE (`-`: standard input), all or none. Others stay as they are."""
    answer = connection.call("POST", "/prices.csv", file.read())
    printing.as_json(answer) if connection.as_json else printing.echo(f"{answer['imported']} prices set.")


def _body(values: dict[str, Any]) -> dict[str, Any]:
    body = merged(given_fields(values), "service_tiers")
    return body if body.get("service_tiers", 1) is not None else {**body, "service_tiers": {}}
