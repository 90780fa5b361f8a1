"""Python's libraries, each in its own environment: a tool loop through the gateway, to vendors of three formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.journeys.conftest import ConfiguredGateway
from tests.journeys.installed import CLIENTS, MODELS, RecordProperty, installed, play
from tests.journeys.processes import ROOT

PYTHON = CLIENTS / "python" / "bin"
OWN = {"pydantic-ai": CLIENTS / "pydantic-ai" / "bin"}
"""Libraries whose needs do not agree with the others'."""
SCRIPTS = ROOT / "tests" / "journeys" / "python"
LIBRARIES = {
    "OpenAI Python": "with_openai.py",
    "Anthropic Python": "with_anthropic.py",
    "google-genai Python": "with_google.py",
    "LangChain": "with_langchain.py",
    "LlamaIndex": "with_llamaindex.py",
    "pydantic-ai": "with_pydantic_ai.py",
    "Ollama Python": "with_ollama.py",
}


@pytest.mark.parametrize("alias", MODELS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_calls_a_tool_and_says_its_result(
    strict_gateway: ConfiguredGateway, tmp_path: Path, record_property: RecordProperty, library: str, alias: str
) -> None:
    record_property("client", library)
    python = installed(OWN.get(library, PYTHON) / "python", tmp_path)
    play(strict_gateway, alias)
    texts = json.loads(python.run(str(SCRIPTS / LIBRARIES[library]), strict_gateway.served.address, strict_gateway.key, alias))
    assert texts
    assert all("The tool said" in text and "sunny in Bern" in text for text in texts), texts


@pytest.mark.parametrize("alias", MODELS)
def test_llm(strict_gateway: ConfiguredGateway, tmp_path: Path, record_property: RecordProperty, alias: str) -> None:
    record_property("client", "llm")
    llm = installed(PYTHON / "llm", tmp_path)
    play(strict_gateway, alias)
    (llm.home / "extra-openai-models.yaml").write_text(
        f"- model_id: conduit\n  model_name: {alias}\n  api_base: {strict_gateway.served.address}/v1\n"
        f"  api_key_name: conduit\n  supports_tools: true\n"
    )
    (llm.home / "keys.json").write_text(json.dumps({"conduit": strict_gateway.key}))
    function = 'def weather(city: str) -> str:\n    "The weather."\n    return f"sunny in {city}"\n'
    for streamed in ([], ["--no-stream"]):
        printed = llm.run(
            "-m", "conduit", *streamed, "--functions", function, "weather in Bern?", env={"LLM_USER_PATH": str(llm.home)}
        )
        assert "The tool said: sunny in Bern" in printed


@pytest.mark.parametrize("alias", MODELS)
def test_instructor_gets_an_object(
    strict_gateway: ConfiguredGateway, tmp_path: Path, record_property: RecordProperty, alias: str
) -> None:
    record_property("client", "instructor")
    python = installed(CLIENTS / "instructor" / "bin" / "python", tmp_path)
    play(strict_gateway, alias)
    script = str(SCRIPTS / "with_instructor.py")
    assert json.loads(python.run(script, strict_gateway.served.address, strict_gateway.key, alias)) == {
        "city": "Bern",
        "degrees": 3,
    }
