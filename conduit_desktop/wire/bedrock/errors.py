"""Errors of Bedrock: a `message`, and a type in a header or in the frame of the stream.

https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import GatewayError, Reason, UpstreamError
from conduit_desktop.wire.bedrock.messages_reader import NAME
from conduit_desktop.wire.errors import error_body
from conduit_desktop.wire.errors.classify import SEARCHED
from conduit_desktop.wire.errors.context_overflow import BEDROCK_TEXT, context_overflow

_REASONS: dict[str, tuple[Reason, int]] = {
    "throttlingexception": ("rate_limit", 429),
    "servicequotaexceededexception": ("rate_limit", 429),
    "modelnotreadyexception": ("overloaded", 429),
    "serviceunavailableexception": ("overloaded", 503),
    "internalserverexception": ("server", 500),
    "internalfailure": ("server", 500),
    "modelerrorexception": ("server", 424),
    "modelstreamerrorexception": ("server", 424),
    "modeltimeoutexception": ("timeout", 408),
    "validationexception": ("bad_request", 400),
    "resourcenotfoundexception": ("model_not_found", 404),
    "accessdeniedexception": ("permission", 403),
    "unrecognizedclientexception": ("auth", 403),
    "invalidsignatureexception": ("auth", 403),
    "incompletesignatureexception": ("auth", 403),
    "missingauthenticationtokenexception": ("auth", 403),
    "expiredtokenexception": ("auth", 403),
}
"""The reason of each exception type, and the status of one that comes inside a stream.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html
"""

# A model that is unknown, retired or not sold on demand may come as a ValidationException, like any bad request.
_MODEL = re.compile(
    r"model identifier is invalid|on-demand throughput isn|end of its life|model (id|ARN) .{0,40}(not|invalid)"
    r"|endpoint \S{1,120} .{0,60}not found",
    re.IGNORECASE,
)
# A wrong key and a missing permission may have the same type; only the text separates them.
_KEY = re.compile(r"security token|signature we calculated|api key|bearer token", re.IGNORECASE)
_SIGNED = re.compile(rb"(?:\\n){0,9}The Canonical String for this request.*", re.DOTALL)
_FROM_TEXT = frozenset({"context_length", "content_filter", "model_not_found", "money"})
_EXCEPTIONS = {400: "validationException", 429: "throttlingException", 503: "serviceUnavailableException"}


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """An error response, classified by its type, then by its text. Header names are in lower case.

    AWS answers a wrong signature with the whole canonical request, session token included: that is cut off.
    """
    # Before anything else reads the body, so that no log and no message can hold the session token.
    body = _SIGNED.sub(b'"}', body)
    error = error_body.read_error(status, headers, body, NAME)
    fields = error_body.parse_json(body)
    kind = headers.get("x-amzn-errortype") or (fields.get("__type") if isinstance(fields, dict) else None)
    if isinstance(kind, str) and kind:
        # AWS writes the type as `namespace#Type`, or as `Type:` with a URL after it.
        error.kind = error.code = kind.partition(":")[0].rpartition("#")[2]
    _classify(error)
    return error


def error_in_answer(fault: str | None, fields: Json) -> UpstreamError:
    """An exception of type `fault` in a stream, or (None) an error body with status 200."""
    value = fields if isinstance(fields, dict) and fields else {"message": fault or "an error without a message"}
    error = error_body.read_error_object(value, NAME)
    error.body = orjson.dumps(fields)
    if fault is not None:
        error.kind = error.code = fault
        error.status = _REASONS.get(fault.lower(), ("server", 500))[1]
    _classify(error)
    return error


def _classify(error: UpstreamError) -> None:
    reason = _REASONS.get((error.kind or "").lower(), (error.reason, 0))[0]
    # Exception types are coarse: a ValidationException also stands for a prompt that is too long.
    if reason in ("bad_request", "server", "permission") and error.reason in _FROM_TEXT:
        reason = error.reason
    if reason in ("bad_request", "permission"):
        text = error.message[:SEARCHED]
        reason = "model_not_found" if _MODEL.search(text) else "auth" if _KEY.search(text) else reason
    error.set_reason(reason)


def write_error(error: GatewayError) -> tuple[int, dict[str, Json]]:
    """The status and `{"message"}`."""
    if context_overflow(error) is None or (isinstance(error, UpstreamError) and error.dialect == NAME):
        return error.status, {"message": error.message}
    return 400, {"message": BEDROCK_TEXT + (error.note if isinstance(error, UpstreamError) else "")}


def exception_type(error: GatewayError) -> str:
    """The `:exception-type` of an error in a stream."""
    return _EXCEPTIONS.get(error.status, "modelStreamErrorException" if error.status >= 500 else "validationException")
