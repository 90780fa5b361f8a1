"""The tools that can use the gateway, as data: how each is found, its config files, and the values that point it at the gateway.

Each recipe with files was run by the real tool with nothing but these files: `tests/journeys/test_client_setup.py` does it with
those that `make clients` installs; Shell-GPT 1.5.1 was run by hand. In values and names, `$root` is the gateway's address, `$v1`
the same with `/v1`, `$key` the virtual key, `$model` and `$small` aliases.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from conduit_desktop.actions.clients.documents import Format
from conduit_desktop.actions.clients.machine import Machine
from conduit_desktop.actions.onboarding.snippets import NO_PROXY

Locate = Callable[[Machine], Path]
Values = tuple[tuple[tuple[Any, ...], Any], ...]
"""Path and value of each; both may hold `$` names."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What the recipes' `$` names stand for."""

    root: str
    key: str
    model: str
    small: str

    def quoted(self, language: str) -> Goal:
        """With models as a text of that language holds them: an alias may have any printable character."""
        quote = shlex.quote if language == "bash" else (lambda text: json.dumps(text, ensure_ascii=False)[1:-1])
        return Goal(self.root, self.key, quote(self.model), quote(self.small))

    def filled(self, value: Any) -> Any:
        """A value, or a path, with the names replaced."""
        if isinstance(value, str):
            names = {"root": self.root, "v1": f"{self.root}/v1", "key": self.key, "model": self.model, "small": self.small}
            return Template(value).substitute(names)
        if isinstance(value, dict):
            return {self.filled(name): self.filled(one) for name, one in value.items()}
        if isinstance(value, (tuple, list)):
            return type(value)(self.filled(one) for one in value)
        return value


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One file: of `names`, the first that exists, else the last."""

    folder: Locate
    names: tuple[str, ...]
    format: Format
    values: Values
    starter: str = ""
    """Text of a new file, before the values."""
    extra: Values = ()
    """Values that the tool needs at first and rewrites: not compared."""
    owned: tuple[tuple[str, ...], ...] = ()
    """Objects that the tool itself fills up: taken out whole where they were not there before."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One tool. Without `files` it cannot be set up from here: `reason` says why, and `snippet` what to enter by hand."""

    name: str
    label: str
    docs: str
    run: str
    programs: tuple[str, ...] = ()
    found_by: tuple[Locate, ...] = ()
    """Folders whose presence shows that the tool is used here, as an extension of an editor does without a program."""
    files: tuple[ConfigFile, ...] = ()
    note: str = ""
    reason: str = ""
    language: str = ""
    snippet: str = ""
    no_proxy: bool = True
    """It heeds NO_PROXY."""


def _home(*parts: str) -> Locate:
    return lambda machine: machine.home.joinpath(*parts)


def _config(*parts: str) -> Locate:
    return lambda machine: machine.config.joinpath(*parts)


def _variable(variable: str, default: str, *parts: str) -> Locate:
    return lambda machine: machine.folder(variable, default).joinpath(*parts)


def _opencode(machine: Machine) -> Path:
    return (
        machine.folder("OPENCODE_CONFIG_DIR", "") if machine.environment.get("OPENCODE_CONFIG_DIR") else machine.config / "opencode"
    )


def _cline(machine: Machine) -> Path:
    data = machine.environment.get("CLINE_DATA_DIR", "").strip()
    return (machine.expanded(data) if data else machine.folder("CLINE_DIR", ".cline") / "data") / "settings"


def _llm(machine: Machine) -> Path:
    named = machine.environment.get("LLM_USER_PATH", "").strip()
    return machine.expanded(named) if named else machine.application("io.datasette.llm")


