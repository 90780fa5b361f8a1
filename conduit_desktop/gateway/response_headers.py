"""What the answer's headers tell: who answered, in how many attempts, what was dropped, what the key has left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gateway.admission.access import Caller
from conduit_desktop.gateway.admission.limits import RateLimiter
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.upstream.attempt import UpstreamAnswer

_TOLD = ("request-id", "x-request-id", "openai-processing-ms", "openai-version")
"""The provider's own headers that its SDKs show; relayed in the native lane."""
_LIMITS = ("x-ratelimit-", "anthropic-ratelimit-")
"""The same, where the key has no limits of its own that go by these names."""


def of(call: Call, caller: Caller, limiter: RateLimiter, opened: UpstreamAnswer | None, record: RequestRecord) -> dict[str, str]:
    """The headers of an answer; `opened` is None while no target has answered yet."""
    limits = limits_of(call, caller, limiter)
    told = {**limits, "x-conduit-request-id": call.id}
    if call.trimmed:
        told["x-conduit-trimmed"] = f"{call.trimmed} messages"
    if opened is None:
        return told
    if opened.prepared.native:
        told |= _relayed(opened, with_limits=not limits)
    told["x-conduit-provider"] = opened.target.bound.name
    told["x-conduit-model"] = _printable(opened.target.model)
    told["x-conduit-attempts"] = str(len(record.attempts))
    if record.dropped:
        told["x-conduit-dropped"] = _printable(", ".join(record.dropped))
    return told


def of_failure(call: Call, caller: Caller, limiter: RateLimiter, record: RequestRecord) -> dict[str, str]:
    """The headers of an error, with the last target that was asked, if one was."""
    told = limits_of(call, caller, limiter)
    if record.attempts:
        last = record.attempts[-1]
        told["x-conduit-provider"], told["x-conduit-model"] = last.provider, _printable(last.model)
        told["x-conduit-attempts"] = str(len(record.attempts))
    return told


def _relayed(opened: UpstreamAnswer, with_limits: bool) -> dict[str, str]:
    headers = opened.response.headers
    told = {name: _printable(headers[name]) for name in _TOLD if name in headers}
    if with_limits:
        limits = [name for name in headers if "-ratelimit-" in name.lower()]
        told |= {name.lower(): _printable(headers[name]) for name in limits if name.lower().startswith(_LIMITS)}
    return told


def limits_of(call: Call, caller: Caller, limiter: RateLimiter) -> dict[str, str]:
    """The key's limits in the caller's own dialect; nothing where it has none."""
    anthropic = call.dialect.name == "anthropic_messages"
    told: dict[str, str] = {}
    for what, (limit, remaining, reset_s) in limiter.headers(caller.key).items():
        if anthropic:
            at = datetime.now(UTC) + timedelta(seconds=reset_s)
            prefix = f"anthropic-ratelimit-{what}"
            told |= {
                f"{prefix}-limit": str(limit),
                f"{prefix}-remaining": str(remaining),
                f"{prefix}-reset": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            }
        else:
            told[f"x-ratelimit-limit-{what}"] = str(limit)
            told[f"x-ratelimit-remaining-{what}"] = str(remaining)
            told[f"x-ratelimit-reset-{what}"] = f"{reset_s:.3f}s"
    return told


def _printable(value: str) -> str:
    """Header values are Latin-1 without control characters."""
    return (
        value if value.isascii() and value.isprintable() else "".join(c if c.isascii() and c.isprintable() else "?" for c in value)
    )
