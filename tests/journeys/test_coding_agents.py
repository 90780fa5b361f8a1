"""Headless coding agents with their own tools: each reads a file, prints its content, and writes a file, through the gateway."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journeys.coding_agents import AGENTS
from tests.journeys.conftest import ConfiguredGateway
from tests.journeys.installed import CLIENTS, MODELS, NPM, Client, RecordProperty, installed, last_requests, play

WORD = "rhubarb-4711"
Make = Callable[[Path], Client]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Gives an agent its folders, with a file in the working one, and takes them away: some leave many megabytes."""

    def made(program: Path) -> Client:
        client = installed(program, tmp_path)
        (client.work / "word.txt").write_text(WORD + "\n")
        return client

    yield made
    shutil.rmtree(tmp_path, ignore_errors=True)


def check(strict_gateway: ConfiguredGateway, printed: str, dialect: str, alias: str) -> None:
    """The agent printed its tool's result, and all its requests, in its own dialect, were answered."""
    assert "The tool said" in printed
    records = [record for record in last_requests(strict_gateway) if record["model"] == alias and record["dialect"] == dialect]
    assert len(records) >= 2, "a call of the tool, and the end"
    assert {record["status"] for record in records[:2]} == {"success"}


@pytest.mark.parametrize("alias", MODELS)
@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_reads_a_file_and_says_its_word(
    strict_gateway: ConfiguredGateway, make: Make, record_property: RecordProperty, name: str, alias: str
) -> None:
    record_property("client", name)
    agent = AGENTS[name]
    client = make(NPM / ".bin" / agent.program)
    play(strict_gateway, alias, agent.reads(str(client.work / "word.txt")))
    task = "Read the file word.txt with your tool and say its word."
    printed = agent.ask(client, strict_gateway.served.address, strict_gateway.key, alias, task)
    check(strict_gateway, printed, agent.dialect, alias)
    assert WORD in printed


@pytest.mark.parametrize("alias", MODELS)
@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_writes_a_file_after_thinking(
    strict_gateway: ConfiguredGateway, make: Make, record_property: RecordProperty, name: str, alias: str
) -> None:
    record_property("client", name)
    agent = AGENTS[name]
    client = make(NPM / ".bin" / agent.program)
    play(strict_gateway, alias, agent.writes(str(client.work / "hello.txt"), WORD), thinking="let me see what to write")
    printed = agent.ask(client, strict_gateway.served.address, strict_gateway.key, alias, "Create a file hello.txt.")
    check(strict_gateway, printed, agent.dialect, alias)
    assert (client.work / "hello.txt").read_text().strip() == WORD


EDIT = f"""I will add it.

hello.txt
```
{WORD}
```
"""


@pytest.mark.parametrize("alias", MODELS)
def test_aider_writes_a_file(strict_gateway: ConfiguredGateway, make: Make, record_property: RecordProperty, alias: str) -> None:
    record_property("client", "aider")
    aider = make(CLIENTS / "aider" / "bin" / "aider")
    play(strict_gateway, alias, texts=[EDIT])
    env = {"OPENAI_API_BASE": f"{strict_gateway.served.address}/v1", "OPENAI_API_KEY": strict_gateway.key}
    quiet = ("--no-show-model-warnings", "--no-check-update", "--analytics-disable")
    options = ("--model", f"openai/{alias}", "--yes-always", "--no-git", "--edit-format", "whole", *quiet)
    aider.run(*options, "--message", "Create a file hello.txt.", "hello.txt", env=env)
    assert (aider.work / "hello.txt").read_text().strip() == WORD
