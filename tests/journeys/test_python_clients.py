"""Python's libraries: a tool loop of three turns through the gateway, to strict vendors of five formats."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import ConfiguredGateway
from tests.journeys.installed import CLIENTS, MODELS, TWO_CITIES, TWO_CITIES_TEXT, RecordProperty, ToolCalls, installed, play
from tests.journeys.processes import ROOT
from tools.client_list import CLIENTS as CLIENT_LIST

HOMES = {client.name: client.home for client in CLIENT_LIST}
SCRIPTS = ROOT / "tests" / "journeys" / "python"
LIBRARIES = {
    "OpenAI Python": "with_openai.py",
    "OpenAI Agents SDK": "with_openai_agents.py",
    "Anthropic Python": "with_anthropic.py",
    "Claude Agent SDK": "with_claude_agent_sdk.py",
    "google-genai Python": "with_google.py",
    "Google ADK": "with_google_adk.py",
    "LangChain": "with_langchain.py",
    "LangGraph": "with_langgraph.py",
    "LlamaIndex": "with_llamaindex.py",
    "Haystack": "with_haystack.py",
    "Semantic Kernel": "with_semantic_kernel.py",
    "AutoGen": "with_autogen.py",
    "CrewAI": "with_crewai.py",
    "pydantic-ai": "with_pydantic_ai.py",
    "LiteLLM SDK": "with_litellm.py",
    "Ollama Python": "with_ollama.py",
    "Cohere Python": "with_cohere.py",
}
PARALLEL: Sequence[Sequence[ToolCalls]] = [TWO_CITIES, TWO_CITIES[:1]]
_IN_JSON = re.compile(r'\{"(?:result|return_value)": ?"([^"]*)"\}')
"""A result as ADK's LiteLLM and pydantic-ai's Google model send it: JSON around the text."""
ENDED_BY_TOOL: Sequence[ToolCalls] = [*TWO_CITIES, {"final_answer": {"answer": "sunny"}}]


def run(gateway: ConfiguredGateway, folder: Path, library: str, script: str, alias: str) -> Any:
    """The JSON in the last line that the script prints."""
    python = installed(CLIENTS / HOMES[library] / "bin" / "python", folder)
    printed = python.run(str(SCRIPTS / script), gateway.served.address, gateway.key, alias, timeout=240)
    return json.loads(printed.splitlines()[-1])


@pytest.mark.parametrize("alias", MODELS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_calls_two_tools_in_turn_and_says_their_results(
    strict_gateway: ConfiguredGateway, tmp_path: Path, record_property: RecordProperty, library: str, alias: str
) -> None:
    record_property("client", library)
    play(strict_gateway, alias, TWO_CITIES)
    texts = run(strict_gateway, tmp_path, library, LIBRARIES[library], alias)
    assert texts
    assert {_IN_JSON.sub(r"\1", text) for text in texts} == {TWO_CITIES_TEXT}, texts


@pytest.mark.parametrize("alias", MODELS)
@pytest.mark.parametrize(
    ("library", "script"),
    [
        ("google-genai Python", "with_google.py"),
        ("Anthropic Python", "with_anthropic.py"),
        ("OpenAI Python", "with_openai.py"),
        ("Cohere Python", "with_cohere.py"),
    ],
)
def test_an_sdk_answers_two_calls_at_once(
    strict_gateway: ConfiguredGateway, tmp_path: Path, record_property: RecordProperty, library: str, script: str, alias: str
) -> None:
    record_property("client", library)
    play(strict_gateway, alias, PARALLEL)
    texts = run(strict_gateway, tmp_path, library, script, alias)
    assert set(texts) == {f"{TWO_CITIES_TEXT} / sunny in Bern"}, texts


@pytest.mark.parametrize("alias", MODELS)
def test_smolagents_ends_with_its_own_tool(
    strict_gateway: ConfiguredGateway, tmp_path: Path, record_property: RecordProperty, alias: str
) -> None:
    record_property("client", "smolagents")
    play(strict_gateway, alias, ENDED_BY_TOOL, by_request=True)
    assert set(run(strict_gateway, tmp_path, "smolagents", "with_smolagents.py", alias)) == {TWO_CITIES_TEXT}


def fields(**values: str) -> str:
    """An answer as dspy asks for it."""
    return "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in {**values, "completed": ""}.items())


@pytest.mark.parametrize("alias", MODELS)
def test_dspy_calls_tools_by_texts(
    strict_gateway: ConfiguredGateway, tmp_path: Path, record_property: RecordProperty, alias: str
) -> None:
    record_property("client", "dspy")
    calls = [
        fields(next_thought=city, next_tool_name="weather", next_tool_args=json.dumps({"city": city})) for city in ("Bern", "Oslo")
    ]
    end = [fields(next_thought="done", next_tool_name="finish", next_tool_args="{}"), fields(reasoning="both", answer="sunny")]
    play(strict_gateway, alias, texts=[*calls, *end] * 2)
    assert run(strict_gateway, tmp_path, "dspy", "with_dspy.py", alias) == [TWO_CITIES_TEXT] * 2


@pytest.mark.parametrize("alias", MODELS)
def test_mem0_stores_what_the_model_found(
    strict_gateway: ConfiguredGateway, tmp_path: Path, record_property: RecordProperty, alias: str
) -> None:
    record_property("client", "mem0")
    found = {"memory": [{"id": "0", "text": "Lives in Bern", "attributed_to": "user"}]}
    play(strict_gateway, alias, texts=[json.dumps(found)])
    assert run(strict_gateway, tmp_path, "mem0", "with_mem0.py", alias) == ["Lives in Bern"]


@pytest.mark.parametrize("alias", MODELS)
def test_llm(strict_gateway: ConfiguredGateway, tmp_path: Path, record_property: RecordProperty, alias: str) -> None:
    record_property("client", "llm")
    llm = installed(CLIENTS / HOMES["llm"] / "bin" / "llm", tmp_path)
    play(strict_gateway, alias, TWO_CITIES)
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
        assert TWO_CITIES_TEXT in printed


@pytest.mark.parametrize("alias", MODELS)
def test_instructor_gets_an_object(
    strict_gateway: ConfiguredGateway, tmp_path: Path, record_property: RecordProperty, alias: str
) -> None:
    record_property("client", "instructor")
    play(strict_gateway, alias)
    assert run(strict_gateway, tmp_path, "instructor", "with_instructor.py", alias) == {"city": "Bern", "degrees": 3}
