"""The webhook to which notifications are sent: set, tested and removed. Its address is kept with the secrets."""

from __future__ import annotations

import base64
import secrets
from urllib.parse import urlsplit

from conduit_desktop.actions.background import webhook
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import Edit, PendingChange, change
from conduit_desktop.actions.schemas.inputs import NewWebhook
from conduit_desktop.actions.schemas.views import WebhookSecretView, WebhookTestView, WebhookView
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import Notification
from conduit_desktop.core.errors import Invalid, NotFound, UpstreamError
from conduit_desktop.core.own_secrets import is_own_secret


async def get(context: AppContext) -> WebhookView:
    """Where notifications are sent, as a hint: scheme and host of the address, or the variable that holds it."""
    kept = await context.store.meta.get(webhook.META)
    return WebhookView(url=kept["hint"] if kept else None)


async def put(context: AppContext, new: NewWebhook, actor: Actor) -> WebhookSecretView:
    """Send notifications to this address from now on; the signing secret is returned this once. Raises Invalid."""
    hint = _hint(new.url)
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()

    async def work(started: PendingChange) -> WebhookSecretView:
        before = await context.store.meta.get(webhook.META)
        reference = await started.secrets.replace(webhook.URL, new.url)
        if before and before["url"] != reference:
            started.secrets.drop({before["url"]})
        await started.secrets.replace(webhook.SECRET, secret)

        def write(edit: Edit) -> None:
            edit.tx.meta.put(webhook.META, {"url": reference, "hint": hint})
            edit.record("webhook.set", hint)

        await started.commit(write)
        return WebhookSecretView(url=hint, secret=secret)

    return await change(context, actor, work)


async def remove(context: AppContext, actor: Actor) -> None:
    """Send notifications nowhere; raises NotFound where that is so already."""

    async def work(started: PendingChange) -> None:
        kept = await context.store.meta.get(webhook.META)
        if not kept:
            raise NotFound("No webhook is set.")
        started.secrets.drop({kept["url"], webhook.SECRET})

        def write(edit: Edit) -> None:
            edit.tx.meta.put(webhook.META, None)
            edit.record("webhook.remove", kept["hint"])

        await started.commit(write)

    await change(context, actor, work)


async def test(context: AppContext) -> WebhookTestView:
    """Send a notification that says that it is a test, once; raises NotFound where no webhook is set."""
    target = await webhook.target_of(context)
    if target is None:
        raise NotFound("No webhook is set, or its address cannot be read.")
    url, secret = target
    text = "This is a test of the webhook."
    note = Notification(
        id=f"ntf_test{secrets.token_hex(8)}", kind="system", severity="info", title="Test", text=text, created_at=now_ms()
    )
    try:
        await webhook.post(context, url, note, secret)
    except (webhook.WebhookRefused, UpstreamError, TimeoutError, ValueError) as error:
        return WebhookTestView(ok=False, error=webhook.reason_of(error))
    return WebhookTestView(ok=True, error=None)


def _hint(url: str) -> str:
    if url.startswith("env:"):
        if is_own_secret(url[4:]):
            raise Invalid(f"url: must not name {url[4:]}, which is a secret of the gateway itself", "url")
        return url
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        scheme, host, port = "", None, None
    if scheme not in ("http", "https") or not host:
        raise Invalid("url: must be an http or https address, or env:NAME", "url")
    # Paths and queries of chat services' webhooks are their credentials.
    return f"{scheme}://{host}{f':{port}' if port else ''}/…"
