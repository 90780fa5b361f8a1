"""Access to the admin API: callers with the master key, but no web page of another origin."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from conduit_desktop.actions import master_key
from conduit_desktop.core.errors import ActionError
from conduit_desktop.gateway.admission.access import KEY_PREFIX, is_loopback, was_forwarded

if TYPE_CHECKING:
    from conduit_desktop.actions.context import Actor, AppContext


class AdminRefused(ActionError):
    """Refused before any operation."""

    def __init__(self, status: int, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds; None where it makes no difference."""
        self.status = status  # type: ignore[misc]  # one class for the few refusals
        self.code = code  # type: ignore[misc]


async def check(request: web.Request, context: AppContext) -> Actor:
    """The caller's actor; raises AdminRefused: 401 without or with a wrong key, 403 for a virtual key or a foreign page."""
    # Before the key, so that a foreign page cannot try keys.
    if _foreign_page(request):
        raise AdminRefused(403, "origin_not_allowed", "Web pages of another origin may not use the admin API.")
    presented = _presented(request)
    if not presented:
        raise AdminRefused(401, "missing_master_key", "Send the master key as 'Authorization: Bearer …' or 'X-Master-Key'.")
    if (actor := await master_key.authenticate(context, presented)) is not None:
        return actor
    if presented.startswith(KEY_PREFIX):
        raise AdminRefused(403, "virtual_key", "A virtual key does not open the admin API; the master key does.")
    raise AdminRefused(401, "invalid_master_key", "This is not the master key.")


async def let_in(request: web.Request, context: AppContext) -> Actor:
    """As `check`, with failed logins slowed down: 429 after too many from one address."""
    logins, address = context.gateway.state.failed_logins, request.remote or ""
    # The operator may have chosen a key that can be guessed. Programs of this computer must not lock out its user; a proxy on
    # it calls for others.
    if (was_forwarded(request.headers) or not is_loopback(address)) and (wait_s := logins.wait_s(address)):
        raise _too_many(wait_s)
    try:
        return await check(request, context)
    except AdminRefused as refused:
        if refused.code == "invalid_master_key" and (wait_s := logins.failed(address)):
            raise _too_many(wait_s) from None
        raise


def _too_many(wait_s: float) -> AdminRefused:
    return AdminRefused(429, "too_many_failed_logins", "There were too many failed logins from this address.", wait_s)


def _presented(request: web.Request) -> str:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    return request.headers.get("X-Master-Key", "").strip()


def _foreign_page(request: web.Request) -> bool:
    """Browsers name the page's origin; the admin API serves no pages, so only its own origin would do."""
    # `same-site` too: browsers leave the port out of a site, so that any local web server is one of the same site
    # (web.dev/articles/same-site-same-origin).
    if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        return True
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != request.headers.get("Host", "").lower()
    except ValueError:
        # Fail closed: an origin that cannot be parsed is a foreign one.
        return True
