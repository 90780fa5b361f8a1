"""All exceptions of Conduit Desktop, as one tree; HTTP status and error code are attributes of the class.

ConduitError
├── HomeUnusable                 the home folder cannot be made or written
├── HomeHeld                     another process uses this home                     exit code 4
├── PortTaken                    another program listens on the port                exit code 3
├── DatabaseTooNew               written by a newer version
├── DatabaseUnusable             damaged, of another program, or cannot be opened or written; names the file and the remedy
│   └── RecordsUnavailable       a request's record is not durable (yet)
├── ConfigFileBroken             names the file, the line and the field
├── SecretsUnavailable           neither keyring nor vault can be used
├── ActionError 400              an operation of the admin API, CLI or GUI that cannot be done
│   ├── NotFound 404
│   ├── Conflict 409             a name that exists, an entity locked by the config file
│   └── Invalid 422              names the field
├── MalformedStream              bytes that a dialect's stream reader cannot parse
├── StreamBroken                 a stream ended without its terminal event
└── GatewayError                 the answer to a request of the client API
    ├── BadRequest 400           code: invalid_json, missing_parameter, invalid_parameter, …
    ├── Unauthorized 401         missing_api_key, invalid_api_key
    ├── BudgetExceeded 402       billing_hard_limit_reached
    ├── Forbidden 403            model_not_allowed, ip_not_allowed, host_not_allowed
    ├── UnknownPath 404 / MethodNotAllowed 405
    ├── ThreadNotFound 404       thread_not_found
    ├── ModelNotFound 404        model_not_found
    ├── PayloadTooLarge 413      payload_too_large
    ├── BodyTimeout 408          request_timeout
    ├── LoopDetected 508         loop_detected
    ├── RateLimited 429          rate_limit_exceeded, with retry_after
    │   └── BudgetBusy           budget_busy: a request in flight may take all that the budget has left
    ├── Internal 500             a bug in the gateway
    ├── ProviderFailed 502       provider_error, provider_stream_broken
    ├── NoHealthyTarget 503      no_healthy_target
    ├── RecordsRefused 503       records_unavailable
    ├── Closing 503              gateway_closing
    ├── ProviderTimeout 504      provider_timeout
    └── UpstreamError            the failure of one target, classified by `reason`
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from conduit_desktop.core.events import Usage


class ConduitError(Exception):
    """Base class of all our exceptions."""


class HomeUnusable(ConduitError):
    """The home folder cannot be created or written."""

    def __init__(self, folder: Path, cause: OSError) -> None:
        # A full disk, or the user's share of it: another home would be on it as well.
        full = cause.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "Free some space on its disk." if full else "Choose another with --home or CONDUIT_HOME."
        # The file in it that is at fault, such as a folder of the name of the lock file.
        which = f" ({cause.filename})" if cause.filename and str(cause.filename) != str(folder) else ""
        super().__init__(f"cannot use the home folder {folder}: {cause.strerror or cause}{which}. {remedy}")


class HomeHeld(ConduitError):
    """Another process uses this home."""


class PortTaken(ConduitError):
    """Another program listens on the port; `reason` is the text without the advice for who starts the program."""

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason + advice)
        self.reason = reason


class DatabaseTooNew(ConduitError):
    """The database was written by a newer version of Conduit Desktop."""


class DatabaseUnusable(ConduitError):
    """A database is damaged, of another program, or cannot be opened or written; the text names the file and the remedy."""


class RecordsUnavailable(DatabaseUnusable):
    """A request's record could not be written; it stays in memory, and the write is retried."""


class ConfigFileBroken(ConduitError):
    """The config file cannot be used; none of it was applied."""


class SecretsUnavailable(ConduitError):
    """There is no secret store, or it cannot be opened."""


