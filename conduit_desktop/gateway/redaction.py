"""Redacts credentials in the errors of providers: some quote the key they were sent."""

from __future__ import annotations

from collections.abc import Iterable

from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.core.heavy_work import in_thread
from conduit_desktop.core.secret_values import SECRETS, forms_of, without
from conduit_desktop.providers import Secrets

# Local servers take any key, even `x`: redacting that would destroy every message.
_TOO_SHORT = 4
SHORT = 64 * 1024
"""Bytes that are searched on the event loop: a megabyte took 75 ms with thirty keys in the store, and 0.5 s with two hundred."""


async def redact_off_loop(error: UpstreamError, secrets: Secrets) -> None:
    """As `redact`; a long error is searched in a thread."""
    if len(error.message) + len(error.body or b"") <= SHORT:
        redact(error, secrets)
    else:
        await in_thread(redact, error, secrets)


def redact(error: UpstreamError, secrets: Secrets) -> None:
    """Redact credentials in `error`: in its texts, in the body and in the headers that are relayed.

    Those that were sent (`secrets`), which may be a client's own or renewed ones, and every other that this process knows.
    """
    forms = _all_forms(secrets)
    error.message = _redacted(error.message, forms)
    if error.body:
        # `surrogateescape` keeps bytes that are not UTF-8 as they were.
        error.body = _redacted(error.body.decode("utf-8", "surrogateescape"), forms).encode("utf-8", "surrogateescape")
    if error.headers:
        error.headers = {name: _redacted(value, forms) for name, value in error.headers.items()}
    for name in ("kind", "code", "param"):
        if isinstance(text := getattr(error, name), str) and (redacted := _redacted(text, forms)) != text:
            setattr(error, name, redacted)
    # `str(error)` reads args: a log line would still show the credential.
    error.args = (error.message,)


def contains_credential(data: bytes, secrets: Secrets) -> bool:
    """Whether `data` from a provider contains a credential that it was sent, or another one that this process knows."""
    text = data.decode("utf-8", "surrogateescape")
    return _redacted(text, _all_forms(secrets)) != text


def _redacted(text: str, forms: Iterable[str]) -> str:
    for form in forms:
        text = without(form, text)
    return SECRETS.redact(text)


def _all_forms(secrets: Secrets) -> Iterable[str]:
    # Headers as well: an operator may have put a credential into one.
    sent = (secrets.api_key, *secrets.headers.values())
    return dict.fromkeys(form for one in sent if len(one) >= _TOO_SHORT for form in forms_of(one))
