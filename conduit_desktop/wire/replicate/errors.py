"""Errors of Replicate: refused requests and predictions that failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import GatewayError, UpstreamError
from conduit_desktop.wire.openai_chat import errors as generic
from conduit_desktop.wire.replicate.request_writer import NAME

FAILED = frozenset({"failed", "canceled", "aborted"})
"""Statuses of predictions that did not succeed. https://replicate.com/docs/reference/http#predictions.get"""


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """An error response, or a failed prediction in its place. Header names are in lower case."""
    fields = parse_json(body)
    if isinstance(fields, dict) and fields.get("error") and fields.get("status") in FAILED:
        error = prediction_failed(str(fields["status"]), fields["error"])
        error.body, error.headers = body, headers
        return error
    error = generic.read_error(status, headers, body)
    error.dialect = NAME
    return error


def write_error(error: GatewayError) -> tuple[int, dict[str, Json]]:
    """The status and `{"title", "detail", "status"}`."""
    return error.status, {"title": error.type, "detail": error.message, "status": error.status}


def prediction_failed(status: str, detail: Json) -> UpstreamError:
    """The error of a prediction that ended in `status` (failed, canceled, aborted); `detail` is its `error` field."""
    message = str(detail) if detail else f"the prediction ended as {status}"
    error = generic.read_error_object({"message": message})
    error.dialect, error.message = NAME, message[:2000]
    if error.reason == "bad_request":
        error.reason = "server"
    return error


def parse_json(data: bytes) -> Any:
    """The JSON value in `data`; None for anything that is not JSON."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
