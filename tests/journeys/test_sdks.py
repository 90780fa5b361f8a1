"""The official Python SDKs, streamed and not, with tools and pictures, to an upstream of either format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.journeys.conftest import ConfiguredGateway

ALIASES = ["to-openai", "to-anthropic"]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
OPENAI_TOOL: Any = {"type": "function", "function": {"name": "weather", "description": "The weather.", "parameters": SCHEMA}}
ANTHROPIC_TOOL: Any = {"name": "weather", "description": "The weather.", "input_schema": SCHEMA}
FRAGMENT_OF_COST = {"to-openai": (1, 2), "to-anthropic": (3, 15)}


@pytest.fixture
def chat(open_gateway: ConfiguredGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{open_gateway.served.address}/v1", api_key=open_gateway.key, max_retries=0) as client:
        yield client


@pytest.fixture
def messages(open_gateway: ConfiguredGateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=open_gateway.served.address, api_key=open_gateway.key, max_retries=0) as client:
        yield client


def newest(open_gateway: ConfiguredGateway) -> Any:
    return open_gateway.served.admin("GET", "/requests?limit=1")["data"][0]


def check_cost(record: Any, alias: str) -> None:
    """The record's cost is its tokens at the price that was set."""
    rates = FRAGMENT_OF_COST[alias]
    assert record["cost_state"] == "final"
    expected = ((record["input"] + record["cache_read"] + record["cache_write"]) * rates[0] + record["output"] * rates[1]) / 1e6
    assert record["cost_usd"] == pytest.approx(expected)
    assert record["cost_usd"] > 0


@pytest.mark.parametrize("alias", ALIASES)
def test_openai_answers_whole(chat: openai.OpenAI, open_gateway: ConfiguredGateway, alias: str) -> None:
    raw = chat.chat.completions.with_raw_response.create(model=alias, messages=[{"role": "user", "content": "hello there"}])
    answer = raw.parse()
    assert "hello there" in (answer.choices[0].message.content or "")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage
    assert answer.usage.prompt_tokens > 0
    record = newest(open_gateway)
    assert record["id"] == raw.headers["x-conduit-request-id"]
    assert (record["input"], record["output"]) == (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    check_cost(record, alias)
    assert float(raw.headers["x-conduit-cost-usd"]) == pytest.approx(record["cost_usd"])


@pytest.mark.parametrize("alias", ALIASES)
def test_openai_streams(chat: openai.OpenAI, open_gateway: ConfiguredGateway, alias: str) -> None:
    stream = chat.chat.completions.create(model=alias, messages=[{"role": "user", "content": "hello stream"}], stream=True)
    chunks = list(stream)
    assert "hello stream" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert all(chunk.choices for chunk in chunks), "usage was not requested"
    assert chunks[-1].choices[0].finish_reason == "stop"
    record = newest(open_gateway)
    assert record["streamed"] is True
    check_cost(record, alias)


@pytest.mark.parametrize("alias", ALIASES)
def test_anthropic_answers_whole(messages: anthropic.Anthropic, open_gateway: ConfiguredGateway, alias: str) -> None:
    answer = messages.messages.create(model=alias, max_tokens=200, messages=[{"role": "user", "content": "hello there"}])
    assert answer.content[0].type == "text"
    assert "hello there" in answer.content[0].text
    assert answer.stop_reason == "end_turn"
    record = newest(open_gateway)
    assert (record["input"], record["output"]) == (answer.usage.input_tokens, answer.usage.output_tokens)
    check_cost(record, alias)


@pytest.mark.parametrize("alias", ALIASES)
def test_anthropic_streams(messages: anthropic.Anthropic, open_gateway: ConfiguredGateway, alias: str) -> None:
    with messages.messages.stream(model=alias, max_tokens=200, messages=[{"role": "user", "content": "hello stream"}]) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert "hello stream" in text
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens > 0
    check_cost(newest(open_gateway), alias)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("alias", ALIASES)
def test_openai_calls_a_tool_and_reads_its_result(chat: openai.OpenAI, alias: str, streamed: bool) -> None:
    talk: list[Any] = [{"role": "user", "content": "weather in Bern?"}]
    if streamed:
        with chat.chat.completions.stream(model=alias, messages=talk, tools=[OPENAI_TOOL]) as stream:
            stream.until_done()
            message: Any = stream.get_final_completion().choices[0].message
    else:
        message = chat.chat.completions.create(model=alias, messages=talk, tools=[OPENAI_TOOL]).choices[0].message
    call = message.tool_calls[0]
    assert call.function.name == "weather"
    assert "city" in json.loads(call.function.arguments)
    kept = {"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": call.function.arguments}}
    talk += [{"role": "assistant", "tool_calls": [kept]}, {"role": "tool", "tool_call_id": call.id, "content": "sunny, 21 degrees"}]
    final = chat.chat.completions.create(model=alias, messages=talk, tools=[OPENAI_TOOL])
    assert "sunny, 21 degrees" in (final.choices[0].message.content or "")


