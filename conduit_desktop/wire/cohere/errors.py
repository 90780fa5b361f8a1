"""Cohere's errors: `{"message"}`, sometimes with an `error_type`."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import GatewayError, Reason, UpstreamError
from conduit_desktop.wire.cohere.request_reader import NAME
from conduit_desktop.wire.openai_chat import errors as generic

_BY_STATUS: dict[int, Reason] = {498: "content_filter", 499: "server"}
"""Statuses of Cohere's own: a deny-listed token in what was asked or answered, a call they cancelled."""
_BY_TYPE: dict[str, Reason] = {"TOO_MANY_TOKENS": "context_length"}


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """An error answer, classified by its type, its status and its words."""
    error = generic.read_error(status, headers, body)
    error.dialect = NAME
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        fields = None
    kind = fields.get("error_type") if isinstance(fields, dict) else None
    if isinstance(kind, str):
        error.kind = error.code = kind
    error.set_reason(_BY_TYPE.get(error.kind or "") or _BY_STATUS.get(status) or error.reason)
    return error


def error_in_answer(fields: dict[str, Json]) -> UpstreamError:
    """An error where an answer was promised."""
    error = generic.read_error_object(fields)
    error.dialect, error.body = NAME, orjson.dumps(fields)
    return error


def write_error(error: GatewayError) -> tuple[int, dict[str, Json]]:
    """The status and `{"message"}`."""
    return error.status, {"message": error.message}
