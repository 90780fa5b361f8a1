"""The webhook, against a server on loopback: signed, tried again, and silent about its own address."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
from collections.abc import AsyncIterator
from types import SimpleNamespace

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from conduit_desktop.actions import notifications
from conduit_desktop.actions.background import webhook as module
from conduit_desktop.actions.background.webhook import GAVE_UP, Webhook, WebhookRefused, reason_of
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import Invalid, NotFound, UpstreamError
from tests.actions.conftest import Do
from tests.fakes.waiting import until

TOKEN = "T0KEN-of-the-address"


class Receiver:
    """Keeps what it gets; answers with `statuses` in turn, the last one for ever."""

    def __init__(self) -> None:
        self.statuses = [200]
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return web.Response(status=status, headers={"Location": self.url} if status == 307 else {})

    @property
    def titles(self) -> list[str]:
        return [orjson.loads(body)["data"]["title"] for _, body in self.got]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/hook/{token}", made.handle)
    async with TestServer(app) as server:
        made.url = str(server.make_url(f"/hook/{TOKEN}"))
        yield made


@pytest.fixture
async def sending(context: AppContext) -> AsyncIterator[None]:
    hook = Webhook(context, retry_s=(0, 0))
    hook.begin()
    yield
    await hook.end()


@pytest.mark.usefixtures("sending")
async def test_a_notification_is_sent_with_a_signature_that_its_secret_verifies(
    context: AppContext, do: Do, receiver: Receiver
) -> None:
    secret = (await do("PUT", "/webhook", {"url": receiver.url}))["secret"]
    await notifications.notify(context, "budget", "warning", "Nearly spent", "80 %")
    await until(lambda: receiver.got)
    [(headers, body)] = receiver.got
    content = orjson.loads(body)
    assert content["type"] == "notification"
    assert (content["data"]["kind"], content["data"]["severity"], content["data"]["title"], content["data"]["text"]) == (
        "budget", "warning", "Nearly spent", "80 %",
    )  # fmt: skip
    at = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode()
    expected = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), at + body, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"
    assert headers["webhook-id"] == content["data"]["id"] == (await do("GET", "/notifications"))["data"][0]["id"]


@pytest.mark.usefixtures("sending")
@pytest.mark.parametrize(("statuses", "tries"), [([500, 200], 2), ([503, 429, 204], 3), ([200], 1), ([299], 1)])
async def test_a_failing_address_is_tried_again(
    context: AppContext, do: Do, receiver: Receiver, statuses: list[int], tries: int
) -> None:
    receiver.statuses = statuses
    await do("PUT", "/webhook", {"url": receiver.url})
    await notifications.notify(context, "system", "info", "a", "x")
    await notifications.notify(context, "system", "info", "b", "x")
    await until(lambda: "b" in receiver.titles)
    assert receiver.titles == ["a"] * tries + ["b"]
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 2


@pytest.mark.usefixtures("sending")
@pytest.mark.parametrize(("status", "tries"), [(500, 3), (404, 1), (410, 1), (307, 1), (300, 1)])
async def test_an_address_that_never_takes_it_is_reported_once_and_not_to_itself(
    context: AppContext, do: Do, receiver: Receiver, caplog: pytest.LogCaptureFixture, status: int, tries: int
) -> None:
    receiver.statuses = [status]
    await do("PUT", "/webhook", {"url": receiver.url})
    caplog.set_level(logging.DEBUG, logger="conduit_desktop")
    await notifications.notify(context, "system", "info", "a", "x")

    async def reported() -> bool:
        return any(row["title"] == GAVE_UP for row in (await do("GET", "/notifications"))["data"])

    async with asyncio.timeout(20):
        while not await reported():
            await asyncio.sleep(0.01)
    assert receiver.titles == ["a"] * tries
    rows = (await do("GET", "/notifications"))["data"]
    assert TOKEN not in str(rows) + caplog.text
    assert f"it answered {status}" in next(row["text"] for row in rows if row["title"] == GAVE_UP)


@pytest.mark.usefixtures("sending")
async def test_an_address_that_nobody_listens_on_is_not_named(
    context: AppContext, do: Do, unused_tcp_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    await do("PUT", "/webhook", {"url": f"http://127.0.0.1:{unused_tcp_port}/{TOKEN}"})
    await notifications.notify(context, "system", "info", "a", "x")
    await until(lambda: "did not take" in caplog.text)
    assert TOKEN not in caplog.text
    found = await do("POST", "/webhook/test")
    assert found["ok"] is False
    assert TOKEN not in str(found)


@pytest.mark.usefixtures("sending")
async def test_what_was_read_is_not_sent(context: AppContext, do: Do, receiver: Receiver) -> None:
    await do("PUT", "/webhook", {"url": receiver.url})
    await notifications.notify(context, "system", "info", "a", "x")
    await until(lambda: receiver.got)
    await do("POST", f"/notifications/{orjson.loads(receiver.got[0][1])['data']['id']}/read")
    await notifications.notify(context, "system", "info", "b", "x")
    await until(lambda: "b" in receiver.titles)
    assert receiver.titles == ["a", "b"]


async def test_the_address_is_kept_with_the_secrets_and_shown_as_a_hint(context: AppContext, do: Do, receiver: Receiver) -> None:
    assert await do("GET", "/webhook") == {"url": None}
    made = await do("PUT", "/webhook", {"url": receiver.url})
    assert made["secret"].startswith("whsec_")
    shown = await do("GET", "/webhook")
    assert shown["url"].startswith("http://127.0.0.1:")
    audit = (await do("GET", "/audit"))["data"]
    stored = str(await context.store.meta.get("webhook"))
    assert all(secret not in str(shown) + str(audit) + stored for secret in (TOKEN, made["secret"]))
    assert (await do("POST", "/webhook/test")) == {"ok": True, "error": None}
    assert receiver.titles == ["Test"]
    await do("DELETE", "/webhook")
    assert await do("GET", "/webhook") == {"url": None}
    assert not [name for name in context.secrets.kept if name.startswith("webhook")]  # type: ignore[attr-defined]
    for method, path in (("DELETE", "/webhook"), ("POST", "/webhook/test")):
        with pytest.raises(NotFound):
            await do(method, path)


async def test_an_address_may_come_from_the_environment(do: Do, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", receiver.url)
    assert (await do("PUT", "/webhook", {"url": "env:HOOK"}))["url"] == "env:HOOK"
    assert (await do("POST", "/webhook/test"))["ok"]


@pytest.mark.parametrize("url", ["http://[::1", f"no-url/{TOKEN}"])
async def test_what_is_no_address_in_the_environment_is_not_named(do: Do, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HOOK", url)
    await do("PUT", "/webhook", {"url": "env:HOOK"})
    found = await do("POST", "/webhook/test")
    assert found["ok"] is False
    assert "not a" in found["error"]
    assert TOKEN not in found["error"]


@pytest.mark.parametrize("url", ["", "ftp://x/y", "example.com/hook", "http://", "https://[::1", "env:not a name"])
async def test_what_is_no_address_is_refused(do: Do, url: str) -> None:
    with pytest.raises(Invalid) as raised:
        await do("PUT", "/webhook", {"url": url})
    assert raised.value.field == "url"


def test_only_an_answer_that_may_pass_is_worth_another_try() -> None:
    passing = [status for status in range(300, 600) if WebhookRefused(status).passing]
    assert passing == [408, 425, 429, *range(500, 600)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UpstreamError("connection refused", status=502, reason="connect"), "connection refused"),
        (ValueError("http://x/T0KEN"), "the address is not a URL"),
        (TimeoutError(), "no answer in time"),
        (WebhookRefused(418), "it answered 418"),
    ],
)
def test_the_reason_of_a_failed_try_has_no_address(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


async def test_five_hundred_notifications_wait_and_the_oldest_is_dropped(context: AppContext) -> None:
    hook = Webhook(context)
    context.bus.publish("notifications", None)  # all were read
    for number in range(502):
        context.bus.publish("notifications", f"n{number}")
    await hook.end()
    context.bus.publish("notifications", "after the end")
    waiting = [hook._waiting.get_nowait() for _ in range(hook._waiting.qsize())]
    assert waiting == [f"n{number}" for number in range(2, 502)]


async def test_the_pauses_between_tries_are_those_given(
    context: AppContext, do: Do, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.statuses = [500]
    await do("PUT", "/webhook", {"url": receiver.url})
    note = await context.store.notifications.add("system", "info", "a", "x", "")
    assert note is not None
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(module, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
    hook = Webhook(context, retry_s=(3, 7))
    await hook._deliver(note.id)
    assert (pauses, receiver.titles) == ([3, 7], ["a"] * 3)
    await hook.end()


async def test_neither_an_unknown_notification_nor_one_about_the_webhook_is_sent(
    context: AppContext, do: Do, receiver: Receiver
) -> None:
    hook = Webhook(context)
    note = await context.store.notifications.add("system", "error", GAVE_UP, "x", "")
    assert note is not None
    await do("PUT", "/webhook", {"url": receiver.url})
    for note_id in (note.id, "unknown"):
        await hook._deliver(note_id)
    assert receiver.got == []
    await hook.end()


async def test_an_address_must_not_be_a_secret_of_the_gateway_itself(do: Do) -> None:
    with pytest.raises(Invalid, match="secret of the gateway itself") as raised:
        await do("PUT", "/webhook", {"url": "env:CONDUIT_MASTER_KEY"})
    assert raised.value.field == "url"
    assert await do("GET", "/webhook") == {"url": None}
