"""Every script in examples/ runs: an answer comes, a tool is called, a picture arrives, JSON parses, vectors are numbers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.fakes.vendor import API_KEY
from tests.journeys.conftest import ConfiguredGateway
from tests.journeys.processes import MASTER_KEY, ROOT, conduit, vendor

EXAMPLES = ROOT / "examples"
SUBJECTS = ("chat", "streaming", "tools", "pictures", "structured_output", "embeddings", "budgets_and_keys")
SCRIPTS = sorted(path for path in EXAMPLES.glob("*/*") if path.suffix in (".sh", ".py", ".mjs"))
CAPITAL = {"city": "Bern", "country": "Switzerland"}
NEEDS = {".sh": "curl", ".mjs": "node"}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfiguredGateway]:
    """The aliases `example` and `example-json`, whose answers follow the schema of the examples."""
    with vendor() as upstream, conduit(tmp_path_factory.mktemp("home")) as served:
        served.add("providers", name="oa", kind="openai-compatible", base_url=f"{upstream}/v1", api_key=API_KEY)
        for alias, model in (("example", "demo-large"), ("example-json", "demo-small")):
            served.add("models", alias=alias, targets=[{"provider": "oa", "model": model}])
        served.admin("PUT", "/prices/demo-large", {"input": 1, "output": 2})
        script = {"model": "demo-small", "steps": [{"text": json.dumps(CAPITAL)}]}
        httpx.post(f"{upstream}/__script", json=script).raise_for_status()
        key = served.add("keys", name="all", unpriced="allow")["key"]
        yield ConfiguredGateway(served, key, upstream)


def subject_of(script: Path) -> str:
    return next(subject for subject in SUBJECTS if script.stem.startswith(subject))


def run(script: Path, address: str, key: str, model: str | None = None) -> str:
    """What the script prints; fails with its error output. Skips where its language or its SDK is not installed."""
    program = NEEDS.get(script.suffix)
    if program and shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    sdk_is_missing = script.suffix == ".mjs" and not (EXAMPLES / "node" / "node_modules").is_dir()
    if sdk_is_missing and not script.stem.startswith("budgets"):
        pytest.skip("the Node SDKs are not installed: npm ci --prefix examples/node")
    command = {".sh": "sh", ".py": sys.executable, ".mjs": "node"}[script.suffix]
    env = {**os.environ, "CONDUIT_URL": address, "CONDUIT_KEY": key, "CONDUIT_MASTER_KEY": MASTER_KEY, "NO_PROXY": "*"}
    env |= {"CONDUIT_MODEL": model} if model else {}
    done = subprocess.run([command, str(script)], capture_output=True, text=True, env=env, timeout=100)
    assert done.returncode == 0, f"{script.name} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_example_does_what_it_says(gateway: ConfiguredGateway, script: Path) -> None:
    subject = subject_of(script)
    alias = "example-json" if subject == "structured_output" else "example"
    if subject == "budgets_and_keys":
        remove_what_the_last_example_made(gateway)
    printed = run(script, gateway.served.address, gateway.key, alias)
    is_curl = script.suffix == ".sh"
    match subject:
        case "chat":
            assert "Say hello in one sentence." in printed
        case "streaming":
            text = "".join(re.findall(r'"content": *"([^"]*)"', printed)) if is_curl else printed
            assert "Say hello in one sentence." in text
        case "tools" if is_curl:
            (call,) = json.loads(printed)["choices"][0]["message"]["tool_calls"]
            assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("weather", {"city": "Bern"})
        case "tools":
            assert printed.startswith("weather(")
            assert "The tool said: " in printed
            assert "Sunny in Bern, 21 degrees." in printed
        case "pictures":
            assert "(1 images)" in printed
            sent = json.dumps(httpx.get(f"{gateway.vendor}/__journal").json()[-1])
            assert "data:image/png;base64,iVBOR" in sent
        case "structured_output":
            found = json.loads(json.loads(printed)["choices"][0]["message"]["content"]) if is_curl else {"country": printed.strip()}
            assert found["country"] == CAPITAL["country"]
            sent = httpx.get(f"{gateway.vendor}/__journal").json()[-1]
            assert "additionalProperties" in json.dumps(sent) or "google" in script.stem, "the schema did not arrive"
        case "embeddings" if is_curl:
            assert [len(row["embedding"]) for row in json.loads(printed)["data"]] == [8, 8]
        case "embeddings":
            assert printed.count("8 numbers:") == 2
        case _:
            assert "You said: Hello" in printed
            (key,) = (row for row in gateway.served.admin("GET", "/keys")["data"] if row["name"] == "notebook")
            assert (key["budget_usd"], key["rpm"], key["team"]) == (5, 60, "research")
            assert key["spend_usd"] > 0
            assert any(line.startswith("notebook ") or '"notebook"' in line for line in printed.splitlines())


def remove_what_the_last_example_made(gateway: ConfiguredGateway) -> None:
    for what in ("keys", "budgets"):
        for row in gateway.served.admin("GET", f"/{what}")["data"]:
            if row["name"] != "all":
                gateway.served.admin("DELETE", f"/{what}/{row['id']}")


@pytest.mark.parametrize("subject", ["chat", "streaming", "tools", "pictures", "structured_output"])
def test_the_examples_work_with_the_demo_of_a_new_home(tmp_path: Path, subject: str) -> None:
    """Without a model named: the one that the script has."""
    with conduit(tmp_path / "home") as served:
        key = served.add("keys", name="first")["key"]
        printed = run(EXAMPLES / "python" / f"{subject}_openai.py", served.address, key)
    assert {"tools": "weather(", "pictures": "I saw 1 image(s): 1 × image/png"}.get(subject, "") in printed
    assert printed.strip()


def test_every_subject_has_curl_each_sdk_in_python_and_in_node() -> None:
    names = {f"{path.parent.name}/{path.stem}" for path in SCRIPTS}
    for subject in SUBJECTS[:-1]:
        sdks = [sdk for sdk in ("openai", "anthropic", "google", "ollama") if (subject, sdk) != ("embeddings", "anthropic")]
        expected = {f"curl/{subject}", *(f"{language}/{subject}_{sdk}" for language in ("python", "node") for sdk in sdks)}
        assert expected <= names
    assert {f"{language}/budgets_and_keys" for language in ("curl", "python", "node")} <= names