@pytest.mark.parametrize("alias", ALIASES)
def test_anthropic_calls_a_tool_and_reads_its_result(messages: anthropic.Anthropic, alias: str) -> None:
    talk: list[Any] = [{"role": "user", "content": "weather in Bern?"}]
    with messages.messages.stream(model=alias, max_tokens=200, messages=talk, tools=[ANTHROPIC_TOOL]) as stream:
        answer = stream.get_final_message()
    assert answer.stop_reason == "tool_use"
    call = next(block for block in answer.content if block.type == "tool_use")
    assert "city" in call.input
    talk += [
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny, 21 degrees"}]},
    ]
    final = messages.messages.create(model=alias, max_tokens=200, messages=talk, tools=[ANTHROPIC_TOOL])
    assert "sunny, 21 degrees" in "".join(block.text for block in final.content if block.type == "text")


@pytest.mark.parametrize("alias", ALIASES)
def test_pictures_arrive_from_either_sdk(chat: openai.OpenAI, messages: anthropic.Anthropic, alias: str) -> None:
    seen = chat.chat.completions.create(
        model=alias,
        messages=[{"role": "user", "content": [
            {"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        ]}],
    )  # fmt: skip
    assert "1 image" in (seen.choices[0].message.content or "")
    source: Any = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    parts: list[Any] = [{"type": "text", "text": "look"}, {"type": "image", "source": source}]
    answer = messages.messages.create(model=alias, max_tokens=200, messages=[{"role": "user", "content": parts}])
    assert answer.content[0].type == "text"
    assert "1 image" in answer.content[0].text


def test_usage_adds_up_in_the_admin_api(chat: openai.OpenAI, open_gateway: ConfiguredGateway) -> None:
    def total() -> tuple[int, float]:
        rows = open_gateway.served.admin("GET", "/usage?group_by=model")["data"]
        row = next((row for row in rows if row["model"] == "to-openai"), {"requests": 0, "cost_usd": 0.0})
        return row["requests"], row["cost_usd"]

    before = total()
    for _ in range(3):
        chat.chat.completions.create(model="to-openai", messages=[{"role": "user", "content": "count me"}])
    cost = newest(open_gateway)["cost_usd"]
    after = total()
    assert after[0] == before[0] + 3
    assert after[1] == pytest.approx(before[1] + 3 * cost)


def refusals(open_gateway: ConfiguredGateway) -> list[tuple[str, str, int]]:
    """Key, model and the status each must get."""
    served = open_gateway.served
    poor = served.add("keys", name=f"poor-{len(served.admin('GET', '/keys')['data'])}", budget_usd=0)["key"]
    narrow = served.add("keys", name=f"narrow-{len(served.admin('GET', '/keys')['data'])}", models=["other*"])["key"]
    return [
        ("condt_" + "x" * 43, "to-openai", 401),
        (poor, "to-openai", 402),
        (narrow, "to-openai", 403),
        (open_gateway.key, "nothing-like-it", 404),
    ]


def test_openai_gets_its_own_error_type(open_gateway: ConfiguredGateway) -> None:
    codes = {401: "invalid_api_key", 402: "billing_hard_limit_reached", 403: "model_not_allowed", 404: "model_not_found"}
    for key, model, status in refusals(open_gateway):
        client = openai.OpenAI(base_url=f"{open_gateway.served.address}/v1", api_key=key, max_retries=0)
        with client, pytest.raises(openai.APIStatusError) as refused:
            client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
        assert refused.value.status_code == status
        assert refused.value.code == codes[status]


def test_anthropic_gets_its_own_error_type(open_gateway: ConfiguredGateway) -> None:
    types = {401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error"}
    for key, model, status in refusals(open_gateway):
        client = anthropic.Anthropic(base_url=open_gateway.served.address, api_key=key, max_retries=0)
        with client, pytest.raises(anthropic.APIStatusError) as refused:
            client.messages.create(model=model, max_tokens=10, messages=[{"role": "user", "content": "hi"}])
        assert refused.value.status_code == status
        body: Any = refused.value.body
        assert body["error"]["type"] == types[status]


def test_models_are_listed_for_both_sdks(chat: openai.OpenAI, messages: anthropic.Anthropic) -> None:
    assert {"to-openai", "to-anthropic"} <= {model.id for model in chat.models.list()}
    assert {"to-openai", "to-anthropic"} <= {model.id for model in messages.models.list(limit=1000)}
    assert chat.models.retrieve("to-openai").id == "to-openai"
