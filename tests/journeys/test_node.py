"""The official SDKs for Node; `make clients` installs them and runs this."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import Furnished
from tests.journeys.processes import ROOT

CLIENTS = Path(os.environ.get("CONDUIT_CLIENTS", ROOT / "build" / "clients"))
NODE = shutil.which("node")
SCRIPTS = ROOT / "tests" / "journeys" / "node"


def run(script: str, *arguments: str) -> Any:
    """What the SDK saw."""
    if NODE is None or not (CLIENTS / "node_modules").is_dir():
        pytest.skip("the Node SDKs are not installed: run `make clients`")
    done = subprocess.run([NODE, str(SCRIPTS / script), *arguments], cwd=CLIENTS, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("alias", ["to-openai", "to-anthropic"])
def test_openai_for_node(furnished: Furnished, alias: str) -> None:
    saw = run("openai.mjs", f"{furnished.served.address}/v1", furnished.key, alias)
    assert "hello node" in saw["whole"]
    assert saw["tokens"] > 0
    assert "hello stream" in saw["streamed"]
    assert (saw["finish"], saw["tool"], saw["refused"]) == ("stop", "weather", 401)
    assert "sunny, 21 degrees" in saw["told"]
    assert "1 image" in saw["seen"]


@pytest.mark.parametrize("alias", ["to-openai", "to-anthropic"])
def test_anthropic_for_node(furnished: Furnished, alias: str) -> None:
    saw = run("anthropic.mjs", furnished.served.address, furnished.key, alias)
    assert "hello node" in saw["whole"]
    assert saw["tokens"] > 0
    assert "hello stream" in saw["streamed"]
    assert (saw["finish"], saw["tool"], saw["refused"]) == ("end_turn", "weather", 401)
    assert "sunny, 21 degrees" in saw["told"]
