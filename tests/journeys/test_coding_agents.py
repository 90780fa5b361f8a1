"""Coding agents, headless, with their own tools: each reads a file through the gateway and says its word."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journeys.conftest import Furnished
from tests.journeys.installed import CLIENTS, NPM, Client, Say, installed, last_requests, play

WORD = "rhubarb-4711"
TASK = "Read the file word.txt with your tool and say its word."
Agent = Callable[[Path], Client]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    """Makes an agent's folders, with the file of the task in the working one."""

    def made(program: Path) -> Client:
        client = installed(program, tmp_path)
        (client.work / "word.txt").write_text(WORD + "\n")
        return client

    yield made
    shutil.rmtree(tmp_path, ignore_errors=True)


def check(furnished: Furnished, printed: str, dialect: str, alias: str) -> None:
    """The agent said what its own tool read, in its own dialect, and every call it made was answered."""
    assert "The tool said" in printed
    assert WORD in printed
    records = [record for record in last_requests(furnished) if record["model"] == alias and record["dialect"] == dialect]
    assert len(records) >= 2, "a call of the tool, and the word"
    assert {record["status"] for record in records[:2]} == {"success"}


@pytest.mark.parametrize("alias", ["to-anthropic", "to-openai", "to-gemini"])
def test_claude_code(furnished: Furnished, agent: Agent, record_property: Say, alias: str) -> None:
    record_property("client", "Claude Code")
    claude = agent(NPM / ".bin" / "claude")
    play(furnished, alias, {"Read": {"file_path": str(claude.work / "word.txt")}})
    env = {
        "ANTHROPIC_BASE_URL": furnished.served.address, "ANTHROPIC_AUTH_TOKEN": furnished.key, "ANTHROPIC_MODEL": alias,
        "ANTHROPIC_SMALL_FAST_MODEL": alias, "ANTHROPIC_DEFAULT_HAIKU_MODEL": alias,
    }  # fmt: skip
    printed = claude.run("-p", TASK, "--allowedTools", "Read", env=env)
    check(furnished, printed, "anthropic_messages", alias)


@pytest.mark.parametrize("alias", ["to-openai", "to-anthropic", "to-gemini"])
def test_codex(furnished: Furnished, agent: Agent, record_property: Say, alias: str) -> None:
    record_property("client", "Codex CLI")
    codex = agent(NPM / ".bin" / "codex")
    command = "cat word.txt"
    play(
        furnished,
        alias,
        {"exec_command": {"cmd": command}, "shell": {"command": ["cat", "word.txt"]}, "shell_command": {"command": command}},
    )
    (codex.home / ".codex").mkdir()
    (codex.home / ".codex" / "config.toml").write_text(
        f'model = "{alias}"\nmodel_provider = "conduit"\ncheck_for_update_on_startup = false\n\n'
        f'[analytics]\nenabled = false\n\n[model_providers.conduit]\nname = "Conduit"\nbase_url = "{furnished.served.address}/v1"\n'
        f'env_key = "CONDUIT_API_KEY"\nwire_api = "responses"\n'
    )
    printed = codex.run(
        "exec", "--skip-git-repo-check", "--sandbox", "danger-full-access", TASK, env={"CONDUIT_API_KEY": furnished.key}
    )
    check(furnished, printed, "openai_responses", alias)


@pytest.mark.parametrize("alias", ["to-gemini", "to-openai", "to-anthropic"])
def test_gemini_cli(furnished: Furnished, agent: Agent, record_property: Say, alias: str) -> None:
    record_property("client", "Gemini CLI")
    gemini = agent(NPM / ".bin" / "gemini")
    path = str(gemini.work / "word.txt")
    play(furnished, alias, {"read_file": {"file_path": path, "absolute_path": path}})
    (gemini.home / ".gemini").mkdir()
    (gemini.home / ".gemini" / "settings.json").write_text(
        json.dumps({
            "security": {"auth": {"selectedType": "gemini-api-key"}},
            "privacy": {"usageStatisticsEnabled": False},
            "general": {"enableAutoUpdate": False, "disableAutoUpdate": True},
        })
    )  # fmt: skip
    env = {"GOOGLE_GEMINI_BASE_URL": furnished.served.address, "GEMINI_API_KEY": furnished.key}
    printed = gemini.run("--model", alias, "--skip-trust", "--approval-mode", "yolo", "-p", TASK, env=env)
    check(furnished, printed, "gemini", alias)


@pytest.mark.parametrize("alias", ["to-openai", "to-anthropic", "to-gemini"])
def test_opencode(furnished: Furnished, agent: Agent, record_property: Say, alias: str) -> None:
    record_property("client", "OpenCode")
    opencode = agent(NPM / ".bin" / "opencode")
    play(furnished, alias, {"read": {"filePath": str(opencode.work / "word.txt")}})
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Conduit",
        "options": {"baseURL": f"{furnished.served.address}/v1", "apiKey": "{env:CONDUIT_API_KEY}"},
        "models": {alias: {"name": alias}},
    }
    (opencode.work / "opencode.json").write_text(
        json.dumps({
            "autoupdate": False, "share": "disabled", "model": f"conduit/{alias}", "small_model": f"conduit/{alias}",
            "provider": {"conduit": provider},
        })
    )  # fmt: skip
    printed = opencode.run("run", "--auto", "--format", "json", TASK, env={"CONDUIT_API_KEY": furnished.key})
    check(furnished, printed, "openai_chat", alias)


EDIT = """I will add it.

hello.txt
```
rhubarb-4711
```
"""


@pytest.mark.parametrize("alias", ["to-openai", "to-anthropic", "to-gemini"])
def test_aider(furnished: Furnished, agent: Agent, record_property: Say, alias: str) -> None:
    record_property("client", "aider")
    aider = agent(CLIENTS / "aider" / "bin" / "aider")
    play(furnished, alias, None, text=EDIT)
    env = {"OPENAI_API_BASE": f"{furnished.served.address}/v1", "OPENAI_API_KEY": furnished.key}
    options = [
        "--yes-always",
        "--no-git",
        "--edit-format",
        "whole",
        "--no-show-model-warnings",
        "--no-check-update",
        "--analytics-disable",
    ]
    aider.run("--model", f"openai/{alias}", *options, "--message", "Create a file hello.txt with the word.", "hello.txt", env=env)
    assert (aider.work / "hello.txt").read_text().strip() == WORD
