"""The commands of README, guide and examples, run in order as a new user would: each block in `sh` must succeed.

A block can be marked by a comment on the line before it: `<!-- not run: REASON -->`; `<!-- make newcomer runs this -->` for set-up,
which runs in a bare system; `<!-- needs the key of a vendor -->`, which runs here with a vendor on this computer;
`<!-- until stopped -->` for commands that run until they are stopped, which must print something before they are. Blocks of
Python run, too; those of TOML are read.
"""

from __future__ import annotations

import datetime
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conduit_desktop.actions.config_file.document import parse
from tests.fakes.vendor import API_KEY
from tests.journeys.processes import ROOT, environment, started, vendor

PAPERS = ("README.md", "docs/guide.md")
BLOCK = re.compile(r"(?:^<!-- ([^\n]*) -->\n)?^( *)```(\w+)\n(.*?)^\2```$", re.MULTILINE | re.DOTALL)
NOT_RUN = "not run: "
IN_A_BARE_SYSTEM = "make newcomer runs this"
WITH_A_VENDOR = "needs the key of a vendor"
UNTIL_STOPPED = "until stopped"
OTHER_LANGUAGES = {"powershell": "is for Windows", "toml": "is read, not run"}
pytestmark = pytest.mark.skipif(os.name != "posix", reason="the blocks are for a POSIX shell")


@dataclass(frozen=True)
class Block:
    """A fenced block: its marker, its language, its text, and the line it begins on."""

    marker: str
    language: str
    text: str
    line: int


def blocks(paper: str) -> list[Block]:
    text = (ROOT / paper).read_text("utf-8")
    return [
        Block(found[1] or "", found[3], re.sub(rf"(?m)^{found[2]}", "", found[4]), text.count("\n", 0, found.start(4)))
        for found in BLOCK.finditer(text)
    ]


@pytest.fixture
def upstream() -> Iterator[str]:
    with vendor() as address:
        yield address


@pytest.fixture
def user(tmp_path: Path, upstream: str) -> dict[str, str]:
    """The environment of a new user: an empty home, the command on the PATH, a vendor's key."""
    programs = tmp_path / "bin"
    programs.mkdir()
    launcher = programs / "conduit-desktop"
    launcher.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m conduit_desktop "$@"\n')
    launcher.chmod(0o755)
    python = programs / "python3"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    home = tmp_path / "user"
    home.mkdir()
    return environment(
        HOME=str(home),
        XDG_DATA_HOME=str(home / "data"),
        PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
        CONDUIT_PORT="0",
        WORK_KEY=API_KEY,
        CONDUIT_CI_KEY="condt_" + "c" * 43,
        NO_PROXY="*",
    )


def certificate(folder: Path) -> None:
    """`cert.pem` and `key.pem` for this computer."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1)
    )
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def script(paper: str, replaced: dict[str, str]) -> str:
    """All blocks of a paper as one script of one session; the last line that it printed with `@@` names the block that failed."""
    parts = ["set -eu", FUNCTIONS]
    for block in blocks(paper):
        if block.marker.startswith((NOT_RUN, IN_A_BARE_SYSTEM)) or block.language in OTHER_LANGUAGES:
            continue
        assert block.language in ("sh", "python"), f"{paper}:{block.line}: a block of {block.language}"
        text = block.text
        for old, new in replaced.items():
            text = text.replace(old, new)
        parts.append(f"echo '@@ {paper}:{block.line}'")
        if block.language == "python":
            parts.append(f"python3 - <<'END_OF_PYTHON'\n{text}END_OF_PYTHON")
        elif block.marker == UNTIL_STOPPED:
            parts.append(f"until_it_prints {shlex.quote(text)}")
        else:
            parts.append(text)
    return "\n".join([*parts, "echo '@@ the end'", ""])


FUNCTIONS = """
# Runs commands until they print something, and stops them; requests go on meanwhile, so that there is something to print.
until_it_prints() {
  output=$(mktemp)
  (eval "$1") >"$output" 2>"$output.errors" &
  running=$!
  tries=0
  while ! [ -s "$output" ]; do
    tries=$((tries + 1))
    if [ $tries -gt 300 ] || ! kill -0 $running 2>/dev/null; then
      echo "it printed nothing, or ended:"
      cat "$output.errors"
      pkill -TERM -P $running
      exit 1
    fi
    curl -fsS "$ADDRESS/v1/chat/completions" -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \\
      -d '{"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}' >/dev/null
    sleep 0.1
  done
  # Not SIGINT, which a shell without a terminal has its background commands ignore.
  pkill -TERM -P $running
  wait $running || true
  cat "$output"
}
"""


@pytest.mark.timeout(400)
@pytest.mark.parametrize("paper", PAPERS)
def test_the_commands_of_a_paper_work_one_after_the_other(
    paper: str, user: dict[str, str], upstream: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate(tmp_path)
    for name, value in user.items():
        monkeypatch.setenv(name, value)
    with started(["conduit-desktop", "serve", "--port", "0"]) as address:
        replaced = {
            "http://127.0.0.1:5000": address,
            "--kind openai": f"--kind openai --base-url {upstream}/v1",
            '"kind": "openai"': f'"kind": "openai", "base_url": "{upstream}/v1"',
            "/srv/conduit": str(tmp_path / "srv"),
            "--host 0.0.0.0": "--host 127.0.0.1",
            "sdk/bin/python examples/": f"python3 {ROOT}/examples/",
            # The shell of the test is no terminal that could answer.
            "import conduit-copy.toml": "import --yes --allow-env WORK_KEY conduit-copy.toml",
        }
        done = subprocess.run(
            ["sh"],
            input=script(paper, replaced),
            capture_output=True,
            text=True,
            cwd=tmp_path,
            # Not where the gateway runs: `discover --add` would make a provider of it, at the vendor's own address.
            env={**user, "ADDRESS": address, "OPENAI_API_KEY": API_KEY},
            timeout=380,
        )
    printed = done.stdout.splitlines()
    at = max((number for number, line in enumerate(printed) if line.startswith("@@ ")), default=0)
    assert (done.returncode, printed[at]) == (0, "@@ the end"), "\n".join([*printed[at:], done.stderr[-3000:]])
    assert "Conduit listening on https://" in done.stdout or paper == "README.md"
    if paper == "README.md":
        # The demo's answers to curl and to the SDK.
        assert done.stdout.count("Hello from Conduit's demo model") == 2


@pytest.mark.parametrize("paper", PAPERS)
def test_a_block_that_is_not_run_says_why(paper: str) -> None:
    for block in blocks(paper):
        known = ("", IN_A_BARE_SYSTEM, WITH_A_VENDOR, UNTIL_STOPPED)
        marked = block.marker in known or len(block.marker.removeprefix(NOT_RUN)) > 10
        assert marked, f"{paper}:{block.line}: {block.marker!r} is no known marker"
    assert sum(block.language == "sh" and block.marker in ("", WITH_A_VENDOR) for block in blocks(paper)) >= 3


@pytest.mark.parametrize("paper", PAPERS)
def test_a_config_file_in_a_paper_can_be_used(paper: str, user: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in user.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPENAI_API_KEY", API_KEY)
    for block in blocks(paper):
        if block.language == "toml":
            assert parse(block.text).providers
