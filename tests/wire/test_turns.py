"""The order of a conversation as a target demands it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit_desktop.core.chat import (
    ChatRequest,
    Media,
    Message,
    Opaque,
    Part,
    RedactedThinking,
    Refusal,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from conduit_desktop.wire import dialect, turns
from conduit_desktop.wire.tool_names import MISTRAL_ID
from conduit_desktop.wire.turn_rules import BORROWED_MESSAGES, BY_DIALECT, CHAT_TURNS, TurnRules, rules_of
from conduit_desktop.wire.turns import ACKNOWLEDGED, CONTINUE, FILLER, NO_RESULT, is_orderly, normalised, obeys

ALTERNATING = replace(CHAT_TURNS, system="leading", alternate=True, needs_user=True, assistant_last=False, in_passthrough=True)
MISTRAL = replace(CHAT_TURNS, system="leading", user_after_results=False, ids=MISTRAL_ID)
LOCAL = replace(CHAT_TURNS, system="first")


def said(role: Role, text: str) -> Message:
    return Message(role, [Text(text)], plain=True)


def called(*ids: str) -> Message:
    return Message("assistant", [ToolCall(each, "get_weather", "{}") for each in ids])


def answered(call_id: str, text: str = "21C") -> Message:
    return Message("tool", [ToolResult(call_id, [Text(text)], plain=True)], plain=True)


def arranged(
    *messages: Message, rules: TurnRules = CHAT_TURNS, source: str = "anthropic_messages", to: str = "openai_chat"
) -> tuple[list[Message], list[str]]:
    request, lost = normalised(ChatRequest(source, "m", list(messages)), rules, to)
    return request.messages, lost


def shape(messages: list[Message]) -> list[Any]:
    """(role, text) of each message, and the ids of its calls and results."""
    return [(message.role, *[_shown(part) for part in message.parts]) for message in messages]


def _shown(part: Part) -> str:
    match part:
        case Text() | Refusal():
            return part.text
        case ToolCall():
            return f"call {part.id}"
        case ToolResult():
            return f"result {part.call_id}: {' '.join(map(_shown, part.parts))}"
        case Media():
            return part.kind
    return type(part).__name__


def test_calls_in_adjacent_turns_of_the_assistant_become_one_turn() -> None:
    messages = (said("user", "q"), called("t1"), called("t2"), Message("user", [*answered("t1").parts, *answered("t2").parts]))
    got, lost = arranged(*messages)
    assert shape(got) == [
        ("user", "q"), ("assistant", "call t1", "call t2"), ("tool", "result t1: 21C"), ("tool", "result t2: 21C"),
    ]  # fmt: skip
    assert lost == []


def test_the_streamed_chunks_that_googles_sdks_keep_as_turns_become_one_text() -> None:
    chunks = [Message("assistant", [Text(text)], plain=True) for text in ("Hello", "\n\n", "World", "")]
    got, _ = arranged(said("user", "say two words"), *chunks, said("user", "again"), source="gemini")
    assert shape(got) == [("user", "say two words"), ("assistant", "Hello\n\nWorld"), ("user", "again")]


def test_texts_of_two_turns_stay_apart() -> None:
    got, _ = arranged(said("user", "one"), said("user", "two"))
    assert shape(got) == [("user", "one\n\ntwo")]
    assert got[0].plain


def test_a_text_with_a_cache_mark_keeps_it() -> None:
    got, _ = arranged(Message("user", [Text("one", "5m")]), said("user", "two"))
    assert got == [Message("user", [Text("one", "5m"), Text("two")])]


def test_turns_under_different_names_stay_apart_where_messages_have_names() -> None:
    alice, bob = replace(said("user", "a"), name="alice"), replace(said("user", "b"), name="bob")
    assert len(arranged(alice, bob)[0]) == 2
    assert shape(arranged(alice, bob, to="gemini", rules=rules_of("gemini"))[0]) == [("user", "a", "b")]


def test_empty_texts_and_empty_messages_are_left_out() -> None:
    got, lost = arranged(said("system", ""), said("user", "q"), Message("assistant", [], plain=True), said("user", ""))
    assert shape(got) == [("user", "q")]
    assert lost == []


def test_a_result_moves_directly_after_its_call() -> None:
    got, lost = arranged(said("user", "q"), called("c"), said("user", "wait"), said("assistant", "sure"), answered("c"))
    assert shape(got) == [
        ("user", "q"), ("assistant", "call c"), ("tool", "result c: 21C"), ("user", "wait"), ("assistant", "sure"),
    ]  # fmt: skip
    assert lost == []


def test_results_come_before_what_else_the_user_said() -> None:
    user = Message("user", [Text("and now?"), *answered("c").parts])
    assert shape(arranged(said("user", "q"), called("c"), user)[0])[2:] == [("tool", "result c: 21C"), ("user", "and now?")]
    got, _ = arranged(said("user", "q"), called("c"), user, rules=rules_of("gemini"), to="gemini")
    assert shape(got)[2:] == [("user", "result c: 21C", "and now?")]


def test_a_result_without_a_call_becomes_a_users_text() -> None:
    got, lost = arranged(Message("tool", [ToolResult("c", [Text("21C")], "get_weather", plain=True)]), said("user", "q"))
    assert shape(got) == [("user", "[Result of the tool get_weather]\n21C\n\nq")]
    assert lost == ["tool_result.without_call"]


def test_a_call_without_a_result_gets_one_that_says_so() -> None:
    got, lost = arranged(said("user", "q"), called("c1", "c2"), answered("c2"), said("user", "next"))
    assert shape(got)[2:] == [("tool", f"result c1: {NO_RESULT}"), ("tool", "result c2: 21C"), ("user", "next")]
    assert lost == ["tool_calls.without_result"]


def test_a_call_that_its_vendor_ran_needs_no_result() -> None:
    call = Message("assistant", [ToolCall("s", "web_search", "{}", "hosted"), Text("found")])
    assert arranged(said("user", "q"), call) == ([said("user", "q"), call], [])


def test_two_results_of_one_call_become_one() -> None:
    got, _ = arranged(said("user", "q"), called("c"), answered("c", "one"), answered("c", "two"))
    assert shape(got)[2:] == [("tool", "result c: one\n\ntwo")]


def test_an_id_that_a_later_call_has_too_is_changed_with_its_result() -> None:
    got, _ = arranged(said("user", "q"), called("c"), answered("c", "one"), called("c"), answered("c", "two"))
    assert shape(got)[1:] == [
        ("assistant", "call c"), ("tool", "result c: one"), ("assistant", "call c_2"), ("tool", "result c_2: two"),
    ]  # fmt: skip


def test_ids_fit_the_target_and_stay_the_same_for_call_and_result() -> None:
    got, _ = arranged(said("user", "q"), called("toolu_0123456789"), answered("toolu_0123456789"), rules=MISTRAL)
    call, result = got[1].parts[0], got[2].parts[0]
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert call.id == result.call_id
    assert len(call.id) == 9
    assert call.id.isalnum()


def test_a_system_message_in_the_middle_becomes_a_users_text_in_its_place() -> None:
    messages = (said("system", "S"), said("user", "hi"), said("assistant", "yo"), said("system", "reminder"), said("user", "go"))
    got, lost = arranged(*messages, rules=LOCAL)
    assert shape(got) == [
        ("system", "S"), ("user", "hi"), ("assistant", "yo"), ("user", "<system>\nreminder\n</system>\n\ngo"),
    ]  # fmt: skip
    assert lost == ["system.role"]


def test_a_system_message_in_the_middle_joins_the_instructions_where_they_are_a_field() -> None:
    got, lost = arranged(said("system", "S"), said("user", "hi"), said("system", "late"), rules=rules_of("gemini"), to="gemini")
    assert shape(got) == [("system", "S", "late"), ("user", "hi")]
    assert lost == ["system.position"]


def test_instructions_at_the_head_become_one_system_message() -> None:
    got, lost = arranged(said("system", "I"), said("developer", "D"), said("user", "hi"), rules=LOCAL, source="openai_responses")
    assert got == [said("system", "I\n\nD"), said("user", "hi")]
    assert lost == []


def test_without_a_system_role_the_instructions_begin_the_users_turn() -> None:
    got, _ = arranged(said("system", "S"), said("user", "hi"), rules=replace(CHAT_TURNS, system="none"))
    assert shape(got) == [("user", "<system>\nS\n</system>\n\nhi")]


def test_system_messages_keep_their_place_where_they_may() -> None:
    messages = [said("system", "S"), said("user", "hi"), said("system", "late"), said("assistant", "yo")]
    assert arranged(*messages) == (messages, [])


def test_no_user_turn_follows_results_where_that_is_refused() -> None:
    got, _ = arranged(said("user", "q"), called("abcdefghi"), answered("abcdefghi"), said("user", "stop"), rules=MISTRAL)
    assert shape(got)[2:] == [("tool", "result abcdefghi: 21C"), ("assistant", ACKNOWLEDGED), ("user", "stop")]


def test_images_of_results_go_into_the_users_turn_after_all_results() -> None:
    image = Media("image", data="iVBO", media_type="image/png")
    results = Message("user", [ToolResult("a", [Text("see"), image]), ToolResult("b", [Text("none")])])
    got, _ = arranged(said("user", "q"), called("a", "b"), results, said("user", "well?"))
    assert shape(got)[2:] == [
        ("tool", "result a: see"), ("tool", "result b: none"), ("user", "[From the result of the tool call a]", "image", "well?"),
    ]  # fmt: skip
    assert shape(arranged(said("user", "q"), called("a", "b"), results)[0])[-1][0] == "user"


def test_a_begun_answer_is_followed_by_a_request_to_continue_where_it_cannot_be_last() -> None:
    got, lost = arranged(said("user", "q"), said("assistant", "So "), rules=ALTERNATING)
    assert shape(got) == [("user", "q"), ("assistant", "So "), ("user", CONTINUE)]
    assert lost == ["messages.prefill"]


def test_an_alternating_conversation_begins_with_the_user() -> None:
    assert shape(arranged(said("assistant", "Hi!"), said("user", "q"), rules=ALTERNATING)[0])[0] == ("user", FILLER)


def test_instructions_alone_get_a_users_turn_where_one_is_required() -> None:
    assert shape(arranged(said("system", "S"), rules=ALTERNATING)[0]) == [("system", "S"), ("user", FILLER)]
    assert shape(arranged(said("system", "S"))[0]) == [("system", "S")]


def test_a_turn_that_only_another_dialect_can_express_is_left_out() -> None:
    hidden = Message("assistant", [Thinking("hm", "sig"), RedactedThinking("x"), Opaque("anthropic_messages", "search", {})])
    got, lost = arranged(said("user", "q"), hidden, said("user", "again"))
    assert shape(got) == [("user", "q\n\nagain")]
    assert lost == ["thinking", "redacted_thinking", "content[search]"]


def test_the_messages_of_a_request_that_needs_nothing_are_the_same_objects() -> None:
    messages = [said("system", "S"), said("user", "q"), called("c"), answered("c"), said("assistant", "done"), said("user", "t")]
    got, lost = arranged(*messages)
    assert all(new is old for new, old in zip(got, messages, strict=True))
    assert lost == []


@pytest.mark.parametrize("path", ["anthropic", "gemini"])
def test_what_released_sdks_send_after_two_calls_reaches_openai_in_order(path: str) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "anthropic": {
            "model": "m",
            "max_tokens": 50,
            "messages": [
                {"role": "user", "content": "temperature in both towns"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "w", "input": {"city": "Paris"}}]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t2", "name": "w", "input": {"city": "Rome"}}]},
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "t1", "content": "21C"},
                        {"type": "tool_result", "tool_use_id": "t2", "content": "25C"},
                    ],
                },
            ],
        },
        "gemini": {
            "contents": [
                {"role": "user", "parts": [{"text": "temperature in both towns"}]},
                {"role": "model", "parts": [{"functionCall": {"id": "t1", "name": "w", "args": {"city": "Paris"}}}]},
                {"role": "model", "parts": [{"functionCall": {"id": "t2", "name": "w", "args": {"city": "Rome"}}}]},
                {
                    "role": "user",
                    "parts": [
                        {"functionResponse": {"id": "t1", "name": "w", "response": {"output": "21C"}}},
                        {"functionResponse": {"id": "t2", "name": "w", "response": {"output": "25C"}}},
                    ],
                },
            ]
        },
    }
    source = dialect({"anthropic": "anthropic_messages", "gemini": "gemini"}[path])
    request, _ = normalised(source.read_request(bodies[path], {"model": "m"}), CHAT_TURNS, "openai_chat")
    messages = dialect("openai_chat").write_request(request, "gpt-x").body["messages"]
    assert [(each["role"], len(each.get("tool_calls", ()))) for each in messages] == [
        ("user", 0), ("assistant", 2), ("tool", 0), ("tool", 0),
    ]  # fmt: skip
    assert [each["content"] for each in messages[2:]] == ["21C", "25C"]


# Whatever clients send

texts = st.sampled_from(["", " ", "a", "b\n", "word"]).map(Text)
call_ids = st.sampled_from(["c1", "c2", "call:3", "x" * 70, "abcdefghi"])
images = st.just(Media("image", data="iVBO", media_type="image/png"))
results = st.builds(ToolResult, call_ids, st.lists(texts | images, max_size=2), plain=st.booleans())
calls = st.builds(ToolCall, call_ids, st.just("f"), st.just("{}"))
hidden = st.just(Thinking("hm")) | st.just(Opaque("other", "block", {}))
parts_of: dict[str, st.SearchStrategy[Part]] = {
    "system": texts,
    "developer": texts,
    "user": texts | images | results,
    "assistant": texts | calls | hidden,
    "tool": results,
}


def _message(role: Role) -> st.SearchStrategy[Message]:
    names = st.sampled_from([None, None, "alice", "bob"])
    return st.builds(Message, st.just(role), st.lists(parts_of[role], max_size=3), names, st.booleans())


conversations = st.lists(st.sampled_from(list(parts_of)).flatmap(_message), max_size=8)
RULES = {**BY_DIALECT, "alternating": ALTERNATING, "mistral": MISTRAL, "local": LOCAL, "borrowed": BORROWED_MESSAGES}
ANY = st.sampled_from(sorted(RULES))


def letters(messages: list[Message]) -> list[str]:
    """Every letter that a person, a model or a tool wrote, in any order."""
    found: list[str] = []
    for message in messages:
        for part in message.parts:
            inner = part.parts if isinstance(part, ToolResult) else [part]
            found += [letter for each in inner if isinstance(each, Text) for letter in each.text if not letter.isspace()]
    return sorted(found)


def is_part_of(some: list[str], more: list[str]) -> bool:
    return all(some.count(letter) <= more.count(letter) for letter in set(some))


@settings(max_examples=300)
@given(messages=conversations, name=ANY, source=st.sampled_from(["gemini", "anthropic_messages", "openai_chat"]))
def test_any_conversation_comes_to_obey_the_rules(messages: list[Message], name: str, source: str) -> None:
    rules = RULES[name]
    request = ChatRequest(source, "m", messages)
    got, _ = normalised(request, rules, "target")
    assert obeys(got.messages, rules)
    check_pairs(got.messages, rules)
    assert all(message.parts for message in got.messages)
    neighbours = list(zip(got.messages, got.messages[1:], strict=False))
    assert not any(a.role == b.role and a.name == b.name and a.role in ("user", "assistant") for a, b in neighbours)
    assert not any(a.role == b.role == "assistant" for a, b in neighbours)


@settings(max_examples=300)
@given(messages=conversations, name=ANY)
def test_no_text_of_any_conversation_is_lost(messages: list[Message], name: str) -> None:
    got, _ = normalised(ChatRequest("openai_chat", "m", messages), RULES[name], "target")
    assert is_part_of(letters(messages), letters(got.messages))
    images_before = [part for message in messages for part in _flat(message) if isinstance(part, Media)]
    assert len(images_before) == len([part for message in got.messages for part in _flat(message) if isinstance(part, Media)])


USUAL = st.lists(st.sampled_from([" ", "", "a", "b c"]), min_size=1, max_size=2)
"""The texts of a message."""


@settings(max_examples=300)
@given(
    roles=st.lists(st.sampled_from(["system", "user", "assistant", "user", "assistant", "developer"]), max_size=5),
    texts=st.lists(USUAL, min_size=5, max_size=5),
    name=ANY,
    source=st.sampled_from(["gemini", "anthropic_messages", "openai_chat"]),
)
def test_nothing_has_to_be_arranged_in_an_orderly_conversation_of_texts(
    roles: list[Role], texts: list[list[str]], name: str, source: str
) -> None:
    messages = [Message(role, [Text(text) for text in some]) for role, some in zip(roles, texts, strict=False)]
    if is_orderly(messages, RULES[name], with_tools=False):
        assert arranged_in_full(ChatRequest(source, "m", messages), RULES[name]) == (messages, [])


def arranged_in_full(request: ChatRequest, rules: TurnRules) -> tuple[list[Message], list[str]]:
    """What `normalised` makes of a conversation that it looks through step by step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "is_orderly", lambda *_: False)
        got, lost = normalised(request, rules, "target")
    return got.messages, lost


