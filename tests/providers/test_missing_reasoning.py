"""A tool loop whose reasoning is missing goes to DeepSeek and Kimi: thinking is switched off, or a placeholder stands for it."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.providers import ProviderKind
from conduit_desktop.providers.catalog import bind

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
LOOP: list[dict[str, Any]] = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": "r"},
]
BLOCKS: list[dict[str, Any]] = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "r"}]},
]
OFF = {"type": "disabled"}


def vendor(kind: str) -> ProviderKind:
    return bind(Provider(id="p", name="p", kind=kind))


def with_reasoning(text: str) -> list[dict[str, Any]]:
    return [LOOP[0], {**LOOP[1], "reasoning_content": text}, LOOP[2]]


@pytest.mark.parametrize("translated", [True, False])
@pytest.mark.parametrize(("kind", "model"), [("deepseek", "deepseek-v4-pro"), ("moonshot", "kimi-k2.6")])
def test_thinking_is_switched_off_for_a_request_with_a_call_of_another_vendor(kind: str, model: str, translated: bool) -> None:
    body: dict[str, Any] = {"model": model, "messages": LOOP, "reasoning_effort": "high"}
    dropped = vendor(kind).adapt(model, body, "openai_chat", translated)
    assert "thinking" in dropped
    assert body == {"model": model, "messages": LOOP, "thinking": OFF}


@pytest.mark.parametrize(("kind", "model"), [("deepseek", "deepseek-v4-pro"), ("moonshot", "kimi-k2.6")])
def test_thinking_stays_on_where_the_reasoning_is_there(kind: str, model: str) -> None:
    body: dict[str, Any] = {"model": model, "messages": with_reasoning("t")}
    assert vendor(kind).adapt(model, body, "openai_chat", False) == []
    assert body == {"model": model, "messages": with_reasoning("t")}


@pytest.mark.parametrize(
    ("kind", "model"), [("deepseek", "deepseek-reasoner"), ("moonshot", "kimi-k2-thinking"), ("moonshot", "kimi-k3")]
)
def test_a_model_that_always_thinks_gets_a_placeholder(kind: str, model: str) -> None:
    body: dict[str, Any] = {"model": model, "messages": LOOP}
    assert vendor(kind).adapt(model, body, "openai_chat", False) == []
    assert body == {"model": model, "messages": with_reasoning(" ")}
    assert "reasoning_content" not in LOOP[1]


def test_the_answer_that_ends_a_tool_loop_is_padded_and_an_answer_without_calls_is_not() -> None:
    end: list[dict[str, Any]] = [{"role": "assistant", "content": "done"}, {"role": "user", "content": "more"}]
    body: dict[str, Any] = {"messages": [*with_reasoning("t"), *end, {"role": "assistant", "content": "plain"}, end[1]]}
    assert vendor("deepseek").adapt("deepseek-v4-pro", body, "openai_chat", False) == []
    assert [message.get("reasoning_content") for message in body["messages"]] == [None, "t", None, " ", None, None, None]


@pytest.mark.parametrize("model", ["deepseek-chat", "moonshot-v1-8k"])
def test_nothing_changes_for_models_that_do_not_think(model: str) -> None:
    body: dict[str, Any] = {"model": model, "messages": LOOP}
    vendor("moonshot" if "moonshot" in model else "deepseek").adapt(model, body, "openai_chat", False)
    assert body == {"model": model, "messages": LOOP}


def test_thinking_is_switched_off_in_anthropics_dialect_too() -> None:
    body: dict[str, Any] = {"messages": BLOCKS, "thinking": {"type": "enabled", "budget_tokens": 2000}}
    assert vendor("deepseek").adapt("deepseek-v4-pro", body, "anthropic_messages", False) == ["thinking"]
    assert body["thinking"] == OFF
    thought = {"type": "thinking", "thinking": "t", "signature": "s"}
    body = {"messages": [BLOCKS[0], {**BLOCKS[1], "content": [thought, *BLOCKS[1]["content"]]}, BLOCKS[2]]}
    assert vendor("deepseek").adapt("deepseek-v4-pro", body, "anthropic_messages", False) == []
    assert "thinking" not in body


def test_a_model_that_always_thinks_gets_a_block_with_a_placeholder() -> None:
    body: dict[str, Any] = {"messages": BLOCKS}
    assert vendor("moonshot").adapt("kimi-k3", body, "anthropic_messages", False) == []
    assert [block["type"] for block in body["messages"][1]["content"]] == ["thinking", "tool_use"]


@pytest.mark.parametrize(
    ("kind", "model", "sent", "wanted"),
    [
        ("cerebras", "gpt-oss-120b", "reasoning_content", "reasoning"),
        ("groq", "openai/gpt-oss-120b", "reasoning_content", "reasoning"),
        ("groq", "llama-3.3-70b-versatile", "reasoning_content", None),
        ("groq", "llama-3.3-70b-versatile", "reasoning", None),
        ("deepseek", "deepseek-v4-pro", "reasoning", "reasoning_content"),
        ("mistral", "magistral-medium-latest", "reasoning_content", None),
        ("mistral", "magistral-medium-latest", "reasoning", None),
    ],
)
def test_reasoning_that_a_client_returns_gets_the_vendors_name_or_is_left_out(
    kind: str, model: str, sent: str, wanted: str | None
) -> None:
    body: dict[str, Any] = {"model": model, "messages": [LOOP[0], {"role": "assistant", "content": "a", sent: "t"}, LOOP[0]]}
    dropped = vendor(kind).adapt(model, body, "openai_chat", False)
    assert body["messages"][1] == {"role": "assistant", "content": "a", **({wanted: "t"} if wanted else {})}
    assert dropped == ([] if wanted else [f"messages.{sent}"])
