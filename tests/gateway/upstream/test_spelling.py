"""A passed-through body keeps the spelling of its numbers, and says nothing but what is to be sent."""

from __future__ import annotations

import copy
import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.targets import BoundTarget
from conduit_desktop.gateway.snapshot import BoundProvider, Credential
from conduit_desktop.gateway.upstream import spelling
from conduit_desktop.gateway.upstream.reasoning_store import ReasoningStore
from conduit_desktop.gateway.upstream.spelling import spelled
from conduit_desktop.gateway.upstream.translation import prepare
from conduit_desktop.providers import Secrets
from conduit_desktop.providers.catalog import CATALOG, bind
from conduit_desktop.wire import dialect

NUMBERS = b'{"model":"alias","temperature":1.10,"seed":123456789012345678901234567890,"a":[1e3,-0.0,-0,{"b":2.50}],"c":1E+2}'


def sent(raw: bytes, **changes: Any) -> bytes:
    """The body as it is sent with these members changed; None takes one out."""
    received = orjson.loads(raw)
    body = {**received, **changes}
    return spelled(raw, received, {name: value for name, value in body.items() if value is not None})


def test_numbers_keep_their_spelling_with_another_model() -> None:
    assert sent(NUMBERS) == NUMBERS
    assert sent(NUMBERS, model="gpt-x") == NUMBERS.replace(b'"alias"', b'"gpt-x"')
    assert sent(NUMBERS, model="gpt-x", n=1) == NUMBERS.replace(b'"alias"', b'"gpt-x"')[:-1] + b',"n":1}'


@pytest.mark.parametrize("changes", [{"c": None}, {"c": 5}, {"temperature": None, "z": 1}, {"a": None}, {"seed": 2.0}])
def test_what_is_not_changed_keeps_its_numbers_where_others_are(changes: dict[str, Any]) -> None:
    written = sent(NUMBERS, model="gpt-x", **changes)
    expected = {**orjson.loads(NUMBERS), "model": "gpt-x", **changes}
    assert orjson.loads(written) == {name: value for name, value in expected.items() if value is not None}
    for name, text in (("temperature", b"1.10"), ("c", b"1E+2"), ("a", b"2.50"), ("seed", b"123456789012345678901234567890")):
        assert (text in written) is (name not in changes)


def test_a_list_of_which_one_element_changed_keeps_the_numbers_of_all() -> None:
    raw = b'{"model":"a","m":[{"x":1.0e1},{"x":2.0e1,"y":"old"},{"x":3.0e1}],"drop":1}'
    received = orjson.loads(raw)
    first, second, third = received["m"]
    body = {"model": "a", "m": [first, {**second, "y": "new"}, third]}
    assert spelled(raw, received, body) == b'{"model":"a","m":[{"x":1.0e1},{"x":2.0e1,"y":"new"},{"x":3.0e1}]}'
    body = {"model": "a", "m": [third, {"z": 1}]}
    assert spelled(raw, received, body) == b'{"model":"a","m":[{"x":3.0e1},{"z":1}]}'


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model":"other","model":"alias","t":1.50}',
        rb'{"mod\u0065l":"alias","x":{"model":"other"},"t":1.50}',
        b'{"x":{"max":9.0,"max":1.50},"model":"alias"}',
    ],
)
def test_a_member_that_is_there_twice_is_sent_once(raw: bytes) -> None:
    written = sent(raw, model="gpt-x")
    assert orjson.loads(written) == {**orjson.loads(raw), "model": "gpt-x"}
    assert b"1.50" in written
    assert written.count(b"model") == (2 if b'"x":{"model"' in raw else 1)
    assert written.count(b"max") <= 1


def test_a_number_that_was_changed_is_written_anew() -> None:
    assert orjson.loads(sent(b'{"model":"a","t":2.0,"gone":1}', t=1.0, gone=None)) == {"model": "a", "t": 1.0}


LONG = "x" * 70_000
"""A text that makes a body longer than what is searched for numbers."""


@pytest.mark.parametrize("model", ["alias", "gpt-x", 'a/\u00e9"long" name'])
@pytest.mark.parametrize("temperature", [b"0.5", b"0.50", b"5e-1"])
@pytest.mark.parametrize("spaced", [False, True])
def test_the_numbers_of_a_long_body_keep_their_spelling(model: str, temperature: bytes, spaced: bool) -> None:
    raw = b'{"x":"%b","nested":[{"model":"m","n":1.0}],"temperature":%b,"model":"alias"}' % (LONG.encode(), temperature)
    if spaced:
        raw = raw.replace(b",", b", ")
    written = sent(raw, model=model)
    assert orjson.loads(written) == {**orjson.loads(raw), "model": model}
    assert b'"temperature":' + temperature in written


def test_a_long_body_with_a_member_twice_is_written_anew() -> None:
    raw = b'{"model":"other","x":"%b","model":"alias","t":1.50}' % LONG.encode()
    assert sent(raw, model="gpt-x") == b'{"model":"gpt-x","x":"%b","t":1.50}' % LONG.encode()
    raw = b'{"x":"%b","m":[{"t":1.5,"t":2.5}],"model":"alias"}' % LONG.encode()
    assert sent(raw, model="alias") == b'{"x":"%b","m":[{"t":2.5}],"model":"alias"}' % LONG.encode()


def test_a_large_body_is_not_parsed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spelling, "LARGEST", 10)
    assert orjson.loads(sent(NUMBERS, c=None))["a"] == [1000.0, -0.0, 0, {"b": 2.5}]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
NAMES = st.sampled_from(["model", "messages", "temperature", "tools", "x"]) | st.text(max_size=4)


