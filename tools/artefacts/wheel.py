"""The wheel: built, installed with its dependencies into an empty environment, and started there."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

from tools.artefacts.program import Failed, Program, bare_environment, check

ROOT = Path(__file__).resolve().parents[2]
OPEN_PAGES = ROOT / "tools" / "artefacts" / "open_every_page.py"


def build(folder: Path = ROOT / "dist") -> Path:
    """The wheel, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(path)


def constraints(lock: str) -> str:
    """The versions of `requirements.lock` as constraints: pip takes neither extras nor hashes there."""
    lines = [line.rstrip(" \\") for line in lock.splitlines() if "--hash=" not in line]
    return "\n".join(re.sub(r"^([A-Za-z0-9._-]+)\[[^]]*\]", r"\1", line) for line in lines) + "\n"


def main() -> str:
    """Build and check; the line of figures."""
    wheel = build()
    with zipfile.ZipFile(wheel) as archive:
        size = sum(entry.compress_size for entry in archive.infolist())
    with tempfile.TemporaryDirectory(prefix="conduit-wheel-") as scratch:
        environment = Path(scratch) / "venv"
        venv.create(environment, with_pip=True)
        python = str(environment / "bin" / "python")
        versions = Path(scratch) / "versions.txt"
        versions.write_text(constraints((ROOT / "requirements.lock").read_text("utf-8")))
        install(python, "-c", str(versions), f"conduit-desktop[desktop,speed] @ {wheel.as_uri()}")
        # Not from the checkout: a package that is not in the wheel must be missed.
        place = subprocess.run(
            [python, "-I", "-c", "import conduit_desktop; print(conduit_desktop.__file__)"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        if not place.startswith(str(environment)):
            raise Failed(f"the installed package is {place}")
        program = Program([str(environment / "bin" / "conduit-desktop")], bare_environment())
        line = check("wheel", program, [python, str(OPEN_PAGES)], Path(scratch) / "homes")
    return f"{line}, {size / 1e6:.1f} MB"


def install(python: str, *what: str) -> None:
    """Install with pip into the environment of `python`."""
    done = subprocess.run(
        [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", *what], stdin=subprocess.DEVNULL, stdout=sys.stderr
    )
    if done.returncode:
        raise Failed(f"pip could not install {what[-1]}")
