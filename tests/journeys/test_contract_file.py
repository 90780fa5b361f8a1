"""The config file from outside: taken in, locked, followed, and never half believed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import httpx
import pytest

from tests.fakes.vendor import API_KEY
from tests.journeys.processes import RunningGateway, conduit, vendor

KEY = "condt_" + "f" * 43
FILE = """
[settings]
max_body_mb = 5

[[providers]]
name = "oa"
kind = "openai-compatible"
base_url = "{upstream}"
api_key = "env:FILE_PROVIDER_KEY"

[[models]]
alias = "m"
targets = [{{ provider = "oa", model = "gpt-x" }}]

[[keys]]
name = "app"
key = "env:FILE_KEY"
budget_usd = 2.5

[[keys]]
name = "later"

[[prices]]
pattern = "gpt-x"
input = 1
output = 2
"""


class Followed:
    """A gateway and the file it follows."""

    def __init__(self, served: RunningGateway, path: Path) -> None:
        self.served = served
        self.path = path
        self.text = path.read_text()

    def refusal(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        with pytest.raises(HTTPError) as caught:
            self.served.admin(method, path, body)
        with caught.value as answer:
            return answer.code, answer.read().decode()

    def keys(self) -> dict[str, Any]:
        return {key["name"]: key for key in self.served.admin("GET", "/keys")["data"]}

    def write(self, text: str, seen: Callable[[], bool]) -> None:
        """Write the file; its content must be applied within five seconds."""
        self.path.write_text(text)
        began = time.monotonic()
        while not seen():
            assert time.monotonic() - began < 5, "not seen within five seconds"
            time.sleep(0.1)

    def notification_texts(self) -> list[str]:
        return [note["text"] for note in self.served.admin("GET", "/notifications")["data"] if note["kind"] == "system"]


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    folder = tmp_path_factory.mktemp("file")
    with vendor() as upstream:
        (folder / "conduit.toml").write_text(FILE.format(upstream=upstream))
        env = {"FILE_PROVIDER_KEY": API_KEY, "FILE_KEY": KEY}
        with conduit(folder / "home", "--config", str(folder / "conduit.toml"), **env) as served:
            yield Followed(served, folder / "conduit.toml")


def test_what_the_file_defines_works_and_is_locked(followed: Followed) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    answer = httpx.post(f"{followed.served.address}/v1/chat/completions", json=body, headers={"x-api-key": KEY})
    assert answer.status_code == 200
    assert float(answer.headers["x-conduit-cost-usd"]) > 0
    keys = followed.keys()
    for method, path, change in (
        ("PATCH", "/providers/oa", {"enabled": False}), ("DELETE", "/providers/oa", None),
        ("PATCH", "/models/m", {"retries": 0}), ("DELETE", "/models/m", None),
        ("PATCH", f"/keys/{keys['app']['id']}", {"rpm": 1}), ("DELETE", f"/keys/{keys['later']['id']}", None),
        ("POST", f"/keys/{keys['app']['id']}/rotate", None),
        ("PUT", "/prices/gpt-x", {"input": 9, "output": 2}), ("DELETE", "/prices/gpt-x", None),
        ("PATCH", "/settings", {"max_body_mb": 1}),
    ):  # fmt: skip
        status, text = followed.refusal(method, path, change)
        assert status == 409, path
        assert "config file" in text
    assert all(key["locked"] for key in keys.values())
    made = followed.served.admin("POST", f"/keys/{keys['later']['id']}/rotate")["key"]
    assert httpx.get(f"{followed.served.address}/v1/models", headers={"x-api-key": made}).status_code == 200


def test_a_change_is_seen_and_a_broken_file_changes_nothing(followed: Followed) -> None:
    changed = followed.text.replace("budget_usd = 2.5", "budget_usd = 3.5")
    followed.write(changed, lambda: followed.keys()["app"]["budget_usd"] == 3.5)
    before = [followed.served.admin("GET", path) for path in ("/providers", "/models", "/prices")]
    followed.write("[[models]\n", lambda: any("TOML" in text for text in followed.notification_texts()))
    ghost = '\n[[models]]\nalias = "x"\ntargets = [{ provider = "ghost", model = "y" }]\n'
    followed.write(changed + ghost, lambda: any("'ghost'" in text for text in followed.notification_texts()))
    [text] = followed.notification_texts()
    assert f"{followed.path}, line {len(changed.splitlines()) + 4}" in text
    assert [followed.served.admin("GET", path) for path in ("/providers", "/models", "/prices")] == before
    assert str(followed.path) in (followed.served.home / "logs" / "conduit.log").read_text()
    followed.write(followed.text, lambda: followed.keys()["app"]["budget_usd"] == 2.5)


def test_the_export_names_environment_variables_and_reads_back_as_nothing_new(followed: Followed) -> None:
    text = followed.served.admin("GET", "/export")["toml"]
    assert "env:" in text
    assert API_KEY not in text
    assert KEY not in text
    preview = followed.served.admin("POST", "/import", {"toml": text.replace('"m"', '"copy"')})
    assert preview["applied"] is False
    assert [(row["kind"], row["name"]) for row in preview["changes"] if row["change"] == "add"] == [("model", "copy")]
    assert followed.refusal("GET", "/models/copy")[0] == 404
