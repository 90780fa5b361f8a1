"""What each generation of Claude takes, at Anthropic, at servers that are compatible with it, and on Bedrock."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.providers import ProviderKind
from conduit_desktop.providers.catalog import bind
from conduit_desktop.providers.claude import DEFAULT_MAX_TOKENS, EFFORT_BUDGETS
from conduit_desktop.providers.model_facts import facts_of
from conduit_desktop.wire import dialect

TOOLS = [{"name": "lookup", "input_schema": {"type": "object"}}]
FORCED: dict[str, Any] = {"tools": TOOLS, "tool_choice": {"type": "any"}}
ADAPTIVE = {"type": "adaptive"}
LOOP = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "lookup", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]},
]


def kind_of(kind: str) -> ProviderKind:
    return bind(Provider(id="p", name="p", kind=kind, base_url="http://localhost:1"))


def adapted(kind: str, model: str, translated: bool = True, **body: Any) -> tuple[dict[str, Any], list[str]]:
    """The body as it leaves, and the names of what was lost."""
    before = copy.deepcopy(body)
    # A copy of the top only, as passthrough makes it: what is inside belongs to the caller.
    sent = dict(body)
    lost = kind_of(kind).adapt(model, sent, "bedrock" if kind == "bedrock" else "anthropic_messages", translated)
    assert body == before
    return sent, lost


def claude(model: str, **body: Any) -> tuple[dict[str, Any], list[str]]:
    return adapted("anthropic", model, **({"max_tokens": 30_000} | body))


def asked(effort: str, **body: Any) -> dict[str, Any]:
    """The fields of a request with an effort, as the dialect writes it."""
    return {"thinking": ADAPTIVE, "output_config": {"effort": effort}, **body}


@pytest.mark.parametrize(
    ("model", "effort", "sent"),
    [
        ("claude-opus-4-8", "high", "high"),
        ("claude-sonnet-5", "high", "high"),
        ("claude-fable-5-1", "xhigh", "xhigh"),
        ("claude-opus-5-5", "max", "max"),
        ("claude-opus-4-7", "minimal", "low"),
        ("claude-opus-4-6", "xhigh", "high"),
        ("claude-sonnet-4-6", "max", "max"),
        ("claude-of-next-year", "medium", "medium"),
    ],
)
def test_an_effort_stays_a_word_for_models_that_know_words(model: str, effort: str, sent: str) -> None:
    assert claude(model, **asked(effort, max_tokens=2000)) == (asked(sent, max_tokens=2000), [])


@pytest.mark.parametrize(("effort", "budget"), EFFORT_BUDGETS.items())
def test_an_effort_becomes_a_budget_for_models_that_know_budgets_only(effort: str, budget: int) -> None:
    sent, lost = claude("claude-sonnet-4-5", **asked(effort, max_tokens=60_000))
    assert (sent, lost) == ({"thinking": {"type": "enabled", "budget_tokens": budget}, "max_tokens": 60_000}, [])


def test_opus_4_5_takes_both_a_budget_and_a_word() -> None:
    sent, _ = claude("claude-opus-4-5", **asked("xhigh"))
    assert (sent["thinking"]["type"], sent["output_config"]) == ("enabled", {"effort": "high"})


@pytest.mark.parametrize("cap", [1025, 1500, 2000, 8000, 16_384, 20_000])
@pytest.mark.parametrize("kind", ["anthropic", "bedrock"])
def test_the_budget_fits_below_the_callers_limit(kind: str, cap: int) -> None:
    limits = {"max_tokens": cap} if kind == "anthropic" else {"inferenceConfig": {"maxTokens": cap}, "messages": [{"role": "user"}]}
    thinks = asked("high") if kind == "anthropic" else {"additionalModelRequestFields": asked("high")}
    sent, lost = adapted(kind, "anthropic.claude-sonnet-4-5", **limits, **thinks)
    assert (sent["max_tokens"] if kind == "anthropic" else sent["inferenceConfig"]["maxTokens"]) == cap
    fields = sent if kind == "anthropic" else sent["additionalModelRequestFields"]
    assert 1024 <= fields["thinking"]["budget_tokens"] < cap
    assert lost == []


def test_thinking_is_left_out_where_the_callers_limit_has_no_room_for_it() -> None:
    assert claude("claude-sonnet-4-5", **asked("high", max_tokens=1024)) == ({"max_tokens": 1024}, ["reasoning"])
    budget = {"type": "enabled", "budget_tokens": 9000}
    sent, lost = claude("claude-sonnet-4-5", thinking=budget, max_tokens=4000)
    assert (sent["thinking"]["budget_tokens"], lost) == (2000, ["reasoning.budget_tokens"])


def test_without_a_limit_of_the_callers_thinking_does_not_share_the_default() -> None:
    assert adapted("anthropic", "claude-haiku-4-5")[0] == {"max_tokens": DEFAULT_MAX_TOKENS}
    assert adapted("anthropic", "claude-haiku-4-5", **asked("high"))[0]["max_tokens"] == DEFAULT_MAX_TOKENS + EFFORT_BUDGETS["high"]
    assert adapted("anthropic", "claude-3-haiku-20240307")[0] == {"max_tokens": 4096}
    sent, _ = adapted("anthropic", "claude-opus-4-1", **asked("max"))
    assert sent["max_tokens"] == 32_000
    assert sent["thinking"]["budget_tokens"] < 32_000


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("claude-3-haiku-20240307", 4096),
        ("claude-3-5-haiku-20241022", 8192),
        ("claude-opus-4-1-20250805", 32_000),
        ("claude-sonnet-4-20250514", 64_000),
        ("claude-haiku-4-5", 64_000),
        ("claude-opus-4-6", 128_000),
        ("claude-fable-5", 128_000),
    ],
)
def test_a_limit_over_the_models_own_is_lowered(model: str, most: int) -> None:
    assert claude(model, max_tokens=most + 1) == ({"max_tokens": most}, ["max_tokens"])
    assert claude(model, max_tokens=most) == ({"max_tokens": most}, [])


@pytest.mark.parametrize("model", ["claude-opus-4-7", "claude-opus-4-8-20260601", "claude-sonnet-5", "claude-fable-5-1"])
def test_a_new_claude_gets_no_sampling_and_a_word_in_place_of_a_budget(model: str) -> None:
    sent, lost = claude(model, temperature=0.5, top_k=4, thinking={"type": "enabled", "budget_tokens": 8000})
    assert sent == asked("medium", max_tokens=30_000)
    assert lost == ["temperature", "top_k"]
    assert claude(model, temperature=1, top_p=1) == ({"max_tokens": 30_000}, [])


@pytest.mark.parametrize(
    ("budget", "effort"), [(1024, "low"), (4096, "low"), (8192, "medium"), (16_384, "medium"), (32_000, "high")]
)
def test_a_budget_becomes_an_effort_for_a_claude_that_takes_no_budgets(budget: int, effort: str) -> None:
    body, _ = claude("claude-opus-4-7", thinking={"type": "enabled", "budget_tokens": budget})
    assert body["output_config"] == {"effort": effort}


def test_thoughts_are_asked_for_where_they_come_without_text() -> None:
    shown = {"type": "adaptive", "display": "summarized"}
    assert claude("claude-opus-4-7", thinking=shown)[0]["thinking"] == shown
    assert claude("claude-opus-4-6", thinking=shown)[0]["thinking"] == ADAPTIVE
    assert claude("claude-sonnet-4-5", thinking=shown)[0]["thinking"] == {"type": "enabled", "budget_tokens": 8192}


def test_claude_4_6_keeps_a_budget_that_the_caller_names() -> None:
    budget = {"type": "enabled", "budget_tokens": 8000}
    assert claude("claude-opus-4-6", thinking=budget) == ({"thinking": budget, "max_tokens": 30_000}, [])


@pytest.mark.parametrize("model", ["claude-opus-4-1", "claude-sonnet-4-5-20250929", "claude-haiku-4-5", "claude-opus-4-6"])
def test_from_4_1_to_4_6_there_is_temperature_or_top_p(model: str) -> None:
    assert claude(model, temperature=0.5, top_p=0.9) == ({"temperature": 0.5, "max_tokens": 30_000}, ["top_p"])


@pytest.mark.parametrize("model", ["claude-3-5-sonnet-20241022", "claude-opus-4-20250514", "claude-sonnet-4-0"])
def test_before_4_1_there_are_both(model: str) -> None:
    both = {"temperature": 0.5, "top_p": 0.9}
    sent, lost = claude(model, max_tokens=4000, **both)
    assert (sent, lost) == ({**both, "max_tokens": 4000}, [])


@pytest.mark.parametrize("model", ["claude-sonnet-4-0", "claude-opus-4-6"])
def test_a_thinking_claude_takes_no_temperature_but_one(model: str) -> None:
    thinks = asked("low")
    assert claude(model, temperature=1, **thinks)[1] == []
    sent, lost = claude(model, temperature=0, top_p=0.5, top_k=3, **thinks)
    assert not {"temperature", "top_p", "top_k"} & sent.keys()
    assert lost == ["temperature", "top_p", "top_k"]


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-4-8", "claude-fable-5"])
def test_a_forced_tool_wins_over_thinking(model: str) -> None:
    sent, lost = claude(model, **FORCED, **asked("high"))
    assert sent["tool_choice"] == {"type": "any"}
    assert "thinking" not in sent
    assert lost == ["reasoning"]


def test_a_forced_tool_stops_thinking_that_is_on_by_default() -> None:
    for fields in ({}, asked("high")):
        sent, _ = claude("claude-sonnet-5", **FORCED, **fields)
        assert sent["thinking"] == {"type": "disabled"}
    # Thinking can be switched off up to the effort `high`.
    assert claude("claude-opus-5", **FORCED, **asked("max"))[0]["output_config"] == {"effort": "high"}


@pytest.mark.parametrize("model", ["claude-fable-5-1", "claude-mythos-5-1", "claude-opus-5-5", "claude-sonnet-5-5"])
def test_a_model_that_refuses_forced_tools_chooses_itself(model: str) -> None:
    choice = {"type": "tool", "name": "lookup", "disable_parallel_tool_use": True}
    sent, lost = claude(model, tools=TOOLS, tool_choice=choice, **asked("high"))
    assert sent["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert sent["thinking"] == ADAPTIVE
    assert lost == ["tool_choice"]


@pytest.mark.parametrize(
    ("model", "thinking", "lost"),
    [
        ("claude-fable-5", None, ["reasoning"]),
        ("claude-opus-5-5", None, ["reasoning"]),
        ("claude-opus-5", {"type": "disabled"}, []),
        ("claude-sonnet-5-5", {"type": "between_tools"}, []),
        ("claude-opus-4-8", None, []),
        ("claude-3-5-haiku-20241022", None, []),
    ],
)
def test_thinking_is_stopped_in_the_models_own_way(model: str, thinking: dict[str, Any] | None, lost: list[str]) -> None:
    sent, found = claude(model, max_tokens=100, thinking={"type": "disabled"})
    assert (sent.get("thinking"), found) == (thinking, lost)
    # Where it cannot be stopped, it thinks as little as it can.
    assert sent.get("output_config") == ({"effort": "low"} if lost else None)


def test_a_claude_that_does_not_think_is_not_asked_to() -> None:
    assert claude("claude-3-5-haiku-20241022", max_tokens=100, **asked("high")) == ({"max_tokens": 100}, ["reasoning"])


def test_a_tool_loop_that_began_without_thinking_gets_no_budget() -> None:
    # "a final `assistant` message must start with a thinking block"; in adaptive mode the model may answer without one.
    sent, lost = claude("claude-sonnet-4-5", messages=LOOP, **asked("low"))
    assert ("thinking" in sent, lost) == (False, ["reasoning"])
    assert claude("claude-opus-4-6", messages=LOOP, **asked("low"))[0]["thinking"] == ADAPTIVE
    budget = {"type": "enabled", "budget_tokens": 2000}
    assert claude("claude-opus-4-6", messages=LOOP, thinking=budget)[0]["thinking"] == ADAPTIVE
    begun = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "x"}]
    assert claude("claude-sonnet-4-5", messages=begun, **asked("low"))[1] == ["reasoning"]


def test_a_model_without_structured_outputs_gets_the_schema_as_an_instruction() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    output = {"output_config": {"format": {"type": "json_schema", "schema": schema}}, "tools": [{**TOOLS[0], "strict": True}]}
    sent, lost = claude("claude-3-7-sonnet-20250219", system="s", **output)
    assert orjson.dumps(schema).decode() in sent["system"]
    assert sent["system"].startswith("s\n\n")
    assert "output_config" not in sent
    assert sent["tools"] == TOOLS
    assert lost == ["tools.strict", "response_format"]
    listed, _ = claude("claude-3-7-sonnet-20250219", system=[{"type": "text", "text": "s"}], **output)
    assert [block["type"] for block in listed["system"]] == ["text", "text"]
    assert claude("claude-sonnet-4-5", **output)[0]["output_config"] == output["output_config"]


def test_passthrough_at_anthropic_goes_as_it_came() -> None:
    body = {"temperature": 0.5, "thinking": {"type": "enabled", "budget_tokens": 9000}, "max_tokens": 10}
    assert adapted("anthropic", "claude-opus-4-7", translated=False, **body) == (body, [])


def test_a_server_that_only_borrows_the_dialect_gets_what_its_claude_takes() -> None:
    budget = {"type": "enabled", "budget_tokens": 9000}
    sent, lost = adapted("anthropic-compatible", "claude-opus-4-7", translated=False, temperature=0.5, thinking=budget)
    assert (sent["thinking"], lost) == (ADAPTIVE, ["temperature"])


def test_claude_on_vertex_gets_what_its_generation_takes() -> None:
    sent, lost = adapted("vertex", "claude-opus-4-8", temperature=0.5, **asked("high"))
    version = {"anthropic_version": "vertex-2023-10-16"}
    assert (sent, lost) == ({**asked("high"), "max_tokens": DEFAULT_MAX_TOKENS, **version}, ["temperature"])
    body = {"temperature": 0.5, "thinking": {"type": "enabled", "budget_tokens": 9000}, "max_tokens": 10}
    assert adapted("vertex", "claude-opus-4-8", translated=False, **body) == ({**body, **version}, [])


def test_of_an_unknown_model_nothing_is_assumed() -> None:
    body = {"temperature": 0.5, "top_p": 0.9, "thinking": ADAPTIVE, "max_tokens": 10}
    assert adapted("anthropic-compatible", "some-model", translated=False, **body) == (body, [])
    sent, lost = adapted("anthropic-compatible", "some-model", max_tokens=20_000, **asked("high"))
    # Budgets are what servers knew first.
    assert sent == {"thinking": {"type": "enabled", "budget_tokens": EFFORT_BUDGETS["high"]}, "max_tokens": 20_000}
    assert lost == []


@pytest.mark.parametrize(
    ("dialect_name", "model", "body", "sent"),
    [
        (
            "openai_chat",
            "claude-opus-4-8",
            {"messages": [{"role": "user", "content": "hello"}], "reasoning_effort": "high"},
            {"output_config": {"effort": "high"}, "thinking": ADAPTIVE, "max_tokens": DEFAULT_MAX_TOKENS},
        ),
        (
            "openai_responses",
            "claude-sonnet-5",
            {"input": "hello", "reasoning": {"effort": "high"}},
            {"output_config": {"effort": "high"}, "thinking": ADAPTIVE, "max_tokens": DEFAULT_MAX_TOKENS},
        ),
        (
            "openai_responses",
            "claude-opus-4-8",
            {"input": "hello", "reasoning": {"effort": "high"}, "max_output_tokens": 2000},
            {"output_config": {"effort": "high"}, "thinking": ADAPTIVE, "max_tokens": 2000},
        ),
        (
            "openai_responses",
            "claude-sonnet-4-5",
            {"input": "hello", "reasoning": {"effort": "high"}, "max_output_tokens": 2000},
            {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000},
        ),
    ],
)
def test_the_effort_and_the_limit_of_another_dialect_arrive(
    dialect_name: str, model: str, body: dict[str, Any], sent: dict[str, Any]
) -> None:
    request = dialect(dialect_name).read_request({"model": "m", **body}, {})
    written = dialect("anthropic_messages").write_request(request, model)
    lost = kind_of("anthropic").adapt(model, written.body, "anthropic_messages", translated=True)
    assert {name: value for name, value in written.body.items() if name not in ("model", "messages")} == sent
    assert [*written.dropped, *lost] == []


def test_the_generation_is_found_in_the_names_of_every_platform() -> None:
    for name in (
        "claude-sonnet-4-5-20250929",
        "claude-sonnet-4-5@20250929",
        "anthropic/claude-sonnet-4.5",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ):
        assert facts_of(name, "bedrock") == facts_of("claude-sonnet-4-5"), name
    assert facts_of("claude-opus-4-20250514").max_output == 32_000
    assert facts_of("claude-sonnet-5-20260630").forced_tools is True
