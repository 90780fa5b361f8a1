"""Writes what a command exports, to a file or to standard output."""

from __future__ import annotations

from pathlib import Path

from conduit_desktop.cli import printing
from conduit_desktop.cli.options import CliError
from conduit_desktop.core.exports import write_export


def write(file: Path, text: str) -> bool:
    """Write `text` to the file, or print it where `file` is `-`; whether a file was written. Raises CliError."""
    if str(file) == "-":
        printing.echo(text, nl=False)
        return False
    try:
        write_export(file, text)
    except OSError as error:
        raise CliError(f"cannot write {file}: {error.strerror}") from error
    return True
