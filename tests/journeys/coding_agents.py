"""The coding agents: how each is pointed at a gateway and run headless, and the names of its tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.journeys.installed import PROXIES, Client

Calls = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Agent:
    """One agent. `ask(client, address, key, model, task)` gives what it printed; `dialect` is its client dialect."""

    program: str
    dialect: str
    ask: Callable[[Client, str, str, str, str], str]
    reads: Callable[[str], Calls]
    """Its tool's call that reads a path; of several names the one that is offered counts."""
    writes: Callable[[str, str], Calls]
    """Its tool's call that writes a path's text."""


def ask_claude(client: Client, address: str, key: str, model: str, task: str) -> str:
    """Claude Code. As root it refuses to skip permissions, so its tools are allowed by name."""
    names = ("ANTHROPIC_MODEL", "ANTHROPIC_SMALL_FAST_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL")
    env = {"ANTHROPIC_BASE_URL": address, "ANTHROPIC_AUTH_TOKEN": key, **dict.fromkeys(names, model)}
    return client.run("-p", task, "--allowedTools", "Read,Write", env=env)


def ask_codex(client: Client, address: str, key: str, model: str, task: str) -> str:
    """Codex CLI."""
    (client.home / ".codex").mkdir(exist_ok=True)
    (client.home / ".codex" / "config.toml").write_text(
        f'model = "{model}"\nmodel_provider = "conduit"\ncheck_for_update_on_startup = false\n\n[analytics]\nenabled = false\n\n'
        f'[model_providers.conduit]\nname = "Conduit"\nbase_url = "{address}/v1"\n'
        f'env_key = "CONDUIT_API_KEY"\nwire_api = "responses"\n'
    )
    return client.run("exec", "--skip-git-repo-check", "--sandbox", "danger-full-access", task, env={"CONDUIT_API_KEY": key})


def ask_gemini(client: Client, address: str, key: str, model: str, task: str) -> str:
    """Gemini CLI."""
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False, "disableAutoUpdate": True},
    }
    (client.home / ".gemini").mkdir(exist_ok=True)
    (client.home / ".gemini" / "settings.json").write_text(json.dumps(settings))
    env = {"GOOGLE_GEMINI_BASE_URL": address, "GEMINI_API_KEY": key}
    return client.run("--model", model, "--skip-trust", "--approval-mode", "yolo", "-p", task, env=env)


def ask_opencode(client: Client, address: str, key: str, model: str, task: str) -> str:
    """OpenCode."""
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Conduit",
        "options": {"baseURL": f"{address}/v1", "apiKey": "{env:CONDUIT_API_KEY}"},
        "models": {model: {"name": model}},
    }
    names = dict.fromkeys(("model", "small_model"), f"conduit/{model}")
    settings = {"autoupdate": False, "share": "disabled", **names, "provider": {"conduit": provider}}
    (client.work / "opencode.json").write_text(json.dumps(settings))
    return client.run("run", "--auto", "--format", "json", task, env={"CONDUIT_API_KEY": key})


def ask_qwen(client: Client, address: str, key: str, model: str, task: str) -> str:
    """Qwen Code. It sends what goes to loopback through a proxy, too, whatever NO_PROXY says: it gets none."""
    env = {"OPENAI_BASE_URL": f"{address}/v1", "OPENAI_API_KEY": key, "OPENAI_MODEL": model, **dict.fromkeys(PROXIES, "")}
    quiet = {"privacy": {"usageStatisticsEnabled": False}, "general": {"enableAutoUpdate": False, "disableAutoUpdate": True}}
    (client.home / ".qwen").mkdir(exist_ok=True)
    (client.home / ".qwen" / "settings.json").write_text(json.dumps(quiet))
    return client.run("--auth-type", "openai", "--approval-mode", "yolo", "-p", task, env=env)


