"""The operations on clients: state, difference, set-up and undoing, on files of a temporary user."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest

from conduit_desktop.actions.clients import files, plan
from conduit_desktop.actions.clients.first_seen import SEEN
from conduit_desktop.actions.clients.machine import this_machine
from conduit_desktop.actions.clients.recipes import RECIPES, ConfigFile, Recipe
from conduit_desktop.actions.clients.setup import RECORDS
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import Conflict, Invalid, NotFound
from conduit_desktop.gateway.admission.access import digest
from tests.actions.conftest import Do
from tests.gui.samples import keep, record

WRITABLE = [recipe for recipe in RECIPES if recipe.files]
BOM = "\ufeff"

SAMPLES: dict[str, list[str]] = {
    "json": [
        "", "{}", "{}\n", '{"theme": "dark"}', '{\n  // mine\n  "theme": "dark", // dark\n  "list": [1, 2,],\n}\n',
        '{\r\n\t"theme": "dark"\r\n}\r\n', BOM + '{\n    "theme": "dark"\n}',
    ],
    "toml": [
        "", "# mine\n", 'approval = "never" # always\n\n[tools]\nweb = true\n', "# about tools\n[tools]\nweb = true\n",
        'approval = "never"\r\n\r\n[tools]\r\nweb = true\r\n', BOM + "a = 1\n", "a = 1",
    ],
    "yaml": [
        "", "# mine\n", "dark-mode: true # dark\nauto-commits: false\n", "dark-mode: true\r\nauto-commits: false\r\n",
        BOM + "dark-mode: true\n", "dark-mode: true",
    ],
    "env": ["", "# mine\nOTHER=1\n", "export OTHER='a b'\r\n", BOM + "OTHER=1\n", "OTHER=1"],
}  # fmt: skip
LISTS = ["", "# mine\n", "- model_id: mine\n  model_name: mine # note\n", "- model_id: mine\r\n  model_name: mine\r\n"]
"""For the YAML file whose outermost value is a list."""


def samples(config: ConfigFile) -> list[str]:
    """Contents that the file may have before."""
    return LISTS if config.names == ("extra-openai-models.yaml",) else SAMPLES[config.format]


CASES = [
    pytest.param(recipe, number, text, id=f"{recipe.name}-{config.names[-1]}-{index}")
    for recipe in WRITABLE
    for number, config in enumerate(recipe.files)
    for index, text in enumerate([None, *samples(config)])
]


def path_of(recipe: Recipe, number: int = 0) -> Path:
    return plan.located(recipe.files[number], this_machine())


def by_name(name: str) -> Recipe:
    return next(one for one in RECIPES if one.name == name)


def put(path: Path, text: str) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return text.encode()


@pytest.fixture
async def ready(context: AppContext, do: Do) -> AppContext:
    await do("POST", "/providers", {"name": "work", "kind": "demo", "options": {"pace_ms": 1}})
    await do("POST", "/models", {"alias": "fast", "targets": [{"provider": "work", "model": "demo-chat"}]})
    await do("POST", "/models", {"alias": "other", "targets": [{"provider": "work", "model": "demo-chat"}]})
    return context


async def set_up(do: Do, name: str, **body: Any) -> Any:
    return await do("POST", f"/clients/{name}/set", {"anyway": True, **body})


def key_in(*paths: Path) -> str:
    """The virtual key that the files hold."""
    [found] = {key for path in paths if path.exists() for key in plan.OWN_KEY.findall(path.read_text("utf-8"))}
    return str(found)


def all_paths(recipe: Recipe) -> list[Path]:
    return [path_of(recipe, number) for number in range(len(recipe.files))]


@pytest.mark.parametrize(("recipe", "number", "text"), CASES)
async def test_what_is_set_is_written_and_undone_to_the_byte(
    ready: AppContext, do: Do, recipe: Recipe, number: int, text: str | None
) -> None:
    path = path_of(recipe, number)
    before = None if text is None else put(path, text)
    preview = await do("GET", f"/clients/{recipe.name}")
    assert path.exists() is (text is not None), "looking writes nothing"
    after = await set_up(do, recipe.name)
    assert (after["state"], after["problem"], after["diff"], after["model"]) == ("set", "", "", "fast")
    assert preview["diff"]
    written = path.read_bytes()
    if text and text.startswith(BOM):
        assert written.startswith(BOM.encode())
    if text and "\r\n" in text:
        assert b"\n" not in written.replace(b"\r\n", b"")
    for line in (text or "").replace(BOM, "").splitlines():
        assert not line.strip("{} ") or line.rstrip("}").strip() in written.decode(), "every line is still there"
    key = key_in(*all_paths(recipe))
    owner = ready.gateway.snapshot.keys[after["key_id"]]
    assert (owner.name, owner.digest) == (recipe.label, digest(key))
    undone = await do("POST", f"/clients/{recipe.name}/undo")
    assert (path.read_bytes() if path.exists() else None) == before
    assert undone["state"] in ("not_set", "not_installed")
    assert ready.gateway.snapshot.keys == {}
    assert await ready.store.meta.get(RECORDS) == {}


@pytest.mark.parametrize("recipe", WRITABLE, ids=lambda recipe: recipe.name)
async def test_what_was_not_there_is_gone_after_undoing_with_its_folders(ready: AppContext, do: Do, recipe: Recipe) -> None:
    home = this_machine().home
    home.mkdir(exist_ok=True)
    before = sorted(home.rglob("*"))
    await set_up(do, recipe.name)
    for path in all_paths(recipe):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await do("POST", f"/clients/{recipe.name}/undo")
    assert sorted(home.rglob("*")) == before


BROKEN = {"json": '{\n  "a": \n}', "toml": "a = 1\nb =\n", "yaml": "a: 1\nb: [\n", "env": None}


@pytest.mark.parametrize(
    ("recipe", "number"),
    [(one, number) for one in WRITABLE for number, config in enumerate(one.files) if BROKEN[config.format]],
    ids=lambda value: getattr(value, "name", str(value)),
)
async def test_a_file_that_is_not_of_its_format_is_refused_with_its_line(
    ready: AppContext, do: Do, recipe: Recipe, number: int
) -> None:
    path = path_of(recipe, number)
    before = put(path, BROKEN[recipe.files[number].format] or "")
    with pytest.raises(Invalid, match=rf"{path.name}, line \d"):
        await set_up(do, recipe.name)
    assert path.read_bytes() == before
    assert [one for one in all_paths(recipe) if one.exists()] == [path], "no other file is written either"
    assert ready.gateway.snapshot.keys == {}
    shown = await do("GET", f"/clients/{recipe.name}")
    assert "line" in shown["problem"]


CHANGES = {
    "json": lambda text: text.replace("{", '{"added": [1],', 1),
    "toml": lambda text: text + "\n[added]\nx = 1\n",
    "yaml": lambda text: text + ("- model_id: added\n" if "- model_id" in text else "added: 1\n"),
    "env": lambda text: text + "ADDED=1\n",
}


@pytest.mark.parametrize(("recipe", "number", "text"), CASES)
async def test_what_others_changed_since_is_kept_when_it_is_undone(
    ready: AppContext, do: Do, recipe: Recipe, number: int, text: str | None
) -> None:
    path, config = path_of(recipe, number), recipe.files[number]
    if text is not None:
        put(path, text)
    await set_up(do, recipe.name)
    changed = CHANGES[config.format](path.read_bytes().decode())
    path.write_bytes(changed.encode())
    assert (await do("GET", f"/clients/{recipe.name}"))["state"] == "set", "what else is in the file is the user's"
    await do("POST", f"/clients/{recipe.name}/undo")
    left = path.read_text("utf-8")
    assert "added" in left.lower()
    assert "condt_" not in left
    assert "127.0.0.1" not in left
    for line in (text or "").replace(BOM, "").splitlines():
        assert not line.strip("{} ") or line.strip("{} ") in left


async def test_values_that_were_there_before_come_back_among_changes_of_others(ready: AppContext, do: Do) -> None:
    path = path_of(by_name("claude-code"))
    put(path, '{"env": {"ANTHROPIC_BASE_URL": "https://api.example", "KEPT": "1"}, "model": "opus"}')
    await set_up(do, "claude-code")
    text = path.read_text()
    assert '"KEPT": "1"' in text
    path.write_text(text.replace('"opus"', '"sonnet"'))
    await do("POST", "/clients/claude-code/undo")
    assert path.read_text() == '{"env": {"ANTHROPIC_BASE_URL": "https://api.example", "KEPT": "1"}, "model": "sonnet"}'


async def test_a_tool_that_overwrote_the_values_is_reported_and_its_values_stay(ready: AppContext, do: Do) -> None:
    path = path_of(by_name("claude-code"))
    await set_up(do, "claude-code")
    other = '{"env": {"ANTHROPIC_BASE_URL": "https://other.example", "ANTHROPIC_AUTH_TOKEN": "sk-other-0123456789"}}'
    path.write_text(other)
    row = await do("GET", "/clients/claude-code")
    assert row["state"] == "changed_elsewhere"
    assert [one["intact"] for one in row["files"]] == [False]
    assert "sk-other-0123456789" not in json.dumps(row)
    again = await set_up(do, "claude-code")
    assert again["state"] == "set"
    assert Path(again["files"][0]["backup"]).read_text() == other
    await do("POST", "/clients/claude-code/undo")
    assert path.read_text() == other


async def test_values_of_another_tool_are_not_taken_out(ready: AppContext, do: Do) -> None:
    path = path_of(by_name("claude-code"))
    await set_up(do, "claude-code")
    text = path.read_text().replace("http://127.0.0.1:5000", "https://other.example")
    path.write_text(text)
    await do("POST", "/clients/claude-code/undo")
    assert json.loads(path.read_text()) == {"env": {"ANTHROPIC_BASE_URL": "https://other.example"}}


async def test_a_file_that_points_here_already_is_not_kept_as_the_original(ready: AppContext, do: Do) -> None:
    path = path_of(by_name("claude-code"))
    by_hand = {"ANTHROPIC_BASE_URL": "http://localhost:5000", "ANTHROPIC_AUTH_TOKEN": "condt_" + "h" * 43, "KEPT": "1"}
    put(path, json.dumps({"env": by_hand}))
    row = await set_up(do, "claude-code")
    backup = Path(row["files"][0]["backup"]).read_text()
    assert json.loads(backup) == {"env": {"KEPT": "1"}}
    await do("POST", "/clients/claude-code/undo")
    assert path.read_text() == backup


async def test_a_file_that_points_at_another_gateway_is_kept_with_its_key(ready: AppContext, do: Do) -> None:
    path = path_of(by_name("claude-code"))
    other = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:6000", "ANTHROPIC_AUTH_TOKEN": "condt_" + "o" * 43}
    before = put(path, json.dumps({"env": other}))
    await set_up(do, "claude-code")
    await do("POST", "/clients/claude-code/undo")
    assert path.read_bytes() == before


async def test_a_second_set_up_keeps_key_and_original(ready: AppContext, do: Do) -> None:
    path = path_of(by_name("claude-code"))
    before = put(path, '{"model": "opus"}')
    first = await set_up(do, "claude-code", budget_usd=5, budget_period="monthly")
    key = key_in(path)
    second = await set_up(do, "claude-code", model="other")
    assert (second["key_id"], key_in(path), second["model"]) == (first["key_id"], key, "other")
    assert second["files"][0]["backup"] == first["files"][0]["backup"]
    owner = await do("GET", f"/keys/{first['key_id']}")
    assert (owner["budget_usd"], owner["budget_period"]) == (5, "monthly")
    await do("POST", "/clients/claude-code/undo")
    assert path.read_bytes() == before


async def test_a_former_alias_is_not_left_behind(ready: AppContext, do: Do) -> None:
    path = path_of(by_name("opencode"))
    before = put(path, '{"share": "disabled"}')
    await set_up(do, "opencode")
    await set_up(do, "opencode", model="other")
    assert list(json.loads(path.read_text())["provider"]["conduit"]["models"]) == ["other"]
    await do("POST", "/clients/opencode/undo")
    assert path.read_bytes() == before


async def test_a_key_that_is_in_no_file_any_more_gets_a_new_value(ready: AppContext, do: Do) -> None:
    path = path_of(by_name("claude-code"))
    first = await set_up(do, "claude-code")
    old = key_in(path)
    path.unlink()
    second = await set_up(do, "claude-code")
    assert second["key_id"] == first["key_id"]
    assert key_in(path) != old
    assert second["key_hint"] == f"condt_…{key_in(path)[-4:]}"


async def test_a_key_that_was_removed_is_named_and_made_anew(ready: AppContext, do: Do) -> None:
    first = await set_up(do, "claude-code")
    await do("DELETE", f"/keys/{first['key_id']}")
    assert "was removed" in (await do("GET", "/clients/claude-code"))["problem"]
    assert (await set_up(do, "claude-code"))["problem"] == ""


async def test_a_name_that_is_taken_gets_a_number(ready: AppContext, do: Do) -> None:
    await do("POST", "/keys", {"name": "claude code"})
    assert (await set_up(do, "claude-code"))["key_name"] == "Claude Code 2"


async def test_no_answer_audit_entry_or_database_has_the_key(ready: AppContext, do: Do, caplog: pytest.LogCaptureFixture) -> None:
    answers = [await set_up(do, recipe.name) for recipe in WRITABLE]
    answers += [await do("GET", "/clients"), await do("GET", "/audit", limit="500"), await do("GET", "/export")]
    values = {key_in(*all_paths(recipe)) for recipe in WRITABLE}
    assert len(values) == len(WRITABLE)
    shown = json.dumps(answers) + caplog.text
    databases = b"".join(file.read_bytes() for file in ready.home.root.glob("*.db*"))
    for value in values:
        assert value not in shown
        assert value.encode() not in databases


async def test_the_difference_shows_no_secret_of_others(ready: AppContext, do: Do) -> None:
    put(path_of(by_name("aider")), "openai-api-key: sk-proj-abcdefghijklmnop1234\nanthropic-api-key: sk-ant-abcdefghijklmnop5678\n")
    put(path_of(by_name("codex"), 1), "OTHER_TOKEN=tok-abcdefghijklmnop9999\n")
    text = (await do("GET", "/clients/aider"))["diff"] + (await do("GET", "/clients/codex"))["diff"]
    assert "abcdefghijklmnop" not in text
    assert "-openai-api-key: …1234" in text
    assert "+openai-api-key: condt_…new" in text
    assert "CONDUIT_API_KEY" in text


async def test_links_stay_links_and_modes_stay(ready: AppContext, do: Do, tmp_path: Path) -> None:
    path, real = path_of(by_name("claude-code")), tmp_path / "dotfiles" / "claude.json"
    put(real, '{"a": 1}')
    real.chmod(0o640)
    path.parent.mkdir(parents=True)
    path.symlink_to(real)
    await set_up(do, "claude-code")
    assert path.is_symlink()
    assert "condt_" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    await do("POST", "/clients/claude-code/undo")
    assert path.is_symlink()
    assert (real.read_text(), stat.S_IMODE(real.stat().st_mode)) == ('{"a": 1}', 0o640)


async def test_a_backup_is_for_the_user_alone_and_gone_when_it_came_back(ready: AppContext, do: Do) -> None:
    before = put(path_of(by_name("claude-code")), '{"a": 1}')
    row = await set_up(do, "claude-code")
    backup = Path(row["files"][0]["backup"])
    assert backup.name == files.digest(before)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert stat.S_IMODE(backup.parent.stat().st_mode) == 0o700
    await do("POST", "/clients/claude-code/undo")
    assert not backup.exists()


async def test_where_one_file_cannot_be_written_nothing_is_changed(
    ready: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = by_name("codex")
    before = put(path_of(recipe), 'approval = "never"\n')
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if target.name == ".env":
            raise PermissionError(13, "Permission denied", str(target))
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        with pytest.raises(Conflict, match=r"\.env cannot be written: Permission denied"):
            await set_up(do, "codex")
    assert path_of(recipe).read_bytes() == before
    assert sorted(one.name for one in path_of(recipe).parent.iterdir()) == ["config.toml"], "no temporary file is left"
    assert ready.gateway.snapshot.keys == {}
    assert (await do("GET", "/clients/codex"))["set_at"] is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_cannot_be_written_is_named(ready: AppContext, do: Do) -> None:
    path = path_of(by_name("claude-code"))
    put(path, "{}")
    path.parent.chmod(0o500)
    try:
        with pytest.raises(Conflict, match=r"settings\.json cannot be written"):
            await set_up(do, "claude-code")
    finally:
        path.parent.chmod(0o700)
    assert path.read_text() == "{}"


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="there are no such users elsewhere")
def test_a_file_in_a_folder_that_cannot_be_written_is_not_touched() -> None:
    # Not in pytest's folder, which is for its user alone: root, who may write everywhere, becomes another user for the moment.
    folder = Path(tempfile.mkdtemp())
    path = folder / "a.json"
    path.write_text("{}")
    path.chmod(0o644)
    folder.chmod(0o555)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        with pytest.raises(Conflict, match=r"a\.json cannot be written: Permission denied"):
            files.write(files.read(path), b"ours")
    finally:
        os.seteuid(user)
        folder.chmod(0o755)
        left = {one.name: one.read_text() for one in folder.iterdir()}
        shutil.rmtree(folder)
    assert left == {"a.json": "{}"}


async def test_a_folder_that_is_a_file_is_named(ready: AppContext, do: Do) -> None:
    put(path_of(by_name("claude-code")).parent, "x")
    with pytest.raises(Conflict, match=r"settings\.json cannot be written"):
        await set_up(do, "claude-code")
    assert ready.gateway.snapshot.keys == {}


def test_a_file_that_changed_since_it_was_read_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("{}")
    seen = files.read(path)
    path.write_text('{"theirs": 1}')
    with pytest.raises(Conflict, match="changed by another program"):
        files.write(seen, b"ours")
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]
    assert path.read_text() == '{"theirs": 1}'


async def test_a_set_up_is_refused_where_a_file_is_not_what_was_looked_at(ready: AppContext, do: Do) -> None:
    row = await do("GET", "/clients/claude-code")
    put(path_of(by_name("claude-code")), '{"theirs": 1}')
    with pytest.raises(Conflict, match="changed since"):
        await set_up(do, "claude-code", revision=row["revision"])
    row = await do("GET", "/clients/claude-code")
    assert (await set_up(do, "claude-code", revision=row["revision"]))["state"] == "set"


async def test_the_first_request_since_the_set_up_is_found_among_many(ready: AppContext, do: Do) -> None:
    row = await set_up(do, "claude-code")
    stored = (await ready.store.meta.get(RECORDS))["claude-code"]
    at = stored["set_at"]
    assert row["first_seen"] is None
    same = {"key_id": row["key_id"], "model": "fast"}
    await keep(ready, record(id="before", started_at=at - 5000, **same), record(id="else", started_at=at + 1, key_id="key_x"))
    assert (await do("GET", "/clients/claude-code"))["first_request"] is None
    later = [record(id=f"r{number}", started_at=at + 40_000 + number * 7919, **same) for number in range(60)]
    await keep(ready, *later, record(id="first", started_at=at + 30_000, **same))
    found = await do("GET", "/clients/claude-code")
    assert found["first_request"] == "first"
    assert found["first_seen"]
    assert (await set_up(do, "claude-code"))["first_request"] == "first", "looked for anew, since the second set-up"
    assert await ready.store.meta.get(SEEN) != {}


async def test_a_tool_that_is_not_here_is_not_set_up_by_mistake(ready: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert (await do("GET", "/clients/codex"))["state"] == "not_installed"
    with pytest.raises(Conflict, match="not found on this computer"):
        await do("POST", "/clients/codex/set", {})
    put(path_of(by_name("codex")), "")
    assert (await do("GET", "/clients/codex"))["state"] == "not_set"
    assert (await do("POST", "/clients/codex/set", {}))["state"] == "set"


async def test_a_program_and_the_version_of_its_package_are_found(
    ready: AppContext, do: Do, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "node_modules" / "@openai" / "codex"
    put(package / "package.json", '{"version": "0.171.0"}')
    put(package / "bin" / "codex.js", "#!/bin/sh\nexit 1\n")
    (package / "bin" / "codex.js").chmod(0o755)
    link = tmp_path / "bin" / "codex"
    link.parent.mkdir()
    link.symlink_to(package / "bin" / "codex.js")
    monkeypatch.setenv("PATH", str(link.parent))
    row = await do("GET", "/clients/codex")
    assert (row["state"], row["installed"]) == ("not_set", {"path": str(link), "version": "0.171.0"})


@pytest.mark.parametrize(
    ("variable", "value", "name", "expected"),
    [
        ("CLAUDE_CONFIG_DIR", "{}/c", "claude-code", "c/settings.json"),
        ("CODEX_HOME", "{}/c", "codex", "c/config.toml"),
        ("GEMINI_CLI_HOME", "{}/c", "gemini-cli", "c/.gemini/settings.json"),
        ("XDG_CONFIG_HOME", "{}/c", "opencode", "c/opencode/opencode.json"),
        ("QWEN_HOME", "{}/c", "qwen-code", "c/settings.json"),
        ("CONTINUE_GLOBAL_DIR", "{}/c", "continue", "c/config.yaml"),
        ("CLINE_DATA_DIR", "{}/c", "cline", "c/settings/providers.json"),
        ("PI_CODING_AGENT_DIR", "{}/c", "pi", "c/models.json"),
        ("LLM_USER_PATH", "{}/c", "llm", "c/extra-openai-models.yaml"),
    ],
)
async def test_a_tools_own_variable_for_its_folder_is_heeded(
    ready: AppContext, do: Do, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, name: str, expected: str
) -> None:
    monkeypatch.setenv(variable, value.format(tmp_path))
    row = await set_up(do, name)
    assert row["files"][0]["path"] == str(tmp_path / expected)
    assert (tmp_path / expected).exists()


@pytest.mark.parametrize("recipe", [one for one in RECIPES if not one.files], ids=lambda recipe: recipe.name)
async def test_a_tool_without_a_file_says_why_and_has_a_snippet(ready: AppContext, do: Do, recipe: Recipe) -> None:
    row = await do("GET", f"/clients/{recipe.name}")
    assert row["reason"]
    assert row["can_set"] is False
    assert recipe.name == "cursor" or "http://127.0.0.1:5000" in row["snippet"]
    with pytest.raises(Conflict, match="cannot be set up from here"):
        await set_up(do, recipe.name)


async def test_what_cannot_be_is_refused(ready: AppContext, do: Do) -> None:
    with pytest.raises(NotFound, match="claude-code"):
        await do("GET", "/clients/claud-code")
    with pytest.raises(Invalid, match="model"):
        await set_up(do, "claude-code", model="nowhere")
    with pytest.raises(Invalid, match="may call"):
        await set_up(do, "claude-code", models=["other*"])
    with pytest.raises(Conflict, match="nothing to undo"):
        await do("POST", "/clients/claude-code/undo")
    put(path_of(by_name("claude-code")), '{"env": []}')
    with pytest.raises(Conflict, match="env is no object"):
        await set_up(do, "claude-code")


async def test_without_a_model_nothing_is_written(context: AppContext, do: Do) -> None:
    assert "no model yet" in (await do("GET", "/clients/claude-code"))["problem"]
    with pytest.raises(Conflict, match="no model yet"):
        await set_up(do, "claude-code")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://0.0.0.0:5001", "http://127.0.0.1:5001"), ("http://[::]:5001", "http://[::1]:5001"),
        ("https://127.0.0.1:5443", "https://127.0.0.1:5443"), ("http://192.168.1.5:5000", "http://192.168.1.5:5000"),
    ],
)  # fmt: skip
async def test_the_address_is_one_that_programs_here_can_call(
    ready: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch, address: str, expected: str
) -> None:
    monkeypatch.setattr(ready.server, "address", address)
    row = await set_up(do, "claude-code")
    assert row["address"] == expected
    assert f'"{expected}"' in path_of(by_name("claude-code")).read_text()
    assert ("certificate" in row["note"]) is address.startswith("https")


async def test_another_port_is_a_difference_and_a_second_set_up_mends_it(
    ready: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = put(path_of(by_name("codex")), "a = 1\n")
    await set_up(do, "codex")
    monkeypatch.setattr(ready.server, "address", "http://127.0.0.1:6000")
    row = await do("GET", "/clients/codex")
    assert (row["state"], "6000" in row["diff"]) == ("set", True)
    assert (await set_up(do, "codex"))["diff"] == ""
    await do("POST", "/clients/codex/undo")
    assert path_of(by_name("codex")).read_bytes() == before


async def test_a_proxy_in_the_environment_is_pointed_out(ready: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "NO_PROXY" not in (await do("GET", "/clients/codex"))["note"]
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert "NO_PROXY=localhost" in (await do("GET", "/clients/codex"))["note"]
    assert "ignores NO_PROXY" in (await do("GET", "/clients/qwen-code"))["note"]


async def test_two_set_ups_at_once_make_one_key(ready: AppContext, do: Do) -> None:
    await asyncio.gather(set_up(do, "claude-code"), set_up(do, "claude-code"))
    assert len(ready.gateway.snapshot.keys) == 1
    assert (await do("GET", "/clients/claude-code"))["state"] == "set"


@pytest.mark.parametrize("damage", ["gone", "changed"])
async def test_without_its_backup_a_file_loses_our_values_and_nothing_else(
    ready: AppContext, do: Do, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    path = path_of(by_name("claude-code"))
    put(path, '{"theme": "dark"}')
    backup = Path((await set_up(do, "claude-code"))["files"][0]["backup"])
    backup.unlink() if damage == "gone" else backup.write_text("{}")
    await do("POST", "/clients/claude-code/undo")
    assert path.read_text() == '{"theme": "dark"}'
    assert f"the backup {backup}" in caplog.text


async def test_a_user_without_a_home_folder_is_told_so(ready: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    with pytest.raises(Conflict, match="no home folder"):
        await do("GET", "/clients")


async def test_an_alias_of_any_characters_is_quoted_in_commands_and_snippets(ready: AppContext, do: Do) -> None:
    alias = 'my "fast" $(x) model'
    await do("POST", "/models", {"alias": alias, "targets": [{"provider": "work", "model": "demo-chat"}]})
    assert (await do("GET", "/clients/copilot", model=alias))["snippet"].count(f"COPILOT_MODEL='{alias}'") == 1
    zed = (await do("GET", "/clients/zed", model=alias))["snippet"]
    assert json.loads(zed)["language_models"]["openai_compatible"]["Conduit"]["available_models"][0]["name"] == alias
    row = await set_up(do, "llm", model=alias)
    assert row["run"] == f"llm -m conduit/'{alias}'"
    with pytest.raises(Conflict, match="DEFAULT_MODEL"):
        await set_up(do, "shell-gpt", model=alias)


async def test_an_unreadable_folder_of_one_tool_does_not_hide_the_others(
    ready: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(path_of(by_name("codex")), "a = 1\n")
    read_bytes = Path.read_bytes

    def refuse(self: Path) -> bytes:
        if self.name == "config.toml":
            raise PermissionError(13, "Permission denied", str(self))
        return read_bytes(self)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    rows = {row["name"]: row for row in (await do("GET", "/clients"))["data"]}
    assert "config.toml cannot be read: Permission denied" in rows["codex"]["problem"]
    assert rows["claude-code"]["diff"]
