"""Snippets are made from the live address, parse in their own language, and survive odd names."""

from __future__ import annotations

import ast
import shlex
import tomllib

import pytest

from conduit_desktop.actions.onboarding.snippets import PLACEHOLDER, Snippet, snippets

ODD = 'it\'s "new" $HOME `x`'


def named(name: str, model: str = ODD, key: str | None = "condt_x") -> Snippet:
    return next(one for one in snippets("http://127.0.0.1:5055/", key, model) if one.name == name)


@pytest.mark.parametrize("name", ["openai-python", "anthropic-python", "langchain"])
def test_python_parses_and_names_the_model(name: str) -> None:
    texts = [node.value for node in ast.walk(ast.parse(named(name).text)) if isinstance(node, ast.Constant)]
    assert ODD in texts
    assert any(isinstance(text, str) and text.startswith("http://127.0.0.1:5055") for text in texts)


@pytest.mark.parametrize("name", ["curl", "env", "claude-code", "gemini-cli", "aider"])
def test_shell_is_quoted(name: str) -> None:
    arguments = shlex.split(named(name).text)
    assert any("127.0.0.1:5055" in word for word in arguments)
    assert name in ("curl", "env") or any(word.endswith(ODD) for word in arguments)


def test_codex_is_toml_that_asks_for_responses() -> None:
    config = tomllib.loads(named("codex").text)
    assert config["model"] == ODD
    assert config["model_providers"]["conduit"] == {
        "name": "Conduit", "base_url": "http://127.0.0.1:5055/v1", "env_key": "CONDUIT_API_KEY", "wire_api": "responses",
    }  # fmt: skip


def test_environment_exports_keep_proxies_out() -> None:
    assert "NO_PROXY=localhost,127.0.0.1,::1" in named("env").text


def test_without_a_key_a_placeholder_stands_there() -> None:
    assert all(PLACEHOLDER in one.text for one in snippets("http://127.0.0.1:5000", None, "m"))
