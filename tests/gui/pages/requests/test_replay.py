"""A kept request is asked again in a dialog, and both answers are compared."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewModel, NewProvider, RequestQuery, read
from conduit_desktop.gateway.call import Call
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.requests.page import RequestsPage
from conduit_desktop.gui.pages.requests.replay import CompareDialog, ReplayDialog, cost_text, facts_of, overrides_of
from conduit_desktop.gui.widgets.forms.dialogs import Dialog
from conduit_desktop.wire import dialect
from tests.fakes.waiting import until
from tests.gui.conftest import RecordingUi
from tests.gui.samples import keep, record

BODY = {"model": "talk", "messages": [{"role": "user", "content": "Hello"}], "temperature": 0.5}


def dialog(kind: type[Dialog]) -> Any:
    return next((one for one in QApplication.topLevelWidgets() if isinstance(one, kind) and one.isVisible()), None)


@pytest.fixture
async def page(context: AppContext, client: AdminClient, feed: Feed, ui: RecordingUi) -> RequestsPage:
    """The inspector with a kept chat."""
    await client.create_provider(read(NewProvider, {"name": "work", "kind": "demo", "options": {"pace_ms": 1}}))
    await client.create_model(read(NewModel, {"alias": "talk", "targets": [{"provider": "work", "model": "demo-chat"}]}))
    call = Call(dialect("openai_chat"), dict(BODY), "talk", operator=True)
    call.keep_payload = True
    await context.gateway.answer(call)
    await context.gateway.state.bodies_kept(call.id)
    made = RequestsPage(client, feed, ui)
    made.resize(1100, 800)
    made.show()
    made.show_context(request=call.id)
    await ui.settle()
    return made


async def opened(page: RequestsPage, qtbot: QtBot) -> ReplayDialog:
    qtbot.mouseClick(page.inspector.replay, Qt.MouseButton.LeftButton)
    await until(lambda: dialog(ReplayDialog) is not None)
    made: ReplayDialog = dialog(ReplayDialog)
    return made


async def test_an_edited_request_of_another_model_is_sent_and_compared(
    page: RequestsPage, client: AdminClient, ui: RecordingUi, qtbot: QtBot
):
    shown = await opened(page, qtbot)
    assert shown.picker.model_name() == "talk"
    shown.picker.pick("work/demo-slow")
    edited = {**BODY, "messages": [{"role": "user", "content": "Something else"}]}
    shown.editor.setPlainText(orjson.dumps(edited).decode())
    qtbot.mouseClick(shown.primary, Qt.MouseButton.LeftButton)
    await until(lambda: dialog(CompareDialog) is not None)
    compared: CompareDialog = dialog(CompareDialog)
    assert ("Model", "talk", "work/demo-slow") in facts_of(compared.comparison)
    assert ("Changed fields", "", "model, messages") in facts_of(compared.comparison)
    newest = (await client.requests(RequestQuery(limit=1)))[0][0]
    assert newest.model == "work/demo-slow"
    for button in compared.findChildren(type(compared.primary)):
        if button.text().strip() == "Open the second request":
            qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert ui.visited[-1] == ("requests", {"request": newest.id})


@pytest.mark.parametrize(("text", "why"), [("{", "not JSON"), ("[]", "must be a JSON object")])
async def test_a_body_that_is_no_request_is_not_sent(page: RequestsPage, qtbot: QtBot, ui: RecordingUi, text: str, why: str):
    shown = await opened(page, qtbot)
    shown.editor.setPlainText(text)
    qtbot.mouseClick(shown.primary, Qt.MouseButton.LeftButton)
    await until(shown.error.isVisible)
    assert why in shown.error.text()
    assert shown.isVisible()


async def test_a_model_that_does_not_exist_is_named_in_the_dialog(page: RequestsPage, qtbot: QtBot):
    shown = await opened(page, qtbot)
    shown.picker.pick("nothing")
    qtbot.mouseClick(shown.primary, Qt.MouseButton.LeftButton)
    await until(shown.error.isVisible)
    assert "nothing" in shown.error.text()
    assert shown.primary.isEnabled()


async def test_a_request_that_was_not_kept_says_why_it_cannot_be_replayed(context: AppContext, page: RequestsPage, ui: RecordingUi):
    await keep(context, record(id="unkept", model="talk"), record(id="picture", model="talk", endpoint="images"))
    for request, reason in (("unkept", "payload logging"), ("picture", "Only chats")):
        page.show_context(request=request)
        await ui.settle()
        assert not page.inspector.replay.isEnabled()
        assert reason in page.inspector.replay.toolTip()


def test_overrides_are_what_changed():
    before = {"model": "a", "temperature": 1, "seed": 1}
    assert overrides_of(before, {"model": "b", "temperature": 1, "top_p": 0.5}) == {"top_p": 0.5, "seed": None}
    assert overrides_of(before, before) == {}


@pytest.mark.parametrize(
    ("usd", "state", "text"),
    [(None, "unknown", "unknown"), (0.0, "final", "$0"), (0.001234, "final", "$0.001234"), (1.5, "estimated", "$1.5 (estimated)")],
)
def test_a_cost_says_what_is_uncertain(usd: float | None, state: str, text: str):
    assert cost_text(usd, state) == text
