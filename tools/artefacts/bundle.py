"""The bundle: one folder that PyInstaller makes, below a size, started as it is."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.artefacts.program import Failed, Program, bare_environment, check

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "dist" / "conduit-desktop"
STAMP = ROOT / "dist" / "bundle-of"
MAX_LINUX_BYTES = 165_000_000


def build() -> Path:
    """The bundle's folder; made anew only if something of it has changed."""
    now = fingerprint()
    if not (FOLDER.is_dir() and STAMP.is_file() and STAMP.read_text() == now):
        STAMP.unlink(missing_ok=True)
        command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--clean", "--log-level", "WARN", "conduit.spec"]
        subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL)
        STAMP.write_text(now)
    return FOLDER


def fingerprint() -> str:
    """A digest of everything that the bundle is made of, and of the Python that makes it."""
    digest = hashlib.sha256(sys.version.encode())
    files = [
        *(ROOT / "conduit_desktop").rglob("*.py"),
        *(ROOT / "resources").rglob("*"),
        *(ROOT / "tools" / "artefacts").glob("*.py"),
    ]
    for path in sorted([*files, ROOT / "conduit.spec", ROOT / "requirements.lock"]):
        if path.is_file():
            digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def size(folder: Path) -> int:
    """Bytes of all files; a link counts nothing."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def check_size(folder: Path) -> int:
    """The size of the bundle; raises Failed where it is over the limit on Linux."""
    found = size(folder)
    if sys.platform == "linux" and found >= MAX_LINUX_BYTES:
        biggest = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: -path.stat().st_size)[:15]
        listed = "\n".join(f"{path.stat().st_size / 1e6:7.1f} MB  {path.relative_to(folder)}" for path in biggest)
        raise Failed(f"the bundle has {found / 1e6:.1f} MB, not less than {MAX_LINUX_BYTES / 1e6:.0f}:\n{listed}")
    return found


def main() -> str:
    """Build and check; the line of figures."""
    folder = build()
    found = check_size(folder)
    with tempfile.TemporaryDirectory(prefix="conduit-bundle-") as scratch:
        program = str(folder / "conduit-desktop")
        line = check("bundle", Program([program], bare_environment()), [program, "open-every-page"], Path(scratch))
    return f"{line}, {found / 1e6:.1f} MB"
