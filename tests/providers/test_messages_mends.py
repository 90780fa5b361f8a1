"""Claude Code at vendors that borrow Anthropic's dialect: what they refuse is mended in passthrough too."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.providers.catalog import bind

ANTHROPIC = "anthropic_messages"
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
TOOL = {"name": "f", "input_schema": {"type": "object", "properties": {}}}


def passed(kind: str, body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The body of a passed-through request, and what was lost."""
    asked = {"messages": [{"role": "user", "content": "hi"}], **body}
    before, shared = copy.deepcopy(asked), dict(asked)
    lost = bind(Provider(id="p", name="p", kind=kind)).adapt(str(body["model"]), shared, ANTHROPIC, False)
    assert asked == before, "the client's own body was changed"
    return shared, lost


@pytest.mark.parametrize(("kind", "model"), [("deepseek", "deepseek-v4-pro"), ("minimax", "MiniMax-M2.7")])
def test_a_picture_does_not_end_the_conversation(kind: str, model: str) -> None:
    result = {"type": "tool_result", "tool_use_id": "c", "content": [PICTURE, {"type": "text", "text": "a screen"}]}
    messages = [{"role": "user", "content": [{"type": "text", "text": "see"}, PICTURE]}, {"role": "user", "content": [result]}]
    body, lost = passed(kind, {"model": model, "messages": messages})
    assert lost == ["content.image"]
    assert "base64" not in str(body)
    sentence = {"type": "text", "text": "[An image was left out: the model does not take it]"}
    assert body["messages"][0]["content"] == [{"type": "text", "text": "see"}, sentence]
    assert body["messages"][1]["content"][0]["content"] == [sentence, {"type": "text", "text": "a screen"}]


@pytest.mark.parametrize(("kind", "model"), [("deepseek", "deepseek-flash"), ("minimax", "MiniMax-M3"), ("moonshot", "kimi-k2.6")])
def test_a_model_of_which_nothing_is_known_gets_the_picture(kind: str, model: str) -> None:
    messages = [{"role": "user", "content": [PICTURE]}]
    assert passed(kind, {"model": model, "messages": messages}) == ({"model": model, "messages": messages}, [])


@pytest.mark.parametrize(("kind", "model"), [("deepseek", "deepseek-v4-pro"), ("moonshot", "kimi-k2.6")])
@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "f"}])
def test_thinking_by_default_is_switched_off_for_a_forced_tool(kind: str, model: str, choice: dict[str, Any]) -> None:
    """Claude Code's web search forces a tool: deepseek-ai/awesome-deepseek-integration#606."""
    body, lost = passed(kind, {"model": model, "tools": [TOOL], "tool_choice": choice})
    assert (body["tool_choice"], body["thinking"], lost) == (choice, {"type": "disabled"}, [])


@pytest.mark.parametrize(
    ("kind", "model", "more"),
    [
        ("deepseek", "deepseek-v4-pro", {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        ("deepseek", "deepseek-v4-pro", {"output_config": {"effort": "high"}}),
        ("deepseek", "deepseek-reasoner", {}),
        ("moonshot", "kimi-k2-thinking", {}),
    ],
)
def test_with_thinking_that_stays_a_forced_tool_is_only_offered(kind: str, model: str, more: dict[str, Any]) -> None:
    choice = {"type": "any", "disable_parallel_tool_use": True}
    body, lost = passed(kind, {"model": model, "tools": [TOOL], "tool_choice": choice, **more})
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert lost == ["tool_choice"]


@pytest.mark.parametrize(
    ("kind", "model"),
    [("deepseek", "deepseek-chat"), ("moonshot", "kimi-k2-0905-preview"), ("moonshot", "kimi-k3"), ("zai", "glm-5.2")],
)
def test_other_models_get_the_choice_unchanged(kind: str, model: str) -> None:
    fields = {"model": model, "tools": [TOOL], "tool_choice": {"type": "any"}}
    assert passed(kind, fields)[0]["tool_choice"] == {"type": "any"}
    assert passed(kind, fields)[1] == []


def test_kimis_thinking_models_have_a_fixed_temperature() -> None:
    assert passed("moonshot", {"model": "kimi-k2.6", "temperature": 1})[1] == []
    body, lost = passed("moonshot", {"model": "kimi-k2.6", "temperature": 0.2, "top_p": 0.9})
    assert not {"temperature", "top_p"} & body.keys()
    assert lost == ["temperature", "top_p"]


def test_minimax_takes_no_temperature_of_zero() -> None:
    body, lost = passed("minimax", {"model": "MiniMax-M3", "temperature": 0})
    assert (body["temperature"], lost) == (0.01, ["temperature"])


@pytest.mark.parametrize(("kind", "model"), [("deepseek", "deepseek-v4-pro"), ("minimax", "MiniMax-M2.7")])
@pytest.mark.parametrize(
    "source",
    [
        {"type": "text", "media_type": "text/plain", "data": "BODY"},
        {"type": "content", "content": "BODY"},
        {"type": "content", "content": [{"type": "text", "text": "BODY"}]},
    ],
)
def test_a_document_of_text_reaches_a_model_that_reads_text_alone(kind: str, model: str, source: dict[str, Any]) -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    document = {"type": "document", "title": "T", "context": "C", "source": source, **mark}
    body, lost = passed(kind, {"model": model, "messages": [{"role": "user", "content": [document]}]})
    assert body["messages"][0]["content"] == [{"type": "text", "text": "T\nC\n\nBODY", **mark}]
    assert lost == []


def test_the_cache_mark_of_a_picture_stays_where_the_picture_was() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    body, _ = passed("deepseek", {"model": "deepseek-v4-pro", "messages": [{"role": "user", "content": [{**PICTURE, **mark}]}]})
    assert body["messages"][0]["content"][0].items() >= mark.items()
