"""Vendors with OpenAI's API and Anthropic's."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.providers import ProviderKind, Secrets
from conduit_desktop.providers.catalog import bind

ANTHROPIC = "anthropic_messages"


def vendor(kind: str, base_url: str | None = None) -> ProviderKind:
    return bind(Provider(id="p", name="p", kind=kind, base_url=base_url))


@pytest.mark.parametrize(
    ("kind", "base", "openai", "anthropic"),
    [
        ("deepseek", None, "https://api.deepseek.com/v1", "https://api.deepseek.com/anthropic/v1"),
        ("deepseek", "https://api.deepseek.com", "https://api.deepseek.com/v1", "https://api.deepseek.com/anthropic/v1"),
        ("deepseek", "https://api.deepseek.com/anthropic", "https://api.deepseek.com/v1", "https://api.deepseek.com/anthropic/v1"),
        ("moonshot", None, "https://api.moonshot.ai/v1", "https://api.moonshot.ai/anthropic/v1"),
        ("moonshot", "https://api.moonshot.cn/v1", "https://api.moonshot.cn/v1", "https://api.moonshot.cn/anthropic/v1"),
        ("zai", None, "https://api.z.ai/api/paas/v4", "https://api.z.ai/api/anthropic/v1"),
        ("zai", "https://api.z.ai/api/coding/paas/v4", "https://api.z.ai/api/coding/paas/v4", "https://api.z.ai/api/anthropic/v1"),
        ("zai", "https://open.bigmodel.cn/api/paas/v4", "https://open.bigmodel.cn/api/paas/v4",
         "https://open.bigmodel.cn/api/anthropic/v1"),
        ("minimax", None, "https://api.minimax.io/v1", "https://api.minimax.io/anthropic/v1"),
    ],
)  # fmt: skip
def test_both_apis_have_a_url(kind: str, base: str | None, openai: str, anthropic: str) -> None:
    one = vendor(kind, base)
    assert one.url("chat", "m", "openai_chat", True) == f"{openai}/chat/completions"
    assert one.supports(ANTHROPIC)
    assert one.url("chat", "m", ANTHROPIC, True) == f"{anthropic}/messages"


def test_behind_an_unknown_base_url_there_is_no_anthropic_api() -> None:
    one = vendor("zai", "https://proxy.example.org/llm/v1")
    assert not one.supports(ANTHROPIC)
    assert one.supports("openai_chat")


def test_each_api_gets_its_own_headers() -> None:
    one = vendor("minimax")
    there = one.all_headers(Secrets("k"), ANTHROPIC, {"anthropic-beta": "x"})
    assert there["x-api-key"] == "k"
    assert there["authorization"] == "Bearer k"
    assert there["anthropic-version"] == "2023-06-01"
    assert there["anthropic-beta"] == "x"
    assert one.all_headers(Secrets("k"), ANTHROPIC, {"anthropic-version": "2026-10-21"})["anthropic-version"] == "2026-10-21"
    here = one.all_headers(Secrets("k"), "openai_chat", {})
    assert not {"x-api-key", "anthropic-version"} & here.keys()


@pytest.mark.parametrize(
    ("kind", "model", "effort", "wanted", "dropped"),
    [
        ("deepseek", "deepseek-v4-pro", "high", {"reasoning_effort": "high"}, False),
        ("deepseek", "deepseek-flash", "low", {"reasoning_effort": "low"}, False),
        ("deepseek", "deepseek-flash", "medium", {"reasoning_effort": "high"}, False),
        ("qwen", "qwen3.7-plus", "none", {"enable_thinking": False}, False),
        ("deepseek", "deepseek-flash", "none", {"thinking": {"type": "disabled"}}, False),
        ("moonshot", "kimi-k2.6", "none", {"thinking": {"type": "disabled"}}, False),
        ("moonshot", "kimi-k2.6", "high", {"thinking": {"type": "enabled"}}, True),
        ("moonshot", "kimi-k2.7-code", "none", {}, True),
        ("moonshot", "kimi-k3", "medium", {"reasoning_effort": "high"}, False),
        ("moonshot", "kimi-k3", "none", {"reasoning_effort": "low"}, False),
        ("zai", "glm-4.7", "low", {"thinking": {"type": "enabled"}}, True),
        ("zai", "glm-5.2", "none", {"thinking": {"type": "disabled"}}, False),
        ("zai", "glm-5.3", "xhigh", {"reasoning_effort": "max"}, False),
        ("minimax", "MiniMax-M3", "low", {"thinking": {"type": "adaptive"}}, True),
        ("minimax", "MiniMax-M3", "none", {"thinking": {"type": "disabled"}}, False),
        ("minimax", "MiniMax-M2.7", "none", {}, True),
    ],
)
def test_thinking_is_switched_with_the_vendors_own_field(
    kind: str, model: str, effort: str, wanted: dict[str, Any], dropped: bool
) -> None:
    # In passthrough too: a client of OpenAI's dialect does not know the vendor's field.
    for translated in (True, False):
        body: dict[str, Any] = {"model": model, "reasoning_effort": effort}
        assert vendor(kind).adapt(body["model"], body, "openai_chat", translated) == (["reasoning_effort"] if dropped else [])
        separated = {"reasoning_split": True} if kind == "minimax" and translated else {}
        assert body == {"model": model, **separated, **wanted}


def test_kimis_platform_fixes_the_sampling_of_its_thinking_models() -> None:
    body: dict[str, Any] = {"model": "kimi-k2.6", "temperature": 0.2, "stop": "x"}
    assert vendor("moonshot").adapt(body["model"], body, "openai_chat", True) == ["temperature"]
    older: dict[str, Any] = {"model": "moonshot-v1-8k", "temperature": 0.2}
    assert vendor("moonshot").adapt(older["model"], older, "openai_chat", True) == []
