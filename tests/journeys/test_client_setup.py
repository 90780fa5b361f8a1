"""`clients set` from outside, then the real tool with nothing but its files: its request is seen, and all is undone to the byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.installed import CLIENTS, NPM, Client, RecordProperty
from tests.journeys.processes import ROOT, RunningGateway, conduit, environment

BIN = NPM / ".bin"


@dataclass(frozen=True)
class Tool:
    """How a tool is asked something, and files that its user had before, by their path in the user's folder."""

    program: Path
    arguments: tuple[str, ...]
    label: str
    before: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


TOOLS = {
    "claude-code": Tool(
        BIN / "claude", ("-p", "hi"), "Claude Code",
        {".claude/settings.json": '{\n    "env": {"ANTHROPIC_BASE_URL": "https://other.example"},\n    "theme": "dark"\n}'},
    ),
    "codex": Tool(
        BIN / "codex", ("exec", "--skip-git-repo-check", "hi"), "Codex CLI",
        {
            ".codex/config.toml": '# mine\nmodel = "gpt-5" # the usual\ncheck_for_update_on_startup = false\n\n'
                                  "[analytics]\nenabled = false\n",
            ".codex/.env": "OTHER=1\n",
        },
    ),
    "gemini-cli": Tool(
        BIN / "gemini", ("--skip-trust", "-p", "hi"), "Gemini CLI",
        {
            ".gemini/settings.json": '{\r\n  // no telemetry\r\n  "privacy": {"usageStatisticsEnabled": false},\r\n'
                                     '  "general": {"enableAutoUpdate": false}\r\n}\r\n',
        },
    ),
    "opencode": Tool(
        BIN / "opencode", ("run", "hi"), "OpenCode",
        {
            ".config/opencode/opencode.jsonc":
                '{\n  "$schema": "https://opencode.ai/config.json", // x\n  "share": "disabled",\n}\n',
        },
    ),
    "qwen-code": Tool(
        BIN / "qwen", ("-p", "hi"), "Qwen Code",
        {".qwen/settings.json": '{\n  "privacy": {\n    "usageStatisticsEnabled": false\n  },\n  "$version": 4\n}'},
        dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), ""),
    ),
    "continue": Tool(
        BIN / "cn", ("-p", "hi"), "Continue CLI",
        {".continue/config.yaml": "name: mine\nversion: 1.0.0\nschema: v1\nmodels: []\n"}, {"CONTINUE_TELEMETRY_ENABLED": "0"},
    ),
    "cline": Tool(BIN / "cline", ("--json", "say hi"), "Cline", {}, {"CLINE_SESSION_BACKEND_MODE": "local"}),
    "pi": Tool(
        BIN / "pi", ("--print", "--no-session", "hi"), "Pi",
        {".pi/agent/settings.json": '{"quietStartup": true}'}, {"PI_OFFLINE": "1"},
    ),
    "aider": Tool(
        CLIENTS / "aider" / "bin" / "aider",
        ("--no-git", "--yes-always", "--no-show-model-warnings", "--edit-format", "ask", "--message", "hi"), "aider",
        {".aider.conf.yml": "# mine\ncheck-update: false\nanalytics-disable: true\n"},
    ),
    "llm": Tool(
        CLIENTS / "python" / "bin" / "llm", ("-m", "conduit/demo", "hi"), "llm",
        {".config/io.datasette.llm/keys.json": '{\n  "// Note": "This file stores secret API credentials. Do not share!"\n}'},
    ),
}  # fmt: skip


