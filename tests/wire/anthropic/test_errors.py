"""Errors of Anthropic's Messages API: read and classified, and ours written in its shape."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.core import errors
from conduit_desktop.core.errors import GatewayError, MalformedStream, UpstreamError
from tests.wire.messages_frames import MESSAGES


def body(kind: str, message: str, **more: Any) -> bytes:
    """An error body as Anthropic sends it."""
    return orjson.dumps({"type": "error", "error": {"type": kind, "message": message, **more}, "request_id": "req_1"})


@pytest.mark.parametrize(
    ("status", "kind", "message", "reason"),
    [
        (400, "invalid_request_error", "messages: at least one message is required", "bad_request"),
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", "context_length"),
        (400, "invalid_request_error", "input length and `max_tokens` exceed context limit: 199 + 9 > 200", "context_length"),
        (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", "money"),
        (400, "invalid_request_error", "Output blocked by content filtering policy", "content_filter"),
        (401, "authentication_error", "invalid x-api-key", "auth"),
        (402, "billing_error", "pay", "money"),
        (403, "permission_error", "no", "permission"),
        (404, "not_found_error", "model: claude-9", "model_not_found"),
        (413, "request_too_large", "Request exceeds the maximum size", "too_large"),
        (429, "rate_limit_error", "slow down", "rate_limit"),
        (500, "api_error", "Internal server error", "server"),
        (504, "timeout_error", "too slow", "timeout"),
        (529, "overloaded_error", "Overloaded", "overloaded"),
        (422, "from_the_future", "?", "bad_request"),
        (503, "from_the_future", "?", "overloaded"),
    ],
)
def test_errors_are_classified_by_type_and_text(status: int, kind: str, message: str, reason: str) -> None:
    raw = body(kind, message)
    error = MESSAGES.read_error(status, {}, raw)
    assert (error.status, error.kind, error.message, error.reason) == (status, kind, message, reason)
    assert (error.dialect, error.body) == ("anthropic_messages", raw)


def test_a_spend_limit_is_a_matter_of_money_and_not_of_rate() -> None:
    error = MESSAGES.read_error(429, {}, body("rate_limit_error", "stop", details={"error_code": "enforced_spend_limit_reached"}))
    assert error.reason == "money"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"<html><head><title>502 Bad Gateway</title></head><body>cf</body></html>", "502 Bad Gateway"),
        (b"<p>no <b>title</b></p>", "no title"),
        (b"upstream connect error\n", "upstream connect error"),
        (b"", "HTTP 502"),
        (b'{"message":"from Bedrock"}', "from Bedrock"),
        (b'[{"error":{"code":502,"message":"from Vertex","status":"X"}}]', "from Vertex"),
        (b'{"error":"plain"}', "plain"),
    ],
)
def test_bodies_of_other_shapes_are_read(raw: bytes, message: str) -> None:
    error = MESSAGES.read_error(502, {}, raw)
    assert (error.message, error.reason, error.kind) == (message, "server", None)


def test_the_wait_is_read_from_retry_after_or_from_the_exhausted_limit() -> None:
    raw = body("rate_limit_error", "slow down")
    assert MESSAGES.read_error(429, {"retry-after": "7"}, raw).retry_after == 7
    limits = {
        "date": "Sat, 21 Nov 2026 10:00:00 GMT",
        "anthropic-ratelimit-requests-remaining": "3",
        "anthropic-ratelimit-requests-reset": "2026-11-21T10:30:00Z",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-21T10:00:42Z",
    }
    assert MESSAGES.read_error(429, limits, raw).retry_after == 42
    assert MESSAGES.read_error(400, limits, body("invalid_request_error", "no")).retry_after is None


def test_an_error_with_a_success_status_is_an_error() -> None:
    with pytest.raises(UpstreamError) as caught:
        MESSAGES.read_response(orjson.loads(body("overloaded_error", "Overloaded")))
    assert (caught.value.reason, caught.value.status) == ("overloaded", 529)


@pytest.mark.parametrize("answer", [{}, {"content": "x"}, {"content": [{}]}])
def test_a_body_that_is_not_a_message_is_malformed(answer: dict[str, Any]) -> None:
    with pytest.raises(MalformedStream):
        MESSAGES.read_response(answer)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.BadRequest("messages: Field required", param="messages"), 400, "invalid_request_error"),
        (errors.Unauthorized("no key"), 401, "authentication_error"),
        (errors.BudgetExceeded("spent"), 402, "billing_error"),
        (errors.Forbidden("no"), 403, "permission_error"),
        (errors.ModelNotFound("no such model"), 404, "not_found_error"),
        (errors.MethodNotAllowed("POST only"), 405, "invalid_request_error"),
        (errors.PayloadTooLarge("too large"), 413, "request_too_large"),
        (errors.RateLimited("slow"), 429, "rate_limit_error"),
        (errors.Internal("oops"), 500, "api_error"),
        (errors.ProviderFailed("all failed"), 502, "api_error"),
        (errors.NoHealthyTarget("none"), 503, "api_error"),
        (errors.ProviderTimeout("slow"), 504, "timeout_error"),
        (UpstreamError("full", status=529, reason="overloaded"), 529, "overloaded_error"),
        (UpstreamError("odd", status=422, reason="bad_request"), 422, "invalid_request_error"),
    ],
)
def test_our_errors_have_anthropics_shape(error: GatewayError, status: int, kind: str) -> None:
    assert MESSAGES.write_error(error) == (status, {"type": "error", "error": {"type": kind, "message": error.message}})


def test_anthropics_own_error_is_passed_on_whole() -> None:
    raw = body("invalid_request_error", "prompt is too long", details={"x": 1})
    assert MESSAGES.write_error(MESSAGES.read_error(400, {}, raw)) == (400, orjson.loads(raw))