@given(st.text("0189.eE-,:} ", max_size=40).map(str.encode))
def test_a_number_with_a_second_spelling_is_never_overlooked(raw: bytes) -> None:
    pattern = re.compile(rb"[0-9](?:[.eE]|[0-9]{17})|-0")
    assert spelling._respelled(raw) >= len(pattern.findall(raw))
    assert bool(spelling._respelled(raw)) == bool(pattern.search(raw))


@pytest.mark.parametrize("nested", [b"2.50", b"1e3", b"123456789012345678901"])
def test_a_nested_number_keeps_its_spelling_with_one_at_the_top(nested: bytes) -> None:
    raw = b'{"model":"a","t":1.10,"x":[{"y":%b}]}' % nested
    assert sent(raw, model="b") == raw.replace(b'"a"', b'"b"')


@pytest.mark.parametrize("number", [b"1.10", b"1e3", b"2E5", b"-0.0", b"1234567890123456789012"])
def test_each_second_spelling_is_kept(number: bytes) -> None:
    raw = b'{"model":"a","x":%b}' % number
    assert sent(raw, model="b") == raw.replace(b'"a"', b'"b"')


@given(st.dictionaries(NAMES, VALUES, max_size=6), st.dictionaries(NAMES, VALUES, max_size=3), st.sets(NAMES, max_size=2))
def test_what_is_written_says_what_is_to_be_sent(received: dict[str, Any], changes: dict[str, Any], gone: set[str]) -> None:
    raw = orjson.dumps(received)
    received = orjson.loads(raw)
    body = {name: value for name, value in {**received, **changes}.items() if name not in gone}
    assert orjson.loads(spelled(raw, received, body)) == body


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'{"model":"a", "temperature" : 1.0e0 , "messages":[{"role":"user"}]}', b"1.0e0"),
        (b'{"temperature":-0.0}', b"-0.0"),
        (b'{"temperature":0.70,"messages":["\\"temperature\\":9.5"]}', b"0.70"),
        (b'{"temperature":0.70,"messages":["x\\"temperature",": 9.5"]}', b"0.7"),
        (b'{"temperature":9.50,"temperature":0.70}', b"0.7"),
    ],
)
def test_numbers_at_the_top_need_no_second_parser(raw: bytes, text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spelling.json, "loads", None)
    written = sent(raw, model="gpt-x")
    assert orjson.loads(written) == {**orjson.loads(raw), "model": "gpt-x"}
    assert b'"temperature":' + text in written
    assert written.count(b'"temperature":') == 1


TOOL = {
    "type": "function",
    "function": {
        "name": "f" * 70,
        "description": "d",
        "strict": True,
        "parameters": {"type": "object", "anyOf": [{"type": "null"}], "x": 1.50},
    },
}

BODIES: dict[str, dict[str, Any]] = {
    "openai_chat": {
        "model": "a",
        "messages": [
            {"role": "developer", "content": "s", "name": "n"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hi"},
                    {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "high"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c" * 70, "type": "function", "function": {"name": "f" * 70, "arguments": '{"x":1}'}}],
            },
            {"role": "tool", "tool_call_id": "c" * 70, "content": [{"type": "text", "text": "r"}]},
            {"role": "system", "content": "mid"},
            {"role": "user", "content": ""},
        ],
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "f" * 70}},
        "temperature": 1.10,
        "top_p": 0.5,
        "n": 2,
        "max_tokens": 5,
        "reasoning_effort": "minimal",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
        "user": "u" * 100,
        "metadata": {"a": "b"},
        "stop": ["a", "b", "c", "d", "e"],
        "stream": True,
        "parallel_tool_calls": False,
        "seed": 1,
        "logprobs": True,
    },
    "anthropic_messages": {
        "model": "a",
        "max_tokens": 5,
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "x"}, {"type": "document", "source": {"type": "url", "url": "https://x"}}],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "t", "signature": "s"},
                    {"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 1.50}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "r"}]}]},
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "temperature": 1.0,
        "top_p": 0.5,
        "stop_sequences": [],
        "metadata": {"user_id": "u" * 200},
        "stream": True,
    },
}
MODELS = ("m", "gpt-5", "claude-opus-4-7", "deepseek-reasoner", "kimi-k2-thinking", "qwen3-32b", "glm-4.6", "mistral-large", "o3")


@pytest.mark.parametrize("name", CATALOG)
@pytest.mark.parametrize("language", BODIES)
def test_no_rule_of_a_vendor_changes_the_clients_own_body(name: str, language: str) -> None:
    # The next target gets the same body, and what shares an object with it is written as it was received.
    cls = CATALOG[name]
    options = {field.name: "opt-1" for field in cls.fields if field.required and field.name not in ("api_key", "base_url")}
    base_url = None if cls.default_base_url else "https://llm.example.org"
    kind = bind(Provider(id="p", name="p", kind=name, base_url=base_url, options=options))
    if not kind.supports(language):
        pytest.skip("not passed through there")
    bound = BoundProvider(kind.config, kind, (Credential("0", Secrets()),))
    for model in MODELS:
        body = copy.deepcopy(BODIES[language])
        call = Call(dialect(language), body, "a", stream=True, received=(orjson.dumps(body), body))
        plain = Call(dialect(language), copy.deepcopy(body), "a", stream=True)
        try:
            sent = prepare(call, BoundTarget.of(bound, model), {}, ReasoningStore()).body
        except BadRequest:
            continue
        assert body == BODIES[language]
        assert orjson.loads(sent) == orjson.loads(prepare(plain, BoundTarget.of(bound, model), {}, ReasoningStore()).body)
