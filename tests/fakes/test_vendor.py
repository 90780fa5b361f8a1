"""The scripted vendor: good answers in both dialects, read by the vendors' own SDKs, and its record of calls."""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import anthropic
import openai
import pytest

from tests.fakes.script import Script, Step, Tokens
from tests.fakes.vendor import API_KEY, Vendor

TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
HELLO = [{"role": "user", "content": "hello there"}]


@pytest.fixture
async def vendor():
    async with Vendor() as running:
        yield running


@pytest.fixture
async def gpt(vendor):
    async with openai.AsyncOpenAI(base_url=vendor.openai_url, api_key=API_KEY, max_retries=0) as client:
        yield client


@pytest.fixture
async def claude(vendor):
    async with anthropic.AsyncAnthropic(base_url=vendor.anthropic_url, api_key=API_KEY, max_retries=0) as client:
        yield client


async def test_openai_whole_and_streamed_answers_are_equal(gpt):
    whole = await gpt.chat.completions.create(model="m", messages=HELLO)
    stream = await gpt.chat.completions.create(model="m", messages=HELLO, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content == "You said: hello there"
    assert chunks[-1].usage == whole.usage


async def test_anthropic_whole_and_streamed_answers_are_equal(claude):
    whole = await claude.messages.create(model="m", messages=HELLO, max_tokens=100)
    async with claude.messages.stream(model="m", messages=HELLO, max_tokens=100) as stream:
        final = await stream.get_final_message()
    assert final.content[0].text == whole.content[0].text == "You said: hello there"
    assert final.usage.output_tokens == whole.usage.output_tokens == 7


async def test_usage_is_counted_as_each_dialect_counts_it(vendor, gpt, claude):
    vendor.script(Step(tokens=Tokens(input=10, cache_read=5, cache_write=3, output=8, reasoning=2)))
    chat = (await gpt.chat.completions.create(model="m", messages=HELLO)).usage
    assert (chat.prompt_tokens, chat.prompt_tokens_details.cached_tokens, chat.completion_tokens_details.reasoning_tokens) == (
        18,
        5,
        2,
    )
    message = (await claude.messages.create(model="m", messages=HELLO, max_tokens=9)).usage
    assert (message.input_tokens, message.cache_read_input_tokens, message.cache_creation_input_tokens) == (10, 5, 3)


async def test_a_tool_is_called_until_its_result_is_sent_openai(gpt):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": TOOL}}]
    first = (await gpt.chat.completions.create(model="m", messages=HELLO, tools=tools)).choices[0]
    call = first.message.tool_calls[0]
    assert (first.finish_reason, call.function.name, call.function.arguments) == ("tool_calls", "weather", '{"city":"Bern"}')
    messages = [*HELLO, first.message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    second = (await gpt.chat.completions.create(model="m", messages=messages, tools=tools)).choices[0]
    assert second.message.content == "The tool said: sunny"


async def test_a_tool_is_called_until_its_result_is_sent_anthropic(claude):
    tools = [{"name": "weather", "input_schema": TOOL}]
    async with claude.messages.stream(model="m", messages=HELLO, tools=tools, max_tokens=99) as stream:
        first = await stream.get_final_message()
    block = first.content[0]
    assert (first.stop_reason, block.name, block.input) == ("tool_use", "weather", {"city": "Bern"})
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": block.id, "content": "sunny"}]}
    messages = [*HELLO, {"role": "assistant", "content": first.content}, result]
    second = await claude.messages.create(model="m", messages=messages, tools=tools, max_tokens=99)
    assert second.content[0].text == "The tool said: sunny"


async def test_a_script_names_the_tool_and_its_arguments(vendor, gpt):
    vendor.script(Step(calls={"read": {"path": "a.txt"}, "view": {"file": "a.txt"}}))
    tools = [{"type": "function", "function": {"name": name, "parameters": TOOL}} for name in ("weather", "view")]
    message = (await gpt.chat.completions.create(model="m", messages=HELLO, tools=tools)).choices[0].message
    assert [(call.function.name, call.function.arguments) for call in message.tool_calls] == [("view", '{"file":"a.txt"}')]
    other = (await gpt.chat.completions.create(model="m", messages=HELLO, tools=tools[:1])).choices[0].message
    assert (other.tool_calls, other.content) == (None, "You said: hello there")


async def test_images_are_counted_and_max_tokens_is_kept(gpt):
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    seen = await gpt.chat.completions.create(
        model="m", messages=[{"role": "user", "content": [{"type": "text", "text": "look"}, picture, picture]}]
    )
    assert seen.choices[0].message.content == "You said: look (2 images)"
    short = (await gpt.chat.completions.create(model="m", messages=HELLO, max_tokens=2)).choices[0]
    assert (short.message.content, short.finish_reason) == ("You said:", "length")


async def test_thinking_comes_signed(vendor, claude):
    vendor.script(Step(thinking="let me see"))
    async with claude.messages.stream(model="m", messages=HELLO, max_tokens=99) as stream:
        block = (await stream.get_final_message()).content[0]
    assert (block.type, block.thinking) == ("thinking", "let me see")
    assert block.signature


async def test_models_and_embeddings_are_answered(gpt, claude):
    assert [model.id async for model in gpt.models.list()] == [model.id async for model in claude.models.list()]
    floats = await gpt.embeddings.create(model="e", input=["a", "b"], encoding_format="float")
    packed = await gpt.embeddings.create(model="e", input=["a", "b"])
    assert [row.embedding for row in floats.data] == [row.embedding for row in packed.data]


async def test_a_wrong_key_is_refused_and_recorded(vendor):
    async with openai.AsyncOpenAI(base_url=vendor.openai_url, api_key="sk-wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            await client.chat.completions.create(model="m", messages=HELLO)
    assert vendor.requests[0].key == "sk-wrong"


async def test_the_calls_are_recorded_as_received(vendor, claude):
    await claude.messages.create(model="m", messages=HELLO, max_tokens=5, extra_headers={"anthropic-beta": "x-2026"})
    call = vendor.requests[0]
    assert (call.path, call.body["messages"], call.headers["anthropic-beta"]) == ("/v1/messages", HELLO, "x-2026")
    assert call.outcome == "answered"


async def test_a_script_for_a_key_wins_over_one_for_a_model(vendor):
    vendor.script(Step(status=503), model="m")
    vendor.script(Step(status=418), key="sk-special")
    statuses = []
    for key, model in ((API_KEY, "other"), (API_KEY, "m"), ("sk-special", "m")):
        statuses.append(await _status(vendor, key=key, model=model))
    assert statuses == [200, 503, 418]


def test_a_script_repeats_its_last_step_or_all_of_them():
    steps = [Step(status=500), Step()]
    once, round_and_round = Script(steps), Script(steps, cycle=True)
    assert [once.take().status for _ in range(4)] == [500, 200, 200, 200]
    assert [round_and_round.take().status for _ in range(4)] == [500, 200, 500, 200]


async def test_it_runs_as_a_process_and_takes_its_script_over_http():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fakes.vendor", "--port", "0", stdout=asyncio.subprocess.PIPE
    )  # fmt: skip
    try:
        address = (await process.stdout.readline()).decode().split()[-1]
        async with aiohttp.ClientSession(headers={"authorization": f"Bearer {API_KEY}"}) as session:
            await session.post(f"{address}/__script", json={"steps": [{"status": 429, "headers": {"retry-after": "1"}}]})
            async with session.post(f"{address}/v1/chat/completions", json={"model": "m", "messages": HELLO}) as answer:
                assert (answer.status, answer.headers["retry-after"]) == (429, "1")
            async with session.get(f"{address}/__journal") as journal:
                assert [(call["path"], call["outcome"]) for call in await journal.json()] == [("/v1/chat/completions", "answered")]
    finally:
        process.terminate()
        await process.wait()


async def _status(vendor: Vendor, key: str, model: str) -> int:
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {key}"}) as session:
        body = {"model": model, "messages": HELLO}
        async with session.post(f"{vendor.openai_url}/chat/completions", json=body) as answer:
            return answer.status
