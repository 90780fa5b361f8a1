"""Mends of what a body of OpenAI's chat dialect asks of the form of the answer: JSON mode and JSON schemas."""

from __future__ import annotations

import re

import orjson

from conduit_desktop.providers.model_facts import ModelFacts
from conduit_desktop.providers.request_rules import Body, Mend
from conduit_desktop.providers.thinking_switch import ThinkingSwitch
from conduit_desktop.wire.json_instruction import json_instruction


def mention_json(body: Body, facts: ModelFacts) -> list[str]:
    """JSON mode is refused where no message says JSON: a word to the instructions."""
    if _format_of(body) == "json_object" and b"json" not in orjson.dumps(body.get("messages")).lower():
        instruct(body, "Answer in JSON.")
    return []


def schema_in_instructions(then: str | None) -> Mend:
    """The schema goes into the instructions; `then` is the type of format that the vendor takes in its place, None: none."""

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        if _format_of(body) != "json_schema":
            return []
        _instruct_format(body)
        if then is None:
            del body["response_format"]
        else:
            body["response_format"] = {"type": then}
        return ["response_format.json_schema"]

    return mend


def format_in_instructions(body: Body, facts: ModelFacts) -> list[str]:
    """A format for JSON becomes a sentence in the instructions."""
    if _format_of(body) not in ("json_object", "json_schema"):
        return []
    _instruct_format(body)
    del body["response_format"]
    return ["response_format"]


def tools_or_format(body: Body, facts: ModelFacts) -> list[str]:
    """With tools, a format for JSON becomes a sentence in the instructions."""
    return format_in_instructions(body, facts) if body.get("tools") else []


def format_or_prefill(body: Body, facts: ModelFacts) -> list[str]:
    """Where the answer is to continue the assistant's last message, a format for JSON becomes a sentence in the instructions."""
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    return format_in_instructions(body, facts) if isinstance(last, dict) and last.get("role") == "assistant" else []


def any_object_as_schema(body: Body, facts: ModelFacts) -> list[str]:
    """JSON mode as the schema of any object, which means the same."""
    if _format_of(body) == "json_object":
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
    return []


def _format_of(body: Body) -> str | None:
    wanted = body.get("response_format")
    return wanted.get("type") if isinstance(wanted, dict) else None


def _instruct_format(body: Body) -> None:
    inner = body["response_format"].get("json_schema")
    inner = inner if isinstance(inner, dict) else {}
    instruct(body, json_instruction(inner.get("schema"), inner.get("description")))


def instruct(body: Body, text: str) -> None:
    """Add a sentence to the instructions at the beginning of the conversation."""
    messages = list(body.get("messages") or ())
    first = messages[0] if messages and isinstance(messages[0], dict) else {}
    content = first.get("content")
    if first.get("role") not in ("system", "developer") or not isinstance(content, (str, list)):
        messages.insert(0, {"role": "system", "content": text})
    elif isinstance(content, str):
        messages[0] = {**first, "content": f"{content}\n\n{text}" if content else text}
    else:
        messages[0] = {**first, "content": [*content, {"type": "text", "text": text}]}
    body["messages"] = messages


def json_without_thinking(switch: ThinkingSwitch, by_default: str) -> Mend:
    """JSON mode and thinking exclude each other: the format is kept, and thinking is switched off where that can be done.

    `by_default`: the models that think unless thinking is switched off.
    """

    def mend(body: Body, facts: ModelFacts) -> list[str]:
        model = str(body.get("model", ""))
        if _format_of(body) not in ("json_object", "json_schema") or switch.is_off(body):
            return []
        if re.match(switch.always_on, model):
            return format_in_instructions(body, facts)
        asked = not body.keys().isdisjoint(("reasoning_effort", *switch.on))
        if not asked and not re.match(by_default, model):
            return []
        body.pop("reasoning_effort", None)
        body.update(switch.off)
        return ["reasoning_effort"] if asked else []

    return mend
