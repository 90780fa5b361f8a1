"""`python -m tools.artefacts wheel bundle …`: one line of figures for each; exit code 1 at the first that fails."""

from __future__ import annotations

import importlib
import sys
import time

from tools.artefacts.program import Failed
from tools.artefacts.roots import SUITES

NAMES = ("wheel", "bundle", "deb", "image", "newcomer", "package")


def main(names: list[str]) -> int:
    """Build and check the named ones; the exit code."""
    names = [name for name in names if name not in SUITES]
    if unknown := set(names) - set(NAMES) or not names:
        print(f"usage: python -m tools.artefacts {'|'.join(NAMES)} … ({unknown})", file=sys.stderr)
        return 2
    for name in names:
        begun = time.monotonic()
        try:
            line = importlib.import_module(f"tools.artefacts.{name}").main()
        except Failed as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        print(f"{line} ({time.monotonic() - begun:.0f} s)", flush=True)
    return 0


sys.exit(main(sys.argv[1:]))
