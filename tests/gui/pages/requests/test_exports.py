"""A request as code for its SDK and as a HAR file, and the filtered log as JSON lines."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.onboarding.snippets import PLACEHOLDER
from conduit_desktop.actions.schemas.inputs import RequestQuery
from conduit_desktop.actions.schemas.reports import RequestDetailView
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.requests import exports
from conduit_desktop.gui.pages.requests.exports import as_har, write_jsonl
from conduit_desktop.gui.pages.requests.page import RequestsPage
from conduit_desktop.gui.pages.requests.sdk_code import as_javascript, as_python
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi, opened, shown_page
from tests.gui.samples import keep, record

TALK = [{"role": "user", "content": 'It\'s "quoted" — ü\n'}]
BODIES: dict[str, dict[str, Any]] = {
    "openai_chat": {"model": "smart", "messages": TALK, "temperature": 0.5, "stop": None, "unknown_field": {"a": [True]}},
    "openai_responses": {"model": "smart", "input": "Hello", "reasoning": {"effort": "low"}},
    "anthropic_messages": {"model": "smart", "max_tokens": 9, "messages": TALK, "unknown_field": 1},
    "ollama": {"model": "smart", "messages": TALK, "stream": False, "options": {"temperature": 0.1}},
    "gemini": {
        "contents": [{"role": "user", "parts": [{"text": "Hello"}]}],
        "systemInstruction": {"role": "user", "parts": [{"text": "Be brief"}]},
        "generationConfig": {"temperature": 0.5, "maxOutputTokens": 7},
    },
}
PATHS = {
    "openai_chat": "/v1/chat/completions", "openai_responses": "/v1/responses", "anthropic_messages": "/v1/messages",
    "ollama": "/api/chat", "gemini": "/v1beta/models/smart:generateContent",
}  # fmt: skip


class Recorder(BaseHTTPRequestHandler):
    """Keeps the requests that it gets."""

    seen: list[tuple[str, dict[str, str], Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}, json.loads(body)))
        sent = b'{"message": {"role": "assistant", "content": "Hello"}}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def recorder() -> Iterator[tuple[str, list[tuple[str, dict[str, str], Any]]]]:
    Recorder.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", Recorder.seen
    server.shutdown()
    thread.join()
    server.server_close()


def detail(**values: Any) -> RequestDetailView:
    given = {
        "id": "req_1", "started_at": "2026-12-01T00:00:00Z", "key_id": "k1", "key_name": "laptop", "model": "smart",
        "provider": "openai", "upstream_model": "gpt", "endpoint": "chat", "dialect": "openai_chat", "streamed": False,
        "status": "success", "http_status": 200, "error_code": "", "error_text": "", "client": "c", "client_ip": "",
        "duration_ms": 1200.0, "first_token_ms": 300.0, "upstream_ms": 299.0, "input": 1, "cache_read": 0, "cache_write": 0,
        "output": 1, "reasoning": 0, "audio_in": 0, "audio_out": 0, "cost_usd": 0.1, "cost_state": "final", "finish": "stop",
        "dropped": [], "attempts": [],
    }  # fmt: skip
    return RequestDetailView(**{**given, **values})


@pytest.mark.parametrize("dialect", list(BODIES))
def test_the_python_code_sends_the_kept_body_with_the_sdk_of_its_api(
    dialect: str, recorder: tuple[str, list[Any]], capsys: pytest.CaptureFixture[str]
):
    address, seen = recorder
    code = as_python(detail(dialect=dialect, request_payload=BODIES[dialect]), address)
    exec(compile(code, dialect, "exec"), {})
    [(path, headers, body)] = seen
    assert path == PATHS[dialect]
    if dialect == "ollama":
        assert body.pop("tools") == []  # its SDK sends none as an empty list
    assert body == BODIES[dialect]
    assert PLACEHOLDER in headers.get("authorization", "") + headers.get("x-goog-api-key", "")
    assert capsys.readouterr().out


def test_the_python_code_of_another_endpoint_sends_its_body(recorder: tuple[str, list[Any]]):
    address, seen = recorder
    body = {"model": "embed", "input": ["a", "b"]}
    exec(as_python(detail(endpoint="embeddings", request_payload=body), address), {})
    assert [(path, sent) for path, _, sent in seen] == [("/v1/embeddings", body)]


@pytest.mark.parametrize("dialect", list(BODIES))
def test_the_javascript_code_holds_the_body_and_a_placeholder_for_the_key(dialect: str, tmp_path: Path):
    code = as_javascript(detail(dialect=dialect, request_payload=BODIES[dialect]), "http://127.0.0.1:5000")
    assert PLACEHOLDER in code
    assert json.dumps("Hello") in code or json.dumps(TALK[0]["content"], ensure_ascii=False) in code
    if node := shutil.which("node"):
        (tmp_path / "code.mjs").write_text(code, "utf-8")
        subprocess.run([node, "--check", str(tmp_path / "code.mjs")], check=True, timeout=60)


def test_a_har_file_has_the_request_its_answer_and_its_times_but_no_credential():
    shown = detail(request_payload=BODIES["openai_chat"], response_payload={"id": "x"})
    text = as_har(shown, "http://127.0.0.1:5000")
    assert "authorization" not in text.lower()
    [entry] = json.loads(text)["log"]["entries"]
    assert entry["request"]["url"] == "http://127.0.0.1:5000/v1/chat/completions"
    assert json.loads(entry["request"]["postData"]["text"]) == BODIES["openai_chat"]
    assert json.loads(entry["response"]["content"]["text"]) == {"id": "x"}
    assert entry["timings"] == {"send": 0, "wait": 300.0, "receive": 900.0}
    assert sum(entry["timings"].values()) == entry["time"]


async def test_all_requests_of_a_filter_are_exported(
    context: AppContext, client: AdminClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(exports, "_PART", 2)
    await keep(context, *(record(id=f"req_{at}", started_at=at, status="error" if at % 2 else "success") for at in range(1, 10)))
    path = tmp_path / "out.jsonl"
    assert await write_jsonl(client, RequestQuery(status="error"), path) == 5
    assert [json.loads(line)["id"] for line in path.read_text("utf-8").splitlines()] == [f"req_{at}" for at in (9, 7, 5, 3, 1)]
    assert list(tmp_path.glob("out*")) == [path]


async def test_an_export_that_fails_leaves_the_former_file(client: AdminClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def fail(query: RequestQuery) -> Any:
        raise OSError("the gateway is gone")

    monkeypatch.setattr(client, "requests", fail)
    path = tmp_path / "out.jsonl"
    path.write_text("former", "utf-8")
    with pytest.raises(OSError, match="gone"):
        await write_jsonl(client, RequestQuery(), path)
    assert path.read_text("utf-8") == "former"
    assert list(tmp_path.glob("out*")) == [path]


async def test_the_filtered_log_is_exported_to_a_chosen_file(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot, tmp_path: Path
):
    await keep(context, record(id="req_a", model="smart"), record(id="req_b", model="fast"))
    page = RequestsPage(client, feed, ui)
    qtbot.addWidget(page)
    await shown_page(page, ui, 1100, 500)
    page.show_context(model="fast")
    await ui.settle()
    qtbot.mouseClick(page.export_button, Qt.MouseButton.LeftButton)
    dialog = await opened(QFileDialog)
    dialog.fileSelected.emit(str(tmp_path / "log.jsonl"))
    dialog.accept()
    await ui.settle()
    assert json.loads((tmp_path / "log.jsonl").read_text("utf-8"))["id"] == "req_b"
    assert ui.notes == [("1 request saved to log.jsonl", "info")]


async def test_the_inspector_copies_code_from_its_menu(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot
):
    await keep(context, record(id="req_a"))
    page = RequestsPage(client, feed, ui)
    qtbot.addWidget(page)
    await shown_page(page, ui, 1100, 500)
    page.show_context(request="req_a")
    await ui.settle()
    qtbot.mouseClick(page.inspector.copy_as, Qt.MouseButton.LeftButton)
    menu = await opened(QMenu)
    for action in menu.actions():
        if action.text() == "Copy as Python":
            action.trigger()
    menu.close()
    assert ui.copied[0].startswith("from openai import OpenAI")


async def test_older_requests_are_loaded_before_the_end_comes_into_view(
    context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("conduit_desktop.gui.pages.requests.page.PART", 40)
    await keep(context, *(record(id=f"req_{at:03}", started_at=at) for at in range(1, 121)))
    page = RequestsPage(client, feed, ui)
    qtbot.addWidget(page)
    await shown_page(page, ui, 1100, 500)
    assert len(page.table.model.rows) == 40
    page.table.table.setFocus()
    for _ in range(30):
        qtbot.keyClick(page.table.table, Qt.Key.Key_PageDown)
        await ui.settle()
        QApplication.processEvents()
    await until(lambda: len(page.table.model.rows) == 120)
    assert page.older.isHidden()