def ask_continue(client: Client, address: str, key: str, model: str, task: str) -> str:
    """Continue's CLI. Its file is YAML, of which JSON is a part."""
    entry = {"name": "conduit", "provider": "openai", "model": model, "apiBase": f"{address}/v1", "apiKey": key}
    settings = {"name": "conduit", "version": "1.0.0", "schema": "v1", "models": [{**entry, "capabilities": ["tool_use"]}]}
    (client.home / "config.yaml").write_text(json.dumps(settings))
    return client.run("--config", str(client.home / "config.yaml"), "--auto", "-p", task, env={"CONTINUE_TELEMETRY_ENABLED": "0"})


def ask_copilot(client: Client, address: str, key: str, model: str, task: str) -> str:
    """GitHub Copilot's CLI with a custom provider: it needs no account."""
    env = {
        "COPILOT_PROVIDER_BASE_URL": f"{address}/v1", "COPILOT_PROVIDER_API_KEY": key, "COPILOT_MODEL": model,
        "COPILOT_OFFLINE": "true", "COPILOT_AUTO_UPDATE": "false",
    }  # fmt: skip
    return client.run("-p", task, "--allow-all-tools", env=env)


def ask_cline(client: Client, address: str, key: str, model: str, task: str) -> str:
    """Cline's CLI, without the daemon that it else leaves behind."""
    to = ("--baseurl", f"{address}/v1", "--apikey", key, "--modelid", model)
    env = {"CLINE_SESSION_BACKEND_MODE": "local"}
    client.run("auth", "--provider", "openai", *to, env=env)
    return client.run("--json", task, env=env)


def _shell(command: str) -> Calls:
    return {"exec_command": {"cmd": command}, "shell": {"command": ["sh", "-c", command]}}


def ask_pi(client: Client, address: str, key: str, model: str, task: str) -> str:
    """Pi."""
    folder = client.home / ".pi" / "agent"
    folder.mkdir(parents=True, exist_ok=True)
    provider = {"baseUrl": f"{address}/v1", "api": "openai-completions", "apiKey": key, "models": [{"id": model}]}
    (folder / "models.json").write_text(json.dumps({"providers": {"conduit": provider}}))
    return client.run("--provider", "conduit", "--model", model, "--print", "--no-session", task, env={"PI_OFFLINE": "1"})


AGENTS = {
    "Claude Code": Agent(
        "claude",
        "anthropic_messages",
        ask_claude,
        lambda path: {"Read": {"file_path": path}},
        lambda path, text: {"Write": {"file_path": path, "content": text}},
    ),
    "Codex CLI": Agent(
        "codex",
        "openai_responses",
        ask_codex,
        lambda path: _shell(f"cat {path}"),
        lambda path, text: _shell(f"echo {text} > {path}"),
    ),
    "Gemini CLI": Agent(
        "gemini",
        "gemini",
        ask_gemini,
        lambda path: {"read_file": {"file_path": path}},
        lambda path, text: {"write_file": {"file_path": path, "content": text}},
    ),
    "OpenCode": Agent(
        "opencode",
        "openai_chat",
        ask_opencode,
        lambda path: {"read": {"filePath": path}},
        lambda path, text: {"write": {"filePath": path, "content": text}},
    ),
    "Qwen Code": Agent(
        "qwen",
        "openai_chat",
        ask_qwen,
        lambda path: {"read_file": {"file_path": path, "absolute_path": path}},
        lambda path, text: {"write_file": {"file_path": path, "content": text}},
    ),
    "Continue CLI": Agent(
        "cn",
        "openai_chat",
        ask_continue,
        lambda path: {"Read": {"filepath": path}},
        lambda path, text: {"Write": {"filepath": path, "content": text}},
    ),
    "Copilot CLI": Agent(
        "copilot",
        "openai_chat",
        ask_copilot,
        lambda path: {"view": {"path": path}},
        lambda path, text: {"create": {"path": path, "file_text": text}},
    ),
    "Cline": Agent(
        "cline",
        "openai_chat",
        ask_cline,
        lambda path: {"read_files": {"files": [{"path": path}]}},
        lambda path, text: {"run_commands": {"commands": [f"echo {text} > {path}"]}},
    ),
    "Pi": Agent(
        "pi",
        "openai_chat",
        ask_pi,
        lambda path: {"read": {"path": path}},
        lambda path, text: {"write": {"path": path, "content": text}},
    ),
}