def _answer(draw: st.DrawFn, ids: list[str]) -> list[Message]:
    """The results of calls: each in a message of its own, or all in one of the user, as clients of Anthropic send them."""
    parts: list[Part] = []
    for each in ids:
        inner = draw(st.sampled_from([[Text("21C")], [Text("21C")], [], [Text("see"), Media("image", data="iVBO")]]))
        parts.append(ToolResult(each, inner, draw(st.sampled_from([None, None, None, "f"])), plain=draw(st.booleans())))
    name, plain = draw(st.sampled_from([None, None, "ann"])), draw(st.sampled_from([False, False, False, True]))
    extra = draw(st.sampled_from([{}, {}, {}, {"weight": 1}]))
    if draw(st.booleans()):
        return [Message("tool", [part], name, plain, extra) for part in parts]
    after = draw(st.sampled_from([[], [], [Text("b")], [Text("b", "5m"), Text("c")], [Text(" ")], [Text("")]]))
    at = draw(st.sampled_from([0, 0, 0, len(after)]))
    return [Message("user", [*after[:at], *parts, *after[at:]], name, plain, extra)] if parts or after else []


@st.composite
def with_tools(draw: st.DrawFn) -> list[Message]:
    """A conversation as agents hold it, sometimes with one thing that is out of order."""
    messages = [said("system", "s")] if draw(st.booleans()) else []
    number = 0
    for _ in range(draw(st.integers(1, 3))):
        messages.append(said("user", draw(st.sampled_from(["a", "b", " "]))))
        for _ in range(draw(st.integers(0, 2))):
            ids = [f"call_{number + at}" for at in range(draw(st.integers(1, 3)))]
            number += len(ids) - draw(st.sampled_from([0, 0, 0, 1]))
            text: list[Part] = [Text("t")] if draw(st.booleans()) else []
            text = [*draw(st.sampled_from([[], [], [Thinking("hm", "sig")], [RedactedThinking("x")]])), *text]
            messages.append(Message("assistant", [*text, *(ToolCall(each, "f", "{}") for each in ids)]))
            kept = draw(st.sampled_from([ids, ids, ids, ids, ids[1:], ids[::-1], [*ids, "other"]]))
            messages += _answer(draw, kept)
        if draw(st.booleans()):
            messages.append(
                Message("assistant", draw(st.sampled_from([[Text("t")], [Thinking("hm")], [Thinking("hm"), Text("t")]])))
            )
    if draw(st.booleans()):
        messages.append(said("user", "end"))
    return messages


