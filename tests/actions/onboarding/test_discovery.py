"""What is found on this computer: keys by their names alone, servers by what they answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.onboarding import discovery
from tests.actions.conftest import OPENAI, Do


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """A server on a free port that sends `answer` to any client, and closes the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def http(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\n\r\n" + body


async def test_keys_in_the_environment_are_shown_by_name_and_hint(context: AppContext, do: Do) -> None:
    await do("POST", "/providers", {**OPENAI, "api_key": "env:OPENAI_API_KEY"})
    secret = "sk-ant-0123456789abcdefghWXYZ"
    environment = {"ANTHROPIC_API_KEY": secret, "OPENAI_API_KEY": "sk-0123456789abcdef", "GROQ_API_KEY": " ", "PATH": "/bin"}
    found = await discovery.found_keys(context, environment)
    assert [(one.kind, one.variable, one.used) for one in found] == [
        ("openai", "OPENAI_API_KEY", True), ("anthropic", "ANTHROPIC_API_KEY", False),
    ]  # fmt: skip
    assert secret not in repr(found)


@pytest.mark.parametrize(
    ("kind", "answer", "found"),
    [
        ("ollama", http(b'{"object":"list","data":[{"id":"qwen3:4b","owned_by":"library"}]}'), ("ollama", ("qwen3:4b",))),
        ("llamacpp", http(b'{"data":[{"id":"m.gguf","owned_by":"llamacpp"}]}'), ("llamacpp", ("m.gguf",))),
        ("llamacpp", http(b'{"data":[{"id":"gpt-4"}]}'), ("localai", ("gpt-4",))),
        ("vllm", http(b'{"data":[]}', b"401 Unauthorized"), None),
        ("vllm", http(b"<html>hello</html>"), None),
        ("vllm", b"SSH-2.0-OpenSSH_9.6\r\n", None),
        ("vllm", b"", None),
    ],
)
async def test_a_server_is_known_by_its_models(
    context: AppContext, kind: str, answer: bytes, found: tuple[str, tuple[str, ...]] | None
) -> None:
    async with answering(answer) as port:
        servers = await discovery.found_servers(context, [(port, kind)])
    assert [(one.kind, one.models) for one in servers] == ([found] if found else [])


async def test_a_server_that_a_provider_points_at_is_used(context: AppContext, do: Do) -> None:
    async with answering(http(b'{"data":[{"id":"a"}]}')) as port:
        await do("POST", "/providers", {"name": "gpu", "kind": "vllm", "base_url": f"http://localhost:{port}/v1"})
        assert [one.used for one in await discovery.found_servers(context, [(port, "vllm")])] == [True]


async def test_a_server_at_another_port_than_a_providers_is_not_used(context: AppContext, do: Do) -> None:
    await do("POST", "/providers", {"name": "gpu", "kind": "vllm", "base_url": "http://localhost:9/v1"})
    async with answering(http(b'{"data":[{"id":"a"}]}')) as port:
        assert [one.used for one in await discovery.found_servers(context, [(port, "vllm")])] == [False]


async def test_silence_is_no_server(context: AppContext) -> None:
    async with answering(http(b'{"data":[]}')) as port:
        free = port
    assert await discovery.found_servers(context, [(free, "vllm")]) == []


@pytest.mark.parametrize(("over", "found"), [(0, True), (1, False)])
async def test_an_answer_longer_than_any_list_of_models_is_no_server(
    context: AppContext, monkeypatch: pytest.MonkeyPatch, over: int, found: bool
) -> None:
    answer = http(b'{"data":[]}')
    monkeypatch.setattr(discovery, "MAX_ANSWER", len(answer) - over)
    async with answering(answer) as port:
        assert bool(await discovery.found_servers(context, [(port, "vllm")])) is found
