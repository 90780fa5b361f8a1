"""Legacy completions: prompts in, text chunks out."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.errors import BadRequest, ConduitError, ProviderFailed, StreamBroken, UpstreamError
from conduit_desktop.core.events import Finished, Started, TextDelta, ToolCallStarted, Usage, UsageReported
from conduit_desktop.wire import dialect
from tests.fakes.replay import interactions

COMPLETIONS = dialect("openai_completions")


def chunk(text: str, finish: str | None = None, **more: Any) -> bytes:
    head = {"id": "cmpl-1", "object": "text_completion", "created": 5, "model": "m"}
    choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": finish}
    return b"data: " + orjson.dumps({**head, "choices": [choice], **more}) + b"\n\n"


STREAM = (
    chunk("One ") + chunk("two") + chunk("", "length")
    + b'data: {"id":"cmpl-1","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}\n\ndata: [DONE]\n\n'
)  # fmt: skip


@given(st.integers(1, 40))
def test_a_stream_is_the_same_however_it_is_split(size: int) -> None:
    reader = COMPLETIONS.reader()
    events = [event for at in range(0, len(STREAM), size) for event in reader.feed(STREAM[at : at + size])]
    assert reader.done
    answer = collect([*events, *reader.close()])
    assert answer.first.text == "One two"
    assert answer.first.finish is not None
    assert answer.first.finish.reason == "length"
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output) == (5, 2)


def test_a_stream_without_its_end_is_broken_and_an_error_in_it_is_one() -> None:
    reader = COMPLETIONS.reader()
    reader.feed(chunk("One"))
    with pytest.raises(StreamBroken):
        reader.close()
    reader = COMPLETIONS.reader()
    reader.feed(chunk("One"))
    with pytest.raises(StreamBroken):
        reader.close(clean=True)
    reader = COMPLETIONS.reader()
    with pytest.raises(UpstreamError):
        reader.feed(b'data: {"error": {"message": "overloaded", "type": "server_error"}}\n\n')


def test_a_stream_without_done_is_whole_where_the_body_ends_cleanly() -> None:
    reader = COMPLETIONS.reader()
    reader.feed(chunk("One") + chunk("", "stop"))
    assert reader.close(clean=True) == []
    assert reader.missing_end == b"data: [DONE]\n\n"
    cut = COMPLETIONS.reader()
    cut.feed(chunk("One") + chunk("", "stop"))
    with pytest.raises(StreamBroken):
        cut.close(clean=False)


@given(st.binary(max_size=80))
def test_odd_bytes_make_no_other_fault(data: bytes) -> None:
    reader = COMPLETIONS.reader()
    try:
        for piece in (b"data: " + data + b"\n\n", b'data: {"choices": [' + data + b"]}\n\n"):
            reader.feed(piece)
        reader.close()
    except ConduitError:
        pass
    else:
        assert reader.done


def test_what_is_written_can_be_read_again() -> None:
    request = ChatRequest("openai_completions", "alias", stream=True, include_usage=True)
    writer = COMPLETIONS.writer(request)
    events = [Started("id", "m", 5), TextDelta("One "), ToolCallStarted("c", "t"), TextDelta("two"), Finished("stop"),
              UsageReported(Usage(input=3, output=2))]  # fmt: skip
    written = b"".join(writer.write(event) for event in events) + writer.end()
    reader = COMPLETIONS.reader()
    answer = collect([*reader.feed(written), *reader.close()])
    assert (answer.first.text, answer.usage and answer.usage.input) == ("One two", 3)
    assert b"[DONE]" not in writer.fail(ProviderFailed("gone"))


def test_a_prompt_becomes_a_users_message_and_settings_stay() -> None:
    body = {"model": "m", "prompt": ["hello"], "max_tokens": 5, "stop": "x", "echo": True, "logprobs": 2, "stream": True}
    request = COMPLETIONS.read_request(body, {})
    outgoing = dialect("anthropic_messages").write_request(request, "claude")
    assert outgoing.body["messages"][0]["role"] == "user"
    assert "hello" in orjson.dumps(outgoing.body["messages"]).decode()
    assert outgoing.body["max_tokens"] == 5
    assert {"echo", "logprobs"} <= set(outgoing.dropped)


@pytest.mark.parametrize("prompt", [["a", "b"], [1, 2], [[1, 2]], {"a": 1}, None, 5])
def test_a_prompt_that_no_chat_model_takes_is_refused_by_name(prompt: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        COMPLETIONS.read_request({"model": "m", "prompt": prompt}, {})
    assert refused.value.param == "prompt"


def test_a_conversation_can_be_put_as_a_prompt() -> None:
    body = {"model": "m", "messages": [{"role": "system", "content": "be short"}, {"role": "user", "content": "hi"}], "seed": 3}
    outgoing = COMPLETIONS.write_request(dialect("openai_chat").read_request(body, {}), "base")
    assert (outgoing.body["prompt"], outgoing.body["model"], outgoing.body["seed"]) == ("be short\n\nhi", "base", 3)


def test_recorded_completions_are_read(recordings: Path) -> None:
    count = 0
    for one in interactions(recordings):
        if one["kind"] != "completions" or one["provider"] != "openai":
            continue
        count += 1
        body = orjson.loads(one["text"])
        answer = collect(COMPLETIONS.read_response(body))
        assert answer.first.text == body["choices"][0]["text"]
        assert answer.usage is not None
        assert answer.usage.total_output == body["usage"]["completion_tokens"]
    assert count
