"""Runs the command line: `python -m conduit_desktop` is the same as `conduit-desktop`."""

from __future__ import annotations


def main() -> None:
    """Run the command line; exits with its code."""
    from conduit_desktop.cli import cli

    cli(prog_name="conduit-desktop")


if __name__ == "__main__":
    main()
