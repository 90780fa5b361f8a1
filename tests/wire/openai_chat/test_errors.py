"""Errors of OpenAI-compatible vendors, and ours in OpenAI's shape."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.core.answer import collect
from conduit_desktop.core.errors import BadRequest, BudgetExceeded, RateLimited, UpstreamError
from conduit_desktop.wire import StreamReader
from tests.wire.chat_frames import CHAT


def error(status: int, body: Any, **headers: str) -> UpstreamError:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return CHAT.read_error(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def error_body(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


AZURE = error_body(
    "The response was filtered", code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}, status=400
)
GEMINI = [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, error_body("too many", code="context_length_exceeded"), "context_length"),
        (400, error_body("This model's maximum context length is 8192 tokens."), "context_length"),
        (400, error_body("prompt is too long: 210000 tokens > 200000 maximum"), "context_length"),
        (422, {"detail": "Input length 9000 exceeds the maximum allowed token count"}, "context_length"),
        (400, error_body("Please reduce the length of the messages or completion."), "context_length"),
        (413, error_body("Request too large", code="rate_limit_exceeded"), "rate_limit"),
        (413, b"<html>413</html>", "too_large"),
        (400, AZURE, "content_filter"),
        (400, error_body("Rejected by our safety system", code="content_policy_violation"), "content_filter"),
        (400, error_body("filtered", innererror={"code": "ResponsibleAIPolicyViolation"}), "content_filter"),
        (403, error_body("Your input was flagged by moderation", code=403), "content_filter"),
        (429, error_body("You exceeded your current quota", type="insufficient_quota", code="insufficient_quota"), "money"),
        (402, error_body("Insufficient credits"), "money"),
        (402, error_body("Insufficient Balance", code="invalid_request_error"), "money"),
        (400, error_body("Your credit balance is too low"), "money"),
        (429, error_body("You exceeded your current quota. Please retry in 33.5s."), "rate_limit"),
        (401, error_body("Incorrect API key provided", code="invalid_api_key"), "auth"),
        (401, b"", "auth"),
        (400, GEMINI, "auth"),
        (403, error_body("You are not allowed to do this"), "permission"),
        (404, error_body("no such model", code="model_not_found"), "model_not_found"),
        (404, b"404 page not found", "model_not_found"),
        (400, error_body("The model `x` does not exist"), "model_not_found"),
        (400, error_body("Unknown parameter: foo", param="foo"), "bad_request"),
        (409, error_body("conflict"), "bad_request"),
        (429, error_body("slow down", type="tokens", code="rate_limit_exceeded"), "rate_limit"),
        (429, {"message": "Requests rate limit exceeded", "object": "error"}, "rate_limit"),
        (429, error_body("The engine is currently overloaded", type="engine_overloaded"), "overloaded"),
        (500, error_body("oops", type="server_error"), "server"),
        (500, error_body("This model's context window was exceeded"), "context_length"),
        (502, b"<!DOCTYPE html><html>secret</html>", "server"),
        (503, {"error": "Service unavailable"}, "overloaded"),
        (504, b"", "timeout"),
        (529, b"{", "overloaded"),
    ],
)
def test_errors_are_classified(status: int, body: Any, reason: str) -> None:
    found = error(status, body)
    assert (found.reason, found.status, found.dialect) == (reason, status, "openai_chat")


@pytest.mark.parametrize(
    ("body", "message", "kind", "param"),
    [
        (error_body("no", type="t", code="c", param="p"), "no", "c", "p"),
        (error_body("no", type="t", code=None), "no", "t", None),
        (error_body("no", type="t", code=401), "no", "t", None),
        (error_body("no", code="1211"), "no", "1211", None),
        ({"error": "plain words"}, "plain words", None, None),
        ({"message": "flat", "type": "t", "object": "error"}, "flat", "t", None),
        ({"detail": [{"loc": ["body", "x"], "msg": "is required"}, {"msg": "b"}]}, "body.x: is required; b", None, None),
        ({"message": {"detail": [{"msg": "deep"}]}}, "deep", None, None),
        ({"errors": [{"message": "a"}, {"message": "b"}]}, "a; b", None, None),
        ({"error": "not_found", "message": "words"}, "words", None, None),
        (
            error_body("Provider returned error", code=429, metadata={"raw": "slow down"}),
            "Provider returned error: slow down",
            None,
            None,
        ),
        (b"plain words", "plain words", None, None),
        (b"", "the provider answered with status 400 and no body", None, None),
        (b" <html>secret</html>", "the provider answered with a web page (status 400)", None, None),
        ({}, "{}", None, None),
    ],
)
def test_message_and_code_of_an_error_are_read(body: Any, message: str, kind: str | None, param: str | None) -> None:
    found = error(400, body)
    assert (found.message, found.kind, found.param) == (message, kind, param)
    assert found.body == (body if isinstance(body, bytes) else orjson.dumps(body))


def test_a_long_message_is_cut() -> None:
    assert len(error(400, error_body("x" * 100_000)).message) < 2_100


def test_the_wait_is_read_for_errors_that_waiting_resolves() -> None:
    assert error(429, error_body("slow"), retry_after="3").retry_after == 3
    assert error(429, error_body("Please try again in 1.2s.")).retry_after == 1.2
    assert error(401, error_body("no"), retry_after="3").retry_after is None


def test_openrouter_quotes_the_headers_of_the_limit() -> None:
    date = "Sun, 22 Nov 2026 00:00:00 GMT"
    headers = {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795305630000"}
    body = error_body("Rate limit exceeded: free-models-per-day", code=429, metadata={"headers": headers})
    assert error(429, body, date=date).retry_after == 30
    assert error(429, body, date=date, retry_after="2").retry_after == 2
    assert error(429, error_body("slow", metadata={"headers": None})).retry_after is None


def test_our_errors_in_openais_shape() -> None:
    status, body = CHAT.write_error(BadRequest("wrong", param="messages[0]"))
    assert status == 400
    assert body["error"] == {
        "message": "wrong",
        "type": "invalid_request_error",
        "param": "messages[0]",
        "code": "invalid_parameter",
    }
    assert CHAT.write_error(BudgetExceeded("spent"))[1]["error"]["type"] == "insufficient_quota"
    assert CHAT.write_error(RateLimited("slow"))[0] == 429


@pytest.mark.parametrize(
    ("dialect", "kind", "expected"),
    [
        ("openai_chat", "string_above_max_length", ("invalid_request_error", "string_above_max_length")),
        ("openai_chat", None, ("invalid_request_error", "context_length_exceeded")),
        ("anthropic_messages", "invalid_request_error", ("invalid_request_error", "context_length_exceeded")),
    ],
)
def test_an_upstream_error_keeps_its_own_code_or_gets_openais(dialect: str, kind: str | None, expected: tuple[str, str]) -> None:
    upstream = UpstreamError("too long", status=400, reason="context_length", kind=kind, dialect=dialect)
    status, body = CHAT.write_error(upstream)
    assert (status, body["error"]["type"], body["error"]["code"]) == (400, *expected)
    assert CHAT.read_error(status, {}, orjson.dumps(body)).reason == "context_length"


def _read(reader: StreamReader, data: bytes) -> None:
    reader.feed(data)
    reader.close()


@pytest.mark.parametrize(
    ("code", "text", "status", "reason"),
    [
        (1002, "rate limit", 429, "rate_limit"),
        (1004, "login fail: Please carry the API secret key", 401, "auth"),
        (1008, "insufficient balance", 402, "money"),
        (1027, "output new_sensitive", 400, "content_filter"),
        (2013, "invalid params, unknown model", 400, "model_not_found"),
        (1000, "unknown error", 500, "server"),
    ],
)
def test_minimax_sends_errors_with_status_200(code: int, text: str, status: int, reason: str) -> None:
    body = {"id": "1", "choices": None, "base_resp": {"status_code": code, "status_msg": text}}
    whole, frame = orjson.dumps(body), b"data: " + orjson.dumps(body) + b"\n\n"
    with pytest.raises(UpstreamError) as caught:
        CHAT.read_response(body)
    found = [caught.value]
    for data in (whole, frame):
        reader = CHAT.reader()
        with pytest.raises(UpstreamError) as caught:
            _read(reader, data)
        found.append(caught.value)
    assert [(error.status, error.reason) for error in found] == [(status, reason)] * 3


def test_a_successful_answer_of_minimax_is_not_an_error() -> None:
    body = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "base_resp": {"status_code": 0, "status_msg": ""}}
    assert collect(CHAT.read_response(body)).first.text == "hi"


@pytest.mark.parametrize(("status", "wait"), [(429, 6.0), (500, None), (503, None)])
def test_rate_limit_headers_are_ignored_for_a_failing_server(status: int, wait: float | None) -> None:
    headers = {"x-ratelimit-remaining-requests": "9999", "x-ratelimit-reset-requests": "6s"}
    body = b'{"error": {"message": "The server had an error", "type": "server_error"}}'
    assert CHAT.read_error(status, headers, body).retry_after == wait
    assert CHAT.read_error(503, {**headers, "retry-after": "3"}, body).retry_after == 3