@dataclass
class User:
    """A user with a home folder of their own, for whom a gateway runs."""

    home: Path
    served: RunningGateway
    env: dict[str, str]

    def clients(self, *arguments: str) -> Any:
        """`conduit-desktop clients … --json`."""
        command = [sys.executable, "-m", "conduit_desktop", "clients", *arguments, "--home", str(self.served.home), "--json"]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    home = tmp_path / "user"
    home.mkdir()
    programs = os.pathsep.join([*(str(path) for path in {tool.program.parent: 0 for tool in TOOLS.values()}), os.environ["PATH"]])
    own = {"HOME": str(home), "USERPROFILE": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "PATH": programs}
    with conduit(tmp_path / "conduit", **own) as served:
        yield User(home, served, environment(**own))


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_that_was_set_up_calls_the_gateway_and_is_undone_to_the_byte(
    user: User, tmp_path: Path, record_property: RecordProperty, name: str
) -> None:
    tool = TOOLS[name]
    if not tool.program.exists():
        pytest.skip(f"{tool.program.name} is not installed under {CLIENTS.name}: run `make clients`")
    record_property("client", tool.label)
    (tmp_path / "work").mkdir()
    for path, text in tool.before.items():
        (user.home / path).parent.mkdir(parents=True, exist_ok=True)
        (user.home / path).write_bytes(text.encode())
    shown = user.clients("diff", name)
    assert (shown["state"], shown["first_seen"]) == ("not_set", None)
    assert shown["installed"]["path"] == str(tool.program)
    made = user.clients("set", name, "--budget", "1")
    assert (made["state"], made["diff"], made["model"]) == ("set", "", "demo")
    written = {one["path"]: Path(one["path"]).read_bytes() for one in made["files"]}

    Client(tool.program, user.home, tmp_path / "work").run(*tool.arguments, env=tool.env)

    seen = user.clients("diff", name)
    assert seen["first_seen"] is not None
    assert seen["state"] == "set", "the tool left our values as they were"
    record = user.served.admin("GET", f"/requests/{seen['first_request']}")
    assert (record["key_id"], record["status"]) == (made["key_id"], "success")
    rewritten = {path for path, data in written.items() if Path(path).read_bytes() != data}
    undone = user.clients("undo", name)
    assert undone["state"] == "not_set"
    # A file that the tool itself wrote anew keeps what it wrote, without our values.
    assert len(rewritten) <= (name == "cline")
    for one in made["files"]:
        path = Path(one["path"])
        before = tool.before.get(path.relative_to(user.home).as_posix())
        if one["path"] in rewritten:
            assert "condt_" not in path.read_text()
            assert user.served.address not in path.read_text()
        else:
            assert (path.read_bytes().decode() if path.exists() else None) == before
    assert user.served.admin("GET", "/keys")["data"] == []


def test_every_state_is_listed_from_outside_without_the_key(user: User) -> None:
    """Needs no installed tool."""
    user.clients("set", "aider", "--anyway", "--models", "demo*", "--budget", "2", "--period", "daily")
    path = user.home / ".aider.conf.yml"
    key = next(line.split()[1] for line in path.read_text().splitlines() if line.startswith("openai-api-key"))
    rows = {row["name"]: row for row in user.clients("list")}
    assert rows["aider"]["state"] == "set"
    assert rows["cursor"]["can_set"] is False
    owner = user.served.admin("GET", f"/keys/{rows['aider']['key_id']}")
    assert (owner["models"], owner["budget_usd"], owner["budget_period"]) == (["demo*"], 2, "daily")
    path.write_text(path.read_text().replace(key, "sk-of-another-tool"))
    assert {row["name"]: row["state"] for row in user.clients("list")}["aider"] == "changed_elsewhere"
    assert user.clients("set", "aider", "--anyway")["state"] == "set"
    done = subprocess.run(
        [sys.executable, "-m", "conduit_desktop", "clients", "undo", "codex", "--home", str(user.served.home)],
        env=user.env, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
    )  # fmt: skip
    assert (done.returncode, "nothing to undo" in done.stderr) == (1, True)
    for text in (json.dumps(rows), json.dumps(user.served.admin("GET", "/audit"))):
        assert key not in text
    user.clients("undo", "aider")
    assert path.read_text() == "openai-api-key: sk-of-another-tool\n"
