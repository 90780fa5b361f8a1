"""Sends drawn requests to the strict vendors through a gateway, and reports what was refused."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from conduit_desktop.core.errors import describe
from conduit_desktop.core.paths import Home
from tests.fakes.gateway import KEY, open_gateway
from tests.fakes.http_server import listening
from tests.fakes.strict.vendor import BrokenRule, StrictVendors, strict_vendors
from tests.strict.drawing import CLIENTS, drawn_features, path_of
from tests.strict.tool_loop import following

MODELS: dict[str, tuple[str, ...]] = {
    "openai": (
        "gpt-4o", "gpt-4.1-mini", "o3", "o4-mini", "gpt-5", "gpt-5-mini", "gpt-5.1", "gpt-5.2", "gpt-5.4", "gpt-5.6",
        "gpt-5.1-codex", "gpt-5.2-chat-latest",
    ),
    "azure": ("gpt-4o", "gpt-5", "gpt-5.6", "o3"),
    "anthropic": (
        "claude-3-5-haiku-20241022", "claude-3-7-sonnet-20250219", "claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-6",
        "claude-opus-4-8", "claude-sonnet-5", "claude-fable-5", "claude-opus-4-5", "claude-opus-5", "claude-opus-5-5",
        "claude-sonnet-5-5",
    ),
    "gemini": (
        "gemini-2.0-flash", "gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-3-pro-preview",
        "gemini-3-flash-preview", "gemma-3-27b-it",
    ),
    "vertex": ("gemini-2.5-flash", "gemini-3-pro-preview"),
    "bedrock": (
        "anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-opus-4-8", "amazon.nova-pro-v1:0",
        "meta.llama3-3-70b-instruct-v1:0", "us.amazon.nova-2-lite-v1:0", "openai.gpt-oss-120b-1:0",
    ),
    "mistral": ("mistral-large-latest", "magistral-medium-latest", "ministral-8b-latest"),
    "groq": ("openai/gpt-oss-120b", "qwen/qwen3-32b", "llama-3.3-70b-versatile"),
    "deepseek": ("deepseek-chat", "deepseek-reasoner", "deepseek-v4"),
    "moonshot": ("kimi-k2-0905-preview", "kimi-k2-thinking", "kimi-k2.5"),
    "ollama": ("qwen3:8b", "gemma3:4b", "llama3.2"),
    "cohere": ("command-a-03-2025", "command-a-reasoning-08-2025"),
    "vllm": ("mistralai/Mistral-Small-3.2", "Qwen/Qwen3-8B"),
    "xai": ("grok-4", "grok-3-mini", "grok-4.3", "grok-code-fast-1", "grok-4-1-fast-non-reasoning"),
    "cerebras": ("gpt-oss-120b", "zai-glm-4.7"),
    "openrouter": ("anthropic/claude-sonnet-4.5", "openai/gpt-5", "deepseek/deepseek-v3.2"),
    "qwen": ("qwen3-max", "qwen3-32b", "qwen-plus"),
    "minimax": ("MiniMax-M2", "MiniMax-M1"),
    "zai": ("glm-4.6", "glm-4.7"),
    "fireworks": ("accounts/fireworks/models/deepseek-v3p2",),
    "llamacpp": ("qwen3.5-9b", "gemma-3-4b"),
    "perplexity": ("sonar", "sonar-reasoning-pro"),
    "lmstudio": ("qwen2.5-7b-instruct",),
    "together": ("deepseek-ai/DeepSeek-V3.1",),
    "nvidia": ("meta/llama-3.3-70b-instruct",),
    "sglang": ("Qwen/Qwen3-8B",),
    "cloudflare": ("@cf/meta/llama-3.3-70b-instruct-fp8-fast",),
}  # fmt: skip
"""Models of each vendor, of every family that its rules tell apart."""

OWN_DIALECT = {
    # What serves the strict vendor `sglang` is a server that the gateway knows nothing of: a chat goes to it as it came.
    "chat": ("openai", "azure", "sglang"),
    "responses": ("openai", "azure"),
    "messages": ("anthropic",),
    "gemini": ("gemini", "vertex"),
    "ollama": ("ollama",),
}
"""The vendors that own a client's dialect: there a request goes as it came, and a refusal is the client's own."""
_BASE_PATHS = {
    "openai": "/v1", "groq": "/openai/v1", "gemini": "", "vertex": "", "anthropic": "", "azure": "", "bedrock": "", "cohere": "",
    "zai": "/api/paas/v4", "qwen": "/compatible-mode/v1", "fireworks": "/inference/v1", "openrouter": "/api/v1",
}  # fmt: skip
_OPTIONS = {
    "cloudflare": {"account_id": "a" * 32},
    "bedrock": {"region": "us-east-1"},
    "vertex": {"project": "p", "location": "us-central1"},
}
_KEYS = {"bedrock": "bedrock-api-key-abc", "vertex": "AIzaSy" + "a" * 33}
_KINDS = {"sglang": "openai-compatible"}
_BROKEN = re.compile(r'event: (error|response\.failed)|^\{"error"|"type": ?"error"')
TURNS = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """A translated request that failed: by a rule of the vendor, or otherwise."""

    vendor: str
    model: str
    client: str
    turn: int
    why: str
    sent: Any
    reached: Any
    dropped: str

    def __str__(self) -> str:
        return f"{self.client} -> {self.vendor}/{self.model}, turn {self.turn + 1}: {self.why}"


@dataclass(slots=True)
class RequestSender:
    """A gateway with a provider for each vendor."""

    vendors: StrictVendors
    session: aiohttp.ClientSession
    address: str
    count: int = 0

    async def run(self, vendor: str, client: str, model: str, seed: object) -> Iterator[Failure]:
        """Draw one request, and follow its tool loop; the failures."""
        draw = random.Random(f"{seed}/{vendor}/{model}/{client}")
        wanted = drawn_features(draw)
        body = CLIENTS[client](draw, wanted, f"{vendor}/{model}")
        path = path_of(client, f"{vendor}/{model}", wanted.stream)
        failures: list[Failure] = []
        for turn in range(TURNS):
            self.vendors.clear()
            self.count += 1
            async with self.session.post(self.address + path, json=body, headers={"authorization": f"Bearer {KEY}"}) as answer:
                text, dropped = await answer.text(), answer.headers.get("x-conduit-dropped", "")
            reached = self.vendors.calls[-1].body if self.vendors.calls else None
            why = [f"{one.id} ({one.says})" for one in _unique(self.vendors.refused)]
            # A refusal by the gateway itself, before the vendor is asked, is no failure.
            if not why and (reached is not None if answer.status != 200 else _BROKEN.search(text)):
                why = [f"{answer.status}: {text[-300:]}"]
            failures += [Failure(vendor, model, client, turn, one, body, reached, dropped) for one in why]
            if why or answer.status != 200:
                break
            try:
                after = following(client, body, text, wanted.stream)
            except (KeyError, ValueError, IndexError, TypeError, AttributeError) as error:
                failures.append(
                    Failure(vendor, model, client, turn, f"unreadable: {describe(error)}: {text[:300]}", body, reached, dropped)
                )
                break
            if after is None:
                break
            body = after
        return iter(failures)


def _unique(rules: Sequence[BrokenRule]) -> list[BrokenRule]:
    return list({one.id: one for one in rules}.values())


async def send_drawn_requests(
    home: Home, vendors: Sequence[str], clients: Sequence[str], each: int, seed: int
) -> tuple[int, list[Failure]]:
    """Send `each` drawn requests of every client to every model of the vendors; the number of requests, and the failures."""
    failures: list[Failure] = []
    async with (
        strict_vendors() as strict,
        open_gateway(home, port=0, host="127.0.0.1") as gateway,
        listening(home, gateway) as context,
    ):
        await gateway.add_key()
        for vendor in vendors:
            await gateway.add_provider(
                vendor,
                f"{strict.address}/{vendor}{_BASE_PATHS.get(vendor, '/v1')}",
                _KINDS.get(vendor, vendor),
                keys=[_KEYS.get(vendor, "sk-strict-key-1234567890")],
                options=_OPTIONS.get(vendor, {}),
            )
        async with aiohttp.ClientSession() as session:
            sender = RequestSender(strict, session, str(context.server.address))
            for vendor in vendors:
                for client in clients:
                    if vendor in OWN_DIALECT[client]:
                        continue
                    for model in MODELS[vendor]:
                        for number in range(each):
                            failures += await sender.run(vendor, client, model, f"{seed}/{number}")
            return sender.count, failures
