"""Errors of Cohere: `{"message"}`, sometimes with an `error_type`. https://docs.cohere.com/reference/errors"""

from __future__ import annotations

from collections.abc import Mapping

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import GatewayError, Reason, UpstreamError
from conduit_desktop.wire.cohere.request_reader import NAME
from conduit_desktop.wire.errors import error_body
from conduit_desktop.wire.errors.context_overflow import cohere_text, context_overflow

_BY_STATUS: dict[int, Reason] = {498: "content_filter", 499: "server"}
"""Statuses that only Cohere has: 498 for a blocked token in the prompt or the answer, 499 for a cancelled request."""
_BY_TYPE: dict[str, Reason] = {"TOO_MANY_TOKENS": "context_length"}


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """An error response, classified by its type, its status and its text. Header names are in lower case."""
    error = error_body.read_error(status, headers, body, NAME)
    fields = error_body.parse_json(body)
    kind = fields.get("error_type") if isinstance(fields, dict) else None
    if isinstance(kind, str):
        error.kind = error.code = kind
    # Cohere's own types and statuses are exact, so they go before the guess from the text.
    error.set_reason(_BY_TYPE.get(error.kind or "") or _BY_STATUS.get(status) or error.reason)
    return error


def error_in_answer(fields: dict[str, Json]) -> UpstreamError:
    """An error in a stream, or an error body with status 200."""
    return error_body.read_error_object(fields, NAME)


def write_error(error: GatewayError) -> tuple[int, dict[str, Json]]:
    """The status and `{"message"}`."""
    overflow = context_overflow(error)
    if overflow is None or (isinstance(error, UpstreamError) and error.dialect == NAME):
        return error.status, {"message": error.message}
    return 400, {"message": cohere_text(overflow) + (error.note if isinstance(error, UpstreamError) else "")}
