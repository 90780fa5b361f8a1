"""Redacts credentials in the errors of providers: some quote the key they were sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.providers import Secrets

REDACTED = "[credential]"
_SHORT = 8
"""A shorter credential may be part of an ordinary word: it is redacted only as a whole word."""
# Local servers take any key, even `x`: redacting that would destroy every message.
_TOO_SHORT = 4


def redact(error: UpstreamError, secrets: Secrets) -> None:
    """Redact the credential that was sent in `error`: in its message, and in the body that is relayed."""
    for form in _all_forms(secrets):
        error.message = _without(form, error.message)
        if error.body:
            # `surrogateescape` keeps bytes that are not UTF-8 as they were.
            error.body = _without(form, error.body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    # `str(error)` reads args: a log line would still show the credential.
    error.args = (error.message,)


def contains_credential(data: bytes, secrets: Secrets) -> bool:
    """Whether `data` from a provider contains a credential that it was sent."""
    text = data.decode("utf-8", "surrogateescape")
    return any(_without(form, text) != text for form in _all_forms(secrets))


def _all_forms(secrets: Secrets) -> Iterable[str]:
    # Headers as well: an operator may have put a credential into one.
    return dict.fromkeys(form for one in (secrets.api_key, *secrets.headers.values()) for form in _forms(one))


def _forms(credential: str) -> Iterator[str]:
    """The credential as it is, escaped as in JSON, and quoted as in a URL."""
    if len(credential) >= _TOO_SHORT:
        yield credential
        yield json.dumps(credential, ensure_ascii=False)[1:-1]
        yield quote(credential, safe="", errors="replace")


def _without(form: str, text: str) -> str:
    if form not in text:
        return text
    return text.replace(form, REDACTED) if len(form) >= _SHORT else re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", REDACTED, text)
