"""No credential in any file of the home, log, error, answer, export or backup, not even after a SIGKILL."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.journeys.processes import ROOT, environment, vendor

PROVIDER_KEY = "sk-providersecret-abcdefghijkl0123456789"
HEADER = "header-secret-value-987654321"
FOREIGN = "sk-another-accounts-key-0123456789abcdef"
LISTS = (
    "/providers", "/models", "/keys", "/requests?limit=500", "/audit?limit=500", "/notifications", "/status", "/settings",
    "/usage?group_by=key,model",
)  # fmt: skip


class Session:
    """One busy session with a gateway that was started without any key in its environment."""

    def __init__(self, address: str, master: str) -> None:
        self.address = address
        self.master = master
        self.outputs: list[str] = []

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"X-Master-Key": self.master}
        answer = httpx.request(method, f"{self.address}/admin/v1{path}", json=body, headers=headers, timeout=20)
        return answer.json() if answer.content else None

    def chat(self, key: str, model: str = "m", query: str = "") -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
        headers = {} if query else {"Authorization": f"Bearer {key}"}
        answer = httpx.post(f"{self.address}/v1/chat/completions{query}", json=body, headers=headers, timeout=20)
        self.outputs.append(answer.text)
        return answer


def busy(session: Session, upstream: str) -> tuple[list[str], Path]:
    """Everything that handles a credential, once; the virtual keys that were made, and a backup."""
    echo = f"Incorrect API key provided: {PROVIDER_KEY}, {HEADER}"
    fields = {"api_key": PROVIDER_KEY, "headers": {"X-Secret": HEADER}}
    session.admin("POST", "/providers", {"name": "oa", "kind": "openai-compatible", "base_url": upstream, **fields})
    session.admin("POST", "/models", {"alias": "m", "targets": [{"provider": "oa", "model": "gpt-x"}], "retries": 0})
    made = session.admin("POST", "/keys", {"name": "app", "log_payloads": True})
    for step in ({}, {"status": 401, "message": echo}, {"status": 400, "message": echo}, {"status": 500, "body": f"<p>{echo}</p>"}):
        httpx.post(f"{upstream}/__script", json={"steps": [step], "key": PROVIDER_KEY}).raise_for_status()
        session.chat(made["key"])
        session.admin("PATCH", "/providers/oa", {"api_key": PROVIDER_KEY})
    httpx.post(f"{upstream}/__script", json={"steps": [{}], "key": PROVIDER_KEY}).raise_for_status()
    assert session.chat(made["key"]).status_code == 200
    assert session.chat("", query=f"?key={made['key']}").status_code == 200
    for wrong in (FOREIGN, session.master, made["key"][:-1] + "!"):
        assert session.chat(wrong).status_code == 401
    session.chat("", model="nothing", query=f"?key={made['key']}")
    rotated = session.admin("POST", f"/keys/{made['id']}/rotate")["key"]
    assert session.chat(made["key"]).status_code == 401
    assert session.chat(rotated).status_code == 200
    session.admin("POST", "/providers/oa/test")
    session.admin("GET", "/providers/oa/models?refresh=1")
    session.outputs += [str(session.admin("GET", path)) for path in LISTS]
    session.outputs += [
        str(session.admin("GET", f"/requests/{row['id']}")) for row in session.admin("GET", "/requests?limit=500")["data"]
    ]
    session.outputs.append(session.admin("GET", "/export")["toml"])
    return [made["key"], rotated], Path(session.admin("POST", "/backup")["path"])


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_a_busy_session_leaves_no_credential_anywhere(tmp_path: Path) -> None:
    home, log = tmp_path / "home", tmp_path / "stderr"
    command = [sys.executable, "-m", "conduit_desktop"]
    shown = subprocess.run(
        [*command, "master-key", "show", "--home", str(home)], capture_output=True, text=True, check=True, env=environment()
    )
    with vendor() as upstream, log.open("w") as errors:
        process = subprocess.Popen(
            [*command, "serve", "--home", str(home), "--port", "0"],
            stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT, env=environment(CONDUIT_LOG_LEVEL="debug"),
        )  # fmt: skip
        try:
            assert process.stdout is not None
            session = Session(process.stdout.readline().split()[-1], shown.stdout.strip())
            keys, backup = busy(session, upstream)
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    kept = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with zipfile.ZipFile(backup) as archive:
        kept |= {f"{backup.name}/{name}": archive.read(name) for name in archive.namelist()}
    kept["answers"] = "\n".join(session.outputs).encode()
    assert b"DEBUG" in kept["stderr"]
    for secret in (PROVIDER_KEY, HEADER, FOREIGN, session.master, *keys):
        for form in (secret, secret[6:], base64.b64encode(secret.encode()).decode()[:-4]):
            assert [name for name, data in kept.items() if form.encode() in data] == []
