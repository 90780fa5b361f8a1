"""The Debian package, installed by apt in bare systems: what it depends on is complete, and its command starts there."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tools.artefacts import deb
from tools.artefacts.program import MASTER_KEY, Failed, Serving, pages_open
from tools.artefacts.roots import Root, named_suites, possible


def main() -> str:
    """Install it in each system that is named on the command line, by default Debian 12."""
    if why := possible():
        raise Failed(why)
    package = deb.build()
    return "\n".join(install(package, suite) for suite in named_suites())


def install(package: Path, suite: str) -> str:
    """The line of figures; raises Failed where the package cannot be installed, started or removed."""
    with tempfile.TemporaryDirectory(prefix="conduit-package-", ignore_cleanup_errors=True) as scratch:
        root = Root.new(suite, Path(scratch) / "root")
        shutil.copy(package, root.folder / "tmp" / package.name)
        root.run("apt-get", "update")
        root.run("apt-get", "install", "-y", "--no-install-recommends", f"/tmp/{package.name}")
        root.run("useradd", "--create-home", "somebody")
        environment = root.environment | {
            "CONDUIT_MASTER_KEY": MASTER_KEY, "CONDUIT_SECRETS": "vault", "QT_QPA_PLATFORM": "offscreen", "HOME": "/home/somebody"
        }  # fmt: skip
        serving = Serving(
            root.command("conduit-desktop", "--port", "0", user="somebody", folder="/home/somebody"),
            environment,
            Path(scratch) / "log",
        )
        try:
            serving.answer()
            serving.stop()
        finally:
            serving.kill()
        opening = root.command("conduit-desktop", "open-every-page", user="somebody", folder="/home/somebody")
        pages = pages_open(opening, environment, Path(scratch))
        root.run("apt-get", "remove", "-y", "conduit-desktop")
        if left := [name for name in ("opt/conduit-desktop", "usr/bin/conduit-desktop") if (root.folder / name).exists()]:
            raise Failed(f"left after it was removed: {', '.join(left)}")
    return f"package on {suite}: window listens after {serving.start_s:.2f} s, {pages} pages open"