@settings(max_examples=500)
@given(messages=with_tools(), name=ANY, source=st.sampled_from(["gemini", "anthropic_messages", "openai_chat"]))
def test_an_orderly_conversation_with_tools_is_arranged_as_any_other(messages: list[Message], name: str, source: str) -> None:
    request = ChatRequest(source, "m", messages)
    got, lost = normalised(request, RULES[name], "target")
    assert (got.messages, lost) == arranged_in_full(request, RULES[name])


def test_an_image_of_a_result_in_an_orderly_conversation_gets_the_turns_that_a_target_requires() -> None:
    image = ToolResult("abcdefghi", [Media("image", data="iVBO", media_type="image/png")])
    got, _ = arranged(said("user", "q"), called("abcdefghi"), Message("tool", [image]), rules=MISTRAL)
    assert shape(got)[2:] == [
        ("tool", "result abcdefghi: "), ("assistant", ACKNOWLEDGED),
        ("user", "[From the result of the tool call abcdefghi]", "image"),
    ]  # fmt: skip


def test_results_in_a_message_of_the_user_are_orderly() -> None:
    def user(*ids: str, after: list[Part] | None = None, **fields: Any) -> Message:
        return Message("user", [*(ToolResult(each, [Text("21C")]) for each in ids), *(after or [])], **fields)

    def is_chat(answer: Message, *after: Message, rules: TurnRules = CHAT_TURNS) -> bool:
        return is_orderly([said("user", "q"), called("1", "2"), answer, *after], rules)

    more: list[Part] = [Text("and?")]
    assert is_chat(user("1", "2"))
    assert is_chat(user("1", "2", after=more), said("assistant", "a"), said("user", "b"))
    assert not is_chat(user("1", "2", after=more), rules=replace(CHAT_TURNS, user_after_results=False))
    assert is_chat(user("1", "2"), rules=replace(CHAT_TURNS, user_after_results=False))
    assert not is_chat(user("1")), "a result is missing"
    assert not is_chat(user("2", "1")), "the order of the calls is another"
    assert not is_chat(user("1", "2", "3")), "a result without a call"
    assert not is_chat(user("1", "2", after=[Text(" ")]))
    assert not is_chat(user("1", "2", plain=True))
    assert not is_chat(user("1", "2", extra={"weight": 1}))
    assert not is_chat(user("1", "2"), said("user", "b"))
    assert not is_chat(answered("1"), user("2")), "one in each of the two forms"
    assert not is_chat(replace(user("1", "2"), role="assistant"))
    assert not is_chat(Message("user", [ToolResult("1"), ToolResult("2", name="f")]))


