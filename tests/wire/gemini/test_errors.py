"""Errors of Google's APIs: classified by reason, status and text; the wait; and ours in their shape."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.core.errors import BadRequest, BudgetExceeded, NoHealthyTarget, RateLimited, Unauthorized
from conduit_desktop.wire import dialect

GEMINI = dialect("gemini")


def body(code: int, status: str, message: str, *details: dict[str, Any]) -> bytes:
    return orjson.dumps({"error": {"code": code, "message": message, "status": status, "details": list(details)}})


INFO = "type.googleapis.com/google.rpc.ErrorInfo"
TOO_LONG = "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576)."
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "39.5s"}
QUOTA = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    ("status", "data", "reason"),
    [
        (400, body(400, "INVALID_ARGUMENT", "API key not valid.", {"@type": INFO, "reason": "API_KEY_INVALID"}), "auth"),
        (400, body(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."), "auth"),
        (400, body(400, "INVALID_ARGUMENT", "Invalid value at 'safety_settings[0].category'"), "bad_request"),
        (400, body(400, "INVALID_ARGUMENT", TOO_LONG), "context_length"),
        (400, body(400, "INVALID_ARGUMENT", "The request was blocked by a safety filter."), "content_filter"),
        (400, body(400, "FAILED_PRECONDITION", "User location is not supported for the API use."), "permission"),
        (400, body(400, "FAILED_PRECONDITION", "Gemini API free tier is not available. Please enable billing."), "money"),
        (401, body(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."), "auth"),
        (403, body(403, "PERMISSION_DENIED", "This API method requires billing to be enabled."), "money"),
        (403, body(403, "PERMISSION_DENIED", "off", {"@type": INFO, "reason": "SERVICE_DISABLED"}), "permission"),
        (404, body(404, "NOT_FOUND", "models/x is not found for API version v1beta"), "model_not_found"),
        (429, body(429, "RESOURCE_EXHAUSTED", QUOTA), "rate_limit"),
        (429, body(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."), "money"),
        (429, body(429, "RESOURCE_EXHAUSTED", "none left", {"reason": "MODEL_CAPACITY_EXHAUSTED"}), "overloaded"),
        (500, body(500, "INTERNAL", "An internal error has occurred."), "server"),
        (503, body(503, "UNAVAILABLE", "The model is overloaded."), "overloaded"),
        (504, body(504, "DEADLINE_EXCEEDED", "Deadline expired."), "timeout"),
        (429, b"[" + body(429, "RESOURCE_EXHAUSTED", QUOTA) + b"]", "rate_limit"),
        (502, b"<html><title>502</title>Bad Gateway</html>", "server"),
        (404, b"", "model_not_found"),
    ],
)
def test_errors_are_classified(status: int, data: bytes, reason: str):
    error = GEMINI.read_error(status, {}, data)
    assert (error.reason, error.status) == (reason, status)
    assert error.message


@pytest.mark.parametrize(
    ("headers", "data", "wait"),
    [
        ({}, body(429, "RESOURCE_EXHAUSTED", QUOTA, RETRY), 39.5),
        ({}, body(429, "RESOURCE_EXHAUSTED", QUOTA, {"retryDelay": {"seconds": 7}}), 7.0),
        ({}, body(429, "RESOURCE_EXHAUSTED", QUOTA + " Please retry in 12.5s."), 12.5),
        ({"retry-after": "4"}, body(429, "RESOURCE_EXHAUSTED", QUOTA), 4.0),
        ({}, body(429, "RESOURCE_EXHAUSTED", QUOTA), None),
    ],
)
def test_the_wait_is_read(headers: dict[str, str], data: bytes, wait: float | None):
    assert GEMINI.read_error(429, headers, data).retry_after == wait


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadRequest("no", param="contents"), "INVALID_ARGUMENT"),
        (Unauthorized("no"), "UNAUTHENTICATED"),
        (BudgetExceeded("no"), "RESOURCE_EXHAUSTED"),
        (RateLimited("no", retry_after=3), "RESOURCE_EXHAUSTED"),
        (NoHealthyTarget("no"), "UNAVAILABLE"),
    ],
)
def test_our_errors_have_googles_shape(error: Any, status: str):
    code, written = GEMINI.write_error(error)
    assert code == error.status
    assert written["error"]["status"] == status
    assert (written["error"]["code"], written["error"]["message"]) == (code, "no")
    assert GEMINI.read_error(code, {}, orjson.dumps(written)).retry_after == error.retry_after


def test_googles_own_error_is_passed_on_whole():
    data = body(429, "RESOURCE_EXHAUSTED", QUOTA, {"reason": "X", "more": 1})
    assert GEMINI.write_error(GEMINI.read_error(429, {}, data)) == (429, orjson.loads(data))
