"""Mends of the messages in a body of OpenAI's chat dialect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from conduit_desktop.providers.model_facts import ModelFacts
from conduit_desktop.providers.request_rules import Body, Mend
from conduit_desktop.wire.changed_items import change_items, with_items


def with_messages(body: Body, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change messages; `change` returns its argument or a copy."""
    change_items(body, "messages", lambda message: change(message) if isinstance(message, dict) else message)


def with_parts(body: Body, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change the parts of messages; `change` returns its argument or another part."""

    def of_message(message: dict[str, Any]) -> dict[str, Any]:
        changed = with_items(message, "content", lambda part: change(part) if isinstance(part, dict) else part)
        if changed is message:
            return message
        made = changed["content"]
        texts = [part.get("text") for part in made if isinstance(part, dict) and part.get("type") == "text"]
        # Text alone as a string: that is what vendors without other parts take everywhere.
        return {**message, "content": "\n".join(map(str, texts)) if len(texts) == len(made) else made}

    with_messages(body, of_message)


def known_message_fields(*known: str) -> Mend:
    """Drop fields of messages that the vendor does not know."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        lost: list[str] = []

        def change(message: dict[str, Any]) -> dict[str, Any]:
            unknown = [name for name in message if name not in known]
            # OpenAI's SDKs return an answer with each of its fields: nulls and empty lists ask for nothing.
            lost.extend(f"messages.{name}" for name in unknown if message[name] not in (None, []))
            return {name: value for name, value in message.items() if name in known} if unknown else message

        with_messages(body, change)
        return lost

    return mend


def with_content(body: Body, facts: ModelFacts) -> list[str]:
    """A message without content and calls gets an empty text."""

    def change(message: dict[str, Any]) -> dict[str, Any]:
        return message if "content" in message or message.get("tool_calls") else {**message, "content": ""}

    with_messages(body, change)
    return []


def with_texts(*roles: str) -> Mend:
    """Content is a string where it is text alone, and empty where there is none; of `roles` it holds nothing else.

    What else stands in a message of `roles` is replaced by a sentence. No roles: it stays, in messages of every role.
    """

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        lost: list[str] = []

        def text_of(part: Any) -> str:
            if isinstance(part, dict) and part.get("type") == "text":
                return str(part.get("text", ""))
            kind = part.get("type") if isinstance(part, dict) else None
            lost.append(f"content.{kind}")
            return f"[A part of type {kind} was left out: the provider takes text here.]"

        def change(message: dict[str, Any]) -> dict[str, Any]:
            content = message.get("content")
            if isinstance(content, str) or (roles and message.get("role") not in roles):
                return message
            if content is None:
                return {**message, "content": ""}
            texts = isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content)
            if isinstance(content, list) and (roles or texts):
                return {**message, "content": "\n".join(map(text_of, content))}
            return message

        with_messages(body, change)
        return lost

    return mend


def without_null_content(body: Body, facts: ModelFacts) -> list[str]:
    """A message without content, or with an empty list of parts, has an empty text, be it next to calls."""

    def change(message: dict[str, Any]) -> dict[str, Any]:
        return {**message, "content": ""} if message.get("content") in (None, []) else message

    with_messages(body, change)
    return []


def with_content_key(body: Body, facts: ModelFacts) -> list[str]:
    """Every message has the key `content`, a null next to calls, and none an empty list of calls."""

    def change(message: dict[str, Any]) -> dict[str, Any]:
        if message.get("tool_calls") == []:
            message = {name: value for name, value in message.items() if name != "tool_calls"}
        return message if "content" in message else {**message, "content": None if message.get("tool_calls") else ""}

    with_messages(body, change)
    return []


def json_arguments(body: Body, facts: ModelFacts) -> list[str]:
    """Arguments of replayed calls become the JSON text of an object, which templates and validators parse."""

    def of_call(call: Any) -> Any:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            return call
        given = function.get("arguments")
        made = given if isinstance(given, str) else orjson.dumps(given or {}).decode()
        try:
            parsed = orjson.loads(made or "{}")
        except orjson.JSONDecodeError:
            parsed = None
        if not isinstance(parsed, dict):
            # The model's own mistake: its text is kept where it can be read, as a value.
            made = orjson.dumps({"arguments": made}).decode()
        made = made or "{}"
        return call if made == given else {**call, "function": {**function, "arguments": made}}

    with_messages(body, lambda message: with_items(message, "tool_calls", of_call))
    return []


def at_most_cache_marks(count: int) -> Mend:
    """Of too many cache marks the last are kept: a later mark covers what an earlier one does."""

    def marked(one: Any) -> bool:
        return isinstance(one, dict) and "cache_control" in one

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        over = -count + sum(marked(tool) for tool in body.get("tools") or ())
        for message in body.get("messages") or ():
            content = message.get("content") if isinstance(message, dict) else None
            over += marked(message) + sum(marked(part) for part in content) if isinstance(content, list) else marked(message)
        if over <= 0:
            return []

        def unmarked(one: dict[str, Any]) -> dict[str, Any]:
            nonlocal over
            if over <= 0 or not marked(one):
                return one
            over -= 1
            return {name: value for name, value in one.items() if name != "cache_control"}

        body["tools"] = [unmarked(tool) for tool in body.get("tools") or ()]
        if not body["tools"]:
            del body["tools"]

        def of_message(message: dict[str, Any]) -> dict[str, Any]:
            message, content = unmarked(message), message.get("content")
            return {**message, "content": [unmarked(part) for part in content]} if isinstance(content, list) else message

        with_messages(body, of_message)
        return ["cache_control"]

    return mend
