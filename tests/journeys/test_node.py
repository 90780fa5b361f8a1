"""The official SDKs for Node; `make clients` installs them and runs this."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import ConfiguredGateway
from tests.journeys.installed import CLIENTS, MODELS, NPM, Client, RecordProperty, play
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
    saw = run(tmp_path, "openai.mjs", f"{strict_gateway.served.address}/v1", strict_gateway.key, alias)
    assert "hello node" in saw["whole"]
    assert saw["tokens"] > 0
    assert "hello stream" in saw["streamed"]
    assert (saw["finish"], saw["tool"], saw["refused"]) == ("stop", "weather", 401)
    assert "sunny, 21 degrees" in saw["answer"]
    assert "1 image" in saw["seen"]


@pytest.mark.parametrize("alias", MODELS)
def test_anthropic_for_node(strict_gateway: ConfiguredGateway, tmp_path: Path, record_property: RecordProperty, alias: str) -> None:
    record_property("client", "Anthropic Node")
    saw = run(tmp_path, "anthropic.mjs", strict_gateway.served.address, strict_gateway.key, alias)
    assert "hello node" in saw["whole"]
    assert saw["tokens"] > 0
    assert "hello stream" in saw["streamed"]
    assert (saw["finish"], saw["tool"], saw["refused"]) == ("end_turn", "weather", 401)
    assert "sunny, 21 degrees" in saw["answer"]


LOOPS = {
    "OpenAI Node": ("openai", "openai-responses.mjs"),
    "google-genai Node": ("@google/genai", "google.mjs"),
    "Ollama Node": ("ollama", "ollama.mjs"),
    "Vercel AI SDK": ("@ai-sdk/openai", "ai-sdk.mjs"),
}


@pytest.mark.parametrize("alias", MODELS)
@pytest.mark.parametrize("library", LOOPS)
def test_a_library_calls_a_tool_and_says_its_result(
    strict_gateway: ConfiguredGateway, tmp_path: Path, record_property: RecordProperty, library: str, alias: str
) -> None:
    record_property("client", library)
    package, script = LOOPS[library]
    if not (NPM / package).is_dir():
        pytest.skip(f"{package} is not installed: run `make clients`")
    play(strict_gateway, alias)
    texts = run(tmp_path, script, strict_gateway.served.address, strict_gateway.key, alias)
    assert texts
    assert all(text == "The tool said: sunny in Bern" for text in texts), texts
