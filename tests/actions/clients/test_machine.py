"""Where tools and their folders are found, by platform and environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conduit_desktop.actions.clients.machine import Machine
from conduit_desktop.actions.clients.plan import located
from conduit_desktop.actions.clients.recipes import BY_NAME


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, ".config/io.datasette.llm/extra-openai-models.yaml"),
        ("linux", {"XDG_CONFIG_HOME": "~/xdg"}, "xdg/io.datasette.llm/extra-openai-models.yaml"),
        ("darwin", {"XDG_CONFIG_HOME": "~/xdg"}, "Library/Application Support/io.datasette.llm/extra-openai-models.yaml"),
        ("win32", {"APPDATA": "~/AppData/Roaming"}, "AppData/Roaming/io.datasette.llm/extra-openai-models.yaml"),
        ("darwin", {"LLM_USER_PATH": "~/mine"}, "mine/extra-openai-models.yaml"),
    ],
)
def test_the_folder_of_a_python_tool_is_that_of_its_platform(
    tmp_path: Path, platform: str, environment: dict[str, str], expected: str
) -> None:
    assert located(BY_NAME["llm"].files[0], Machine(tmp_path, environment, platform)) == tmp_path / expected


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_tools_of_node_have_the_same_folders_everywhere(tmp_path: Path, platform: str) -> None:
    machine = Machine(tmp_path, {}, platform)
    found = [located(BY_NAME[name].files[0], machine) for name in ("claude-code", "codex", "gemini-cli", "opencode", "cline", "pi")]
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        ".claude/settings.json", ".codex/config.toml", ".gemini/settings.json", ".config/opencode/opencode.json",
        ".cline/data/settings/providers.json", ".pi/agent/models.json",
    ]  # fmt: skip


def test_of_several_names_the_file_that_exists_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "opencode"
    folder.mkdir(parents=True)
    (folder / "opencode.json").write_text("{}")
    machine = Machine(tmp_path, {}, "linux")
    assert located(BY_NAME["opencode"].files[0], machine).name == "opencode.json"
    (folder / "opencode.jsonc").write_text("{}")
    assert located(BY_NAME["opencode"].files[0], machine).name == "opencode.jsonc"


@pytest.mark.skipif(os.name != "posix", reason="programs have other names elsewhere")
def test_a_program_is_found_in_the_folders_of_package_managers_without_a_path(tmp_path: Path) -> None:
    program = tmp_path / ".nvm" / "versions" / "node" / "v22.1.0" / "bin" / "some-agent-of-a-test"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    machine = Machine(tmp_path, {"PATH": ""}, "linux")
    assert machine.program(program.name) is None, "it cannot be run"
    program.chmod(0o755)
    found = machine.program("another-name", program.name)
    assert found is not None
    assert (found.path, found.version) == (program, "")
