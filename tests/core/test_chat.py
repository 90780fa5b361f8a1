"""A request's copy with other messages."""

from __future__ import annotations

from dataclasses import fields, replace

from conduit_desktop.core.chat import ChatRequest, Message, Text, with_messages


def test_a_copy_with_other_messages_keeps_every_other_field() -> None:
    # Each field has a value of its own, so that none can stand for another.
    request = ChatRequest(**{each.name: object() for each in fields(ChatRequest)})  # type: ignore[arg-type]
    messages = [Message("user", [Text("Hello")])]
    before = request.messages
    assert with_messages(request, messages) == replace(request, messages=messages)
    assert request.messages is before
