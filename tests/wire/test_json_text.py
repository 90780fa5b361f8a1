"""JSON as vendors and models write it: halves of characters, numbers out of range, whole numbers of more than 64 bits."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.wire import dialect
from conduit_desktop.wire.json_text import has_long_number, loads, loads_exact
from tests.wire.chat_frames import CHAT, DONE, read

BIG = "12345678901234567890123"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"a \ud83d"', "a \ufffd"),
        (r'"\ude00 a"', "\ufffd a"),
        (r'"\ud83d\ude00"', "\U0001f600"),
        (r'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (r'"\\ud83d \ud83d"', r"\ud83d " + "\ufffd"),
        (r'{"\ud83d": [1]}', {"\ufffd": [1]}),
    ],
)
def test_half_a_character_is_replaced(text: str, value: Any) -> None:
    assert loads(text) == loads(text.encode()) == value


def test_a_byte_order_mark_is_ignored() -> None:
    assert loads(b'\xef\xbb\xbf{"a":1}') == loads_exact(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


@pytest.mark.parametrize("text", ['{"a":', "", "NaN", r'"\ud83d" NaN', r'{"a": "\ud83d"', '{"a":1e400,}', '"\udc80'])
def test_what_is_malformed_is_refused(text: str) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        loads(text)


@pytest.mark.parametrize(
    "text",
    ['{"a":1e400}', '{"a":-1e999,"b":[1]}', f'{{"a":{BIG}}}', f'{{"a":-{BIG},"b":1.0}}', '{"a":18446744073709551616}'],
)
def test_a_number_that_fits_no_machine_word_is_written_as_it_came(text: str) -> None:
    assert orjson.dumps(loads_exact(text)).decode() == orjson.dumps(loads_exact(text.encode())).decode() == text


@pytest.mark.parametrize("before", range(6))
def test_a_long_number_is_found_wherever_it_stands(before: int) -> None:
    text = f'{{"{"x" * before}":{BIG[:20]}}}'
    assert has_long_number(text)
    assert has_long_number(text.encode())
    assert not has_long_number(text.replace(BIG[:20], BIG[:19]).encode())


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 10**18, 0])
def test_a_number_of_64_bits_is_a_number(number: int) -> None:
    assert loads_exact(f'{{"a": {number}, "b": {BIG}}}')["a"] == number


def test_a_text_that_is_too_deep_for_the_exact_parser_is_read_by_the_other() -> None:
    deep = "[" * 1000 + "]" * 1000
    assert loads_exact(f'{{"a": {BIG}, "b": {deep}}}')["a"] == float(BIG)


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": f'{{"id":{BIG},"x":1e400}}'}}
ANSWER = {"id": "a", "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"tool_calls": [CALL]}}]}


@pytest.mark.parametrize("caller", ["anthropic_messages", "gemini", "ollama", "bedrock", "openai_responses", "cohere"])
def test_numbers_in_a_call_reach_every_client_as_the_model_wrote_them(caller: str) -> None:
    answer = collect(CHAT.read_response(ANSWER))
    written = orjson.dumps(dialect(caller).write_response(answer, ChatRequest(caller, "m"))).replace(b"\\", b"")
    assert f'{{"id":{BIG},"x":1e400}}'.encode() in written


def test_a_stream_goes_on_after_half_a_character() -> None:
    frames = (
        b'data: {"choices":[{"index":0,"delta":{"content":"a \\ud83d"}}]}\n\n'
        + b'data: {"choices":[{"index":0,"delta":{"content":"b"},'
    )
    assert collect(read(frames + b'"finish_reason":"stop"}]}\n\n' + DONE)).first.text == "a \ufffdb"
