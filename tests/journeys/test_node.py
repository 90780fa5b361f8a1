"""The official SDKs for Node; `make clients` installs them and runs this."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import ConfiguredGateway
from tests.journeys.installed import CLIENTS, MODELS, NPM, TWO_CITIES_TEXT, Client, RecordProperty, play
from tests.journeys.processes import ROOT

NODE = shutil.which("node")
SCRIPTS = ROOT / "tests" / "journeys" / "node"


def run(folder: Path, script: str, *arguments: str) -> Any:
    """What the SDK saw."""
    if NODE is None or not NPM.is_dir():
        pytest.skip("the Node SDKs are not installed: run `make clients`")
    client = Client(Path(NODE), folder, CLIENTS)
    return json.loads(client.run(str(SCRIPTS / script), *arguments))


@pytest.mark.parametrize("alias", MODELS)
def test_openai_for_node(strict_gateway: ConfiguredGateway, tmp_path: Path, record_property: RecordProperty, alias: str) -> None:
    record_property("client", "OpenAI Node")
    play(strict_gateway, alias)
    saw = run(tmp_path, "openai.mjs", f"{strict_gateway.served.address}/v1", strict_gateway.key, alias)
    assert "hello node" in saw["whole"]
    assert saw["tokens"] > 0
    assert "hello stream" in saw["streamed"]
    assert (saw["finish"], saw["tool"], saw["refused"]) == ("stop", "weather", 401)
    assert "sunny, 21 degrees" in saw["answer"]
    # DeepSeek's model takes no pictures, and reads that one was left out.
    assert ("An image was left out" if alias == "to-deepseek" else "1 image") in saw["seen"]


@pytest.mark.parametrize("alias", MODELS)
def test_anthropic_for_node(strict_gateway: ConfiguredGateway, tmp_path: Path, record_property: RecordProperty, alias: str) -> None:
    record_property("client", "Anthropic Node")
    play(strict_gateway, alias)
    saw = run(tmp_path, "anthropic.mjs", strict_gateway.served.address, strict_gateway.key, alias)
    assert "hello node" in saw["whole"]
    assert saw["tokens"] > 0
    assert "hello stream" in saw["streamed"]
    assert (saw["finish"], saw["tool"], saw["refused"]) == ("end_turn", "weather", 401)
    assert "sunny, 21 degrees" in saw["answer"]


CITIES = [{"weather": {"city": city}, "mcp__own__weather": {"city": city}} for city in ("Bern", "Oslo")]
AI_SDK = ("openai", "chat", "anthropic", "google", "openai-compatible", "deepseek", "xai", "mistral")
LOOPS = [
    ("OpenAI Node", "openai", "openai-responses.mjs", ()),
    ("OpenAI Node", "openai", "openai-chat.mjs", ()),
    ("Anthropic Node", "@anthropic-ai/sdk", "anthropic-runner.mjs", ()),
    ("google-genai Node", "@google/genai", "google.mjs", ()),
    ("Ollama Node", "ollama", "ollama.mjs", ()),
    ("OpenAI Agents Node", "@openai/agents", "agents.mjs", ()),
    ("LangChain.js", "@langchain/openai", "langchain.mjs", ()),
    ("Claude Agent SDK Node", "@anthropic-ai/claude-agent-sdk", "claude-agent.mjs", ()),
    *(("Vercel AI SDK", "ai", "ai-sdk.mjs", (provider,)) for provider in AI_SDK),
]
"""(client, package, script, its further arguments)"""
# xAI's provider requires a status of reasoning, which OpenAI leaves out; what OpenAI answers is relayed as it is.
LOOPS_TO = [(*loop, alias) for loop in LOOPS for alias in MODELS if (loop[3], alias) != (("xai",), "to-openai")]


@pytest.mark.parametrize(
    ("library", "package", "script", "more", "alias"), LOOPS_TO, ids=["-".join((one[2], *one[3], one[4])) for one in LOOPS_TO]
)
def test_a_library_calls_a_tool_twice_and_says_both_results(
    strict_gateway: ConfiguredGateway,
    tmp_path: Path,
    record_property: RecordProperty,
    library: str,
    package: str,
    script: str,
    more: tuple[str, ...],
    alias: str,
) -> None:
    record_property("client", library)
    if not (NPM / package).is_dir():
        pytest.skip(f"{package} is not installed: run `make clients`")
    play(strict_gateway, alias, CITIES)
    texts = run(tmp_path, script, strict_gateway.served.address, strict_gateway.key, alias, *more)
    assert texts
    assert all(text == TWO_CITIES_TEXT for text in texts), texts


PARALLEL = {
    "google-genai Node": ("@google/genai", "google.mjs", ()),
    "OpenAI Node": ("openai", "openai-chat.mjs", ()),
    "Anthropic Node": ("@anthropic-ai/sdk", "anthropic-runner.mjs", ()),
    "Vercel AI SDK": ("ai", "ai-sdk.mjs", ("google",)),
}


@pytest.mark.parametrize("alias", MODELS)
@pytest.mark.parametrize("library", PARALLEL)
def test_calls_in_parallel_keep_their_results_apart(
    strict_gateway: ConfiguredGateway, tmp_path: Path, record_property: RecordProperty, library: str, alias: str
) -> None:
    record_property("client", library)
    package, script, more = PARALLEL[library]
    if not (NPM / package).is_dir():
        pytest.skip(f"{package} is not installed: run `make clients`")
    play(strict_gateway, alias, [CITIES])
    texts = run(tmp_path, script, strict_gateway.served.address, strict_gateway.key, alias, *more)
    assert texts
    assert all(text == TWO_CITIES_TEXT for text in texts), texts
