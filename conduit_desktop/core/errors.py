"""Every error the house raises, as one tree; status, code and whether to retry are facts of the class.

ConduitError
├── HomeUnusable                 the home folder cannot be made or written
├── HomeHeld                     another process serves this home                   exit 4
├── PortTaken                    the port is held by somebody else                  exit 3
├── DatabaseTooNew               made by a newer version
├── DatabaseUnusable             damaged, foreign, or not to be opened or written; names the file and what to do
│   └── RecordsUnavailable       a request's record is not durable (yet)
├── ConfigFileBroken             names the file, the line and the field
├── SecretsUnavailable           neither keyring nor vault can be used
├── ActionError                  an operator's wish that cannot be met (admin API, CLI, GUI)
│   ├── NotFound 404             ├── Conflict 409 (a name taken, an entity locked by the config file)
│   └── Invalid 422              (names the field)
├── MalformedStream              a dialect's reader met bytes it cannot read
├── StreamBroken                 a stream ended without its terminal event
└── GatewayError                 what a caller of the client API is told
    ├── BadRequest 400           code says what: invalid_json, missing_parameter, invalid_parameter, …
    ├── Unauthorized 401         missing_api_key, invalid_api_key
    ├── BudgetExceeded 402       billing_hard_limit_reached
    ├── Forbidden 403            model_not_allowed, ip_not_allowed, host_not_allowed
    ├── UnknownPath 404 / MethodNotAllowed 405
    ├── ModelNotFound 404        model_not_found
    ├── PayloadTooLarge 413      payload_too_large
    ├── RateLimited 429          rate_limit_exceeded, with retry_after
    ├── Internal 500             a bug of ours, never expected
    ├── ProviderFailed 502       provider_error, provider_stream_broken
    ├── NoHealthyTarget 503      no_healthy_target
    ├── RecordsRefused 503       records_unavailable
    ├── Closing 503              gateway_closing
    ├── ProviderTimeout 504      provider_timeout
    └── UpstreamError            one target's own answer, classified by `reason`
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal


class ConduitError(Exception):
    """The root of the tree."""


class HomeUnusable(ConduitError):
    """The home folder cannot be made or written."""

    def __init__(self, folder: Path, cause: OSError) -> None:
        super().__init__(
            f"cannot use the home folder {folder}: {cause.strerror or cause}. Choose another with --home or CONDUIT_HOME."
        )


class HomeHeld(ConduitError):
    """Another process serves this home."""


class PortTaken(ConduitError):
    """The port is held by somebody else."""


class DatabaseTooNew(ConduitError):
    """The database was made by a newer version of Conduit Desktop."""


class DatabaseUnusable(ConduitError):
    """A database is damaged, not ours, or cannot be opened or written; says which file and what to do."""


class RecordsUnavailable(DatabaseUnusable):
    """A request's record could not be written; it is kept in memory and tried again."""


class ConfigFileBroken(ConduitError):
    """The config file cannot be used; nothing of it was."""


class SecretsUnavailable(ConduitError):
    """No place to keep a secret, or the place does not open."""


class ActionError(ConduitError):
    """An operator's wish that cannot be met; `field` names the input at fault."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class NotFound(ActionError):
    """No such thing."""

    status = 404
    code = "not_found"


class Conflict(ActionError):
    """A name that is taken, or a thing the config file locks."""

    status = 409
    code = "conflict"


class Invalid(ActionError):
    """A value that does not fit; `field` is its path."""

    status = 422
    code = "invalid"


class MalformedStream(ConduitError):
    """Bytes from an upstream that its dialect's reader cannot read."""


class StreamBroken(ConduitError):
    """A stream ended without its dialect's terminal event."""


class GatewayError(ConduitError):
    """What a caller of the client API is told, in whatever dialect it speaks."""

    status: int = 500
    type: str = "api_error"
    code: str = "internal_error"
    told: Mapping[str, str] = MappingProxyType({})
    """Headers that go with it: who was asked, and how the key's limits stand."""

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
    """The request itself is wrong; `param` names the field."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_parameter"


class Unauthorized(GatewayError):
    """No key, or one that does not open."""

    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class BudgetExceeded(GatewayError):
    """The key's budget is spent, or has no room for this request."""

    status = 402
    type = "insufficient_quota"
    code = "billing_hard_limit_reached"


class Forbidden(GatewayError):
    """A valid caller that may not do this."""

    status = 403
    type = "invalid_request_error"
    code = "model_not_allowed"


class UnknownPath(GatewayError):
    """No such path in the client API."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class MethodNotAllowed(GatewayError):
    """The path exists, the method does not."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class ModelNotFound(GatewayError):
    """No alias, pattern or `provider/model` by that name."""

    status = 404
    type = "invalid_request_error"
    code = "model_not_found"


class PayloadTooLarge(GatewayError):
    """The body is over `max_body_mb`."""

    status = 413
    type = "invalid_request_error"
    code = "payload_too_large"


class RateLimited(GatewayError):
    """A limit of the key, or every target's own limit; says when to come back."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class Internal(GatewayError):
    """A fault of ours."""


class ProviderFailed(GatewayError):
    """Every target failed; the text names each and why."""

    status = 502
    code = "provider_error"


class NoHealthyTarget(GatewayError):
    """Every target is disabled, parked or open-circuit."""

    status = 503
    code = "no_healthy_target"


class RecordsRefused(GatewayError):
    """Records cannot be written, and the operator chose to turn calls away until they can."""

    status = 503
    code = "records_unavailable"


class Closing(GatewayError):
    """The gateway stops, and the answer's time is over."""

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
"""Why a target did not answer. See `UpstreamError.callers_fault` and `.retryable`."""

_CALLERS_FAULT = frozenset({"bad_request", "context_length", "content_filter", "too_large"})
_RETRY_SAME = frozenset({"rate_limit", "overloaded", "server", "connect", "timeout", "malformed", "broken"})


class UpstreamError(GatewayError):
    """One target's own answer, or its silence.

    `body` and `content_type` are what it sent, to be relayed to a caller of the same dialect unchanged. `dialect` is
    the dialect of that body. `kind` is the provider's own type or code of the error.
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
        self.judge(reason)

    def judge(self, reason: Reason) -> None:
        """Why it was, and with it whose fault."""
        self.reason: Reason = reason
        self.type = "invalid_request_error" if self.callers_fault else "api_error"

    @property
    def callers_fault(self) -> bool:
        """Asking another target the same thing cannot help (but a larger context or a fallback may)."""
        return self.reason in _CALLERS_FAULT

    @property
    def retryable(self) -> bool:
        """Asking the same target again may help."""
        return self.reason in _RETRY_SAME


def classify_status(status: int) -> Reason:
    """What an upstream status alone says; the error's own text may say more."""
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
        524: "timeout",
        529: "overloaded",
    }
    if status in known:
        return known[status]
    return "server" if status >= 500 else "bad_request"


def describe(error: Any) -> str:
    """The error in one line, for a log or a list of attempts: never a body, never a header."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:300]}" if text else type(error).__name__
