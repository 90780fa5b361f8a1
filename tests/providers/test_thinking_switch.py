"""A forced tool, at vendors whose models think by default and refuse a forced tool while they do."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.providers.catalog import bind

FORCED: Any = {"type": "function", "function": {"name": "say"}}
OFF = {"thinking": {"type": "disabled"}}


TOOLS: Any = [{"type": "function", "function": {"name": "say", "parameters": {"type": "object", "properties": {}}}}]


def adapt(kind: str, translated: bool = True, **body: Any) -> tuple[dict[str, Any], list[str]]:
    body.setdefault("tools", TOOLS)
    dropped = bind(Provider(id="p", name="p", kind=kind)).adapt(str(body["model"]), body, "openai_chat", translated)
    del body["model"]
    if body.get("tools") == TOOLS:
        del body["tools"]
    return body, dropped


@pytest.mark.parametrize(
    ("kind", "model", "off"),
    [
        ("deepseek", "deepseek-v4-flash", OFF),
        ("moonshot", "kimi-k2.6", OFF),
        ("qwen", "qwen3.7-plus", {"enable_thinking": False}),
    ],
)
@pytest.mark.parametrize("choice", ["required", FORCED])
def test_thinking_by_default_is_switched_off_for_a_forced_tool(kind: str, model: str, off: dict[str, Any], choice: Any) -> None:
    assert adapt(kind, model=model, tool_choice=choice) == ({"tool_choice": choice, **off}, [])
    assert adapt(kind, model=model, tool_choice=choice, reasoning_effort="none") == ({"tool_choice": choice, **off}, [])


@pytest.mark.parametrize(
    ("kind", "model", "effort"),
    [
        ("deepseek", "deepseek-v4-pro", "high"),
        ("deepseek", "deepseek-reasoner", None),
        ("moonshot", "kimi-k2.7-code", None),
        ("qwen", "qwen3-235b-a22b-thinking-2507", None),
    ],
)
def test_with_requested_or_permanent_thinking_a_forced_tool_is_only_offered(kind: str, model: str, effort: str | None) -> None:
    more = {"reasoning_effort": effort} if effort else {}
    assert adapt(kind, model=model, tool_choice="required", **more) == ({"tool_choice": "auto", **more}, ["tool_choice"])


@pytest.mark.parametrize(
    ("kind", "model"), [("deepseek", "deepseek-chat"), ("moonshot", "kimi-k3"), ("qwen", "qwen3-coder-plus"), ("openai", "gpt-5.2")]
)
def test_other_models_get_the_tool_choice_unchanged(kind: str, model: str) -> None:
    assert adapt(kind, model=model, tool_choice="required") == ({"tool_choice": "required"}, [])


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_a_choice_that_forces_nothing_leaves_thinking_alone(choice: str) -> None:
    assert adapt("deepseek", model="deepseek-v4-flash", tool_choice=choice) == ({"tool_choice": choice}, [])


def test_glm_gets_no_tool_choice() -> None:
    """https://docs.z.ai/api-reference/llm/chat-completion: only auto."""
    assert adapt("zai", model="glm-5.2", tools=["t"], tool_choice="required") == ({"tools": ["t"]}, ["tool_choice"])
    assert adapt("zai", model="glm-5.2", tools=["t"], tool_choice="auto") == ({"tools": ["t"]}, [])
    assert adapt("zai", model="glm-5.2", tools=["t"], tool_choice="none") == ({}, [])


def test_a_passed_through_request_for_a_forced_tool_is_mended_too() -> None:
    assert adapt("deepseek", translated=False, model="deepseek-v4-flash", tool_choice="required") == (
        {"tool_choice": "required", **OFF},
        [],
    )
