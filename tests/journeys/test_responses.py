"""The official Python SDK's Responses API, streamed and not, to vendors with the chat dialect and Anthropic's dialect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.responses import ResponseCompletedEvent

from tests.journeys.conftest import ConfiguredGateway

ALIASES = ["to-openai", "to-anthropic"]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
TOOL: Any = {"type": "function", "name": "weather", "description": "The weather.", "parameters": SCHEMA, "strict": True}


@pytest.fixture
def client(open_gateway: ConfiguredGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{open_gateway.served.address}/v1", api_key=open_gateway.key, max_retries=0) as made:
        yield made


@pytest.mark.parametrize("alias", ALIASES)
def test_a_whole_answer(client: openai.OpenAI, open_gateway: ConfiguredGateway, alias: str) -> None:
    raw = client.responses.with_raw_response.create(model=alias, input="hello there", instructions="Be brief.")
    answer = raw.parse()
    assert "hello there" in answer.output_text
    assert (answer.status, answer.instructions) == ("completed", "Be brief.")
    assert answer.usage
    record = open_gateway.served.admin("GET", "/requests?limit=1")["data"][0]
    assert record["id"] == raw.headers["x-conduit-request-id"]
    assert (record["dialect"], record["input"], record["output"]) == (
        "openai_responses", answer.usage.input_tokens, answer.usage.output_tokens,
    )  # fmt: skip
    assert record["cost_usd"] > 0


@pytest.mark.parametrize("alias", ALIASES)
def test_a_stream(client: openai.OpenAI, alias: str) -> None:
    events = list(client.responses.create(model=alias, input="hello there", stream=True))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert "hello there" in text
    assert isinstance(events[-1], ResponseCompletedEvent)
    assert events[-1].response.output_text == text
    assert events[-1].response.usage
    assert events[-1].response.usage.output_tokens > 0


@pytest.mark.parametrize("alias", ALIASES)
def test_the_streaming_helper_follows(client: openai.OpenAI, alias: str) -> None:
    with client.responses.stream(model=alias, input="hello there", tools=[TOOL]) as stream:
        seen = [event.type for event in stream]
        final = stream.get_final_response()
    assert seen[-1] == "response.completed"
    assert [item.type for item in final.output if item.type == "function_call"]


@pytest.mark.parametrize("alias", ALIASES)
def test_a_tool_loop_over_the_response_before(client: openai.OpenAI, alias: str) -> None:
    first = client.responses.create(model=alias, input="weather?", tools=[TOOL])
    call = next(item for item in first.output if item.type == "function_call")
    output: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny in Bern"}]
    second = client.responses.create(model=alias, input=output, previous_response_id=first.id, tools=[TOOL])
    assert "sunny in Bern" in second.output_text
    assert client.responses.retrieve(second.id) == second
    client.responses.delete(second.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(second.id)


def test_errors_are_the_sdks_own(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.responses.create(model="nothing", input="x")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as broken:
        client.responses.create(model="to-openai", input="x", previous_response_id="resp_never")
    assert (broken.value.code, broken.value.param) == ("previous_response_not_found", "previous_response_id")


def test_input_tokens_are_counted(client: openai.OpenAI) -> None:
    assert client.responses.input_tokens.count(model="to-openai", input="word " * 100).input_tokens >= 100
