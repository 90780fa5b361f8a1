"""tools/setup.sh with programs that only write down how they were called: what `make run` installs, and where the command goes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ("tools/setup.sh", "requirements.lock", "requirements-run.lock", "pyproject.toml", "examples/node/package-lock.json")
PYTHON = """#!/bin/sh
echo "python $*" >>"$LOG"
case "$*" in
  "-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python && cp "$0" .venv/bin/conduit-desktop ;;
esac
"""
pytestmark = pytest.mark.skipif(os.name != "posix", reason="a POSIX shell script")


class Checkout:
    """A copy of the files that set-up reads, with a PATH on which every program that changes a computer is a fake."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home, self.log = folder / "check out", folder / "user", folder / "log"
        for name in FILES:
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
        self.home.mkdir()
        programs = folder / "programs"
        programs.mkdir()
        fakes = {"python3": PYTHON, "npm": '#!/bin/sh\necho "npm $*" >>"$LOG"\n', "apt-get": '#!/bin/sh\necho "apt $*" >>"$LOG"\n'}
        fakes["dpkg-query"] = "#!/bin/sh\nexit 1\n"  # no package is installed
        fakes["id"] = "#!/bin/sh\necho 0\n"
        for name, text in fakes.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self.environment = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(self.home), "LOG": str(self.log)}

    def run(self, *arguments: str, **more: str) -> tuple[list[str], str]:
        """What it called, and what it printed."""
        self.log.write_text("")
        command = ["sh", str(self.folder / "tools/setup.sh"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment | more, timeout=60, check=True)
        return self.log.read_text().splitlines(), done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def installs(called: list[str]) -> list[str]:
    return [line.rpartition(" -r ")[2] for line in called if " -m pip install " in line and " -r " in line]


def test_running_installs_what_running_needs_and_no_system_package_without_a_display(checkout: Checkout) -> None:
    called, _ = checkout.run("start", "--port", "5001")
    assert installs(called) == ["requirements-run.lock"]
    assert not any(line.startswith(("apt ", "npm ")) for line in called)
    assert called[-1] == "python -m conduit_desktop --port 5001"
    again, _ = checkout.run("start")
    assert installs(again) == [], "a checkout that is ready was set up again"


def test_with_a_display_the_window_s_libraries_are_installed_and_none_of_the_tests(checkout: Checkout) -> None:
    called, _ = checkout.run("start", DISPLAY=":0")
    (apt,) = (line for line in called if line.startswith("apt ") and " install " in line)
    assert "libxcb-cursor0" in apt
    assert not {"dbus", "gnome-keyring", "xvfb"} & set(apt.split())


def test_testing_installs_the_rest_and_does_for_running(checkout: Checkout) -> None:
    checkout.run("start")
    called, _ = checkout.run()
    assert installs(called) == ["requirements.lock"]
    assert any("gnome-keyring" in line for line in called if line.startswith("apt "))
    assert any(line.startswith("npm ci") for line in called)
    assert installs(checkout.run("start")[0]) == installs(checkout.run()[0]) == []


def test_the_command_is_where_setup_says_with_the_line_that_puts_it_on_the_path(checkout: Checkout) -> None:
    _, said = checkout.run("start")
    link = checkout.home / ".local/bin/conduit-desktop"
    assert link.resolve() == (checkout.folder / ".venv/bin/conduit-desktop").resolve()
    assert f"The command line: {link}" in said
    (line,) = (one for one in said.splitlines() if "export PATH=" in one)
    export = line.partition(": ")[2]
    found = subprocess.run(
        ["sh", "-c", f"{export}; command -v conduit-desktop"], capture_output=True, text=True, env=checkout.environment, check=True
    )
    assert found.stdout.strip() == str(link)
    path = f"{link.parent}:{checkout.environment['PATH']}"
    assert f"The command line: conduit-desktop ({link})" in checkout.run("start", PATH=path)[1]


@pytest.mark.parametrize("linked", [False, True])
def test_a_command_that_another_installation_put_there_is_left_alone(checkout: Checkout, linked: bool) -> None:
    """pipx and uv make a link there."""
    other = checkout.home / ".local/bin/conduit-desktop"
    other.parent.mkdir(parents=True)
    file = checkout.home / "pipx" / "bin" / "conduit-desktop" if linked else other
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("another one")
    if linked:
        other.symlink_to(file)
    _, said = checkout.run("start")
    assert other.read_text() == "another one"
    assert f"The command line: {checkout.folder}/.venv/bin/conduit-desktop" in said


def test_the_link_of_another_checkout_is_replaced(checkout: Checkout) -> None:
    link = checkout.home / ".local/bin/conduit-desktop"
    link.parent.mkdir(parents=True)
    link.symlink_to(checkout.home / "old" / ".venv/bin/conduit-desktop")
    checkout.run("start")
    assert link.resolve() == (checkout.folder / ".venv/bin/conduit-desktop").resolve()
