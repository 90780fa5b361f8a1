"""OpenAI's chunks in AWS's frames."""

from __future__ import annotations

import orjson
import pytest

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.errors import BudgetExceeded, StreamBroken, UpstreamError
from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing.aws_eventstream import write
from tests.wire.chat_frames import DONE, chunk
from tests.wire.dialect_io import answer_of, client_request, read, write_stream

SAGEMAKER = dialect("sagemaker")
OPENAI = dialect("openai_chat")
CHUNKS = chunk({"role": "assistant", "content": "Hel"}) + chunk({"content": "lo"}) + chunk({}, "stop") + DONE


def parts(data: bytes, size: int = 11) -> bytes:
    """The stream cut into frames without regard for its chunks."""
    headers = {":event-type": "PayloadPart", ":message-type": "event"}
    return b"".join(write(data[at : at + size], headers) for at in range(0, len(data), size))


def test_chunks_cut_over_frames_make_the_answer() -> None:
    answer = answer_of(SAGEMAKER, parts(CHUNKS))
    assert answer.first.text == "Hello"
    assert answer == answer_of(OPENAI, CHUNKS)


def test_what_is_written_is_read_again() -> None:
    answer: Answer = answer_of(OPENAI, CHUNKS)
    assert answer_of(SAGEMAKER, write_stream(SAGEMAKER, list(answer.events()))).first.text == "Hello"
    failed = SAGEMAKER.writer(client_request(SAGEMAKER)).fail(BudgetExceeded("spent"))
    with pytest.raises(UpstreamError, match="spent"):
        read(SAGEMAKER, failed)
    assert answer_of(SAGEMAKER, SAGEMAKER.writer(client_request(SAGEMAKER)).ping() + parts(CHUNKS)).first.text == "Hello"


def test_a_stream_that_stops_is_broken() -> None:
    for data in (parts(CHUNKS)[:-5], parts(chunk({"content": "a"}))):
        with pytest.raises(StreamBroken):
            read(SAGEMAKER, data)


def test_events_before_an_exception_are_returned_first() -> None:
    fault = write(
        b'{"Message":"out of memory","ErrorCode":"x"}', {":exception-type": "ModelStreamError", ":message-type": "exception"}
    )
    reader = SAGEMAKER.reader()
    assert reader.feed(parts(chunk({"content": "a"})) + fault)
    with pytest.raises(UpstreamError, match="out of memory") as raised:
        reader.feed(b"")
    assert (raised.value.reason, raised.value.dialect) == ("server", "sagemaker")


def test_the_error_of_the_container_is_read() -> None:
    inner = orjson.dumps({"error": {"message": "maximum context length is 10 tokens", "code": 400}}).decode()
    body = {"ErrorCode": "X", "Message": "Received client error (400)", "OriginalMessage": inner, "OriginalStatusCode": 400}
    error = SAGEMAKER.read_error(424, {"x-amzn-errortype": "ModelError"}, orjson.dumps(body))
    assert (error.reason, error.status, error.message) == ("context_length", 400, "maximum context length is 10 tokens")
    error = SAGEMAKER.read_error(400, {"x-amzn-errortype": "ValidationError"}, b'{"Message":"Endpoint x not found"}')
    assert (error.reason, error.message, error.dialect) == ("model_not_found", "Endpoint x not found", "sagemaker")


def test_a_request_is_written_as_chat_completions() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "odd": {"a": 1}}
    assert SAGEMAKER.write_request(OPENAI.read_request(body, {}), "m").body == body