def test_results_and_what_is_after_them_keep_the_name_of_the_user() -> None:
    parts: list[Part] = [ToolResult("1", [Text("21C")]), Text("and?"), Text("so?")]
    messages = [said("user", "q"), called("1"), Message("user", parts, "ann")]
    assert is_orderly(messages, CHAT_TURNS)
    assert arranged(*messages)[0][2:] == [Message("tool", parts[:1], "ann"), Message("user", parts[1:], "ann")]
    in_one, _ = arranged(*messages, rules=rules_of("gemini"), to="gemini")
    assert in_one[2:] == messages[2:]


def test_thoughts_are_orderly_next_to_what_other_dialects_can_express() -> None:
    for thought in (Thinking("hm", "sig"), RedactedThinking("x")):
        ends = said("user", "q"), said("user", "r")
        assert is_orderly([ends[0], Message("assistant", [thought, Text("a")]), ends[1]], CHAT_TURNS, with_tools=False)
        assert not is_orderly([ends[0], Message("assistant", [thought]), ends[1]], CHAT_TURNS)
        assert not is_orderly([Message("user", [thought, Text("a")])], CHAT_TURNS)
        assert is_orderly([ends[0], Message("assistant", [thought, *called("1").parts]), answered("1")], CHAT_TURNS)


def test_orderly_conversations() -> None:
    def is_chat(*roles: Role) -> bool:
        return is_orderly([said(role, "a") for role in roles], CHAT_TURNS)

    assert is_chat("user")
    assert is_chat("system", "user", "assistant", "user")
    assert not is_chat()
    assert not is_chat("system")
    assert not is_chat("assistant", "user")
    assert not is_chat("user", "assistant")
    assert not is_chat("user", "user")
    assert not is_chat("user", "system", "user")
    assert not is_chat("developer", "user")
    assert not is_orderly([said("system", "a"), said("user", "a")], replace(CHAT_TURNS, system="none"))
    assert not is_orderly([said("user", " ")], CHAT_TURNS)
    with_call = [said("user", "a"), called("1"), answered("1")]
    assert is_orderly(with_call, CHAT_TURNS)
    assert not is_orderly(with_call, CHAT_TURNS, with_tools=False)
    assert not is_orderly([*with_call, said("user", "a")], CHAT_TURNS)
    assert not is_orderly([*with_call, called("1"), answered("1")], CHAT_TURNS), "an id comes twice"
    assert not is_orderly(with_call[:-1], CHAT_TURNS), "no result"
    assert not is_orderly([said("user", "a"), called("1"), answered("2")], CHAT_TURNS), "another call's result"
    assert not is_orderly([said("user", "a"), called("1", "2"), answered("2"), answered("1")], CHAT_TURNS)
    assert not is_orderly([said("user", "a"), called("1 2"), answered("1 2")], BY_DIALECT["anthropic_messages"]), "no such id"


def _flat(message: Message) -> list[Part]:
    return [each for part in message.parts for each in (part.parts if isinstance(part, ToolResult) else [part])]


@settings(max_examples=300)
@given(messages=conversations, name=ANY)
def test_a_conversation_in_order_stays_as_it_is(messages: list[Message], name: str) -> None:
    once, _ = normalised(ChatRequest("openai_chat", "m", messages), RULES[name], "target")
    twice, lost = normalised(once, RULES[name], "target")
    assert twice == once
    assert lost == []


def check_pairs(messages: list[Message], rules: TurnRules) -> None:
    """Each call has one result in the messages directly after it, each result one call, and ids are unique."""
    waiting: list[str] = []
    seen: set[str] = set()
    for message in messages:
        found = [part.call_id for part in message.parts if isinstance(part, ToolResult)]
        assert not waiting or found, "results come directly after their calls"
        for call_id in found:
            assert call_id in waiting
            waiting.remove(call_id)
        if rules.results_in_user_turn:
            assert not waiting
            kinds = [isinstance(part, ToolResult) for part in message.parts]
            assert kinds == sorted(kinds, reverse=True)
        else:
            assert not found or message.role == "tool"
        for part in message.parts:
            if isinstance(part, ToolCall):
                assert part.id not in seen
                assert rules.ids.fits(part.id)
                seen.add(part.id)
                waiting.append(part.id)
    assert not waiting
