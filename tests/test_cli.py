"""The command line: the same with and without a running server, one line for a failure, its exit code."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from conduit_desktop.actions.onboarding import discovery
from conduit_desktop.cli import COMMANDS, cli, printing
from conduit_desktop.core.paths import Home
from conduit_desktop.providers.catalog import CATALOG
from conduit_desktop.store.lock import HomeLock
from conduit_desktop.store.secrets.vault import Vault
from tests.fakes.waiting import read_until


class Shell:
    """Runs commands on one home, that of a new user."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str, input: str | None = None, code: int = 0) -> Result:
        result = CliRunner().invoke(cli, ["--home", str(self.home), *arguments], input=input, prog_name="conduit-desktop")
        assert result.exit_code == code, f"{result.output}\n{result.stderr}\n{result.exception!r}"
        return result

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json").stdout)


@pytest.fixture
def sh(home: Home, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("CONDUIT_SECRETS", "vault")
    return Shell(home.root)


def test_every_command_loads_and_explains_itself(sh: Shell) -> None:
    assert set(COMMANDS) < set(cli.list_commands(None))  # type: ignore[arg-type]
    for name in COMMANDS:
        assert "Usage: conduit-desktop" in sh(name, "--help").stdout


def test_providers_models_keys_and_prices_are_added_changed_and_removed(sh: Shell) -> None:
    sh(
        "providers",
        "add",
        "gpu",
        "--kind",
        "vllm",
        "--base-url",
        "http://10.0.0.1/v1",
        "--header",
        "X-A=value",
        "--api-key",
        "env:K",
    )
    assert sh.json("providers", "edit", "gpu", "--rename", "gpus", "--header", "X-A=none", "--disabled")["headers"] == {}
    sh(
        "models",
        "add",
        "talk",
        "--target",
        "demo/demo-chat",
        "--target",
        "gpus/org/qwen=3",
        "--strategy",
        "weighted",
        "--timeout",
        "idle_s=5",
    )
    changed = sh.json(
        "models", "edit", "talk", "--override", "top_p=null", "--override", "temperature=0.2", "--timeout", "total_s=60"
    )
    assert changed["targets"][1] == {"provider": "gpus", "model": "org/qwen", "weight": 3}
    assert (changed["overrides"], changed["timeouts"]["idle_s"]) == ({"top_p": None, "temperature": 0.2}, 5)
    sh("prices", "add", "gpus/*", "--input", "1", "--output", "2")
    tiered = sh.json("prices", "edit", "gpus/*", "--output", "3", "--cache-read", "0.5", "--service-tier", "flex=0.5")
    assert (tiered["input"], tiered["output"], tiered["service_tiers"]) == (1, 3, {"flex": 0.5})
    assert sh.json("prices", "edit", "gpus/*", "--service-tier", "none")["service_tiers"] == {}
    sh(
        "keys",
        "create",
        "--name",
        "ci",
        "--budget",
        "5",
        "--period",
        "monthly",
        "--models",
        "gpt-*",
        "--models",
        "talk",
        "--rpm",
        "60",
    )
    changed = sh.json("keys", "edit", "ci", "--budget", "none", "--models", "none", "--metadata", "team=x")
    assert (changed["budget_usd"], changed["models"], changed["rpm"], changed["metadata"]) == (None, [], 60, {"team": "x"})
    for arguments in (
        ["models", "remove", "talk"],
        ["providers", "remove", "gpus"],
        ["keys", "remove", "ci"],
        ["prices", "remove", "gpus/*"],
    ):
        sh(*arguments)
    assert [row["name"] for row in sh.json("providers", "list")] == ["demo"]
    assert [row["alias"] for row in sh.json("models", "list")] == ["demo"]
    assert [sh.json(what, "list") for what in ("keys", "prices")] == [[], []]


def test_a_budget_is_added_shown_changed_and_removed(sh: Shell) -> None:
    sh("keys", "create", "--name", "ci", "--team", "red", "--tag", "nightly")
    made = sh.json("budgets", "add", "--scope", "key", "--target", "ci", "--limit", "5", "--period", "weekly", "--name", "b")
    assert (made["limit_usd"], made["period"], made["spend_usd"]) == (5, "weekly", 0)
    assert made["target"] == sh.json("keys", "show", "ci")["id"]
    after = sh.json("budgets", "edit", "b", "--limit", "7", "--action", "warn", "--threshold", "0.5", "--threshold", "1")
    assert (after["limit_usd"], after["action"], after["thresholds"]) == (7, "warn", [0.5, 1])
    assert "$7.00" in sh("budgets", "list").output
    assert sh.json("budgets", "history", "b") == sh.json("keys", "history", "ci") == []
    sh("budgets", "remove", "b")
    assert sh.json("budgets", "list") == []


def test_prices_are_exported_and_imported_as_csv(sh: Shell, tmp_path: Path) -> None:
    sh("prices", "add", "a", "--input", "1", "--output", "2", "--per-search", "0.01")
    before = sh.json("prices", "show", "a")
    file = tmp_path / "prices.csv"
    sh("prices", "export", str(file))
    sh("prices", "remove", "a")
    assert sh.json("prices", "import", str(file)) == {"imported": 1}
    after = sh.json("prices", "show", "a")
    assert {name for name in before if before[name] != after[name]} <= {"created_at", "updated_at"}


def test_ip_rules_notifications_and_the_audit_log_are_there(sh: Shell) -> None:
    assert sh.json("ip-rules", "add", "deny", "10.0.0.0/8")["network"] == "10.0.0.0/8"
    sh("ip-rules", "remove", "10.0.0.0/8")
    assert sh.json("ip-rules", "list") == []
    assert [row["action"] for row in sh.json("audit", "--limit", "2")] == ["ip-rule.remove", "ip-rule.create"]
    assert sh.json("notifications", "list", "--unread") == []
    assert sh.json("notifications", "read") == {"read": 0}


def test_a_target_is_paused_and_resumed_with_and_without_a_running_gateway(sh: Shell) -> None:
    sh("models", "add", "chat", "--target", "demo/demo-chat", "--sticky", "session", "--trim", "--context-fallback", "none")
    assert [(one["name"], one["state"]) for one in sh.json("health", "list")] == [("demo/demo-chat", "unused")]
    sh("health", "pause", "demo/demo-chat")
    assert sh.json("health", "list")[0]["state"] == "paused", "each command opened the home anew"
    assert "demo/demo-chat" in sh("health", "list").stdout
    sh("health", "resume", "demo/demo-chat")
    assert sh.json("health", "list")[0]["state"] == "unused"
    label = sh.json("health", "list")[0]["credentials"][0]["label"]
    sh("health", "release", "demo", label)
    assert "no target" in sh("health", "pause", "demo/other", code=1).stderr


def test_tables_show_what_is_there_and_no_secret(sh: Shell) -> None:
    sh("providers", "add", "openai", "--kind", "openai", "--api-key", "-", input="sk-proj-0123456789abcdefWXYZ\n")
    listed = sh("providers", "list").stdout
    assert "sk-…WXYZ" in listed
    assert "0123456789" not in listed + sh("providers", "show", "openai").stdout
    assert sh("settings", "list").stdout.count("\n") > 20


def test_a_new_key_is_alone_on_standard_output(sh: Shell) -> None:
    result = sh("keys", "create", "--name", "a")
    assert result.stdout.startswith("condt_")
    assert result.stdout.count("\n") == 1
    assert "not shown again" in result.stderr
    assert sh("keys", "rotate", "a").stdout != result.stdout


def test_the_last_home_given_wins(sh: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDUIT_HOME", str(tmp_path / "environment"))
    sh("keys", "create", "--name", "a", "--home", str(tmp_path / "other"))
    assert sh.json("keys", "list") == []
    assert (tmp_path / "other" / "conduit.db").exists()
    assert not (tmp_path / "environment").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["keys", "show", "missing"], 1, "There is no virtual key 'missing'."),
        (["providers", "add", "x", "--kind", "nothing"], 1, "no provider kind 'nothing'"),
        (["providers", "add", "x", "--kind", "vllm", "--base-url", "ftp://x"], 1, "must begin with http"),
        (["models", "add", "x", "--target", "missing/m"], 1, "targets[0].provider"),
        (["models", "add", "x", "--target", "missing"], 2, "PROVIDER/MODEL"),
        (["prices", "add", "x", "--input", "-1"], 1, "input: must be greater than or equal to 0"),
        (["prices", "add", "x", "--input", "cheap"], 2, "is no number"),
        (["keys", "create"], 2, "--name"),
        (["keys", "create", "--name", "a", "--period", "yearly"], 2, "yearly"),
        (["settings", "set", "port", "70000"], 1, "port"),
        (["settings", "set", "prot", "1"], 1, "there is no such field; did you mean 'port'?"),
        (["provider", "list"], 2, "No such command 'provider'; did you mean 'providers'?"),
        (["keys", "crate"], 2, "No such command 'crate'; did you mean 'create'?"),
        (["keys", "create", "--name", "a", "--budgt", "5"], 2, "Did you mean '--budget'?"),
        (["providers", "add", "x", "--kind", "opnai"], 1, "did you mean 'openai'?"),
        (["providers", "edit", "demo", "--option", "pace=1"], 1, "has no such option; did you mean 'pace_ms'?"),
        (["usage", "--by", "modle"], 1, "did you mean 'model'?"),
        (["usage", "--by", "week"], 1, "group_by"),
        (["requests", "--follow"], 1, "no server runs for this home"),
        (["--port", "70000", "serve"], 2, "--port"),
        (["serve", "--tls-cert", __file__], 2, "belong together"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_a_failure_is_one_line_and_its_exit_code(sh: Shell, arguments: list[str], code: int, message: str) -> None:
    result = sh(*arguments, code=code)
    assert message in result.stderr
    assert "Traceback" not in result.output
    if code == 1:
        assert result.stderr.startswith("conduit-desktop: ")
        assert result.stderr.count("\n") == 1


def test_a_held_home_that_does_not_listen_is_exit_4(sh: Shell, home: Home) -> None:
    with HomeLock(home).acquire({}):
        assert f"process {os.getpid()}" in sh("keys", "list", code=4).stderr


def test_the_master_key_is_made_shown_and_rotated(sh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    first = sh("master-key", "show").stdout
    assert first.startswith("condm_")
    assert sh("master-key", "show").stdout == first
    second = sh("master-key", "rotate").stdout
    assert second != first
    assert sh("master-key", "show").stdout == second
    monkeypatch.setenv("CONDUIT_MASTER_KEY", "mine")
    assert sh("master-key", "show").stdout == "mine\n"


def test_a_rotation_that_was_killed_after_its_commit_is_finished_before_the_key_is_shown(sh: Shell, home: Home) -> None:
    sh("master-key", "rotate")
    Vault.open(home, None).set("master-key/next", "condm_committed")
    with closing(sqlite3.connect(home.database)) as connection, connection:
        pending = json.dumps({"names": ["master-key/next"], "moves": {"master-key/next": "master-key"}})
        connection.execute("UPDATE meta SET value = ? WHERE name = 'pending_secrets'", (pending,))
    assert sh("master-key", "show").stdout == "condm_committed\n"
    assert Vault.open(home, None).names() == ["master-key"]


def test_a_backup_can_be_restored(sh: Shell, tmp_path: Path) -> None:
    sh("keys", "create", "--name", "before")
    sh("backup", str(tmp_path / "copy.zip"))
    sh("keys", "create", "--name", "after")
    sh("restore", str(tmp_path / "copy.zip"), input="n\n", code=1)
    sh("restore", str(tmp_path / "copy.zip"), "--yes")
    assert [row["name"] for row in sh.json("keys", "list")] == ["before"]
    (tmp_path / "bad.zip").write_bytes(b"not a backup")
    assert "cannot read the backup" in sh("restore", str(tmp_path / "bad.zip"), "--yes", code=1).stderr


def test_export_and_import_carry_the_configuration_over(sh: Shell, tmp_path: Path) -> None:
    sh("models", "add", "talk", "--target", "demo/demo-chat")
    sh("keys", "create", "--name", "ci")
    file = tmp_path / "conduit.toml"
    sh("export", str(file))
    other = Shell(tmp_path / "other")
    assert "give --yes" in other("import", str(file), code=1).stderr
    assert [row["alias"] for row in other.json("models", "list")] == ["demo"]
    done = other("import", str(file), "--yes")
    assert "condt_" in done.stdout
    assert [row["alias"] for row in other.json("models", "list")] == ["demo", "talk"]
    assert "Nothing to change" in other("import", str(file), "--yes").stderr
    file.write_text("[[models]]\nalias = 1\n")
    assert "line 2" in other("import", str(file), "--yes", code=1).stderr


def test_an_import_shows_values_and_hosts_and_takes_only_the_variables_that_are_named(
    sh: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "hunter2-hunter2-hunter2")
    file = tmp_path / "conduit.toml"
    file.write_text(
        '[[providers]]\nname = "p"\nkind = "openai"\nbase_url = "https://evil.example/v1"\napi_key = "env:DEPLOY_TOKEN"\n'
    )
    refused = sh("import", str(file), "--yes", code=1)
    assert "--allow-env DEPLOY_TOKEN" in refused.stderr
    assert not any(one["name"] == "p" for one in sh.json("providers", "list"))
    done = sh("import", str(file), "--yes", "--allow-env", "DEPLOY_TOKEN")
    assert "evil.example" in done.stdout
    assert "base_url: https://evil.example/v1" in done.stdout
    assert "hunter2" not in done.output
    assert any(one["name"] == "p" for one in sh.json("providers", "list"))
    sh("import", str(file), "--yes", "--allow-env", "CONDUIT_MASTER_KEY", code=1)


def test_a_file_of_the_home_that_was_lost_is_named_and_can_be_done_without(sh: Shell, home: Home) -> None:
    sh("providers", "add", "p", "--kind", "openai", "--api-key", "sk-0123456789abcdef")
    home.vault.unlink()
    failed = sh("keys", "list", code=1).stderr
    assert str(home.vault) in failed
    assert str(home.database) in failed
    assert "secrets.vault is missing" in sh("doctor", code=1).stdout
    sh("doctor", "--forget", "secrets.vault", code=1)  # the provider's key is gone
    sh("keys", "list")


def test_usage_prints_csv_json_and_a_table(sh: Shell) -> None:
    for command in (("usage",), ("usage", "--csv"), ("requests",), ("prices", "reprice")):
        refused = sh(*command, "--since", "2026-09-22", "--until", "2026-09-21", code=1).stderr
        assert "until: must not be before since" in refused
    assert sh("usage", "--by", "day,key", "--csv").stdout.startswith("day,key,key_name,requests,errors,input,")
    assert sh.json("usage", "--by", "day,model") == []
    assert "unpriced" in sh("usage", "--by", "key").stdout


def test_a_providers_several_keys_are_added_replaced_and_taken_away(sh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARE", "sk-spare-0123456789")
    made = sh.json("providers", "add", "work", "--kind", "openai", "--key", "a=sk-aaaa-0123456789AA", "--key", "b=env:SPARE")
    assert [(one["label"], one["hint"]) for one in made["keys"]] == [("a", "sk-…89AA"), ("b", "env:SPARE")]
    changed = sh.json("providers", "edit", "work", "--key", "b=none", "--key", "c=sk-cccc-0123456789CC")
    assert [(one["label"], one["hint"]) for one in changed["keys"]] == [("a", "sk-…89AA"), ("c", "sk-…89CC")]


def test_doctor_prints_a_line_for_each_check(sh: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = sh("--port", port, "doctor", code=1)
    lines = {line[6:15].strip(): line for line in result.stdout.splitlines()}
    assert set(lines) == {
        "home",
        "server",
        "database",
        "secrets",
        "providers",
        "keys",
        "models",
        "config",
        "port",
        "display",
        "prices",
    }
    assert lines["port"].startswith("bad")
    assert "taken" in lines["port"]
    assert "vault.key" in lines["secrets"]
    verdicts = {row["what"]: row["verdict"] for row in sh.json("--port", "0", "doctor")}
    assert verdicts["port"] == verdicts["prices"] == "ok"


def test_doctor_names_the_keys_that_are_missing(sh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-some-0123456789")
    sh("providers", "add", "one", "--kind", "openai", "--api-key", "env:SOME_KEY")
    assert "ok    providers  2, with every key" in sh("--port", "0", "doctor").stdout
    monkeypatch.delenv("SOME_KEY")
    assert "bad   providers  keys are missing: one: SOME_KEY is not set" in sh("--port", "0", "doctor", code=1).stdout


@pytest.fixture
def local_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A model server with two models, at the only port that discovery looks at; its base URL."""

    class Models(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"data": [{"id": "qwen3:4b"}, {"id": "llama4:8b"}]}')

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Models) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setattr(discovery, "PORTS", ((server.server_port, "ollama"),))
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


SECRET = "sk-0123456789abcdefWXYZ"


def test_doctor_names_the_keys_and_the_servers_on_this_computer(
    sh: Shell, local_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    sh("providers", "add", "groq", "--kind", "groq", "--api-key", "env:GROQ_API_KEY")
    printed = sh("--port", "0", "doctor").stdout
    assert "OPENAI_API_KEY (OpenAI); `conduit-desktop discover --add` adds them; used: GROQ_API_KEY" in printed
    assert f"Ollama at {local_server} with 2 models" in printed
    assert SECRET not in printed


def test_discover_lists_keys_by_name_and_servers_with_their_models(
    sh: Shell, local_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", SECRET)
    shown = sh("discover")
    assert "GROQ_API_KEY" in shown.stdout
    assert f"{local_server} Ollama 2 models no" in " ".join(shown.stdout.split())
    assert "discover --add" in shown.stderr
    assert SECRET not in shown.output
    found = sh.json("discover")
    assert [one["variable"] for one in found["keys"]] == ["GROQ_API_KEY"]
    assert [one["models"] for one in found["servers"]] == [["qwen3:4b", "llama4:8b"]]


def test_discover_add_makes_providers_and_aliases_of_what_is_not_in_use(
    sh: Shell, local_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", SECRET)
    monkeypatch.setattr(CATALOG["groq"], "default_base_url", "http://127.0.0.1:9")
    added = sh("discover", "--add")
    assert "ollama  2 aliases: " in added.stdout
    # The provider is there all the same.
    assert "The models of groq could not be listed" in added.stderr
    assert [row["name"] for row in sh.json("providers", "list")] == ["demo", "groq", "ollama"]
    assert [row["alias"] for row in sh.json("models", "list")] == ["demo", "llama4:8b", "qwen3:4b"]
    assert all(one["used"] for found in sh.json("discover").values() for one in found)
    assert "Nothing new" in sh("discover", "--add").stderr


def test_discover_publishes_the_models_of_a_found_key(sh: Shell, local_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "PORTS", ())
    monkeypatch.setenv("GROQ_API_KEY", SECRET)
    monkeypatch.setattr(CATALOG["groq"], "default_base_url", local_server)
    assert sh.json("discover", "--add") == {"providers": ["groq"], "aliases": {"groq": ["llama4:8b", "qwen3:4b"]}}


def test_nothing_found_is_said_so(sh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "PORTS", ())
    assert "No provider keys" in sh("discover").stderr
    assert "Nothing new" in sh("discover", "--add").stderr
    printed = sh("--port", "0", "doctor").stdout
    assert "no provider key is set" in printed
    assert "no model server answers" in printed


def test_a_new_home_answers_with_the_demo_until_it_is_removed(sh: Shell) -> None:
    assert [row["name"] for row in sh.json("providers", "list")] == ["demo"]
    assert [(row["alias"], row["targets"]) for row in sh.json("models", "list")] == [
        ("demo", [{"provider": "demo", "model": "demo-chat", "weight": 1}])
    ]
    assert {row["action"] for row in sh.json("audit")} == {"provider.create", "model.create"}
    sh("models", "remove", "demo")
    sh("providers", "remove", "demo")
    assert sh.json("providers", "list") == sh.json("models", "list") == []


def test_a_new_home_with_a_config_file_has_what_the_file_says(sh: Shell, tmp_path: Path) -> None:
    config = tmp_path / "conduit.toml"
    config.write_text('[[providers]]\nname = "mine"\nkind = "demo"\n')
    assert [row["name"] for row in sh.json("--config", str(config), "providers", "list")] == ["mine"]
    assert sh.json("models", "list") == []


def test_doctor_reads_the_config_file(sh: Shell, tmp_path: Path) -> None:
    config = tmp_path / "conduit.toml"
    config.write_text("[settings]\nprot = 1\n")
    assert "line 2: prot: there is no such field" in sh("--port", "0", "--config", str(config), "doctor", code=1).stdout


def test_doctor_names_a_damaged_database(sh: Shell, home: Home) -> None:
    home.database.write_bytes(b"this is no database at all, not at all" * 100)
    assert "bad   database" in sh("--port", "0", "doctor", code=1).stdout


PYTHON = [sys.executable, "-m", "conduit_desktop"]


@pytest.fixture
def served(sh: Shell) -> Iterator[subprocess.Popen[str]]:
    """A headless gateway on the home, in a process of its own."""
    process = subprocess.Popen(
        [*PYTHON, "serve", "--port", "0", "--home", str(sh.home)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Conduit listening on http://127.0.0.1:")
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 0


def test_commands_act_through_the_process_that_serves_the_home(sh: Shell, served: subprocess.Popen[str]) -> None:
    sh("models", "add", "talk", "--target", "demo/demo-chat")
    key = sh("keys", "create", "--name", "ci").stdout.strip()
    assert sh("models", "explain", "talk").stdout.count("demo-chat") == 1
    assert "There is no virtual key" in sh("keys", "show", "missing", code=1).stderr
    follow = subprocess.Popen(
        [*PYTHON, "requests", "--follow", "--json", "--home", str(sh.home)], stdout=subprocess.PIPE, text=True
    )
    try:
        address = HomeLock(Home(sh.home)).holder()["address"]  # type: ignore[index]
        line = _first_line(follow, lambda: _chat(address, key))
    finally:
        follow.kill()
        follow.communicate()
    assert json.loads(line)["model"] == "talk"
    assert {row["key_name"] for row in sh.json("requests")} == {"ci"}
    assert sh("usage", "--by", "model", "--csv").stdout.splitlines()[1].startswith("talk,")
    _chat(address, "condt_" + "x" * 43, status=401)
    # The record of a refusal is written after its answer.
    read_until(lambda: sh("usage", "--by", "model").stdout, lambda shown: "(unknown model)" in shown)
    assert "(no key)" in sh("usage", "--by", "key").stdout
    assert "(not sent)" in sh("usage", "--by", "provider").stdout
    for group in ("session", "user", "tag"):
        assert f"(no {group})" in sh("usage", "--by", group).stdout
    assert "in use" in sh("serve", code=4).stderr
    assert "in use" in sh("restore", __file__, "--yes", code=4).stderr
    rotated = sh("master-key", "rotate").stdout
    assert sh("master-key", "show").stdout == rotated
    assert sh.json("keys", "list")[0]["name"] == "ci"


def test_the_owner_of_the_home_needs_no_master_key(
    sh: Shell, served: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may have been given one that this shell does not know."""
    monkeypatch.setenv("CONDUIT_MASTER_KEY", "another one")
    sh("keys", "create", "--name", "mine")
    assert [row["name"] for row in sh.json("keys", "list")] == ["mine"]
    lock = json.loads((sh.home / "conduit.lock").read_text())
    assert (sh.home / "conduit.lock").stat().st_mode & 0o077 == 0
    request = urllib.request.Request(f"{lock['address']}/admin/v1/audit", headers={"X-Master-Key": lock["token"]})
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["data"][0]["actor"] == "cli"


def _chat(address: str, key: str, status: int = 200) -> None:
    import http.client
    from urllib.parse import urlsplit

    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(address).port, timeout=10)
    body = json.dumps({"model": "talk", "messages": [{"role": "user", "content": "hi"}]})
    connection.request("POST", "/v1/chat/completions", body, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    with connection.getresponse() as answer:
        assert answer.status == status
        answer.read()
    connection.close()


def _first_line(process: subprocess.Popen[str], poke: Any) -> str:
    """What the process prints first; read again until it listens."""
    import select

    assert isinstance(process.stdout, io.TextIOBase)
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        poke()
        if select.select([process.stdout], [], [], 0.3)[0]:
            return process.stdout.readline()
    raise AssertionError("nothing was printed")


def test_serve_imports_neither_tables_nor_windows() -> None:
    heavy = ("rich", "PySide6", "qasync", "conduit_desktop.gui", "conduit_desktop.cli.printing")
    code = (
        "import sys; from conduit_desktop.cli import cli, serve; import conduit_desktop.app, conduit_desktop.actions.operations;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_an_idle_server_has_loaded_neither_the_admin_api_nor_a_dialect_nor_the_vaults_cipher() -> None:
    heavy = ("actions.operations", "actions.views", "actions.transfer", "wire.openai_responses", "wire.anthropic_messages")
    code = (
        "import sys, conduit_desktop.app, conduit_desktop.server.http_server, conduit_desktop.actions.background.watch;"
        "import conduit_desktop.store.secrets.vault;"
        f"print([name for name in {heavy} if 'conduit_desktop.' + name in sys.modules], 'cryptography' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[] False\n"


def test_a_taken_port_is_named_and_is_exit_3(sh: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [*PYTHON, "serve", "--port", port, "--home", str(sh.home)], capture_output=True, text=True, timeout=30
        )
    assert (ended.returncode, ended.stdout) == (3, "")
    assert port in ended.stderr.splitlines()[-1]


def test_what_a_stranger_chose_is_printed_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    name = "gpt\x1b]0;owned\x07\x9b31m\u202e\r\nnew line"
    row = {"model": name, "tags": [name], name: {name: name}}
    printing.as_json(row)
    assert json.loads(capsys.readouterr().out) == row
    printing.as_json(row)
    printing.as_json(row, indent=False)
    printing.details(row)
    printing.table([row], [("model", "model"), ("tags", "tags")])
    printing.echo(name)
    printing.echo(name, err=True)
    captured = capsys.readouterr()
    for line in (captured.out + captured.err).splitlines():
        assert line.isprintable()


def test_commands_print_by_the_function_that_escapes() -> None:
    prints = re.compile(r"click\.s?echo\(|\bprint\(|stdout\.write")
    files = Path(printing.__file__).parent.glob("*.py")
    assert {path.name for path in files if prints.search(path.read_text("utf-8"))} == {"options.py", "printing.py"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_every_file_is_private_whatever_the_umask(home: Home, tmp_path: Path) -> None:
    environment = {**os.environ, "CONDUIT_SECRETS": "vault"}
    out = tmp_path / "out"
    for arguments in (["providers", "add", "other", "--kind", "demo"], ["export", f"{out}.toml"], ["backup", f"{out}.zip"]):
        command = [sys.executable, "-m", "conduit_desktop", "--home", str(home.root), *arguments]
        subprocess.run(command, env=environment, check=True, capture_output=True, umask=0)
    made = [path for path in (*home.root.rglob("*"), *tmp_path.glob("out.*")) if path.is_file()]
    assert len(made) > 4
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in made if path.stat().st_mode & 0o077} == {}


def test_a_client_is_shown_set_up_and_undone(sh: Shell) -> None:
    path = Path.home() / ".aider.conf.yml"
    path.write_text("# mine\ndark-mode: true\n")
    sh("providers", "add", "work", "--kind", "demo")
    sh("models", "add", "fast", "--target", "work/demo-chat")
    assert "Claude Code" in sh("clients", "list").stdout
    shown = sh("clients", "diff", "aider", "--model", "fast")
    assert "+model: openai/fast" in shown.stdout
    assert "export COPILOT_MODEL=" in sh("clients", "diff", "copilot").stdout
    done = sh("clients", "set", "aider", "--model", "fast", "--budget", "5", "--period", "monthly", "--models", "fast*", "--anyway")
    key = path.read_text().partition("openai-api-key: ")[2].split()[0]
    assert f"Wrote {path} (backup: " in done.stderr
    assert f"the key condt_…{key[-4:]} and the model fast" in done.stderr
    assert key not in done.output + done.stderr + shown.output
    assert "Nothing would change" in sh("clients", "diff", "aider").stderr
    [row] = sh.json("keys", "list")
    assert (row["name"], row["budget_usd"], row["models"]) == ("aider", 5, ["fast*"])
    assert "no server runs" in sh("clients", "set", "aider", "--wait", "1", code=1).stderr
    sh("clients", "undo", "aider")
    assert (path.read_text(), sh.json("keys", "list")) == ("# mine\ndark-mode: true\n", [])
    assert "aider" in sh("clients", "undo", "adier", code=1).stderr
