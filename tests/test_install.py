"""The wheel installed as README says, by pip, pipx and uv, into empty environments and from files alone."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools.artefacts import wheel

NOT_PACKED = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
"""What an installer writes next to a wheel's own files."""


def needed(requirements: Iterable[str], extras: Sequence[str]) -> Iterator[str]:
    """The names of the packages that these requirements name with these extras, and of those that they need themselves."""
    for text in requirements:
        wanted = Requirement(text)
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield wanted.name
            yield from needed(importlib.metadata.requires(wanted.name) or (), sorted(wanted.extras))


def required_by(path: Path) -> list[str]:
    """What a wheel says that it needs."""
    with zipfile.ZipFile(path) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return [
            line.partition(": ")[2] for line in archive.read(metadata).decode().splitlines() if line.startswith("Requires-Dist: ")
        ]


def pack(name: str, folder: Path) -> None:
    """An installed package as the wheel that it came from."""
    package = importlib.metadata.distribution(name)
    lines = (package.read_text("WHEEL") or "").splitlines()
    tags = [line.partition(": ")[2].split("-") for line in lines if line.startswith("Tag: ")]
    tag = "-".join(".".join(dict.fromkeys(part)) for part in zip(*tags, strict=True))
    files = [
        path for path in package.files or () if path.parts[0] != ".." and path.suffix != ".pyc" and path.name not in NOT_PACKED
    ]
    (info,) = {path.parts[0] for path in files if path.parts[0].endswith(".dist-info")}
    # In a wheel's name, hyphens divide its parts.
    target = folder / f"{re.sub('[-.]+', '_', package.name)}-{package.version}-{tag}.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in files:
            archive.write(str(path.locate()), path.as_posix())
        archive.writestr(f"{info}/RECORD", "".join(f"{path.as_posix()},,\n" for path in files) + f"{info}/RECORD,,\n")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout and those of everything it needs, with the window."""
    folder = tmp_path_factory.mktemp("wheels")
    own = wheel.build(folder)
    try:
        names = {name.lower().replace("_", "-") for name in needed(required_by(own), ["desktop"])}
        for name in sorted(names):
            pack(name, folder)
    except importlib.metadata.PackageNotFoundError as error:
        pytest.skip(f"a package of the extra is not installed here: {error}")
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A new user's, without an index to fall back on."""
    folders = {
        "HOME": tmp_path,
        "CONDUIT_HOME": tmp_path / "home",
        "PIPX_HOME": tmp_path / "pipx",
        "PIPX_BIN_DIR": tmp_path / "bin",
    }
    folders |= {"UV_TOOL_DIR": tmp_path / "uv", "UV_TOOL_BIN_DIR": tmp_path / "bin", "UV_CACHE_DIR": tmp_path / "cache"}
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    offline = {"PIP_NO_INDEX": "1", "UV_NO_INDEX": "1", "UV_OFFLINE": "1", "PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}
    return {
        **kept,
        **offline,
        "CONDUIT_SECRETS": "vault",
        "CONDUIT_PORT": "0",
        **{name: str(path) for name, path in folders.items()},
    }


def run(*command: str, env: dict[str, str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300, cwd=env["HOME"])
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def program(name: str) -> str:
    """An installer: that of the tests' environment, or the computer's."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def said_by_the_app(command: str, env: dict[str, str], **more: str) -> str:
    """What the app prints on standard error until it is stopped, once it listens."""
    process = subprocess.Popen(
        [command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env | more, cwd=env["HOME"]
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
        process.communicate()
    assert first.startswith("Conduit listening on http://127.0.0.1:"), said
    return said


@pytest.mark.timeout(400)
def test_pip_installs_the_command_and_the_app_names_the_extra_of_the_window(
    wheels: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    run(sys.executable, "-m", "venv", str(tmp_path / "venv"), env=environment)
    run(str(tmp_path / "venv/bin/pip"), "install", "--find-links", str(wheels), "conduit-desktop", env=environment)
    command = str(tmp_path / "venv/bin/conduit-desktop")
    assert run(command, "keys", "create", "--name", "first", env=environment).startswith("condt_")
    said = said_by_the_app(command, environment, QT_QPA_PLATFORM="offscreen")
    assert 'Install "conduit-desktop[desktop]"' in said


@pytest.mark.timeout(400)
def test_pipx_installs_the_command(wheels: Path, environment: dict[str, str], tmp_path: Path) -> None:
    arguments = f"--no-index --find-links {wheels}"
    run(program("pipx"), "install", "--python", sys.executable, "--pip-args", arguments, "conduit-desktop", env=environment)
    assert run(str(tmp_path / "bin/conduit-desktop"), "keys", "create", "--name", "first", env=environment).startswith("condt_")


@pytest.mark.timeout(400)
def test_uv_tool_install_with_the_extra_brings_the_window(wheels: Path, environment: dict[str, str], tmp_path: Path) -> None:
    install = ("tool", "install", "--find-links", str(wheels), "--python", sys.executable, "conduit-desktop[desktop]")
    run(program("uv"), *install, env=environment)
    command = str(tmp_path / "bin/conduit-desktop")
    assert run(command, "keys", "create", "--name", "first", env=environment).startswith("condt_")
    assert "without a window" not in said_by_the_app(command, environment, QT_QPA_PLATFORM="offscreen")
