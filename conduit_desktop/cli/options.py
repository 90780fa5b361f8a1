"""What every command shares: the home and serving options, errors as one line, commands that load when called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from conduit_desktop.core import shown_text, suggestions
from conduit_desktop.core.errors import ConduitError, HomeHeld, PortTaken
from conduit_desktop.core.secret_values import SECRETS

if TYPE_CHECKING:
    from conduit_desktop.app import Options

F = TypeVar("F", bound=Callable[..., Any])


class _Port(click.IntRange):
    """A port, called by its name where a value is none."""

    name = "port"


_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass
class CommandOptions:
    """The options collected so far: a command's own win over those before it."""

    values: dict[str, Any] = field(default_factory=dict)

    def take(self, **values: Any) -> None:
        """Lay the options that were given over those there are."""
        self.values |= {name: value for name, value in values.items() if value is not None}

    def options(self) -> Options:
        """As the app takes them; a certificate needs its key."""
        from conduit_desktop.app import Options

        if ("tls_cert" in self.values) != ("tls_key" in self.values):
            raise click.UsageError("--tls-cert and --tls-key belong together.")
        return Options(**self.values)


class CliError(click.ClickException):
    """A failed command: one line on standard error, and its exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: Any = None) -> None:
        """Print the line."""
        # Not by `printing`: `serve` starts without it.
        click.echo(f"conduit-desktop: {shown_text.lines(SECRETS.redact(self.message))}", err=True)


class LazyGroup(click.Group):
    """A group whose commands are loaded when called; converts expected errors to `CliError`."""

    def __init__(self, *args: Any, lazy: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self._lazy = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name."""
        return sorted({*super().list_commands(ctx), *self._lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, loaded now."""
        if cmd_name in self._lazy:
            module, _, name = self._lazy[cmd_name].partition(":")
            # Imported when called: `serve` must listen within 0.8 s, and needs none of the modules that print tables.
            command: click.Command = getattr(import_module(module), name)
            return command
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the first argument; an unknown one names the likely one."""
        name = args[0]
        # click itself compares with commands that are loaded, and these are not.
        if not name.startswith("-") and not ctx.resilient_parsing and name not in (known := self.list_commands(ctx)):
            ctx.fail(f"No such command {name!r}{suggestions.hint(name, known)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run; an expected failure is no traceback."""
        try:
            return super().invoke(ctx)
        except ConduitError as error:
            raise CliError(str(error), exit_code(error)) from error


def exit_code(error: ConduitError) -> int:
    """3 for a taken port, 4 for a held home, 1 for anything else."""
    return 3 if isinstance(error, PortTaken) else 4 if isinstance(error, HomeHeld) else 1


def home_option(environment: bool = False) -> Callable[[F], F]:
    """`--home`; from the environment only at the root, so that a command's own option wins."""
    return click.option(
        "--home", type=_FOLDER, envvar="CONDUIT_HOME" if environment else None, help="The home folder [env: CONDUIT_HOME]."
    )


def options(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator, in the order given."""

    def decorate(command: F) -> F:
        # Decorators apply from the last to the first; reversed, `--help` lists the options in the order given.
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def serving_options(environment: bool = False) -> Callable[[F], F]:
    """The options of the server: `--host`, `--port`, `--config`, `--tls-cert`, `--tls-key`."""

    def variable(name: str) -> str | None:
        return f"CONDUIT_{name}" if environment else None

    return options(
        click.option("--host", envvar=variable("HOST"), help="Address to listen on; 127.0.0.1 (only this computer) by default."),
        click.option("--port", type=_Port(0, 65535), envvar=variable("PORT"), help="Port; 5000 by default, 0 for any free one."),
        click.option(
            "--config",
            type=_FILE,
            envvar=variable("CONFIG"),
            help="A conduit.toml to follow; it overrides the database.",
        ),
        click.option("--tls-cert", type=_FILE, envvar=variable("TLS_CERT"), help="Certificate chain (PEM)."),
        click.option("--tls-key", type=_FILE, envvar=variable("TLS_KEY"), help="The certificate's key (PEM)."),
    )


def _take_home(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    context.ensure_object(CommandOptions).take(home=value)


def _take_json(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    # None for a flag that was not given: it must not replace one that was given before.
    context.ensure_object(CommandOptions).take(json=value or None)


class Command(click.Command):
    """A command on the home: takes `--home` and `--json` too."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        # `expose_value=False`: the functions of commands need neither, and would all have to take them.
        self.params.append(click.Option(["--home"], type=_FOLDER, expose_value=False, callback=_take_home, help="The home folder."))
        self.params.append(
            click.Option(["--json"], is_flag=True, expose_value=False, callback=_take_json, help="Print the answer as JSON.")
        )


class CommandGroup(LazyGroup):
    """A group of commands on the home."""

    command_class = Command
