"""The headers of a reply: who answered, in how many attempts, what was dropped, what the key has left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gateway.admission.access import Caller
from conduit_desktop.gateway.admission.limits import RateLimiter
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.upstream.upstream_answer import UpstreamAnswer

_PROVIDER_HEADERS = ("request-id", "x-request-id", "openai-processing-ms", "openai-version")
"""The provider's own headers that its SDKs show; relayed in passthrough."""
_LIMITS = ("x-ratelimit-", "anthropic-ratelimit-")
"""The same, unless the key has limits of its own, which use these names."""
_OPENAI_LIMITS = {
    what: tuple(f"x-ratelimit-{part}-{what}" for part in ("limit", "remaining", "reset")) for what in ("requests", "tokens")
}


def of(call: Call, caller: Caller, limiter: RateLimiter, answer: UpstreamAnswer | None, record: RequestRecord) -> dict[str, str]:
    """The headers of an answer; `answer` is None while no target has answered yet."""
    headers = limits_of(call, caller, limiter)
    limited = bool(headers)
    if call.recorded:  # the id is that of a record
        headers["x-conduit-request-id"] = call.id
    if call.trimmed:
        headers["x-conduit-trimmed"] = f"{call.trimmed} messages"
    if answer is None:
        return headers
    if answer.prepared.passthrough:
        # Only in passthrough: an SDK of another dialect does not know these names.
        headers |= _relayed(answer, with_limits=not limited)
    headers["x-conduit-provider"] = answer.target.bound.name
    headers["x-conduit-model"] = _printable(answer.target.model)
    headers["x-conduit-attempts"] = str(len(record.attempts))
    if record.dropped:
        headers["x-conduit-dropped"] = _printable(", ".join(record.dropped))
    return headers


def of_failure(call: Call, caller: Caller, limiter: RateLimiter, record: RequestRecord) -> dict[str, str]:
    """The headers of an error, with the last target that was tried, if any was."""
    headers = limits_of(call, caller, limiter)
    if record.attempts:
        last = record.attempts[-1]
        headers["x-conduit-provider"], headers["x-conduit-model"] = last.provider, _printable(last.model)
        headers["x-conduit-attempts"] = str(len(record.attempts))
    return headers


def _relayed(answer: UpstreamAnswer, with_limits: bool) -> dict[str, str]:
    sent = answer.response.headers
    relayed = {name: _printable(sent[name]) for name in _PROVIDER_HEADERS if name in sent}
    if with_limits:
        limits = [name for name in sent if "-ratelimit-" in name.lower()]
        relayed |= {name.lower(): _printable(sent[name]) for name in limits if name.lower().startswith(_LIMITS)}
    return relayed


def limits_of(call: Call, caller: Caller, limiter: RateLimiter) -> dict[str, str]:
    """The key's limits in the caller's own dialect; nothing where it has none."""
    headers: dict[str, str] = {}
    found = limiter.headers(caller.key)
    if not found:
        return {}
    if call.dialect.name == "anthropic_messages":
        # Anthropic states a moment, OpenAI a duration.
        for what, (limit, remaining, reset_s) in found.items():
            at = datetime.now(UTC) + timedelta(seconds=reset_s)
            prefix = f"anthropic-ratelimit-{what}"
            headers[f"{prefix}-limit"] = str(limit)
            headers[f"{prefix}-remaining"] = str(remaining)
            headers[f"{prefix}-reset"] = f"{at:%Y-%m-%dT%H:%M:%SZ}"
        return headers
    for what, (limit, remaining, reset_s) in found.items():
        of_limit, of_remaining, of_reset = _OPENAI_LIMITS[what]
        headers[of_limit], headers[of_remaining], headers[of_reset] = str(limit), str(remaining), f"{reset_s:.3f}s"
    return headers


def _printable(value: str) -> str:
    """Header values are Latin-1 without control characters."""
    # A model's name may come from the client: a line break in it would add a header of the client's choice.
    return (
        value if value.isascii() and value.isprintable() else "".join(c if c.isascii() and c.isprintable() else "?" for c in value)
    )
