"""`conduit-desktop healthcheck`: whether the gateway of a home answers, for containers and supervisors."""

from __future__ import annotations

import http.client

import click

from conduit_desktop.cli import printing
from conduit_desktop.cli.connection import connect, server_of
from conduit_desktop.cli.options import CliError, Command, CommandOptions

TIMEOUT_S = 3.0


@click.command(cls=Command)
@click.pass_obj
def healthcheck(given: CommandOptions, /) -> None:
    """Exit 0 if the gateway that serves this home answers.

    It is asked at the address where it listens, whatever set its port, and over TLS where it has a certificate.
    """
    given.values.pop("json", None)
    address, _ = server_of(given.options())
    if address is None:
        raise CliError("no server runs for this home.")
    connection = connect(address, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise CliError(f"{address} does not answer: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if status != 200:
        raise CliError(f"{address}/health answers {status}.")
    printing.echo(f"{address} answers.")
