"""Errors of Replicate: refused requests and predictions that failed."""

from __future__ import annotations

from collections.abc import Mapping

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import GatewayError, UpstreamError
from conduit_desktop.wire.errors import error_body
from conduit_desktop.wire.replicate.request_writer import NAME

FAILED = frozenset({"failed", "canceled", "aborted"})
"""Statuses of predictions that did not succeed. https://replicate.com/docs/reference/http#predictions.get"""


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """An error response, or a failed prediction in its place. Header names are in lower case."""
    fields = error_body.parse_json(body)
    if isinstance(fields, dict) and fields.get("error") and fields.get("status") in FAILED:
        error = prediction_failed(str(fields["status"]), fields["error"])
        error.body, error.headers = body, headers
        return error
    return error_body.read_error(status, headers, body, NAME)


def write_error(error: GatewayError) -> tuple[int, dict[str, Json]]:
    """The status and `{"title", "detail", "status"}`."""
    return error.status, {"title": error.type, "detail": error.message, "status": error.status}


def prediction_failed(status: str, detail: Json) -> UpstreamError:
    """The error of a prediction that ended in `status` (failed, canceled, aborted); `detail` is its `error` field."""
    message = str(detail) if detail else f"the prediction ended as {status}"
    error = error_body.read_error_object({"message": message}, NAME)
    # The request was accepted, so a failure of unknown cause is not the caller's and may be tried elsewhere.
    if error.reason == "bad_request":
        error.reason = "server"
    return error
