"""The demo provider: OpenAI's wire format, the same answer every time, within limits, and failures on purpose."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import MalformedStream, StreamBroken
from conduit_desktop.providers.catalog import bind
from conduit_desktop.providers.demo import Demo
from conduit_desktop.providers.demo_script import sample
from conduit_desktop.wire import dialect

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"enum": ["C", "F"]},
                "days": {"type": "integer", "minimum": 3},
                "why": {"type": "string"},
            },
            "required": ["city", "unit", "days"],
        },
    },
}


def demo(**options: Any) -> Demo:
    made = bind(Provider(id="d", name="demo", kind="demo", options={"pace_ms": 0, **options}))
    assert isinstance(made, Demo)
    return made


def request_body(model: str, *messages: Any, **fields: Any) -> dict[str, Any]:
    messages_in = messages or ({"role": "user", "content": "What is a gateway?"},)
    return {"model": model, "messages": list(messages_in), "stream_options": {"include_usage": True}, **fields}


async def sent(body: dict[str, Any], stream: bool) -> bytes:
    answer = demo().answer("chat", body, stream)
    assert answer.status == 200
    return b"".join([frame async for frame in answer.frames])


async def read_answer(body: dict[str, Any], stream: bool) -> Answer:
    """The answer as the gateway reads it."""
    data, chat = await sent(body, stream), dialect("openai_chat")
    if not stream:
        return collect(chat.read_response(orjson.loads(data)))
    reader = chat.reader()
    return collect([*reader.feed(data), *reader.close()])


@pytest.mark.parametrize("stream", [False, True])
async def test_chat_echoes_the_question_in_markdown(stream: bool):
    answer = await read_answer(request_body("demo-chat"), stream)
    assert "> What is a gateway?" in answer.first.text
    for mark in ("1. **", "```python", "|---|---|"):
        assert mark in answer.first.text
    assert answer.first.finish is not None
    assert answer.first.finish.reason == "stop"
    assert answer.usage is not None
    assert answer.usage.output == (len(answer.first.text) + 3) // 4
    assert answer.usage.input > 0


@pytest.mark.parametrize("model", ["demo-chat", "demo-tools", "demo-thinking", "demo-slow"])
async def test_a_stream_and_a_whole_answer_have_the_same_content(model: str):
    body = request_body(model, tools=[WEATHER])
    whole, streamed = await read_answer(body, False), await read_answer(body, True)
    assert streamed.choices == whole.choices
    assert streamed.usage == whole.usage


@pytest.mark.parametrize("model", ["demo-chat", "demo-tools", "demo-thinking"])
async def test_openais_types_accept_the_answer(model: str):
    body = request_body(model, tools=[WEATHER])
    ChatCompletion.model_validate_json(await sent(body, False), strict=True)
    frames = (await sent(body, True)).decode().split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    chunks = [ChatCompletionChunk.model_validate_json(frame.removeprefix("data: "), strict=True) for frame in frames[:-2]]
    assert chunks[-1].usage is not None
    assert chunks[-1].choices == []
    assert len({chunk.id for chunk in chunks}) == 1


async def test_usage_comes_only_where_it_was_requested():
    body = request_body("demo-chat")
    del body["stream_options"]
    assert b'"usage"' not in await sent(body, True)


async def test_the_first_tool_is_called_with_arguments_that_fit():
    (call,) = (await read_answer(request_body("demo-tools", tools=[WEATHER]), True)).first.tool_calls
    assert call.name == "weather"
    assert orjson.loads(call.arguments) == {"city": "What is a gateway?", "unit": "C", "days": 3}


async def test_an_answer_quotes_the_tool_result():
    answer = await read_answer(
        request_body(
            "demo-tools",
            {"role": "user", "content": "Rain?"},
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c", "content": "no rain"},
            tools=[WEATHER],
        ),
        True,
    )
    assert "no rain" in answer.first.text
    assert answer.first.tool_calls == []


@pytest.mark.parametrize("fields", [{}, {"tools": []}, {"tools": [WEATHER], "tool_choice": "none"}])
async def test_no_tool_is_called_without_tools_or_with_tool_choice_none(fields: dict[str, Any]):
    answer = await read_answer(request_body("demo-tools", **fields), False)
    assert answer.first.tool_calls == []
    assert answer.first.text


async def test_a_tool_that_is_forced_by_name_is_called():
    other = {"type": "function", "function": {"name": "other"}}
    choice = {"type": "function", "function": {"name": "other"}}
    (call,) = (await read_answer(request_body("demo-tools", tools=[WEATHER, other], tool_choice=choice), False)).first.tool_calls
    assert call.name == "other"


async def test_thinking_comes_first_and_is_counted():
    answer = await read_answer(request_body("demo-thinking"), True)
    assert answer.first.thinking
    assert answer.usage is not None
    assert 0 < answer.usage.reasoning < answer.usage.output


@pytest.mark.parametrize("model", ["demo-chat", "demo-thinking"])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("limit", [1, 20, 40])
async def test_the_limit_is_kept(model: str, name: str, limit: int):
    answer = await read_answer(request_body(model, **{name: limit}), True)
    assert answer.usage is not None
    assert answer.usage.output <= limit
    assert answer.first.finish is not None
    assert answer.first.finish.reason == "length"


@pytest.mark.parametrize("stop", ["```", ["never written", "```"]])
async def test_it_stops_at_a_stop_text(stop: Any):
    text = (await read_answer(request_body("demo-chat", stop=stop), True)).first.text
    assert "```" not in text
    assert "Usage" in text


async def test_it_reports_the_number_and_type_of_images():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    link = {"type": "image_url", "image_url": {"url": "https://example.org/a.jpg"}}
    messages_in = {"role": "user", "content": [{"type": "text", "text": "Look"}, image, image, link]}
    text = (await read_answer(request_body("demo-chat", messages_in), False)).first.text
    assert "3 image(s): 2 × image/png, 1 × linked" in text


async def test_a_schema_is_answered_with_json_that_fits():
    schema = WEATHER["function"]["parameters"]  # type: ignore[index]
    wanted = {"type": "json_schema", "json_schema": {"name": "w", "schema": schema}}
    text = (await read_answer(request_body("demo-chat", response_format=wanted), True)).first.text
    assert orjson.loads(text)["unit"] == "C"
    assert orjson.loads((await read_answer(request_body("demo-chat", response_format={"type": "json_object"}), True)).first.text)


@pytest.mark.parametrize(
    ("model", "status"), [("demo-error-401", 401), ("demo-error-429", 429), ("demo-error-500", 500), ("gone", 404)]
)
@pytest.mark.parametrize("stream", [False, True])
async def test_it_refuses_as_openai_would(model: str, status: int, stream: bool):
    answer = demo().answer("chat", request_body(model), stream)
    body = b"".join([frame async for frame in answer.frames])
    assert answer.status == status
    error = dialect("openai_chat").read_error(status, answer.headers, body)
    assert error.message == orjson.loads(body)["error"]["message"]
    assert error.retry_after == (1 if status == 429 else None)


def test_other_endpoints_are_refused():
    assert demo().answer("embeddings", {"model": "demo-chat"}, False).status == 404


async def test_a_broken_answer_is_broken():
    body = request_body("demo-error-broken")
    reader = dialect("openai_chat").reader()
    events = reader.feed(await sent(body, True))
    assert collect(events).first.text
    with pytest.raises(StreamBroken):
        reader.close()
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(await sent(body, False))


async def test_a_malformed_answer_is_malformed():
    body = request_body("demo-error-malformed")
    reader = dialect("openai_chat").reader()
    assert reader.feed(await sent(body, True))
    with pytest.raises(MalformedStream):
        reader.close()
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(await sent(body, False))


@pytest.mark.parametrize("stream", [False, True])
async def test_the_timeout_model_sends_nothing(stream: bool):
    frames = demo().answer("chat", request_body("demo-error-timeout"), stream).frames
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(frames), 0.05)


def test_the_pace_is_between_20_and_40_ms_and_slower_on_request():
    made = bind(Provider(id="d", name="demo", kind="demo"))
    assert isinstance(made, Demo)
    delays = [made._delay("demo-chat", index) for index in range(50)]
    assert min(delays) >= 0.0199
    assert max(delays) <= 0.0401
    assert len({round(delay, 4) for delay in delays}) > 3
    assert made._delay("demo-slow", 3) > 5 * made._delay("demo-chat", 3)


async def test_the_same_question_gets_the_same_bytes_but_for_the_time():
    def timeless(data: bytes) -> list[Any]:
        frames = [orjson.loads(frame[6:]) for frame in data.split(b"\n\n")[:-2]]
        return [{**frame, "created": 0} for frame in frames]

    assert timeless(await sent(request_body("demo-chat"), True)) == timeless(await sent(request_body("demo-chat"), True))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.sampled_from(["demo-chat", "demo-tools", "demo-thinking"]), json_values, st.booleans())
def test_any_content_gets_an_answer(model: str, content: Any, stream: bool):
    body = {"model": model, "messages": [{"role": "user", "content": content}, content], "stop": content}
    body |= dict.fromkeys(("tools", "tool_choice", "response_format", "max_tokens", "stream_options"), content)
    assert asyncio.run(sent(body, stream))


def test_a_recursive_schema_ends():
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    schema["properties"]["again"] = schema
    assert orjson.dumps(sample(schema, "x"))


SAMPLES = (
    "type", "properties", "required", "items", "enum", "anyOf", "minimum", "maximum", "minItems", "minLength", "maxLength",
)  # fmt: skip
TYPES = st.sampled_from(["object", "array", "integer", "string", "boolean", "null", ["array", "null"]])
schemas = st.recursive(
    json_values, lambda inner: st.fixed_dictionaries({}, optional=dict.fromkeys(SAMPLES, inner) | {"type": TYPES}), max_leaves=12
)  # fmt: skip


@given(schemas)
def test_any_schema_gets_an_answer(schema: Any):
    function = {"type": "function", "function": {"name": "f", "parameters": schema}}
    assert asyncio.run(sent(request_body("demo-tools", tools=[function]), False))
    wanted = {"type": "json_schema", "json_schema": {"schema": schema}}
    assert asyncio.run(sent(request_body("demo-chat", response_format=wanted), False))
