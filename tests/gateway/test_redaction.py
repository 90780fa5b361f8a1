"""Errors of providers show no credential: in their text, body, headers and code, whichever secret of the store it is."""

from __future__ import annotations

import base64

from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.gateway.redaction import contains_credential, redact
from conduit_desktop.providers import Secrets

SENT, OTHER = "what-was-sent", "another providers key"
ENCODED = base64.b64encode(f"Basic {OTHER}".encode()).decode()


def test_every_known_secret_is_redacted_in_every_part_of_an_error() -> None:
    SECRETS.add(OTHER)
    error = UpstreamError(
        f"{SENT} {OTHER}", status=401, reason="auth", kind=f"bad {OTHER}", param=SENT, dialect="openai_chat",
        body=f'{{"error": "{SENT} {OTHER} {ENCODED}"}}'.encode(), headers={"x-request-id": f"req-{OTHER}", "retry-after": SENT},
    )  # fmt: skip
    redact(error, Secrets(SENT))
    shown = f"{error} {error.message} {error.kind} {error.code} {error.param} {error.body.decode()} {dict(error.headers)}"
    assert SENT not in shown
    assert OTHER not in shown
    assert ENCODED[8:-8] not in shown
    assert error.headers == {"x-request-id": "req-[credential]", "retry-after": "[credential]"}


def test_a_frame_with_any_known_secret_is_not_relayed() -> None:
    SECRETS.add(OTHER)
    assert contains_credential(OTHER.encode(), Secrets("x"))
    assert contains_credential(f'"{ENCODED}"'.encode(), Secrets("x"))
    assert not contains_credential(b'{"error": "nothing of it"}', Secrets("x"))
