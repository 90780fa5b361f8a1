"""The chat page by clicks: a streamed response, Stop, Regenerate, editing, and errors with advice."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewKey, NewModel, NewProvider, ProviderPatch, read
from conduit_desktop.core.errors import BudgetExceeded, RateLimited
from conduit_desktop.core.events import TextDelta, ThinkingDelta, ToolCallDelta, ToolCallStarted
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gui.feed import Feed
from conduit_desktop.gui.pages.chat.conversation import answered_by, describe_error, figures
from conduit_desktop.gui.pages.chat.page import ChatPage
from conduit_desktop.gui.widgets.chat.answer import AnswerBody
from conduit_desktop.gui.widgets.chat.cards import ErrorCard, QuestionCard
from conduit_desktop.gui.widgets.chat.code import CodeBlock
from conduit_desktop.gui.widgets.chat.transcript import Transcript
from tests.fakes.waiting import settled, until
from tests.gui.conftest import RecordingUi, child


@pytest.fixture
async def page(client: AdminClient, feed: Feed, ui: RecordingUi) -> ChatPage:
    """The chat page, with three aliases for the demo provider."""
    await client.create_provider(read(NewProvider, {"name": "demo", "kind": "demo", "options": {"pace_ms": 1}}))
    for alias, model in (("chat", "demo-chat"), ("slow", "demo-slow"), ("broken", "demo-error-broken")):
        targets = [{"provider": "demo", "model": model}]
        await client.create_model(read(NewModel, {"alias": alias, "targets": targets}))
    made = ChatPage(client, feed, ui)
    made.resize(900, 700)
    made.show()
    await until(lambda: made.picker.model_name())
    made.picker.pick("chat")
    return made


async def send(page: ChatPage, qtbot: QtBot, text: str) -> None:
    """Type and press Enter."""
    qtbot.keyClicks(page.composer.edit, text)
    qtbot.keyClick(page.composer.edit, Qt.Key.Key_Return)


async def answered(page: ChatPage) -> None:
    await until(lambda: page.composer.send_button.isVisible())


async def test_a_response_streams_in_and_shows_tokens_cost_and_time(page: ChatPage, qtbot: QtBot, context: AppContext):
    await send(page, qtbot, "Hello there")
    assert page.composer.stop_button.isVisible()
    await answered(page)
    card = page.turns[0].answer
    assert card is not None
    assert "Hello there" in card.body.markdown()
    assert card.findChildren(CodeBlock)
    assert card.name.text() == "chat → demo/demo-chat"
    for words in (" in · ", " out · ", "$0.00", "first token"):
        assert words in card.figures.text()
    await settled(context.gateway)
    rows, _ = await context.store.ledger.list(None, 10, None)
    assert [row.id for row in rows] == [card.request_id]


async def test_the_button_of_a_response_opens_its_request(page: ChatPage, qtbot: QtBot, ui: RecordingUi):
    await send(page, qtbot, "Hi")
    await answered(page)
    card = page.turns[0].answer
    assert card is not None
    child(card, QPushButton, "Request").click()
    assert ui.visited == [("requests", {"request": card.request_id})]
    child(card.foot, QPushButton, "Copy").click()
    assert QGuiApplication.clipboard().text() == card.body.markdown()


async def test_stop_cancels_the_upstream_request_and_keeps_the_partial_response(
    client: AdminClient, page: ChatPage, qtbot: QtBot, context: AppContext
):
    page.picker.pick("demo/demo-slow")
    await client.edit_provider("demo", read(ProviderPatch, {"options": {"pace_ms": 30}}))
    await send(page, qtbot, "Take your time")
    card = page.turns[0].answer
    assert card is not None
    await until(lambda: card.body.markdown())
    page.composer.stop_button.click()
    await answered(page)
    await settled(context.gateway)
    record = (await context.store.ledger.list(None, 10, None))[0][0]
    assert record.status == "cancelled"
    assert card.body.markdown()
    assert card.figures.text().startswith("Stopped")
    assert context.gateway.in_flight == 0


async def test_regenerate_sends_the_same_message_and_removes_later_turns(page: ChatPage, qtbot: QtBot):
    for text in ("one", "two"):
        await send(page, qtbot, text)
        await answered(page)
    first = page.turns[0].answer
    assert first is not None
    first.regenerate_button.click()
    await answered(page)
    assert [turn.text for turn in page.turns] == ["one"]
    assert page.turns[0].answer is not first
    assert len(page.transcript.cards()) == 2


async def test_a_message_can_be_edited_and_sent_again(page: ChatPage, qtbot: QtBot):
    await send(page, qtbot, "frist")
    await answered(page)
    page.findChildren(QuestionCard)[0].edit_button.click()
    assert page.composer.edit.toPlainText() == "frist"
    assert page.turns == []
    page.composer.edit.setPlainText("first")
    page.composer.send_button.click()
    await answered(page)
    assert [turn.text for turn in page.turns] == ["first"]


async def test_earlier_turns_are_sent_with_a_message(page: ChatPage, qtbot: QtBot, context: AppContext):
    await send(page, qtbot, "one")
    await answered(page)
    await send(page, qtbot, "two")
    await answered(page)
    await settled(context.gateway)
    rows, _ = await context.store.ledger.list(None, 10, None)
    newest, oldest = sorted(rows, key=lambda row: -row.started_at)
    assert newest.input > oldest.input + 50


async def test_an_interrupted_stream_shows_the_partial_response_and_an_error(page: ChatPage, qtbot: QtBot):
    page.picker.pick("broken")
    await send(page, qtbot, "Break")
    await answered(page)
    card = page.turns[0].answer
    assert card is not None
    (error,) = card.findChildren(ErrorCard)
    assert error.title.text() == "Response interrupted"
    assert card.body.markdown()


async def test_the_error_for_an_unknown_model_opens_the_models_page(page: ChatPage, qtbot: QtBot, ui: RecordingUi):
    page.picker.pick("unknown")
    await send(page, qtbot, "Hi")
    await answered(page)
    (error,) = page.findChildren(ErrorCard)
    assert error.title.text() == "404 · Model not found"
    child(error, QPushButton, "Open Models").click()
    assert ui.visited == [("models", {})]


async def test_the_restrictions_of_a_virtual_key_apply_in_chat(
    client: AdminClient, page: ChatPage, qtbot: QtBot, context: AppContext
):
    key = await client.create_key(read(NewKey, {"name": "tight", "models": ["other"]}))
    page.request_refresh()
    editor = page.panel.form.fields["key_id"].editor
    await until(lambda: editor.combo.count() == 2)
    editor.set_value(key.id)
    await send(page, qtbot, "Hi")
    await answered(page)
    (error,) = page.findChildren(ErrorCard)
    assert error.title.text().startswith("403")
    await settled(context.gateway)
    assert (await context.store.ledger.list(None, 10, None))[0][0].key_name == "tight"


async def test_an_invalid_parameter_is_shown_at_its_field(page: ChatPage, qtbot: QtBot):
    page.panel.form.set_values({"temperature": "hot"})
    await send(page, qtbot, "Hi")
    assert page.panel.form.fields["temperature"].error.text() == "A number from 0 to 2"
    assert page.panel.isVisible()
    assert page.composer.edit.toPlainText() == "Hi"
    assert page.turns == []


async def test_a_new_chat_stops_the_current_response(page: ChatPage, qtbot: QtBot, context: AppContext):
    page.picker.pick("slow")
    await send(page, qtbot, "Hi")
    await until(lambda: context.gateway.in_flight == 1)
    page.new_button.click()
    await answered(page)
    assert page.transcript.cards() == []
    assert context.gateway.in_flight == 0


async def test_the_picker_queries_providers_only_when_it_is_opened(page: ChatPage):
    offered = [page.picker.itemText(at) for at in range(page.picker.count())]
    assert sorted(offered) == ["broken", "chat", "slow"]
    page.picker.showPopup()
    await until(lambda: page.picker.findText("demo/demo-thinking") > 0)
    page.picker.hidePopup()


def test_reasoning_text_and_tool_calls_are_shown_separately(qtbot: QtBot):
    body = AnswerBody()
    qtbot.addWidget(body)
    for event in (
        ThinkingDelta("Let me see."),
        TextDelta("I look it up."),
        ToolCallStarted("call_1", "weather"),
        ToolCallDelta("call_1", '{"city":'),
        ToolCallDelta("call_1", '"Bern"}'),
        TextDelta("Done."),
    ):
        body.take(event)
    body.finish()
    assert body.thinking[0].view.markdown() == "Let me see."
    assert not body.thinking[0].toggle.isChecked()
    assert body.tools["call_1"].body.toPlainText() == '{\n  "city": "Bern"\n}'
    assert body.markdown() == "I look it up.\n\nDone."


async def test_the_transcript_follows_until_the_user_scrolls_up(qtbot: QtBot):
    transcript = Transcript()
    qtbot.addWidget(transcript)
    transcript.resize(500, 300)
    transcript.show()
    bar = transcript.verticalScrollBar()

    async def grow() -> None:
        before = bar.maximum()
        transcript.add(QuestionCard("\n".join(["line"] * 20), []))
        await until(lambda: bar.maximum() > before)

    await grow()
    await grow()
    assert bar.value() == bar.maximum()
    bar.setValue(10)
    await grow()
    assert bar.value() == 10
    assert transcript.latest.isVisible()
    transcript.latest.click()
    assert bar.value() == bar.maximum()


def test_an_unknown_cost_is_not_shown_as_zero():
    record = RequestRecord("r", 0, input=10, output=5, cost_nano=None, duration_ms=600.0, first_token_ms=100.0)
    assert figures(record) == "10 in · 5 out · cost unknown · first token 100 ms · 10 tokens/s"
    record.cost_nano, record.cost_state = 2_500_000, "estimated"
    assert "~$0.0025" in figures(record)


def test_an_alias_is_shown_with_the_target_that_answered():
    record = RequestRecord("r", 0, provider="openai", upstream_model="gpt-5")
    assert answered_by(record, "smart") == "smart → openai/gpt-5"
    assert answered_by(record, "openai/gpt-5") == "openai/gpt-5"
    assert answered_by(None, "smart") == "smart"


def test_a_rate_limit_error_shows_when_to_retry():
    error = describe_error(RateLimited("60 requests a minute are spent.", retry_after=12))
    assert error.title == "429 · Too many requests"
    assert error.advice.startswith("Retry in 12 s.")


def test_a_budget_exceeded_during_a_response_is_shown_as_such():
    assert describe_error(BudgetExceeded("spent"), started=True).page == "keys"