_CLAUDE = _variable("CLAUDE_CONFIG_DIR", ".claude")
_CODEX = _variable("CODEX_HOME", ".codex")
_GEMINI = _variable("GEMINI_CLI_HOME", "", ".gemini")
_QWEN = _variable("QWEN_HOME", ".qwen")
_PI = _variable("PI_CODING_AGENT_DIR", ".pi/agent")
_CONTINUE = _variable("CONTINUE_GLOBAL_DIR", ".continue")
_CLINE = ("providers", "openai-compatible")

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        "claude-code", "Claude Code", "https://code.claude.com/docs/en/llm-gateway", "claude", ("claude",), (_CLAUDE,),
        (ConfigFile(_CLAUDE, ("settings.json",), "json", (
            (("env", "ANTHROPIC_BASE_URL"), "$root"),
            (("env", "ANTHROPIC_AUTH_TOKEN"), "$key"),
            (("env", "ANTHROPIC_MODEL"), "$model"),
            # Its names for sizes, which subagents and background work use; `/model` offers them.
            (("env", "ANTHROPIC_DEFAULT_OPUS_MODEL"), "$model"),
            (("env", "ANTHROPIC_DEFAULT_SONNET_MODEL"), "$model"),
            (("env", "ANTHROPIC_DEFAULT_HAIKU_MODEL"), "$small"),
        )),),
        note="For sessions started from now on. The same variable in a project's .claude/settings.json wins.",
    ),
    Recipe(
        "codex", "Codex CLI", "https://developers.openai.com/codex/config-reference", "codex", ("codex",), (_CODEX,),
        (
            ConfigFile(_CODEX, ("config.toml",), "toml", (
                (("model",), "$model"),
                (("model_provider",), "conduit"),
                (("model_providers", "conduit", "name"), "Conduit"),
                (("model_providers", "conduit", "base_url"), "$v1"),
                (("model_providers", "conduit", "env_key"), "CONDUIT_API_KEY"),
                (("model_providers", "conduit", "wire_api"), "responses"),
            )),
            # Codex reads this file at its start; `env_key` names a variable and never a key.
            ConfigFile(_CODEX, (".env",), "env", ((("CONDUIT_API_KEY",), "$key"),)),
        ),
        note="A profile of config.toml that names another provider wins over these values.",
    ),
    Recipe(
        "gemini-cli", "Gemini CLI", "https://geminicli.com/docs/get-started/authentication/", "gemini", ("gemini",), (_GEMINI,),
        (
            # Without the selected type it asks for a login, and headless it ends with exit code 41.
            ConfigFile(_GEMINI, ("settings.json",), "json", (
                (("security", "auth", "selectedType"), "gemini-api-key"),
                (("model", "name"), "$model"),
            )),
            ConfigFile(_GEMINI, (".env",), "env", ((("GOOGLE_GEMINI_BASE_URL",), "$root"), (("GEMINI_API_KEY",), "$key"))),
        ),
        note="It reads the first .env that it finds: one in the project, or in a folder above it, is taken in place of this one.",
    ),
    Recipe(
        "opencode", "OpenCode", "https://opencode.ai/docs/providers/", "opencode", ("opencode",), (_opencode,),
        (ConfigFile(_opencode, ("opencode.jsonc", "opencode.json"), "json", (
            (("model",), "conduit/$model"),
            (("small_model",), "conduit/$small"),
            (("provider", "conduit", "npm"), "@ai-sdk/openai-compatible"),
            (("provider", "conduit", "name"), "Conduit"),
            (("provider", "conduit", "options", "baseURL"), "$v1"),
            (("provider", "conduit", "options", "apiKey"), "$key"),
            (("provider", "conduit", "models", "$model", "name"), "$model"),
            (("provider", "conduit", "models", "$small", "name"), "$small"),
        )),),
        note="A project's own opencode.json wins over these values.",
    ),
    Recipe(
        "qwen-code", "Qwen Code", "https://qwenlm.github.io/qwen-code-docs/en/users/configuration/settings/", "qwen", ("qwen",),
        (_QWEN,),
        (ConfigFile(_QWEN, ("settings.json",), "json", (
            (("security", "auth", "selectedType"), "openai"),
            (("security", "auth", "baseUrl"), "$v1"),
            (("security", "auth", "apiKey"), "$key"),
            (("model", "name"), "$model"),
        )),),
        no_proxy=False,
    ),
    Recipe(
        "continue", "Continue", "https://docs.continue.dev/reference", "cn", ("cn",), (_CONTINUE,),
        (ConfigFile(_CONTINUE, ("config.yaml",), "yaml", (
            (("models", ("name", "Conduit")), {
                "name": "Conduit", "provider": "openai", "model": "$model", "apiBase": "$v1", "apiKey": "$key",
                "capabilities": ["tool_use"],
            }),
        ), starter="name: Local Assistant\nversion: 1.0.0\nschema: v1\n"),),
        note="The model is added to the list; pick Conduit in it. The CLI takes the first of the list.",
    ),
    Recipe(
        "cline", "Cline", "https://docs.cline.bot/cline-cli/configuration", "cline", ("cline",), (_cline,),
        (ConfigFile(_cline, ("providers.json",), "json", (
            (("lastUsedProvider",), "openai-compatible"),
            ((*_CLINE, "settings", "provider"), "openai-compatible"),
            ((*_CLINE, "settings", "apiKey"), "$key"),
            ((*_CLINE, "settings", "model"), "$model"),
            ((*_CLINE, "settings", "baseUrl"), "$v1"),
        ), extra=(
            (("version",), 1),
            # A provider without this time is thrown away (3.0.65).
            ((*_CLINE, "updatedAt"), "2026-01-01T00:00:00.000Z"),
        ), owned=(_CLINE,)),),
        note="For the CLI. The extension of VS Code keeps its settings in the editor: enter the same values there.",
    ),
    Recipe(
        "pi", "Pi", "https://github.com/earendil-works/pi/blob/main/packages/coding-agent/docs/models.md", "pi", ("pi",), (_PI,),
        (
            ConfigFile(_PI, ("models.json",), "json", (
                (("providers", "conduit", "baseUrl"), "$v1"),
                (("providers", "conduit", "api"), "openai-completions"),
                (("providers", "conduit", "apiKey"), "$key"),
                (("providers", "conduit", "models"), [{"id": "$model"}]),
            )),
            ConfigFile(_PI, ("settings.json",), "json", ((("defaultProvider",), "conduit"), (("defaultModel",), "$model"))),
        ),
    ),
    Recipe(
        "aider", "aider", "https://aider.chat/docs/config/aider_conf.html", "aider", ("aider",), (),
        (ConfigFile(_home(), (".aider.conf.yml",), "yaml", (
            (("openai-api-base",), "$v1"),
            (("openai-api-key",), "$key"),
            # aider picks its client by this prefix.
            (("model",), "openai/$model"),
            (("weak-model",), "openai/$small"),
        )),),
        note="A repository's own .aider.conf.yml wins over these values.",
    ),
    Recipe(
        "llm", "llm", "https://llm.datasette.io/en/stable/other-models.html", "llm -m conduit/$model", ("llm",), (_llm,),
        (
            ConfigFile(_llm, ("extra-openai-models.yaml",), "yaml", (
                ((("model_id", "conduit/$model"),), {
                    "model_id": "conduit/$model", "model_name": "$model", "api_base": "$v1", "api_key_name": "conduit",
                    "supports_tools": True,
                }),
            )),
            ConfigFile(_llm, ("keys.json",), "json", ((("conduit",), "$key"),)),
        ),
    ),
    Recipe(
        "shell-gpt", "Shell-GPT", "https://github.com/TheR1D/shell_gpt#runtime-configuration-file", "sgpt", ("sgpt",), (),
        (ConfigFile(_home(".config", "shell_gpt"), (".sgptrc",), "env", (
            (("API_BASE_URL",), "$v1"),
            (("OPENAI_API_KEY",), "$key"),
            (("DEFAULT_MODEL",), "$model"),
        )),),
        note="The variables of the same names in the environment win over these values.",
    ),
    Recipe(
        "copilot", "Copilot CLI", "https://docs.github.com/copilot/how-tos/copilot-cli", "copilot", ("copilot",),
        (_variable("COPILOT_HOME", ".copilot"),),
        reason="It takes a provider of its own from the environment alone; no file of its settings can hold one.",
        language="bash",
        snippet="export COPILOT_PROVIDER_BASE_URL=$v1\nexport COPILOT_PROVIDER_API_KEY=$key\nexport COPILOT_MODEL=$model\n"
                f"export COPILOT_OFFLINE=true\nexport NO_PROXY={NO_PROXY}\ncopilot\n",
    ),
    Recipe(
        "environment", "SDKs and other tools", "https://platform.openai.com/docs/libraries", "",
        reason="Programs that use the vendors' SDKs read the environment of the shell, or take address and key in their code.",
        language="bash",
        snippet="export OPENAI_BASE_URL=$v1\nexport OPENAI_API_BASE=$v1\nexport OPENAI_API_KEY=$key\n"
                "export ANTHROPIC_BASE_URL=$root\n"
                "export ANTHROPIC_AUTH_TOKEN=$key\nexport GOOGLE_GEMINI_BASE_URL=$root\nexport GEMINI_API_KEY=$key\n"
                f"export NO_PROXY={NO_PROXY}\nexport no_proxy={NO_PROXY}\n",
    ),
    Recipe(
        "zed", "Zed", "https://zed.dev/docs/ai/llm-providers#openai-api-compatible", "zed", ("zed", "zeditor"), (_config("zed"),),
        reason="It keeps keys in the system's keychain: enter the key in its settings of language models, or as CONDUIT_API_KEY.",
        language="json",
        snippet='{\n  "language_models": {\n    "openai_compatible": {\n      "Conduit": {\n        "api_url": "$v1",\n'
                '        "available_models": [{ "name": "$model", "max_tokens": 200000 }]\n      }\n    }\n  }\n}\n',
    ),
    Recipe(
        "librechat", "LibreChat", "https://www.librechat.ai/docs/configuration/librechat_yaml", "",
        reason="It runs as a server with a librechat.yaml of its own, in a folder that only its operator knows.",
        language="yaml",
        snippet="endpoints:\n  custom:\n    - name: Conduit\n      baseURL: $v1\n      apiKey: $key\n      models:\n"
                "        default: [\"$model\"]\n        fetch: true\n",
        note="In a container, 127.0.0.1 is the container itself: use host.docker.internal, and add it to `allowed_hosts`.",
    ),
    Recipe(
        "open-webui", "Open WebUI", "https://docs.openwebui.com/getting-started/quick-start/connect-a-provider/starting-with-openai-compatible",
        "", ("open-webui",),
        reason="It keeps connections in its own database: add one in Settings > Connections > OpenAI.",
        language="bash", snippet="OPENAI_API_BASE_URL=$v1\nOPENAI_API_KEY=$key\n",
        note="In a container, 127.0.0.1 is the container itself: use host.docker.internal, and add it to `allowed_hosts`.",
    ),
    Recipe(
        "vscode", "VS Code and JetBrains (Ollama provider)", "https://code.visualstudio.com/docs/copilot/customization/language-models",
        "", ("code",),
        reason="Their Ollama provider has an address and no key: enter the address, and name a key in the setting `anonymous_key`.",
        language="text", snippet="$root\n",
    ),
    Recipe(
        "obsidian", "Obsidian and browser apps", "https://obsidian.md/plugins", "obsidian", ("obsidian",),
        reason="Each plugin keeps its settings in a vault of its own: enter address and key in the plugin's settings.",
        language="text", snippet="$v1\n$key\n",
    ),
    Recipe(
        "raycast", "Raycast", "https://manual.raycast.com/ai/custom-providers", "",
        reason="It reads its list of providers only after a switch in its own settings: AI > Custom Providers.",
        language="yaml",
        snippet="providers:\n  - id: conduit\n    name: Conduit\n    base_url: $v1\n    api_keys:\n      conduit: $key\n"
                "    models:\n      - id: \"$model\"\n        name: \"$model\"\n        context: 200000\n",
    ),
    Recipe(
        "cursor", "Cursor", "https://cursor.com/docs/settings/api-keys", "", ("cursor",), (_home(".cursor"),),
        reason="Cursor sends requests from its own servers, which cannot reach an address of this computer.",
    ),
)  # fmt: skip
"""In the order of the list."""

BY_NAME: Mapping[str, Recipe] = {recipe.name: recipe for recipe in RECIPES}
