"""The texts of the demo provider, made from the request alone, so that the same question gets the same answer."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson

from conduit_desktop.core.chat import Json

_MOST = 1000
"""The largest number or length in a sample value, whatever a schema asks for."""
THOUGHTS = "The question is short, and so should the answer be. First the question, then the facts, then a short conclusion."


@dataclass(slots=True)
class DemoReply:
    """One answer: its text and thinking, or the one tool call."""

    text: str = ""
    thinking: str = ""
    tool: str = ""
    arguments: str = ""


def reply_to(model: str, body: dict[str, Any]) -> DemoReply:
    """The answer of `model` to a request body of OpenAI's chat dialect."""
    question = last_question(body)
    if fits := _wanted_json(body):
        return DemoReply(orjson.dumps(fits[0]).decode())
    if model == "demo-tools":
        return _with_tools(body, question)
    if model == "demo-thinking":
        return DemoReply(f"You asked: *{question}*\n\nHaving thought about it: **yes, within reason**.", THOUGHTS)
    return DemoReply(_friendly(question, seen_images(body)))


def tokens(text: str) -> int:
    """An estimate of the tokens of `text`: one for four characters."""
    return (len(text) + 3) // 4


def prompt_tokens(body: dict[str, Any]) -> int:
    """The size of a request in tokens: the text of all messages, the tools, and 85 for each image."""
    text = sum(tokens(_text(message.get("content"))) + 4 for message in _messages(body))
    # An image of low detail is 85 tokens at OpenAI: https://platform.openai.com/docs/guides/images-vision
    tools = tokens(orjson.dumps(body["tools"]).decode()) if body.get("tools") else 0
    return text + tools + 85 * sum(seen_images(body).values())


def last_question(body: dict[str, Any]) -> str:
    """The text of the last user message, in one line of at most 200 characters."""
    for message in reversed(_messages(body)):
        if message.get("role") == "user":
            line = " ".join(_text(message.get("content")).split())
            return line if len(line) <= 200 else line[:199] + "…"
    return ""


def seen_images(body: dict[str, Any]) -> Counter[str]:
    """The number of images of each media type in the request; `linked` for those given by URL."""
    seen: Counter[str] = Counter()
    for message in _messages(body):
        for part in as_list(message.get("content")):
            if isinstance(part, dict) and part.get("type") == "image_url":
                seen[_media_type(part.get("image_url"))] += 1
    return seen


def call_id(name: str, arguments: str, position: int) -> str:
    """A tool call's id, the same for the same call at the same position of a conversation."""
    return "call_" + hashlib.sha256(f"{position}{name}{arguments}".encode()).hexdigest()[:24]


def sample(schema: Json, hint: str, depth: int = 0) -> Json:
    """A value that fits a JSON schema, with `hint` for free text; nesting ends at depth 6."""
    if not isinstance(schema, dict) or depth > 6:
        return hint
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    for word in ("enum", "examples"):
        if options := as_list(schema.get(word)):
            return options[0]
    for word in ("anyOf", "oneOf", "allOf"):
        if options := as_list(schema.get(word)):
            return sample(options[0], hint, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    # In JSON Schema `type` may be a list of types.
    return _sample_of(next(iter(as_list(kind)), kind), schema, hint, depth)


def _sample_of(kind: Json, schema: dict[str, Any], hint: str, depth: int) -> Json:
    if kind == "object":
        fields = as_dict(schema.get("properties"))
        wanted = as_list(schema.get("required")) or fields
        return {name: sample(fields.get(name), hint, depth + 1) for name in wanted if isinstance(name, str)}
    if kind == "array":
        return [sample(schema.get("items"), hint, depth + 1) for _ in range(max(1, min(_number(schema, "minItems", 1), 3)))]
    if kind in ("integer", "number"):
        return _number(schema, "minimum", min(1, _number(schema, "maximum", 1)))
    if kind == "boolean":
        return True
    return None if kind == "null" else hint[: max(0, _number(schema, "maxLength", 200))].ljust(_number(schema, "minLength", 0), ".")


def _number(schema: dict[str, Any], name: str, otherwise: int) -> int:
    value = schema.get(name)
    return max(-_MOST, min(value, _MOST)) if isinstance(value, int) else otherwise


def as_dict(value: Json) -> dict[str, Any]:
    """The value if it is an object, else an empty one: the demo does not validate requests."""
    return value if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [message for message in as_list(body.get("messages")) if isinstance(message, dict)]


def _text(content: Json) -> str:
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in as_list(content) if isinstance(part, dict) and isinstance(part.get("text"), str))


def _media_type(image: Json) -> str:
    url = str(as_dict(image).get("url", "") if isinstance(image, dict) else image)
    return url[5:].split(";")[0].split(",")[0] or "unknown" if url.startswith("data:") else "linked"


def _wanted_json(body: dict[str, Any]) -> tuple[Json] | None:
    wanted = as_dict(body.get("response_format"))
    if wanted.get("type") not in ("json_object", "json_schema"):
        return None
    schema = as_dict(wanted.get("json_schema")).get("schema")
    question = last_question(body)
    return (sample(schema, question),) if schema else ({"question": question, "answer": "Yes, this is JSON."},)


def _with_tools(body: dict[str, Any], question: str) -> DemoReply:
    messages = _messages(body)
    if messages and messages[-1].get("role") == "tool":
        return DemoReply(f"The tool answered: `{_text(messages[-1].get('content'))}`\n\nThat answers your question: *{question}*")
    tool = _chosen_tool(body)
    if tool is None:
        return DemoReply("I can call tools, but this request offers none that I may call.")
    return DemoReply(tool=str(tool.get("name", "")), arguments=orjson.dumps(sample(tool.get("parameters", {}), question)).decode())


def _chosen_tool(body: dict[str, Any]) -> dict[str, Any] | None:
    choice = body.get("tool_choice")
    offered: list[dict[str, Any]] = [
        tool["function"] for tool in as_list(body.get("tools")) if isinstance(as_dict(tool).get("function"), dict)
    ]
    if choice == "none" or not offered:
        return None
    named = as_dict(as_dict(choice).get("function")).get("name")
    return next((tool for tool in offered if tool.get("name") == named), offered[0])


def _friendly(question: str, images: Counter[str]) -> str:
    asked = f"You asked:\n\n> {question}\n" if question else "You asked nothing yet.\n"
    seen = ", ".join(f"{count} × {kind}" for kind, count in sorted(images.items()))
    looked = f"\nI saw {sum(images.values())} image(s): {seen}.\n" if images else ""
    words = len(question.split())
    return f"""Hello from Conduit's demo model. {asked}{looked}
I know nothing of the world, but I can show what an answer looks like:

1. **Streaming**: these words come one by one.
2. **Usage**: the tokens of question and answer are counted.
3. *Nothing leaves this computer*, and nothing costs anything.

```python
def greet(name: str) -> str:
    return f"Hello, {{name}}!"
```

| your question | |
|---|---|
| words | {words} |
| characters | {len(question)} |

Add a provider of your own, and a real model answers here.
"""
