"""Configurations of client tools, ready to paste, for the current address and a key."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from string import Template

# System proxies such as Clash also take the traffic to this computer, and cannot reach the gateway.
NO_PROXY = "localhost,127.0.0.1,::1"
PLACEHOLDER = "condt_YOUR_KEY"


@dataclass(frozen=True, slots=True)
class Snippet:
    """One set-up. `language` is the highlighter's name for it; `note` says where it goes."""

    name: str
    label: str
    language: str
    note: str
    text: str


_Quote = Callable[[str], str]

_ROWS: tuple[tuple[str, str, str, str, str], ...] = (
    ("curl", "curl", "bash", "Run in a terminal.",
     """curl --noproxy '*' $v1_completions \\
  -H $auth \\
  -H 'Content-Type: application/json' \\
  -d $body
"""),
    # Both spellings of NO_PROXY: tools differ in the one they read.
    ("env", "Environment", "bash", "For any tool that reads the usual variables.",
     """export OPENAI_BASE_URL=$v1
export OPENAI_API_KEY=$key
export ANTHROPIC_BASE_URL=$root
export ANTHROPIC_AUTH_TOKEN=$key
export GOOGLE_GEMINI_BASE_URL=$root
export GEMINI_API_KEY=$key
export NO_PROXY=$no_proxy
export no_proxy=$no_proxy
"""),
    ("openai-python", "OpenAI Python", "python", "pip install openai",
     """from openai import OpenAI

client = OpenAI(base_url=$v1, api_key=$key)
answer = client.chat.completions.create(
    model=$model,
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)
"""),
    ("openai-js", "OpenAI JavaScript", "javascript", "npm install openai",
     """import OpenAI from "openai";

const client = new OpenAI({ baseURL: $v1, apiKey: $key });
const answer = await client.chat.completions.create({
  model: $model,
  messages: [{ role: "user", content: "Hello" }],
});
console.log(answer.choices[0].message.content);
"""),
    ("anthropic-python", "Anthropic Python", "python", "pip install anthropic",
     """from anthropic import Anthropic

client = Anthropic(base_url=$root, auth_token=$key)
answer = client.messages.create(
    model=$model,
    max_tokens=1024,
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.content[0].text)
"""),
    ("claude-code", "Claude Code", "bash", "Set before `claude` is started.",
     """export ANTHROPIC_BASE_URL=$root
export ANTHROPIC_AUTH_TOKEN=$key
export ANTHROPIC_MODEL=$model
export ANTHROPIC_SMALL_FAST_MODEL=$model
export NO_PROXY=$no_proxy
claude
"""),
    ("codex", "Codex CLI", "toml", "In ~/.codex/config.toml; the key goes into CONDUIT_API_KEY.",
     """# export CONDUIT_API_KEY=$raw_key NO_PROXY=$raw_no_proxy
model = $model
model_provider = "conduit"

[model_providers.conduit]
name = "Conduit"
base_url = $v1
env_key = "CONDUIT_API_KEY"
wire_api = "responses"
"""),
    ("gemini-cli", "Gemini CLI", "bash", "Also set security.auth.selectedType to gemini-api-key in ~/.gemini/settings.json.",
     """export GOOGLE_GEMINI_BASE_URL=$root
export GEMINI_API_KEY=$key
export NO_PROXY=$no_proxy
gemini --model $model
"""),
    ("langchain", "LangChain", "python", "pip install langchain-openai",
     """from langchain_openai import ChatOpenAI

model = ChatOpenAI(model=$model, base_url=$v1, api_key=$key)
print(model.invoke("Hello").content)
"""),
    ("aider", "aider", "bash", "Run in your repository.",
     """export OPENAI_API_BASE=$v1
export OPENAI_API_KEY=$key
export NO_PROXY=$no_proxy
aider --model $aider_model
"""),
)  # fmt: skip


def snippets(address: str, key: str | None, model: str) -> list[Snippet]:
    """Every set-up for `address` (such as `http://127.0.0.1:5000`); without a key a placeholder stands in its place."""
    root = address.rstrip("/")
    values = {
        "root": root,
        "v1": f"{root}/v1",
        "v1_completions": f"{root}/v1/chat/completions",
        "key": key or PLACEHOLDER,
        "model": model,
        # aider picks its client by this prefix (https://aider.chat/docs/llms/openai-compat.html).
        "aider_model": f"openai/{model}",
        "no_proxy": NO_PROXY,
        "auth": f"Authorization: Bearer {key or PLACEHOLDER}",
        "body": json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]}, ensure_ascii=False),
    }
    # Unquoted: in Codex's TOML these stand in a comment, as shell text.
    raw = {"raw_key": values["key"], "raw_no_proxy": NO_PROXY}
    return [
        Snippet(name, label, language, note, Template(text).substitute({**_quoted(values, language), **raw}))
        for name, label, language, note, text in _ROWS
    ]


def _quoted(values: dict[str, str], language: str) -> dict[str, str]:
    """Each value as the language writes a string: JSON's own form serves Python, JavaScript and TOML alike."""
    # A model's name may hold any printable character, and the text is pasted into a shell.
    quote: _Quote = shlex.quote if language == "bash" else _json
    return {name: quote(value) for name, value in values.items()}


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
