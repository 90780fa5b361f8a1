"""Errors of providers show no credential: in their text, body, headers and code, whichever secret of the store it is."""

from __future__ import annotations

import base64
import threading

import orjson
import pytest

from conduit_desktop.core.errors import GatewayError, UpstreamError
from conduit_desktop.core.paths import Home
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.gateway import redaction
from conduit_desktop.gateway.redaction import SHORT, contains_credential, redact, redact_off_loop
from conduit_desktop.gateway.upstream import attempt
from conduit_desktop.gateway.upstream.responses import ERROR_BODY_LIMIT
from conduit_desktop.providers import Secrets
from tests.fakes.gateway import KEY, open_gateway
from tests.fakes.raw_upstream import http_answer, raw_upstream
from tests.fakes.waiting import until

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


@pytest.mark.parametrize(("size", "off_loop"), [(SHORT // 2, False), (SHORT + 1, True)])
@pytest.mark.parametrize("part", ["body", "message"])
async def test_a_long_error_is_searched_off_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, part: str, size: int, off_loop: bool
) -> None:
    """A megabyte from a provider held the loop for 75 ms with thirty keys in the store, and for half a second with two hundred."""
    SECRETS.add(OTHER)
    threads: list[int] = []

    def noted(error: UpstreamError, secrets: Secrets) -> None:
        threads.append(threading.get_ident())
        redact(error, secrets)

    monkeypatch.setattr(redaction, "redact", noted)
    text = "x" * size + OTHER
    error = UpstreamError(text if part == "message" else "", status=500, reason="server")
    error.body = text.encode() if part == "body" else b""
    await redact_off_loop(error, Secrets(SENT))
    assert (threads[0] != threading.get_ident()) is off_loop
    assert OTHER not in error.message + error.body.decode()


async def test_of_an_error_with_status_200_the_first_megabyte_is_searched_and_kept(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = orjson.dumps({"error": {"message": "no", "type": "server_error", "more": "x" * 3_000_000}})
    errors: list[UpstreamError] = []

    async def noted(error: UpstreamError, secrets: Secrets) -> None:
        errors.append(error)

    monkeypatch.setattr(attempt, "redact_off_loop", noted)
    async with raw_upstream(http_answer(body, "application/json", "length")) as address, open_gateway(home) as gateway:
        await gateway.add_provider("up", f"{address}/v1")
        await gateway.add_alias("m", "up/m", retries=0)
        await gateway.add_key()
        with pytest.raises(GatewayError):
            await gateway.ask("m", "hello")
    assert [len(error.body) for error in errors] == [ERROR_BODY_LIMIT]


def test_a_frame_with_any_known_secret_is_not_relayed() -> None:
    SECRETS.add(OTHER)
    assert contains_credential(OTHER.encode(), Secrets("x"))
    assert contains_credential(f'"{ENCODED}"'.encode(), Secrets("x"))
    assert not contains_credential(b'{"error": "nothing of it"}', Secrets("x"))


async def test_stored_bodies_records_and_notifications_hold_no_secret(home: Home) -> None:
    SECRETS.add(OTHER)
    answer = (
        b'{"id":"a","object":"chat.completion","created":1,"model":"m","usage":{"prompt_tokens":1,"completion_tokens":1},'
        b'"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"your key is %b"}}]}'
        % OTHER.encode()
    )
    async with raw_upstream(http_answer(answer, "application/json", "length")) as address, open_gateway(home) as gateway:
        await gateway.add_provider("up", f"{address}/v1")
        await gateway.add_alias("m", "up/m")
        await gateway.add_key(log_payloads=True)
        body = await gateway.ask("m", f"{OTHER}, {KEY}, {ENCODED}", user=f"{KEY}")
        assert OTHER in body["choices"][0]["message"]["content"], "a good answer is relayed as it is"
        record = gateway.records[0]
        await until(lambda: not gateway.state._side_work)
        kept = await gateway.store.payloads.get(record.id)
        assert kept is not None
        assert record.user == "[credential]"
        for text in (kept.request, kept.response):
            assert b"[credential]" in text
            assert OTHER.encode() not in text
            assert KEY.encode() not in text
            assert ENCODED[8:-8].encode() not in text
        gateway.state.notify("system", "error", f"title {OTHER}\n\x1b[31m", f"text {OTHER}\x9b\nnext line")
        await until(lambda: not gateway.state._side_work)
        (note,), _ = await gateway.store.notifications.list()
        assert (note.title, note.text) == ("title [credential]\\u000a\\u001b[31m", "text [credential]\\u009b\nnext line")
