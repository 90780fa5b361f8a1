"""The name that was probably meant by an unknown one: `budgt_usd` and `budget` are `budget_usd`, `apiKey` is `api_key`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "api_base": ("base_url",),
    "host": ("base_url",),
    "endpoint": ("base_url",),
    "url": ("base_url",),
    "type": ("kind",),
    "provider_type": ("kind",),
    "litellm_provider": ("kind",),
    "token": ("api_key",),
    "secret": ("api_key",),
    "key": ("api_key",),
    "extra_headers": ("headers",),
    "model_name": ("alias", "model"),
    "model": ("alias", "models"),
    "name": ("alias", "pattern"),
    "title": ("name",),
    "key_alias": ("name",),
    "max_budget": ("budget_usd", "limit_usd"),
    "amount": ("limit_usd", "budget_usd"),
    "max_usd": ("limit_usd", "budget_usd"),
    "budget_duration": ("budget_period", "period"),
    "duration": ("expires_at",),
    "rpm_limit": ("rpm",),
    "tpm_limit": ("tpm",),
    "requests_per_minute": ("rpm",),
    "requests_per_day": ("rpd",),
    "tokens_per_minute": ("tpm",),
    "max_parallel_requests": ("max_parallel",),
    "allowed_models": ("models",),
    "routing_strategy": ("strategy",),
    "num_retries": ("retries",),
    "input_cost_per_token": ("input",),
    "output_cost_per_token": ("output",),
    "prompt": ("input",),
    "completion": ("output",),
    "from": ("since",),
    "start": ("since",),
    "to": ("until",),
    "end": ("until",),
    "by": ("group_by",),
    "disabled": ("enabled",),
}
"""Names that other gateways and APIs have for the same field."""

MAX_LISTED = 12
"""Up to so many known names are listed where none of them is likely."""


def likely(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant by `name`; None where none is similar."""
    names = list(known)
    wanted = _plain(name)
    plain = {_plain(one): one for one in names}
    if wanted in plain:
        return plain[wanted]
    if found := next((one for one in OTHER_NAMES.get(wanted, ()) if one in names), None):
        return found
    # Imported when an error is written: the command line must start fast.
    from difflib import get_close_matches

    if close := get_close_matches(wanted, plain, n=1, cutoff=0.75):
        return plain[close[0]]
    # `budget` for `budget_usd`, `ips` for `allowed_ips`: the name that shares most words, and has the fewest others.
    words = set(wanted.split("_"))
    shared = {one: len(words & set(one.split("_"))) for one in plain}
    best = max(plain, key=lambda one: (shared[one], -len(one.split("_"))), default=None)
    if best is not None and shared[best]:
        return plain[best]
    # Last, since `prot` is rather like `port` than like a name that shares a word with it.
    return plain[close[0]] if (close := get_close_matches(wanted, plain, n=1, cutoff=0.6)) else None


def hint(name: str, known: Iterable[str]) -> str:
    """What follows "there is no such field": `; did you mean 'port'?`, a short list of all names, or nothing."""
    names = list(known)
    if (meant := likely(name, names)) is not None:
        return f"; did you mean {meant!r}?"
    return f"; there are {', '.join(names)}" if 0 < len(names) <= MAX_LISTED else ""


def _plain(name: str) -> str:
    """In snake case: `budgetUsd`, `Budget-USD` and `budget_usd` are the same."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\s.-]+", "_", name).lower().strip("_")
