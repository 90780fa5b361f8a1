"""Bare Debian and Ubuntu systems in a folder, in which commands run as they would on a new machine. Linux, root, debootstrap."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.artefacts.program import Failed

SUITES = {"bookworm": "debian", "trixie": "debian", "noble": "ubuntu"}
NEWEST = {"debian": "sid", "ubuntu": "gutsy"}
"""The script of debootstrap that every newer release of a distribution uses, too."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SCRIPTS = Path("/usr/share/debootstrap/scripts")
LIKE_DOCKERS = {
    "etc/dpkg/dpkg.cfg.d/docker-apt-speedup": "force-unsafe-io\n",
    "etc/dpkg/dpkg.cfg.d/docker": "path-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\n",
    "etc/apt/apt.conf.d/docker-no-languages": 'Acquire::Languages "none";\n',
}
"""What the images `debian:12-slim` and `ubuntu:24.04` add to the packages of debootstrap's smallest variant."""
# In a namespace of its own: the mounts end with the command, however that ends.
ENTER = """\
mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" || exit 1
exec chroot --userspec="$1" "$0" /bin/sh -c 'cd "$1" && shift && exec "$@"' sh "${@:2}"
"""


def possible() -> str:
    """Why a system cannot be made here; empty where it can. Installs debootstrap where that is allowed."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a bare system can be made only by root on Linux"
    if shutil.which("debootstrap") is None and shutil.which("apt-get"):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
        subprocess.run(["apt-get", "-qq", "update"], check=False, **quiet)  # type: ignore[call-overload]
        subprocess.run(["apt-get", "-qq", "-y", "install", "debootstrap"], check=False, **quiet)  # type: ignore[call-overload]
    return "" if shutil.which("debootstrap") else "debootstrap is not installed"


def named_suites() -> list[str]:
    """The systems that are named on the command line; by default Debian 12."""
    return [name for name in sys.argv if name in SUITES] or ["bookworm"]


def cached(suite: str) -> Path:
    """The archive of a new system of this suite; made the first time, and kept in the user's cache folder."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "conduit-desktop" / "systems"
    archive = folder / f"{suite}.tar"
    if archive.is_file():
        return archive
    folder.mkdir(parents=True, exist_ok=True)
    building = folder / f"{suite}.{os.getpid()}"
    distribution = SUITES[suite]
    mirror = os.environ.get(f"CONDUIT_{distribution.upper()}_MIRROR") or own_mirror(SCRIPTS / NEWEST[distribution], suite)
    command = ["debootstrap", "--variant=minbase", suite, str(building), mirror]
    if not (SCRIPTS / suite).exists() and distribution == "ubuntu":
        # An older debootstrap does not know the name yet; every release of Ubuntu is made by the same script.
        command.append(str(SCRIPTS / NEWEST[distribution]))
    partial = building.with_suffix(".tar.part")
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise Failed(f"debootstrap {suite} ended with {done.returncode}:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
        with tarfile.open(partial, "w") as made:
            made.add(building, ".")
        partial.replace(archive)
    finally:
        partial.unlink(missing_ok=True)
        shutil.rmtree(building, ignore_errors=True)
    return archive


def own_mirror(script: Path, suite: str) -> str:
    """The mirror that a script of debootstrap names, or nothing; debootstrap itself takes that of Debian."""
    ask = 'default_mirror() { echo "$1"; exit; }; ARCH=$(dpkg --print-architecture) SUITE=$2; . "$1"'
    return subprocess.run(
        ["/bin/sh", "-c", ask, "sh", str(script), suite], capture_output=True, text=True, check=False
    ).stdout.strip()


@dataclass
class Root:
    """A system in `folder`; `environment` is that of every command in it."""

    folder: Path
    environment: dict[str, str]

    @classmethod
    def new(cls, suite: str, folder: Path) -> Root:
        """A bare system in a new folder, with this machine's way to the package registries."""
        folder.mkdir(parents=True)
        # Root of the system: other users in it must be able to enter.
        folder.chmod(0o755)
        with tarfile.open(cached(suite)) as archive:
            archive.extractall(folder, filter="fully_trusted")
        for name, text in LIKE_DOCKERS.items():
            (folder / name).write_text(text)
        if SUITES[suite] == "ubuntu":
            # As on every Ubuntu; debootstrap names only what it needs itself.
            sources = folder / "etc/apt/sources.list"
            sources.write_text(re.sub(r" main$", " main universe", sources.read_text(), flags=re.MULTILINE))
        root = cls(folder, {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"})
        with suppress(FileNotFoundError):
            shutil.copyfile("/etc/resolv.conf", folder / "etc" / "resolv.conf")
        root.environment |= root.registries()
        return root

    def registries(self) -> dict[str, str]:
        """How this machine's pip reaches its index, as variables; a certificate is copied into the system."""
        listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False).stdout
        found: dict[str, str] = {}
        for line in listed.splitlines():
            name, _, text = line.partition("=")
            key = name.rpartition(".")[2].strip("'\"").replace("-", "_").upper()
            with suppress(ValueError, SyntaxError):
                found[f"PIP_{key}"] = str(ast.literal_eval(text))
        used = {
            name: found[name] for name in ("PIP_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_CERT", "PIP_DEFAULT_TIMEOUT") if name in found
        }
        if certificate := used.get("PIP_CERT"):
            place = Path("var/cache/pip-certificates.pem")
            shutil.copyfile(certificate, self.folder / place)
            used["PIP_CERT"] = f"/{place}"
        proxies = ("http_proxy", "https_proxy", "no_proxy")
        return used | {name: os.environ[name] for name in proxies if name in os.environ}

    def command(self, *words: str, user: str = "root", folder: str = "/") -> list[str]:
        """The command that runs `words` in this system."""
        enter = ["unshare", "--mount", "--propagation", "private", "bash", "-c", ENTER]
        return [*enter, str(self.folder), user, folder, *words]

    def run(
        self, *words: str, user: str = "root", folder: str = "/", env: Mapping[str, str] | None = None, timeout: float = 900
    ) -> str:
        """What a command in this system prints on standard output; raises Failed for an exit code other than 0."""
        done = subprocess.run(
            self.command(*words, user=user, folder=folder), env=self.environment | dict(env or {}), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=timeout,
        )  # fmt: skip
        if done.returncode:
            raise Failed(f"{' '.join(words)[:2000]}\nended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout
