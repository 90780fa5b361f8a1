"""Messages in bodies of OpenAI's chat dialect: what is changed, what stays, and what is named as lost."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.providers.chat_mends import messages
from tests.fakes.chat_bodies import USER, mended, tool


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ('{"a":1}', '{"a":1}'),
        ("", "{}"),
        ({"a": 1}, '{"a":1}'),
        (None, "{}"),
        ("{", '{"arguments":"{"}'),
        ("[1]", '{"arguments":"[1]"}'),
    ],
)
def test_arguments_of_replayed_calls_are_the_text_of_an_object(given: Any, sent: str) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": given}}
    body, lost = mended(messages.json_arguments, {"messages": [{"role": "assistant", "content": None, "tool_calls": [call]}]})
    assert body["messages"][0]["tool_calls"][0]["function"] == {"name": "f", "arguments": sent}
    assert lost == []


def test_unknown_fields_of_messages_are_dropped_and_named_once() -> None:
    message = {"role": "assistant", "content": "x", "audio": None, "reasoning": "r"}
    body, lost = mended(messages.known_message_fields("role", "content"), {"messages": [message, USER]})
    assert body["messages"] == [{"role": "assistant", "content": "x"}, USER]
    assert lost == ["messages.reasoning"]


def test_of_too_many_cache_marks_the_last_are_kept() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    parts = [{"type": "text", "text": str(number), **mark} for number in range(3)]
    body = {"tools": [{**tool("a"), **mark}], "messages": [{"role": "user", "content": parts}, {**USER, **mark}]}
    sent, lost = mended(messages.at_most_cache_marks(3), body)
    assert "cache_control" not in sent["tools"][0]
    assert ["cache_control" in part for part in sent["messages"][0]["content"]] == [False, True, True]
    assert "cache_control" in sent["messages"][1]
    assert lost == ["cache_control"]
    assert mended(messages.at_most_cache_marks(5), body) == (body, [])


def test_nulls_and_empty_lists_of_an_answer_that_comes_back_are_no_loss() -> None:
    answer = {"role": "assistant", "content": "x", "refusal": None, "annotations": [], "audio": None, "model": "m"}
    body, lost = mended(messages.known_message_fields("role", "content"), {"messages": [answer]})
    assert (body, lost) == ({"messages": [{"role": "assistant", "content": "x"}]}, ["messages.model"])


def test_texts_are_strings_for_the_roles_that_take_no_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    picture = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}
    tool_message = {"role": "tool", "tool_call_id": "c", "content": parts}
    body, lost = mended(messages.with_texts("tool"), {"messages": [{"role": "user", "content": parts}, tool_message]})
    assert [one["content"] for one in body["messages"]] == [parts, "a\nb"]
    body, lost = mended(messages.with_texts(), {"messages": [{"role": "user", "content": parts}, picture, {"role": "assistant"}]})
    assert ([one["content"] for one in body["messages"]], lost) == (["a\nb", picture["content"], ""], [])
    body, lost = mended(messages.with_texts("tool"), {"messages": [{**picture, "role": "tool"}]})
    assert lost == ["content.image_url"]
    assert body["messages"][0]["content"] == "[A part of type image_url was left out: the provider takes text here.]"


def test_every_message_has_a_content_and_none_an_empty_list_of_calls() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    given = [{"role": "assistant", "tool_calls": [call]}, {"role": "assistant", "content": "x", "tool_calls": []}, {"role": "user"}]
    body, lost = mended(messages.with_content_key, {"messages": given})
    assert body["messages"] == [
        {"role": "assistant", "tool_calls": [call], "content": None},
        {"role": "assistant", "content": "x"},
        {"role": "user", "content": ""},
    ]
    assert lost == []
