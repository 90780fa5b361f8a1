"""Cache marks of Anthropic's clients at vendors that take them (OpenRouter) and at those that do not."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.providers.catalog import bind
from conduit_desktop.wire import dialect

MARK = {"cache_control": {"type": "ephemeral"}}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}, **MARK}
REQUEST: dict[str, Any] = {
    "model": "m", "max_tokens": 50,
    "system": [{"type": "text", "text": "long prompt", **MARK}, {"type": "text", "text": "and more"}],
    "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}, **MARK}],
    "messages": [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "c", "content": "r", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ]},
        {"role": "assistant", "content": [{"type": "text", "text": "so", **MARK}]},
        {"role": "user", "content": [{"type": "text", "text": "go on", **MARK}, PICTURE]},
    ],
}  # fmt: skip


def written(kind: str) -> tuple[dict[str, Any], list[str]]:
    request = dialect("anthropic_messages").read_request(REQUEST, {})
    vendor = bind(Provider(id="p", name="p", kind=kind))
    made = dialect(vendor.dialect_for("m", request)).write_request(request, "m")
    return made.body, made.dropped


def test_openrouter_gets_each_mark_where_it_stood() -> None:
    body, dropped = written("openrouter")
    system, user, _, result, assistant, last = body["messages"]
    assert system["content"] == [{"type": "text", "text": "long prompt", **MARK}, {"type": "text", "text": "and more"}]
    assert user["content"] == "hello"
    assert result["content"] == [{"type": "text", "text": "r", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    assert assistant["content"] == [{"type": "text", "text": "so", **MARK}]
    assert [part["type"] for part in last["content"] if "cache_control" in part] == ["text", "image_url"]
    assert body["tools"][0]["cache_control"] == MARK["cache_control"]
    assert "cache_control" not in dropped


@pytest.mark.parametrize("kind", ["openai", "fireworks", "openai-compatible"])
def test_others_get_none_and_it_is_named(kind: str) -> None:
    body, dropped = written(kind)
    assert "cache_control" not in str(body)
    assert dropped.count("cache_control") == 1
