"""A new user on a bare system: README.md's commands, one after the other, and then a call by a real SDK."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import tempfile
from pathlib import Path

from tools.artefacts.program import Failed
from tools.artefacts.roots import Root, named_suites, possible

ROOT = Path(__file__).resolve().parents[2]
CHECKOUT = "/root/conduit-desktop"
LEFT_OUT = re.compile(r"^(git clone\b|cd conduit-desktop$|make test\b|uv |pipx |docker )")
"""Commands that do again, or otherwise, what the others do; the checkout is there already."""
NOT_HERE = ("not run", "needs", "until stopped")
"""Markers of blocks that do not run in a bare system; tests/journeys/test_documented_commands.py describes them."""
SERVES = re.compile(r"^(make run\b|conduit-desktop( serve\b.*)?$)")
PREAMBLE = """\
set -eu -o pipefail
log=$(mktemp -d)
serve() {{
  "$@" >"$log/address" 2>"$log/server" &
  server=$!
  trap 'kill $server; wait $server || true' EXIT
  until grep -q '^Conduit listening on' "$log/address"; do
    kill -0 $server 2>/dev/null || {{ cat "$log/server" >&2; exit 1; }}
    sleep 0.2
  done
}}
key() {{ cat "$log"/said | grep -o 'condt_[A-Za-z0-9_-]*' | tail -n 1; }}
touch "$log/said"
cd {checkout}
"""
SDK = """\
python3 -m venv /tmp/sdk
/tmp/sdk/bin/pip install -q --disable-pip-version-check openai
conduit=$(command -v conduit-desktop || echo .venv/bin/conduit-desktop)
sdk_key=$(key || "$conduit" keys create --name sdk | grep -o 'condt_[A-Za-z0-9_-]*')
/tmp/sdk/bin/python - "$sdk_key" <<'END'
import sys
import openai
client = openai.OpenAI(base_url="http://127.0.0.1:{port}/v1", api_key=sys.argv[1], max_retries=0)
answer = client.chat.completions.create(model="demo", messages=[{{"role": "user", "content": "Hello"}}])
assert answer.choices[0].message.content, answer
print("the SDK's answer:", " ".join(answer.choices[0].message.content.split())[:60])
END
"""


def commands(text: str) -> list[str]:
    """The commands of the blocks marked `sh`, in order; continued lines are joined, and comments are cut off."""
    found = []
    for marker, indent, block in re.findall(
        r"^(?:<!-- ([^\n]*) -->\n)?^([ ]*)```sh\n(.*?)^[ ]*```", text, re.DOTALL | re.MULTILINE
    ):
        if marker.startswith(NOT_HERE):
            continue
        lines = re.sub(rf"^{indent}", "", block, flags=re.MULTILINE)
        for line in re.sub(r"\\\n\s*", "", lines).splitlines():
            if command := re.sub(r"(^|\s+)# .*$", "", line).strip():
                found.append(command)
    return found


def script(text: str, port: int) -> str:
    """What a reader types, as a script for bash: as root, so without sudo.

    `port` stands in the place of 5000, which may be taken; a call that is refused ends the script.
    """
    steps = []
    for command in commands(text):
        typed = re.sub(r"\bsudo ", "", command).replace("5000", str(port))
        typed = re.sub(r"\bcurl ", "curl -sS --fail-with-body ", typed)
        if LEFT_OUT.match(typed):
            continue
        steps.append(f"echo {shlex.quote('$ ' + command)} >&2")
        if SERVES.match(typed):
            steps.append(f"serve {typed}")
        elif "condt_…" in typed:
            quoted = typed.replace("condt_…", "'\"$(key)\"'") if "'condt_" in typed else typed.replace("condt_…", "$(key)")
            steps.append(f'{quoted} | tee -a "$log/said"')
        elif re.match(r"(export )?\w+=|cd |\. |source ", typed):
            steps.append(typed)
        else:
            steps.append(f'{typed} | tee -a "$log/said"')
    return "\n".join([PREAMBLE.format(checkout=CHECKOUT), *steps, SDK.format(port=port)])


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
        variables = {"CONDUIT_PORT": str(port), "CONDUIT_SECRETS": "vault"}
        (root.folder / "tmp/readme.sh").write_text(script(text, port), "utf-8")
        printed = root.run("/bin/bash", "/tmp/readme.sh", env=variables, timeout=1500)
    if "the SDK's answer:" not in printed:
        raise Failed(f"{suite}: no answer\n{printed}")
    return f"newcomer on {suite}: {printed.splitlines()[-1]}"


def main() -> str:
    """Follow README.md in each system that is named on the command line, by default Debian 12."""
    if why := possible():
        raise Failed(why)
    return "\n".join(follow(suite) for suite in named_suites())
