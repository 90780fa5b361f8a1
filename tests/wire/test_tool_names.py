"""Names of tools and ids of calls as a target takes them, and the client's own names in the answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.core.chat import ChatRequest, Message, Text, Tool, ToolCall, ToolChoice, ToolResult
from conduit_desktop.core.events import TextDelta, ToolCallDelta, ToolCallStarted
from conduit_desktop.wire.tool_names import (
    ANTHROPIC_ID,
    BEDROCK_ID,
    CHAT_ID,
    GEMINI_NAME,
    LONG_NAME,
    MISTRAL_ID,
    OPENAI_NAME,
    RESPONSES_ID,
    Fitting,
    with_fitting_names,
    with_own_names,
    without_repeated_tools,
)

LONG = "mcp__very_long_server_name_for_enterprise_tools__search_documents_by_semantic_similarity"
EVERY = [OPENAI_NAME, LONG_NAME, GEMINI_NAME, CHAT_ID, RESPONSES_ID, ANTHROPIC_ID, BEDROCK_ID, MISTRAL_ID]


def request(name: str = LONG) -> ChatRequest:
    return ChatRequest(
        "anthropic_messages",
        "m",
        [
            Message("user", [Text("q")]),
            Message("assistant", [ToolCall("c", name, "{}"), ToolCall("s", "web.search", "{}", "hosted")]),
            Message("tool", [ToolResult("c", [Text("r")], name)]),
        ],
        [Tool(name), Tool("short")],
        ToolChoice("tool", name),
    )


def test_a_long_name_is_short_in_the_tools_the_choice_and_the_history() -> None:
    got, names = with_fitting_names(request(), OPENAI_NAME)
    short = got.tools[0].name
    assert len(short) <= 64
    assert short.startswith("mcp__very_long_server_name")
    assert got.tools[1].name == "short"
    assert got.tool_choice == ToolChoice("tool", short)
    call, result = got.messages[1].parts[0], got.messages[2].parts[0]
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert (call.name, result.name) == (short, short)
    assert names == {short: LONG}


def test_the_answer_has_the_clients_own_name_again() -> None:
    got, names = with_fitting_names(request(), OPENAI_NAME)
    events = [TextDelta("x"), ToolCallStarted("c", got.tools[0].name), ToolCallDelta("c", "{}"), ToolCallStarted("d", "short")]
    assert with_own_names(events, names) == [
        TextDelta("x"), ToolCallStarted("c", LONG), ToolCallDelta("c", "{}"), ToolCallStarted("d", "short"),
    ]  # fmt: skip


def test_a_request_whose_names_fit_is_the_same_object() -> None:
    asked = request("short_name")
    assert with_fitting_names(asked, OPENAI_NAME) == (asked, {})
    assert with_fitting_names(asked, OPENAI_NAME)[0] is asked


def test_a_name_of_128_characters_fits_anthropic_and_responses() -> None:
    assert LONG_NAME.fits(LONG)
    assert not LONG_NAME.fits("x" * 129)
    assert not LONG_NAME.fits("")


@pytest.mark.parametrize(("name", "fits"), [("a.b-c_1", True), ("_x", True), ("1x", False), ("a/b", False), ("x" * 65, False)])
def test_a_gemini_name_begins_with_a_letter_or_an_underscore(name: str, fits: bool) -> None:
    assert GEMINI_NAME.fits(name) is fits
    assert GEMINI_NAME.fits(GEMINI_NAME.fit(name))


def test_names_that_would_become_equal_stay_apart() -> None:
    assert len({OPENAI_NAME.fit(name) for name in ("a.b", "a_b", "a/b", "x" * 70, "x" * 71)}) == 5


def test_a_mistral_id_has_exactly_nine_letters_and_digits() -> None:
    assert MISTRAL_ID.fits("abcDEF123")
    assert not MISTRAL_ID.fits("abcDEF12")
    assert not MISTRAL_ID.fits("abcDEF12_")


@given(text=st.text(max_size=200), fitting=st.sampled_from(EVERY))
def test_any_text_is_made_to_fit_and_stays_then(text: str, fitting: Fitting) -> None:
    made = fitting.fit(text)
    assert fitting.fits(made)
    assert fitting.fit(made) == made
    assert fitting.fit(text) == made


def test_of_two_tools_of_one_name_the_first_stays() -> None:
    tools = [Tool("a", "one"), Tool("b"), Tool("a", "two"), Tool("b")]
    assert without_repeated_tools(tools) == ([Tool("a", "one"), Tool("b")], ["tools[a]"])
    fine = [Tool("a"), Tool("b"), Tool("search", kind="hosted", type="search"), Tool("search", kind="hosted", type="search2")]
    assert without_repeated_tools(fine)[0] is fine


def test_a_reserved_name_and_one_that_begins_wrongly_are_replaced() -> None:
    letters = replace(OPENAI_NAME, first="[a-zA-Z]", reserved=("search",))
    assert [letters.fits(name) for name in ("find", "search", "21st_magic", "_x")] == [True, False, False, False]
    assert letters.fit("21st_magic").startswith("tool_21st_magic_")
    assert all(letters.fits(letters.fit(name)) for name in ("search", "21st_magic", "_x"))
