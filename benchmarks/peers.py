"""Other gateways as subjects, where they are installed: `make bench-peers` puts them under build/peers.

They run in their default configuration, without a database: they check and record less than Conduit does here.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from benchmarks.subjects import ROOT, Process, Subject

FOLDER = ROOT / "build" / "peers"
LITELLM = FOLDER / "litellm"
PORTKEY = FOLDER / "portkey"
LITELLM_NEEDS = "litellm[proxy]<1.109"
PORTKEY_NEEDS = "@portkey-ai/gateway"
LITELLM_CONFIG = """\
model_list:
  - model_name: bench-model
    litellm_params: {{model: openai/bench-model, api_base: "{upstream}/v1", api_key: sk-bench}}
litellm_settings: {{use_chat_completions_url_for_anthropic_messages: true}}
general_settings: {{master_key: sk-bench-master}}
"""


def litellm(upstream: str, folder: Path, prefix: Sequence[str] = ()) -> Subject | None:
    """LiteLLM's proxy with one worker; None where it is not installed."""
    program = LITELLM / "bin" / "litellm"
    if not program.is_file():
        return None
    config = folder / "litellm.yaml"
    config.write_text(LITELLM_CONFIG.format(upstream=upstream))
    port = _free_port()
    command = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    environment = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "*"}
    process = _start(command, port, "/health/liveliness", folder / "litellm.log", environment, prefix)
    version = _output_of(
        [str(LITELLM / "bin" / "python"), "-c", "from importlib.metadata import version as v; print(v('litellm'))"]
    )
    return Subject("LiteLLM", process.address, process, {"authorization": "Bearer sk-bench-master"}, version=version)


def portkey(upstream: str, folder: Path, prefix: Sequence[str] = ()) -> Subject | None:
    """Portkey's gateway; None where it is not installed."""
    package = PORTKEY / "node_modules" / "@portkey-ai" / "gateway"
    node = shutil.which("node")
    if node is None or not package.is_dir():
        return None
    about = orjson.loads((package / "package.json").read_bytes())
    port = _free_port()
    script = about["bin"] if isinstance(about["bin"], str) else next(iter(about["bin"].values()))
    command = [node, str(package / script), f"--port={port}", "--headless"]
    process = _start(command, port, "/", folder / "portkey.log", {"NODE_ENV": "production"}, prefix)
    headers = {"authorization": "Bearer sk-bench", "x-portkey-provider": "openai", "x-portkey-custom-host": f"{upstream}/v1"}
    return Subject("Portkey", process.address, process, headers, dialects=("chat",), version=about["version"])


def _start(command: list[str], port: int, path: str, log: Path, env: Mapping[str, str], prefix: Sequence[str]) -> Process:
    """Start a server that does not print when it listens, and poll until it does."""
    begun = time.perf_counter()
    with log.open("wb") as output:
        popen = subprocess.Popen(
            [*prefix, *command], stdout=output, stderr=output, text=True, env={**os.environ, **env}, start_new_session=True,
            cwd=log.parent,
        )  # fmt: skip
    process = Process(popen, f"http://127.0.0.1:{port}", 0)
    while time.perf_counter() - begun < 90 and popen.poll() is None:
        try:
            with urllib.request.urlopen(process.address + path, timeout=2):
                process.started_s = time.perf_counter() - begun
                return process
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    process.stop()
    raise RuntimeError(f"{command[0]} did not listen:\n{log.read_text(errors='replace')[-2000:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _output_of(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def install() -> None:
    """Fetch the peers from PyPI and npm."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", str(LITELLM)], check=True)
    subprocess.run([str(LITELLM / "bin" / "python"), "-m", "pip", "install", "-q", LITELLM_NEEDS], check=True)
    if npm := shutil.which("npm"):
        subprocess.run([npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(PORTKEY), PORTKEY_NEEDS], check=True)
    else:
        print("npm is not installed: without Portkey")


if __name__ == "__main__":
    install()
