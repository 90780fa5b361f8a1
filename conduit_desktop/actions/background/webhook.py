"""The webhook: every notification as a signed POST to an address of the operator's, tried again while it fails.

The signature is that of Standard Webhooks (https://www.standardwebhooks.com): `webhook-id`, `webhook-timestamp` and
`webhook-signature: v1,` with the base64 of HMAC-SHA256 over `id.timestamp.body`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import time
from collections.abc import Sequence
from contextlib import suppress

import orjson

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.bus import Change
from conduit_desktop.core.entities import Notification
from conduit_desktop.core.errors import SecretsUnavailable, UpstreamError, describe
from conduit_desktop.providers import OutboundRequest
from conduit_desktop.store.secrets.store import resolve

log = logging.getLogger(__name__)

META = "webhook"
"""Where the store has the reference to the address: `{"url": …, "hint": …}`."""
SECRET = "webhook/secret"  # noqa: S105 the name under which it is kept
URL = "webhook/url"
RETRY_S = (1.0, 5.0, 30.0, 120.0, 600.0)
"""Seconds before each further try."""
TIMEOUT_S = 10.0
MOST_WAITING = 500
GAVE_UP = "The webhook does not answer"
# What is wrong with the request itself is wrong again the next time; these may pass.
_PASSING = frozenset({408, 425, 429})


class WebhookRefused(Exception):
    """The address answered, and not with success. `passing`: a later try may succeed."""

    def __init__(self, status: int) -> None:
        super().__init__(f"it answered {status}")
        self.passing = status >= 500 or status in _PASSING


def signed(note_id: str, body: bytes, secret: str, at_s: int) -> dict[str, str]:
    """The headers of a delivery; `secret` is `whsec_` and the key in base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.new(key, b"%s.%d.%s" % (note_id.encode(), at_s, body), hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "webhook-id": note_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def body_of(note: Notification) -> bytes:
    """The JSON that is sent."""
    from conduit_desktop.actions.schemas.views import rfc3339  # with all views: loaded when first needed

    data = {"id": note.id, "kind": note.kind, "severity": note.severity, "title": note.title, "text": note.text}
    return orjson.dumps({"type": "notification", "timestamp": rfc3339(note.created_at), "data": data})


async def post(context: AppContext, url: str, note: Notification, secret: str) -> None:
    """One try; redirects are not followed. Raises WebhookRefused, UpstreamError, TimeoutError, ValueError (no URL)."""
    body = body_of(note)
    request = OutboundRequest("POST", url, signed(note.id, body, secret, int(time.time())), body)
    async with asyncio.timeout(TIMEOUT_S):
        response = await context.gateway.state.upstream.send(request, context.gateway.snapshot.settings.connect_s)
    response.finish()
    if not 200 <= response.status < 300:
        raise WebhookRefused(response.status)


class Webhook:
    """Sends notifications, one after the other, from `begin` to `end`."""

    def __init__(self, context: AppContext, retry_s: Sequence[float] = RETRY_S) -> None:
        self._context = context
        self._retry_s = retry_s
        self._waiting: asyncio.Queue[str] = asyncio.Queue(MOST_WAITING)
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe = context.bus.subscribe(self._on_change, "notifications")

    def begin(self) -> None:
        """Start to send."""
        self._task = asyncio.ensure_future(self._run())

    async def end(self) -> None:
        """Stop; what waits is not sent any more."""
        self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def _on_change(self, change: Change) -> None:
        if not isinstance(change.payload, str):
            return  # several were read, or one was: nothing new
        if self._waiting.full():
            self._waiting.get_nowait()
            log.warning("a notification was not sent to the webhook: too many wait")
        self._waiting.put_nowait(change.payload)

    async def _run(self) -> None:
        while True:
            note_id = await self._waiting.get()
            try:
                await self._deliver(note_id)
            except Exception:  # one notification must not end the webhook
                log.exception("a notification could not be sent to the webhook")

    async def _deliver(self, note_id: str) -> None:
        note = await self._context.store.notifications.get(note_id)
        # Not of the webhook itself: that would be sent to the address which does not answer. Not of what was read meanwhile.
        if note is None or note.read or note.title == GAVE_UP:
            return
        for pause in (*self._retry_s, None):
            # Read at each try: the operator may have mended or removed the address.
            target = await target_of(self._context)
            if target is None:
                return
            try:
                await post(self._context, target[0], note, target[1])
                return
            except (WebhookRefused, UpstreamError, TimeoutError, ValueError) as error:
                if pause is None or (isinstance(error, WebhookRefused) and not error.passing):
                    self._give_up(note, error)
                    return
            await asyncio.sleep(pause)

    def _give_up(self, note: Notification, error: Exception) -> None:
        reason = reason_of(error)
        log.warning("the webhook did not take the notification %r: %s", note.title, reason)
        self._context.gateway.state.notify("system", "error", GAVE_UP, f"{note.title!r} could not be sent: {reason}.")


def reason_of(error: Exception) -> str:
    """Why a try failed, without the path of the address, which may be a credential."""
    if isinstance(error, UpstreamError):
        return error.message
    if isinstance(error, ValueError):
        return "the address is not a URL"
    return "no answer in time" if isinstance(error, TimeoutError) else str(error)


async def target_of(context: AppContext) -> tuple[str, str] | None:
    """Address and signing secret; None where no webhook is set."""
    kept = await context.store.meta.get(META)
    if not kept:
        return None
    try:
        url = await asyncio.to_thread(resolve, context.secrets, kept["url"])
        secret = await asyncio.to_thread(context.secrets.get, SECRET)
    except SecretsUnavailable as error:
        log.warning("the webhook's address cannot be read: %s", describe(error))
        return None
    return (url, secret) if url and secret else None