class ActionError(ConduitError):
    """An operation that cannot be done; `field` is the path of the input at fault."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class NotFound(ActionError):
    """No such entity."""

    status = 404
    code = "not_found"


class Conflict(ActionError):
    """A name that exists already, or an entity that the config file locks."""

    status = 409
    code = "conflict"


class Invalid(ActionError):
    """An invalid value; `field` is its path."""

    status = 422
    code = "invalid"


class MalformedStream(ConduitError):
    """Bytes from an upstream that the dialect's reader cannot parse."""


class StreamBroken(ConduitError):
    """A stream ended without its dialect's terminal event."""


class GatewayError(ConduitError):
    """An error that the client API answers, written in the dialect of the request.

    `code` overrides the class's code, `param` names the request field at fault, `retry_after` is in seconds.
    """

    status: int = 500
    type: str = "api_error"
    code: str = "internal_error"
    # Read-only, because all errors share the default: a header added to it would show in every answer.
    response_headers: Mapping[str, str] = MappingProxyType({})
    """Extra headers of the error response: attempts, provider, and the state of the key's rate limits."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        if code is not None:
            self.code = code


class BadRequest(GatewayError):
    """The request is invalid; `param` names the field."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_parameter"


class Unauthorized(GatewayError):
    """No key was sent, or it is unknown, disabled or expired."""

    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class BudgetExceeded(GatewayError):
    """The key's budget is spent, or what remains does not cover this request's cost estimate."""

    # 402 and not 429, which SDKs retry: a spent budget does not come back within seconds.
    status = 402
    type = "insufficient_quota"
    code = "billing_hard_limit_reached"


class Forbidden(GatewayError):
    """A valid key, or an address, origin or host, that may not do this."""

    status = 403
    type = "invalid_request_error"
    code = "model_not_allowed"


class UnknownPath(GatewayError):
    """No such path in the client API."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class ThreadNotFound(GatewayError):
    """The message thread that a request continues is not kept (any more); clients then send the whole conversation."""

    status = 404
    type = "invalid_request_error"
    code = "thread_not_found"


class MethodNotAllowed(GatewayError):
    """The path exists, the method does not."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class ModelNotFound(GatewayError):
    """No alias, pattern or `provider/model` with that name."""

    status = 404
    type = "invalid_request_error"
    code = "model_not_found"


class PayloadTooLarge(GatewayError):
    """The body is over `max_body_mb`."""

    status = 413
    type = "invalid_request_error"
    code = "payload_too_large"


class BodyTimeout(GatewayError):
    """The body stopped coming, or came too slowly."""

    status = 408
    type = "invalid_request_error"
    code = "request_timeout"


class LoopDetected(GatewayError):
    """A request that has passed through this gateway already: a provider's base URL leads back to it."""

    status = 508
    type = "invalid_request_error"
    code = "loop_detected"


