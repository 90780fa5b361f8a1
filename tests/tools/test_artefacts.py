"""The tools that build and check what ships: what they refuse, and what they read from the Dockerfile and the lock."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tools.artefacts import bundle, deb, dockerfile, newcomer, wheel
from tools.artefacts.program import Failed, Program, Serving
from tools.artefacts.roots import Root

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
LOCK = (ROOT / "requirements.lock").read_text("utf-8")


def steps(name: str) -> list[str]:
    return [rest for instruction, rest in dockerfile.instructions(DOCKERFILE) if instruction == name]


def is_constraint(line: str) -> bool:
    """Whether pip takes it in a constraints file: a name and a version, with neither extras nor hashes."""
    found = Requirement(line)
    return not found.extras and str(found.specifier).startswith("==")


def requirements(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.skipif(os.name != "posix", reason="the image is built with sed")
def test_the_image_turns_the_lock_into_constraints_that_pip_takes() -> None:
    (command,) = re.findall(r"sed .*? requirements\.lock", " ".join(steps("RUN")))
    printed = subprocess.run(["/bin/sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = requirements(printed)
    assert len(lines) > 50
    assert [line for line in lines if not is_constraint(line)] == []
    assert any(line.startswith("google-auth==") for line in lines)


def test_the_wheel_is_installed_with_the_versions_of_the_lock() -> None:
    lines = requirements(wheel.constraints(LOCK))
    assert [line for line in lines if not is_constraint(line)] == []
    assert len(lines) == len(re.findall(r"^[\w.-]+(?:\[[\w,-]+\])?==", LOCK, re.MULTILINE))


def test_the_image_can_sign_in_to_aws_and_google_and_has_certificates() -> None:
    (installed,) = re.findall(r"'\.\[([\w,]+)\]'", " ".join(steps("RUN")))
    assert {"aws", "google", "speed"} <= set(installed.split(","))
    assert "ca-certificates" in steps("RUN")[0]


def test_the_health_check_of_the_image_names_no_port() -> None:
    (check,) = steps("HEALTHCHECK")
    assert not re.search(r"\d{3,}|http", check)
    assert "healthcheck" in check


def test_the_files_of_the_image_are_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied = {source for step in steps("COPY") for source in step.split()[:-1]}
    assert copied == sent


def test_an_instruction_that_the_steps_do_not_know_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="ONBUILD"):
        dockerfile.build("FROM debian:12-slim\nONBUILD RUN true\n", tmp_path, Root(tmp_path, {}))
    with pytest.raises(Failed, match="python:3"):
        dockerfile.base("FROM python:3\n")


def test_files_and_folders_are_copied_as_docker_does(tmp_path: Path) -> None:
    context = tmp_path / "context"
    (context / "package" / "__pycache__").mkdir(parents=True)
    for name in ("a.txt", "b.txt", "package/c.txt", "package/__pycache__/d"):
        (context / name).write_text(name)
    root = Root(tmp_path / "root", {})
    text = "FROM debian:12-slim\nWORKDIR /src\nCOPY a.txt \\\n  b.txt ./\nCOPY package package\nENV A=1 B='two words'\nUSER me\n"
    image = dockerfile.build(text, context, root)
    copied = {str(path.relative_to(root.folder)) for path in root.folder.rglob("*") if path.is_file()}
    assert copied == {"src/a.txt", "src/b.txt", "src/package/c.txt"}
    assert (image.user, image.folder, image.environment) == ("me", "/src", {"A": "1", "B": "two words"})


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_a_bundle_over_the_limit_is_refused_and_its_largest_files_are_named(tmp_path: Path) -> None:
    with (tmp_path / "big.so").open("wb") as file:
        file.truncate(bundle.MAX_LINUX_BYTES - 10)
    (tmp_path / "link.so").symlink_to("big.so")
    assert bundle.check_size(tmp_path) == bundle.MAX_LINUX_BYTES - 10
    (tmp_path / "small").write_bytes(bytes(10))
    with pytest.raises(Failed, match=r"big\.so"):
        bundle.check_size(tmp_path)


def test_a_library_that_no_package_is_known_for_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "program").write_bytes(b"\x7fELF")
    (tmp_path / "libinside.so.1").write_bytes(b"\x7fELF")
    printed = {
        "-p": "  NEEDED               libinside.so.1\n  NEEDED               libc.so.6\n  NEEDED               libGL.so.1\n",
        "-T": "x (GLIBC_2.4) read\nx (GLIBC_2.36) write\n",
    }
    monkeypatch.setattr(deb, "output", lambda _command, option, *_files: printed[option])
    assert deb.depends(tmp_path) == ["libc6 (>= 2.36)", "libgl1", "ca-certificates", "fontconfig-config"]
    printed["-p"] += "  NEEDED               libnew.so.2\n"
    with pytest.raises(Failed, match=r"libnew\.so\.2"):
        deb.depends(tmp_path)


def test_the_desktop_entry_names_the_command_and_the_icon_of_the_window() -> None:
    entry = dict(line.split("=", 1) for line in deb.DESKTOP.read_text("utf-8").splitlines() if "=" in line)
    # As in `setDesktopFileName`: the compositor finds the icon of a window by it.
    assert {entry["Exec"], entry["Icon"], entry["StartupWMClass"], deb.DESKTOP.stem} == {"conduit-desktop"}
    assert deb.ICON.is_file()


@pytest.mark.skipif(os.name != "posix", reason="the programs are shell scripts")
def test_a_program_that_does_not_start_or_leaves_a_traceback_is_refused(tmp_path: Path) -> None:
    def shell(script: str) -> list[str]:
        return ["/bin/sh", "-c", script]

    with pytest.raises(Failed, match="no display"):
        Serving(shell("echo no display >&2; exit 1"), os.environ, tmp_path / "a.log")
    for ending in ("exit 1", "echo Traceback >&2"):
        serving = Serving(shell(f"echo Conduit listening on http://127.0.0.1:1; {ending}"), os.environ, tmp_path / "b.log")
        with pytest.raises(Failed, match="it ended with"):
            serving.rest_of_output(20)
    with pytest.raises(Failed, match="ended with 3"):
        Program(shell("exit 3"), os.environ).run()


def test_ci_builds_and_starts_everything_that_ships() -> None:
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    (targets,) = re.findall(r"--keep-going (.*?) SOAK=", ci)
    assert {"check", "test", "soak"} <= set(targets.split())
    assert "artefacts=artefacts" in ci
    assert "make --no-print-directory --keep-going $artefacts" in ci
    makefile = (ROOT / "Makefile").read_text("utf-8")
    built = re.search(r"^artefacts: setup\n\t.* -j3 (.*)$", makefile, re.MULTILINE)
    assert built
    assert set(built[1].split()) == {"wheel", "deb", "image-steps"}
    commands = " ".join(re.findall(r"^\t\$\(PY\) -m tools\.artefacts (.*)$", makefile, re.MULTILINE))
    assert {"wheel", "bundle", "deb", "image"} <= set(commands.split())


def test_a_new_user_types_every_command_of_the_readme_in_order() -> None:
    text = (
        "```sh\nsudo apt install make   # what it needs\nmake run   # sets up\n```\n```powershell\npy -3\n```\n"
        "```sh\npipx install .\nconduit-desktop\n```\n"
        "<!-- not run: for Windows -->\n```sh\nneither this\n```\n<!-- make newcomer runs this -->\n```sh\nexport A=1\n```\n"
        "5. Call:\n\n   ```sh\n   KEY=$(conduit-desktop keys create --name me)\n   curl http://127.0.0.1:5000/v1/models \\\n"
        '     -H "Authorization: Bearer $KEY"\n   ```\n'
    )
    typed = newcomer.script(text, 6001).partition("set -v\n")[2].partition("\nset +v")[0]
    assert typed.splitlines() == [
        "apt install make",
        "first_terminal make run",
        "first_terminal conduit-desktop",
        "export A=1",
        "KEY=$(conduit-desktop keys create --name me)",
        "curl -sS --fail-with-body http://127.0.0.1:6001/v1/models \\",
        '  -H "Authorization: Bearer $KEY"',
    ]


@pytest.mark.skipif(shutil.which("bash") is None, reason="what a reader types is a bash script")
def test_what_a_new_user_types_is_a_script_that_bash_reads(tmp_path: Path) -> None:
    script = tmp_path / "readme.sh"
    script.write_text(newcomer.script((ROOT / "README.md").read_text("utf-8"), 6001), "utf-8")
    assert subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True).stderr == ""
    assert "first_terminal make run" in script.read_text("utf-8")
