"""The Debian package: the bundle in /opt with a command, a desktop entry and an icon, started from its unpacked files."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from conduit_desktop import __version__
from tools.artefacts import bundle
from tools.artefacts.program import Failed, Program, bare_environment, pages_open

ROOT = Path(__file__).resolve().parents[2]
DESKTOP = ROOT / "tools" / "artefacts" / "linux" / "conduit-desktop.desktop"
ICON = ROOT / "resources" / "icons" / "conduit.svg"
PLACE = "opt/conduit-desktop"
OF_GLIBC = re.compile(r"(ld-linux.*|lib(c|m|dl|pthread|resolv|rt|util))\.so\.\d+")
OUTSIDE = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libwayland-egl.so.1": "libwayland-egl1",
    "libxcb.so.1": "libxcb1",
}
"""Libraries that a bundle takes from the system, each with its package on Debian and Ubuntu."""
CONTROL = """\
Package: conduit-desktop
Version: {version}
Section: net
Priority: optional
Architecture: {architecture}
Maintainer: The Conduit Desktop developers <developers@conduit-desktop.invalid>
Installed-Size: {kilobytes}
Depends: {depends}
Recommends: fonts-dejavu-core
Description: local gateway to the providers of large language models
 One local address for OpenAI, Anthropic, Gemini and Ollama clients: failover
 between providers, budgets for keys, and the cost of every request, with a
 desktop app to run it. Without a display, "conduit-desktop serve" is the same
 gateway.
"""


def build(folder: Path = ROOT / "dist") -> Path:
    """The package file, of the bundle as it is now."""
    program = bundle.build()
    with tempfile.TemporaryDirectory(prefix="conduit-deb-") as scratch:
        tree = Path(scratch)
        # TemporaryDirectory makes it for its owner alone, and that mode would be the one of / on the user's machine.
        tree.chmod(0o755)
        lay_out(tree, program)
        architecture = output("dpkg", "--print-architecture").strip()
        control = CONTROL.format(
            version=__version__,
            architecture=architecture,
            kilobytes=bundle.size(program) // 1024,
            depends=", ".join(depends(program)),
        )
        put(tree / "DEBIAN" / "control", control)
        path = folder / f"conduit-desktop_{__version__}_{architecture}.deb"
        # xz, the default, takes a minute for 8 MB less.
        output("dpkg-deb", "--root-owner-group", "-Zzstd", "-z9", "--build", str(tree), str(path))
    return path


def lay_out(tree: Path, program: Path) -> None:
    """Copy everything that is installed below `tree`."""
    shutil.copytree(program, tree / PLACE, symlinks=True)
    command = tree / "usr" / "bin" / "conduit-desktop"
    command.parent.mkdir(parents=True)
    # Relative, so that it also works in a tree that is not the root.
    command.symlink_to(Path("../..") / PLACE / "conduit-desktop")
    put(tree / "usr/share/applications/conduit-desktop.desktop", DESKTOP.read_text("utf-8"))
    put(tree / "usr/share/icons/hicolor/scalable/apps/conduit-desktop.svg", ICON.read_text("utf-8"))
    put(tree / "usr/share/doc/conduit-desktop/copyright", (ROOT / "LICENSE").read_text("utf-8"))
    for path in tree.rglob("*"):
        if not path.is_symlink():
            # Whatever umask the builder has: everybody on the user's machine may run it.
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def put(path: Path, text: str) -> None:
    """Write a file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def depends(program: Path) -> list[str]:
    """What the package depends on: glibc as new as the newest symbol used, and every library that is not in the bundle."""
    files = [path for path in program.rglob("*") if path.is_file() and not path.is_symlink() and is_elf(path)]
    inside = {path.name for path in program.rglob("*.so*")}
    linked = set(re.findall(r"^ +NEEDED +(\S+)", output("objdump", "-p", *map(str, files)), re.MULTILINE))
    missing = {name for name in linked - inside if not OF_GLIBC.fullmatch(name)}
    if unknown := missing - set(OUTSIDE):
        raise Failed(f"the bundle links to libraries that are not in it: {', '.join(sorted(unknown))}")
    used = re.findall(r"GLIBC_(\d+)\.(\d+)", output("objdump", "-T", *map(str, files)))
    newest = max((int(major), int(minor)) for major, minor in used)
    # Certificates of the authorities that providers use; the folders and aliases of the system's fonts.
    return [
        f"libc6 (>= {newest[0]}.{newest[1]})",
        *sorted(OUTSIDE[name] for name in missing),
        "ca-certificates",
        "fontconfig-config",
    ]


def is_elf(path: Path) -> bool:
    """Whether it is a program or a library."""
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def output(*command: str) -> str:
    """What a command prints; raises Failed where it fails."""
    if shutil.which(command[0]) is None:
        raise Failed(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


def check_contents(package: Path, tree: Path) -> None:
    """Unpack it below `tree`; raises Failed where what a desktop looks for is not there or has the wrong owner or mode."""
    for line in output("dpkg-deb", "--contents", str(package)).splitlines():
        mode, owner = line.split()[:2]
        if owner != "root/root" or (mode[0] != "l" and (mode[7] != "r" or mode[8] == "w")):
            raise Failed(f"owner or mode of a file is wrong: {line}")
    output("dpkg-deb", "--extract", str(package), str(tree))
    entry = (tree / "usr/share/applications/conduit-desktop.desktop").read_text("utf-8")
    values = dict(line.split("=", 1) for line in entry.splitlines() if "=" in line)
    wanted = (
        f"usr/bin/{values['Exec']}",
        f"usr/share/icons/hicolor/scalable/apps/{values['Icon']}.svg",
        "usr/share/doc/conduit-desktop/copyright",
    )
    if missing := [name for name in wanted if not (tree / name).is_file()]:
        raise Failed(f"not in the package: {', '.join(missing)}")
    if shutil.which("desktop-file-validate"):
        output("desktop-file-validate", str(tree / "usr/share/applications/conduit-desktop.desktop"))


def main() -> str:
    """Build and check; the line of figures."""
    package = build()
    with tempfile.TemporaryDirectory(prefix="conduit-deb-") as scratch:
        tree = Path(scratch) / "root"
        check_contents(package, tree)
        # What serves is the bundle, which has a check of its own; here it is started by the link that the user calls.
        program = str(tree / "usr" / "bin" / "conduit-desktop")
        version = Program([program], bare_environment()).run("--version").split()[-1]
        pages = pages_open([program, "open-every-page"], bare_environment(), Path(scratch))
    return f"deb {version}: {pages} pages open, {package.stat().st_size / 1e6:.1f} MB"
