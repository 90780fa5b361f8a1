"""Discovery of provider keys in the environment and of model servers on this computer."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import orjson

from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.credentials import hint
from conduit_desktop.providers.catalog import CATALOG

VARIABLES: Mapping[str, str] = {
    "OPENAI_API_KEY": "openai",
    "ANTHROPIC_API_KEY": "anthropic",
    "GEMINI_API_KEY": "gemini",
    "GOOGLE_API_KEY": "gemini",
    "OPENROUTER_API_KEY": "openrouter",
    "GROQ_API_KEY": "groq",
    "MISTRAL_API_KEY": "mistral",
    "DEEPSEEK_API_KEY": "deepseek",
    "XAI_API_KEY": "xai",
    "TOGETHER_API_KEY": "together",
    "FIREWORKS_API_KEY": "fireworks",
    "CEREBRAS_API_KEY": "cerebras",
    "SAMBANOVA_API_KEY": "sambanova",
    "DEEPINFRA_API_KEY": "deepinfra",
    "PERPLEXITY_API_KEY": "perplexity",
    "NVIDIA_API_KEY": "nvidia",
    "MOONSHOT_API_KEY": "moonshot",
    "DASHSCOPE_API_KEY": "qwen",
    "COHERE_API_KEY": "cohere",
    "CO_API_KEY": "cohere",
    "HF_TOKEN": "huggingface",
    "GITHUB_TOKEN": "github",
    "ZAI_API_KEY": "zai",
    "MINIMAX_API_KEY": "minimax",
}
"""The environment variables that the vendors' own SDKs and documents name, and the kind of provider each is for."""

PORTS: tuple[tuple[int, str], ...] = (
    (11434, "ollama"), (1234, "lmstudio"), (8080, "llamacpp"), (8000, "vllm"), (1337, "jan"),
)  # fmt: skip
"""The default ports of local servers. LocalAI shares 8080 with llama.cpp, whose answer names it."""

# Short: a server on this computer accepts at once, and the first page waits for the slowest of the ports.
CONNECT_S = 0.3
ANSWER_S = 2.0
MAX_ANSWER = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A provider key in the environment: use it as `env:<variable>`. `used`: a provider has it already."""

    kind: str
    label: str
    variable: str
    hint: str
    used: bool


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A model server on this computer, with the models it has. `used`: a provider points at it already."""

    kind: str
    label: str
    base_url: str
    models: tuple[str, ...]
    used: bool


async def found_keys(context: AppContext, environment: Mapping[str, str] | None = None) -> list[FoundKey]:
    """Provider keys in the environment of this process; only the variables' names and hints are shown."""
    used = {one.secret for provider in await context.store.providers.all() for one in provider.credentials}
    return keys_in(os.environ if environment is None else environment, used)


def keys_in(environment: Mapping[str, str], used: Collection[str]) -> list[FoundKey]:
    """Provider keys in an environment. `used`: the references (`env:NAME`) that providers have already."""
    return [
        FoundKey(kind, CATALOG[kind].label, variable, hint(environment[variable].strip()), f"env:{variable}" in used)
        for variable, kind in VARIABLES.items()
        # A value that itself begins with `env:` would be taken for a reference to yet another variable.
        if kind in CATALOG and environment.get(variable, "").strip() and not environment[variable].startswith("env:")
    ]


async def found_servers(context: AppContext, ports: Iterable[tuple[int, str]] | None = None) -> list[FoundServer]:
    """Model servers that answer on this computer's usual ports, within about two seconds."""
    urls = {provider.base_url or CATALOG[provider.kind].default_base_url for provider in await context.store.providers.all()}
    # Not the gateway itself, which answers a list of models, too, where a key for local requests is set.
    own = _place(context.server.address or "")
    usual = PORTS if ports is None else ports
    return await servers_on([(port, kind) for port, kind in usual if own != f"127.0.0.1:{port}"], urls)


async def servers_on(ports: Collection[tuple[int, str]], used: Iterable[str] = ()) -> list[FoundServer]:
    """Model servers that answer on these ports of this computer. `used`: the base URLs that providers have already."""
    # By host and port: the same server may have been added as `localhost`, and with another path.
    places = {_place(url) for url in used}
    answers = await asyncio.gather(*(_models_at(port) for port, _ in ports))
    return [
        _server(port, kind, answer, _place(f"http://127.0.0.1:{port}") in places)
        for (port, kind), answer in zip(ports, answers, strict=True)
        if answer is not None
    ]


def _server(port: int, kind: str, offered: list[dict[str, object]], used: bool) -> FoundServer:
    # llama.cpp's server names itself in `owned_by` of its model list; LocalAI, on the same port, does not.
    if kind == "llamacpp" and not any(one.get("owned_by") == "llamacpp" for one in offered):
        kind = "localai"
    names = tuple(str(one["id"]) for one in offered if isinstance(one.get("id"), str))
    return FoundServer(kind, CATALOG[kind].label, f"http://127.0.0.1:{port}/v1", names, used)


def _place(url: str) -> str:
    """Host and port, with every name of this computer the same."""
    return url.split("://", 1)[-1].split("/", 1)[0].replace("localhost", "127.0.0.1").replace("[::1]", "127.0.0.1")


async def _models_at(port: int) -> list[dict[str, object]] | None:
    """What `GET /v1/models` lists on that port of this computer; None where no model server answers."""
    try:
        async with asyncio.timeout(CONNECT_S):
            # Not `localhost`, which may mean ::1, where a server that listens on IPv4 alone does not answer.
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError):
        return None
    try:
        async with asyncio.timeout(ANSWER_S):
            # By hand: this layer has no HTTP client, and one short GET does not need one.
            # HTTP/1.0: the server closes the connection after its answer, so the end needs no parsing.
            writer.write(b"GET /v1/models HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n")
            await writer.drain()
            return _listed(await _all_of(reader))
    # ValueError too: whatever listens there may speak another protocol, or send something else than JSON.
    except (OSError, TimeoutError, ValueError):
        return None
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _all_of(reader: asyncio.StreamReader) -> bytes:
    parts = bytearray()
    while part := await reader.read(65536):
        parts += part
        # Any program may listen on these ports, and may send without end.
        if len(parts) > MAX_ANSWER:
            raise ValueError("longer than a list of models")
    return bytes(parts)


def _listed(answer: bytes) -> list[dict[str, object]] | None:
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)
    if not head.startswith(b"HTTP/") or len(status) < 2 or status[1] != b"200":
        return None
    # A server may chunk even its answer to HTTP/1.0. The body is one JSON object: from its first brace to its last.
    if b"transfer-encoding: chunked" in head.lower():
        body = body[body.find(b"{") : body.rfind(b"}") + 1]
    found = orjson.loads(body)
    rows = found.get("data") if isinstance(found, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None
