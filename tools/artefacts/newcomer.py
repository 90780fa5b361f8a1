"""A new user on a bare system: README.md's commands, one after the other, until a real SDK has got its answer."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import tempfile
from pathlib import Path

from tools.artefacts.program import Failed
from tools.artefacts.roots import Root, named_suites, possible

ROOT = Path(__file__).resolve().parents[2]
CHECKOUT = "/root/conduit-desktop"
LEFT_OUT = re.compile(r"^\s*(git clone|make test|uv tool|pipx|docker)\b")
"""Commands that do again, or otherwise, what the others do; the checkout is there already."""
NOT_HERE = ("not run", "until stopped")
"""Markers of blocks that do not run in a bare system; tests/journeys/test_documented_commands.py describes them."""
SERVES = re.compile(r"^\s*(make run|conduit-desktop( serve)?)(\s+-.*)?$")
BEGIN = """\
set -e -o pipefail
log=$(mktemp -d)
touch "$log/address" "$log/server"
# In the reader's first terminal, until the gateway listens; what follows is typed in another one.
first_terminal() {
  [ -z "$server" ] || return 0
  "$@" >"$log/address" 2>"$log/server" &
  server=$!
  trap 'kill $server; wait $server || true' EXIT
  until grep -q '^Conduit listening on' "$log/address"; do
    kill -0 $server || { cat "$log/server" >&2; exit 1; }
    sleep 0.2
  done
}
set -v
"""
END = """
set +v
echo RECORDS
conduit-desktop requests --json
"""


def commands(text: str) -> list[str]:
    """The lines of the blocks marked `sh`, in order, without comments at their ends."""
    found: list[str] = []
    blocks = re.findall(r"^(?:<!-- ([^\n]*) -->\n)?^([ ]*)```sh\n(.*?)^[ ]*```", text, re.DOTALL | re.MULTILINE)
    for marker, indent, block in blocks:
        if marker.startswith(NOT_HERE):
            continue
        lines = re.sub(rf"^{indent}", "", block, flags=re.MULTILINE)
        found += [re.sub(r"(^|\s+)# .*$", "", line) for line in lines.splitlines()]
    return found


def script(text: str, port: int) -> str:
    """What a reader types, as a script for bash: as root, so without sudo.

    `port` stands in the place of 5000, which may be taken; a call that is refused ends the script.
    """
    typed = []
    for command in commands(text):
        line = re.sub(r"\bsudo ", "", command).replace("5000", str(port))
        line = re.sub(r"\bcurl (?=\S*http)", "curl -sS --fail-with-body ", line)
        if not LEFT_OUT.match(line):
            typed.append(f"first_terminal {line}" if SERVES.match(line) else line)
    return BEGIN + "\n".join(typed) + END


def checkout(root: Root) -> None:
    """What `git clone` brings: the files of the last commit, and those changed since."""
    place = root.folder / CHECKOUT.strip("/")
    place.mkdir(parents=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    names = b"\0".join(name for name in listed.split(b"\0") if name and (ROOT / name.decode()).exists())
    packed = subprocess.run(["tar", "--null", "-T-", "-cf-"], cwd=ROOT, input=names, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-xf-", "-C", str(place)], input=packed, check=True)


def follow(suite: str) -> str:
    """Follow README.md in a new system; the line of figures. Raises Failed with the step and its output."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = int(trial.getsockname()[1])
    text = (ROOT / "README.md").read_text("utf-8")
    with tempfile.TemporaryDirectory(prefix="conduit-newcomer-", ignore_cleanup_errors=True) as scratch:
        root = Root.new(suite, Path(scratch) / "root")
        checkout(root)
        # A reader answers yes.
        (root.folder / "etc/apt/apt.conf.d/90yes").write_text('APT::Get::Assume-Yes "true";\n')
        (root.folder / "tmp/readme.sh").write_text(script(text, port), "utf-8")
        # A reader has a key of a provider, which no step of these calls.
        variables = {"CONDUIT_PORT": str(port), "CONDUIT_SECRETS": "vault", "OPENAI_API_KEY": "sk-" + "0" * 48}
        printed = root.run("/bin/bash", "/tmp/readme.sh", folder=CHECKOUT, env=variables, timeout=1500)
    records = json.loads(printed.partition("\nRECORDS\n")[2])
    answered = [one["client"] for one in records if one["status"] == "success"]
    by_sdk = [client for client in answered if "openai" in str(client).lower()]
    if not by_sdk:
        raise Failed(f"{suite}: no call of an SDK was answered, only those of {answered}\n{printed[:3000]}")
    return f"newcomer on {suite}: {len(answered)} answered calls, the last of an SDK by {by_sdk[0]}"


def main() -> str:
    """Follow README.md in each system that is named on the command line, by default Debian 12."""
    if why := possible():
        raise Failed(why)
    return "\n".join(follow(suite) for suite in named_suites())