class RateLimited(GatewayError):
    """A rate limit of the key or of every target is reached; `retry_after` is in seconds."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class BudgetBusy(RateLimited):
    """A request in flight may overrun the budget, this one might too, and the wait for its end took too long."""

    code = "budget_busy"


class Internal(GatewayError):
    """A bug in the gateway."""


class ProviderFailed(GatewayError):
    """Every target failed; the text names each with the cause. `cause` is why a stream broke that the client had begun to get."""

    status = 502
    code = "provider_error"
    cause: Reason | None = None


class NoHealthyTarget(GatewayError):
    """Every target is disabled, in cooldown or behind an open circuit."""

    status = 503
    code = "no_healthy_target"


class RecordsRefused(GatewayError):
    """Records cannot be written, and the settings refuse requests until they can."""

    status = 503
    code = "records_unavailable"


class TooManyLargeBodies(GatewayError):
    """Large bodies are in flight, and there was no room for another one in time."""

    status = 503
    code = "too_many_large_bodies"


class Closing(GatewayError):
    """The gateway stops, and the grace period of running answers is over."""

    # A status that SDKs retry: after a restart the same request succeeds.
    status = 503
    code = "gateway_closing"


class ProviderTimeout(GatewayError):
    """The last target did not answer in time."""

    status = 504
    code = "provider_timeout"


Reason = Literal[
    "bad_request",
    "context_length",
    "content_filter",
    "too_large",
    "model_not_found",
    "auth",
    "permission",
    "money",
    "rate_limit",
    "overloaded",
    "server",
    "timeout",
    "connect",
    "malformed",
    "broken",
]
"""Why a target failed. See `UpstreamError.callers_fault` and `.retryable`."""

# Not model_not_found: another target has its own model, which may exist.
_CALLERS_FAULT = frozenset({"bad_request", "context_length", "content_filter", "too_large"})
# Not auth, permission or money: the same target would refuse the call for the same reason.
_RETRY_SAME = frozenset({"rate_limit", "overloaded", "server", "connect", "timeout", "malformed", "broken"})


class UpstreamError(GatewayError):
    """One target's error response, or a failure to get a response from it.

    `note` is the gateway's own addition to the message, kept where the message is put into another vendor's words.
    `body` and `headers` are the response as received, relayed unchanged to a caller of the same dialect. `dialect` is the
    dialect of that body. `kind` is the provider's own type or code of the error. `retry_after` is in seconds. `usage` is what
    the target reported for the failed attempt, which is paid for; `cut_off`: it had begun to answer, and reported nothing;
    `unanswered`: it had the whole request, and no answer came, so that nobody knows whether it is billed.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        reason: Reason,
        kind: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        dialect: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, code=kind, param=param, retry_after=retry_after)
        self.status = status
        self.kind = kind
        self.dialect = dialect
        self.body = body
        self.headers: Mapping[str, str] = headers or {}
        self.note = ""
        self.target_answered = False
        """Whether the target works, and only this answer failed: its health stays as it is."""
        self.usage: Usage | None = None
        self.cut_off = self.unanswered = False
        self.set_reason(reason)

    def set_reason(self, reason: Reason) -> None:
        """Classify the error again: sets `reason`, and `type` that depends on it."""
        self.reason: Reason = reason
        self.type = "invalid_request_error" if self.callers_fault else "api_error"

    @property
    def callers_fault(self) -> bool:
        """Whether the request itself is at fault: another target would fail too (but one with a larger context may not)."""
        return self.reason in _CALLERS_FAULT

    @property
    def retryable(self) -> bool:
        """Whether a retry at the same target may succeed."""
        return self.reason in _RETRY_SAME


def classify_status(status: int) -> Reason:
    """The reason for an HTTP status of an upstream; the dialect's error reader may set a more precise one from the body."""
    known: dict[int, Reason] = {
        401: "auth",
        402: "money",
        403: "permission",
        404: "model_not_found",
        408: "timeout",
        410: "model_not_found",
        413: "too_large",
        429: "rate_limit",
        503: "overloaded",
        504: "timeout",
        524: "timeout",  # Cloudflare: the origin did not answer in time
        529: "overloaded",  # Anthropic's overloaded_error
    }
    if status in known:
        return known[status]
    # An unknown 4xx is taken for a fault of the request, so that it is not sent to every other target as well.
    return "server" if status >= 500 else "bad_request"


def describe(error: Any) -> str:
    """The error's class and first line (at most 300 characters), for a log or a list of attempts; no body, no header."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:300]}" if text else type(error).__name__


def release(error: BaseException) -> None:
    """Cut `error` from the frames that it went through, and from the exceptions behind it, which are cut likewise.

    A frame holds the bodies it worked on, and mostly, by some detour, the error itself: only a full collection, which hardly ever
    comes, would find such a cycle. To be called where an error was dealt with, after its traceback was logged.
    """
    behind: list[BaseException] = [error]
    while behind:
        one = behind.pop()
        behind += [other for other in (one.__cause__, one.__context__) if other is not None]
        one.__traceback__ = one.__cause__ = one.__context__ = None
