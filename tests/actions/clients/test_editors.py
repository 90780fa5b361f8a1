"""The editors of TOML, YAML and env files: what is written next to what is there, and what each refuses."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.actions.clients import env_text, toml_text, yaml_text
from conduit_desktop.actions.clients.documents import ABSENT, CannotEdit, Unreadable
from conduit_desktop.actions.clients.plan import masked

ITEM = {"name": "Conduit", "model": "demo", "capabilities": ["tool_use"], "on": True}
PATH = ("models", ("name", "Conduit"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "models:\n  - name: Conduit\n    model: demo\n    capabilities: [\"tool_use\"]\n    on: true\n"),
        ("a: 1 # x\nmodels: []\nb: 2\n", "a: 1 # x\nmodels:\n  - name: Conduit\n    model: demo\n    capabilities: [\"tool_use\"]\n"
                                         "    on: true\nb: 2\n"),
        ("models: null # none\nb: 2\n",
         "models: # none\n  - name: Conduit\n    model: demo\n    capabilities: [\"tool_use\"]\n    on: true\nb: 2\n"),
        ("models:\nb: 2\n", "models:\n  - name: Conduit\n    model: demo\n    capabilities: [\"tool_use\"]\n    on: true\nb: 2\n"),
        ("models:\n- name: mine # note\n# about b\nb: 2\n",
         "models:\n- name: mine # note\n- name: Conduit\n  model: demo\n  capabilities: [\"tool_use\"]\n  on: true\n"
         "# about b\nb: 2\n"),
        ('models: [{"name": "mine"}]\n',
         'models: [{"name": "mine"}, {"name": "Conduit", "model": "demo", "capabilities": ["tool_use"], "on": true}]\n'),
        ("models:\n    - name: mine\n      text: |\n        several\n        lines\n",
         "models:\n    - name: mine\n      text: |\n        several\n        lines\n    - name: Conduit\n      model: demo\n"
         "      capabilities: [\"tool_use\"]\n      on: true\n"),
        ("models:\n  - name: mine",
         "models:\n  - name: mine\n  - name: Conduit\n    model: demo\n    capabilities: [\"tool_use\"]\n"
         "    on: true"),
    ],
)  # fmt: skip
def test_an_item_is_added_to_a_list_of_yaml_as_it_is_written(text: str, expected: str) -> None:
    assert yaml_text.put(text, PATH, ITEM) == expected
    assert yaml_text.take_back(expected, text, PATH) == text
    again = yaml_text.put(expected, PATH, {**ITEM, "model": "other"})
    assert again == expected.replace("demo", "other")


def test_an_item_between_others_is_taken_out_and_they_stay() -> None:
    text = yaml_text.put("models:\n  - name: a # a\n", PATH, ITEM) + "  - name: b # b\n"
    assert yaml_text.take_back(text, "models:\n  - name: a # a\n", PATH) == "models:\n  - name: a # a\n  - name: b # b\n"
    alone = yaml_text.put("models: []\nx: 1\n", PATH, ITEM) + "y: 2\n"
    assert yaml_text.take_back(alone, "models: []\nx: 1\n", PATH) == "models: []\nx: 1\ny: 2\n"


@pytest.mark.parametrize(
    "text", ["{a: 1}", "- 1\n", "just text\n", "models: text\n", "models:\n  a: 1\n", "a: 1\n---\nb: 2\n"]
)  # fmt: skip
def test_yaml_in_which_the_list_has_no_place_is_refused(text: str) -> None:
    with pytest.raises((CannotEdit, Unreadable)):
        yaml_text.put(text, PATH, ITEM)


@pytest.mark.parametrize(
    "value", ["on", "null", "1.5", "a: b", "# x", "", " x", "ü", "gpt-5:latest", "a\nb", "'", "*x", "http://[::1]:5000/v1"]
)
def test_a_text_of_yaml_comes_back_as_the_same_text(value: str) -> None:
    assert yaml_text.get(yaml_text.put("a: 1\nmodel: 'old' # note\n", ("model",), value), ("model",)) == value
    assert yaml_text.get(yaml_text.put("a: 1\n", ("model",), value), ("model",)) == value


TABLE = ("model_providers", "conduit", "name")


@pytest.mark.parametrize(
    "text",
    [
        "# about tools\n[tools]\nweb = true\n", "[model_providers.mine]\nname = 'x' # mine\n\n[tools]\na = [\n  1, # one\n]\n",
        "a.b = 1\n", "[[list]]\na = 1\n", "model_providers = { mine = { name = 'x' } }\n", "text = '''\n[no.table]\n'''\n",
    ],
)  # fmt: skip
def test_a_toml_file_keeps_its_comments_and_tables(text: str) -> None:
    changed = toml_text.put(toml_text.put(text, ("model",), "demo"), TABLE, "Conduit")
    assert tomllib.loads(changed)["model_providers"]["conduit"] == {"name": "Conduit"}
    lines = changed.splitlines()
    assert [line for line in text.splitlines() if line not in lines and "{" not in line] == []
    assert "\n# about tools\n[tools]" in changed or "about tools" not in text
    back = toml_text.take_back(toml_text.take_back(changed, text, TABLE), text, ("model",))
    assert back == text


NAMES = st.sampled_from(["model", "a", "b", "tools"])
SCALARS = st.booleans() | st.integers(-9, 9) | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=6)


@given(st.dictionaries(NAMES, SCALARS | st.dictionaries(NAMES, SCALARS, min_size=1, max_size=3), max_size=4), SCALARS)
def test_any_toml_has_the_value_that_was_set_and_all_others(values: dict[str, Any], value: Any) -> None:
    import tomlkit

    text = tomlkit.dumps(values)
    changed = toml_text.put(toml_text.put(text, ("model_provider",), value), TABLE, value)
    expected = {**tomllib.loads(text), "model_provider": value, "model_providers": {"conduit": {"name": value}}}
    assert tomllib.loads(changed) == expected
    assert tomllib.loads(
        toml_text.take_back(toml_text.take_back(changed, text, TABLE), text, ("model_provider",))
    ) == tomllib.loads(text)


@pytest.mark.parametrize(("text", "line"), [("a = 1\nb = \n", 2), ("a = 1\na = 2\n", 2), ("[a\n", 1), ("\n\nx\n", 3)])
def test_broken_toml_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(Unreadable) as failed:
        toml_text.put(text, ("model",), "x")
    assert abs(failed.value.line - line) <= 1


def test_a_table_has_no_place_in_a_value() -> None:
    with pytest.raises(CannotEdit):
        toml_text.put('model_providers = "x"\n', TABLE, "Conduit")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "KEY=new\n"), ("A=1", "A=1\nKEY=new\n"), ("export KEY='old' # note\nB=2\n", "export KEY=new\nB=2\n"),
        ("KEY=1\nKEY=2\r\n", "KEY=1\nKEY=new\r\n"), ("# KEY=old\n", "# KEY=old\nKEY=new\n"),
        ("OTHER_KEY=1\n", "OTHER_KEY=1\nKEY=new\n"),
    ],
)  # fmt: skip
def test_a_variable_is_set_where_it_counts(text: str, expected: str) -> None:
    assert env_text.put(text, ("KEY",), "new") == expected
    assert env_text.get(expected, ("KEY",)) == "new"
    assert env_text.take_back(expected, text, ("KEY",)) == text


@pytest.mark.parametrize("value", ["a b", "x#y", "a;b", "Modell ü"])
def test_a_value_of_an_env_file_is_quoted_where_it_must_be(value: str) -> None:
    assert env_text.get(env_text.put("A=1\n", ("KEY",), value), ("KEY",)) == value


@pytest.mark.parametrize("value", ["a\nB=1", 'a"b', "$(x)", "`x`", "a\\b"])
def test_a_value_that_an_env_file_cannot_hold_is_refused(value: str) -> None:
    with pytest.raises(CannotEdit):
        env_text.put("", ("KEY",), value)
    assert env_text.get("", ("KEY",)) is ABSENT


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('+  "apiKey": "sk-proj-abcdefghijklmn1234",', '+  "apiKey": "…1234",'),
        ('   "Authorization": "Bearer abc def ghijklmnop"', '   "Authorization": "…mnop"'),
        (" api_key = 'short-1'", " api_key = '…'"),
        (' env_key = "CONDUIT_API_KEY"', ' env_key = "CONDUIT_API_KEY"'),
        ('   "apiKey": "{env:OPENAI_API_KEY}"', '   "apiKey": "{env:OPENAI_API_KEY}"'),
        (" api_key_name: conduit", " api_key_name: conduit"),
        ('   "args": ["--with", "ghp_abcdefghijklmnop1234"]', '   "args": ["--with", "…1234"]'),
        (" proxy: http://me:secret@host/", " proxy: http://…@host/"),
        ("+KEY=condt_" + "x" * 39 + "Ab3d", "+KEY=condt_…Ab3d"),
        ('   "auth": {', '   "auth": {'),
    ],
)  # fmt: skip
def test_secrets_in_a_difference_are_masked(line: str, expected: str) -> None:
    assert masked(line) == expected
