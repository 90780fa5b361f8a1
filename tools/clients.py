"""Install the clients that are not Python's under build/clients, and run their journeys: `make clients`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "clients"
PACKAGES = ("openai@^7", "@anthropic-ai/sdk@^1")


def main() -> int:
    """The exit code of the journeys."""
    npm = shutil.which("npm")
    if npm is None:
        sys.stderr.write("npm is not installed; these journeys need Node 20 or newer.\n")
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "package.json").write_text('{"name": "clients", "private": true}\n')
    subprocess.run([npm, "install", "--no-audit", "--no-fund", "--loglevel=error", *PACKAGES], cwd=FOLDER, check=True)
    command = [sys.executable, "-m", "pytest", "-q", "tests/journeys/test_node.py", "-rs"]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "CONDUIT_CLIENTS": str(FOLDER)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
