"""The command line: the window, the headless gateway, and every operation, on the same home folder.

Commands are loaded when they are called, so `serve` starts without those that print tables. Exit codes: 0 done, 1 failed, 2 wrong
usage, 3 port taken, 4 home held by another process.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from conduit_desktop import __version__
from conduit_desktop.cli.options import CommandOptions, LazyGroup, home_option, serving_options

COMMANDS = {
    "discover": "conduit_desktop.cli.discover:discover",
    "providers": "conduit_desktop.cli.providers:providers",
    "models": "conduit_desktop.cli.models:models",
    "keys": "conduit_desktop.cli.keys:keys",
    "budgets": "conduit_desktop.cli.budgets:budgets",
    "clients": "conduit_desktop.cli.clients:clients",
    "prices": "conduit_desktop.cli.prices:prices",
    "ip-rules": "conduit_desktop.cli.ip_rules:ip_rules",
    "health": "conduit_desktop.cli.health:health",
    "healthcheck": "conduit_desktop.cli.healthcheck:healthcheck",
    "settings": "conduit_desktop.cli.settings:settings",
    "usage": "conduit_desktop.cli.records:usage",
    "requests": "conduit_desktop.cli.records:requests",
    "audit": "conduit_desktop.cli.notifications:audit",
    "notifications": "conduit_desktop.cli.notifications:notifications",
    "webhook": "conduit_desktop.cli.notifications:webhook",
    "master-key": "conduit_desktop.cli.home:master_key",
    "backup": "conduit_desktop.cli.home:backup",
    "restore": "conduit_desktop.cli.home:restore",
    "export": "conduit_desktop.cli.home:export",
    "import": "conduit_desktop.cli.home:import_",
    "doctor": "conduit_desktop.cli.doctor:doctor",
}


# `\b` keeps click from joining the lines of this paragraph.
BEGIN = """\b
To begin:
  conduit-desktop discover --add
  conduit-desktop providers add openai --kind openai
  conduit-desktop models add gpt --target openai/gpt-5-mini
  conduit-desktop keys create --name laptop --budget 5 --period monthly
  conduit-desktop serve
Each command has a --help; `conduit-desktop doctor` checks the installation."""


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=BEGIN,
)
@home_option(environment=True)
@serving_options(environment=True)
@click.version_option(__version__, prog_name="Conduit Desktop")
@click.pass_context
def cli(context: click.Context, /, home: Path | None, **serving: Any) -> None:
    """One local address in front of every large language model. Without a command: the desktop app."""
    # Whatever the user's umask: databases, logs and exports hold what was spent on what, and prompts where they are kept.
    os.umask(0o077)
    given = context.ensure_object(CommandOptions)
    given.take(home=home, **serving)
    if context.invoked_subcommand is None:
        from conduit_desktop import app

        context.exit(app.run_desktop(given.options()))


@cli.command()
@home_option()
@serving_options()
@click.pass_obj
def serve(given: CommandOptions, /, **options: Any) -> None:
    """Serve without a window, until SIGINT or SIGTERM."""
    from conduit_desktop import app

    given.take(**options)
    click.get_current_context().exit(app.run_headless(given.options()))
