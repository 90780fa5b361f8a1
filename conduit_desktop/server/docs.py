"""Serves `/openapi.json`, and `/docs`: one HTML page that shows it and loads nothing from other servers."""

from __future__ import annotations

import base64
import hashlib
import re

import orjson
from aiohttp import web

from conduit_desktop.core.paths import resource

_INLINE = re.compile(rb"<(script|style)>(.*?)</\1>", re.DOTALL)


def mount(router: web.UrlDispatcher) -> None:
    """Add both routes; description and page are built at the first request."""
    router.add_get("/openapi.json", _description)
    router.add_get("/docs", _page)


async def _description(request: web.Request) -> web.Response:
    # Imported here: it imports every model of the admin API, which would slow the start down.
    from conduit_desktop.server.openapi import document

    return web.Response(body=orjson.dumps(document()), content_type="application/json")


async def _page(request: web.Request) -> web.Response:
    page = resource("docs.html").read_bytes()
    headers = {"Content-Security-Policy": policy(page), "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    return web.Response(body=page, content_type="text/html", charset="utf-8", headers=headers)


def policy(page: bytes) -> str:
    """The page's Content-Security-Policy: only its own inline script and style (by hash), requests only to this server."""
    allowed: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(page):
        # Hashes, not 'unsafe-inline', which would also run a script that was injected into the page.
        digest = base64.b64encode(hashlib.sha256(text).digest()).decode()
        allowed[kind.decode()].append(f"'sha256-{digest}'")
    sources = "; ".join(f"{kind}-src {' '.join(hashes)}" for kind, hashes in allowed.items())
    return f"default-src 'none'; {sources}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
