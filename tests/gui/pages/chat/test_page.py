"""The chat tester, asked by clicks: a streamed answer, Stop, Regenerate, edits, errors with a way on."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from conduit_desktop.actions import keys, models, providers
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import NewKey, NewModel, NewProvider, ProviderPatch, read
from conduit_desktop.core.errors import BudgetExceeded, RateLimited
from conduit_desktop.core.events import TextDelta, ThinkingDelta, ToolCallDelta, ToolCallStarted
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gui.pages.chat.conversation import answered_by, describe_error, figures
from conduit_desktop.gui.pages.chat.page import ChatPage
from conduit_desktop.gui.widgets.chat.answer import AnswerBody
from conduit_desktop.gui.widgets.chat.cards import ErrorCard, QuestionCard
from conduit_desktop.gui.widgets.chat.code import CodeBlock
from conduit_desktop.gui.widgets.chat.transcript import Transcript
from tests.fakes.waiting import settled, until
from tests.gui.conftest import RecordingUi, child


@pytest.fixture
async def page(context: AppContext, ui: RecordingUi) -> ChatPage:
    """The page with the demo behind three aliases."""
    await providers.create(context, read(NewProvider, {"name": "demo", "kind": "demo", "options": {"pace_ms": 1}}), "gui")
    for alias, model in (("chat", "demo-chat"), ("slow", "demo-slow"), ("broken", "demo-error-broken")):
        targets = [{"provider": "demo", "model": model}]
        await models.create(context, read(NewModel, {"alias": alias, "targets": targets}), "gui")
    made = ChatPage(context, ui)
    made.resize(900, 700)
    made.show()
    await until(lambda: made.picker.model_name())
    return made


async def send(page: ChatPage, qtbot: QtBot, text: str) -> None:
    """Type and press Enter."""
    qtbot.keyClicks(page.composer.edit, text)
    qtbot.keyClick(page.composer.edit, Qt.Key.Key_Return)


async def answered(page: ChatPage) -> None:
    await until(lambda: page.composer.send_button.isVisible())


async def test_an_answer_streams_in_and_says_what_it_took(page: ChatPage, qtbot: QtBot, context: AppContext):
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


async def test_the_request_of_an_answer_is_one_click_away(page: ChatPage, qtbot: QtBot, ui: RecordingUi):
    await send(page, qtbot, "Hi")
    await answered(page)
    card = page.turns[0].answer
    assert card is not None
    child(card, QPushButton, "Request").click()
    assert ui.visited == [("requests", {"request": card.request_id})]
    child(card.foot, QPushButton, "Copy").click()
    assert QGuiApplication.clipboard().text() == card.body.markdown()


async def test_stop_ends_the_upstream_and_keeps_what_came(page: ChatPage, qtbot: QtBot, context: AppContext):
    page.picker.pick("demo/demo-slow")
    await providers.edit(context, "demo", read(ProviderPatch, {"options": {"pace_ms": 30}}), "gui")
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


async def test_regenerate_asks_the_same_and_drops_what_came_after(page: ChatPage, qtbot: QtBot):
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


async def test_a_question_can_be_edited_and_sent_again(page: ChatPage, qtbot: QtBot):
    await send(page, qtbot, "frist")
    await answered(page)
    page.findChildren(QuestionCard)[0].edit_button.click()
    assert page.composer.edit.toPlainText() == "frist"
    assert page.turns == []
    page.composer.edit.setPlainText("first")
    page.composer.send_button.click()
    await answered(page)
    assert [turn.text for turn in page.turns] == ["first"]


async def test_earlier_turns_go_along(page: ChatPage, qtbot: QtBot, context: AppContext):
    await send(page, qtbot, "one")
    await answered(page)
    await send(page, qtbot, "two")
    await answered(page)
    await settled(context.gateway)
    rows, _ = await context.store.ledger.list(None, 10, None)
    newest, oldest = sorted(rows, key=lambda row: -row.started_at)
    assert newest.input > oldest.input + 50


async def test_a_broken_stream_shows_what_came_and_that_it_broke(page: ChatPage, qtbot: QtBot):
    page.picker.pick("broken")
    await send(page, qtbot, "Break")
    await answered(page)
    card = page.turns[0].answer
    assert card is not None
    (error,) = card.findChildren(ErrorCard)
    assert error.title.text() == "Response interrupted"
    assert card.body.markdown()


async def test_an_unknown_model_leads_to_the_models_page(page: ChatPage, qtbot: QtBot, ui: RecordingUi):
    page.picker.pick("unknown")
    await send(page, qtbot, "Hi")
    await answered(page)
    (error,) = page.findChildren(ErrorCard)
    assert error.title.text() == "404 · Model not found"
    child(error, QPushButton, "Open Models").click()
    assert ui.visited == [("models", {})]


async def test_a_virtual_key_is_held_to_its_limits(page: ChatPage, qtbot: QtBot, context: AppContext):
    key = await keys.create(context, read(NewKey, {"name": "tight", "models": ["other"]}), "gui")
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


async def test_a_parameter_that_does_not_fit_is_told_at_its_field(page: ChatPage, qtbot: QtBot):
    page.panel.form.set_values({"temperature": "hot"})
    await send(page, qtbot, "Hi")
    assert page.panel.form.fields["temperature"].error.text() == "A number from 0 to 2"
    assert page.panel.isVisible()
    assert page.composer.edit.toPlainText() == "Hi"
    assert page.turns == []


async def test_a_new_chat_while_an_answer_comes_forgets_both(page: ChatPage, qtbot: QtBot, context: AppContext):
    page.picker.pick("slow")
    await send(page, qtbot, "Hi")
    await until(lambda: context.gateway.in_flight == 1)
    page.new_button.click()
    await answered(page)
    assert page.transcript.cards() == []
    assert context.gateway.in_flight == 0


async def test_the_picker_asks_providers_only_when_reached_for(page: ChatPage):
    offered = [page.picker.itemText(at) for at in range(page.picker.count())]
    assert sorted(offered) == ["broken", "chat", "slow"]
    page.picker.showPopup()
    await until(lambda: page.picker.findText("demo/demo-thinking") > 0)
    page.picker.hidePopup()


def test_thinking_words_and_tools_are_shown_each_in_their_own_way(qtbot: QtBot):
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


async def test_the_transcript_follows_until_the_reader_scrolls_up(qtbot: QtBot):
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


def test_an_unknown_cost_is_never_a_zero():
    record = RequestRecord("r", 0, input=10, output=5, cost_nano=None, duration_ms=600.0, first_token_ms=100.0)
    assert figures(record) == "10 in · 5 out · cost unknown · first token 100 ms · 10 tokens/s"
    record.cost_nano, record.cost_state = 2_500_000, "estimated"
    assert "~$0.0025" in figures(record)


def test_an_alias_names_the_target_that_answered():
    record = RequestRecord("r", 0, provider="openai", upstream_model="gpt-5")
    assert answered_by(record, "smart") == "smart → openai/gpt-5"
    assert answered_by(record, "openai/gpt-5") == "openai/gpt-5"
    assert answered_by(None, "smart") == "smart"


def test_a_limit_says_when_it_is_free_again():
    error = describe_error(RateLimited("60 requests a minute are spent.", retry_after=12))
    assert error.title == "429 · Too many requests"
    assert error.advice.startswith("Retry in 12 s.")


def test_a_budget_that_ends_in_mid_answer_is_told_as_one():
    assert describe_error(BudgetExceeded("spent"), started=True).page == "keys"
