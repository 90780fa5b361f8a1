"""Base URLs: validation of what an operator enters, and normalisation, so that a URL works with and without its version."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

from conduit_desktop.core.errors import Invalid

# `v1`, `v4`, `v1beta`
_VERSION = re.compile(r"v\d+[a-z0-9]*")
# The longer path comes first: a URL that ends in `/chat/completions` ends in `/completions`, too.
_ENDPOINTS = ("/chat/completions", "/completions", "/embeddings", "/responses", "/messages", "/models")
"""Endpoint paths that people paste along with the base URL, from a vendor's example."""


def check_base_url(text: str) -> str:
    """The base URL without trailing slashes; raises Invalid (field `base_url`) with what is wrong with it."""
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        # urlsplit accepts a wrong port; reading it raises the ValueError.
        port = parts.port
    except ValueError as error:
        raise Invalid(f"not a URL: {error}", "base_url") from error
    if wrong := _fault(url, parts, port):
        raise Invalid(wrong, "base_url")
    return url


def _fault(url: str, parts: SplitResult, port: int | None) -> str | None:
    if parts.scheme not in ("http", "https"):
        return "the base URL must begin with http:// or https://"
    # urlsplit finds no user name in `http://@host`, so the @ itself is checked, too.
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        return "the base URL must not hold a user name or password; put the key into its own field"
    if not parts.hostname:
        return "the base URL names no host"
    if port == 0:
        return "the base URL names port 0"
    # urlsplit shows an empty query or fragment as none, so the characters themselves are checked, too.
    if parts.query or parts.fragment or "?" in url or "#" in url:
        return "the base URL must end before any ? or #"
    if any(character.isspace() or not character.isprintable() for character in url):
        return "the base URL holds a space or a character that cannot be printed"
    return None


def versioned(base: str, default: str, version: str) -> str:
    """The URL that endpoint paths are appended to.

    `base` is as configured, `default` as the vendor documents it (may be empty), `version` the segment to add where the path of
    `base` holds none (empty for vendors without one). The path of a pasted endpoint is removed.
    """
    parts = urlsplit(base)
    path = _without_endpoint(parts.path.rstrip("/"))
    known = urlsplit(default)
    # On the vendor's own host any beginning of the documented path means that path.
    if known.netloc == parts.netloc and _is_beginning(path, known.path):
        path = known.path
    elif version and not any(_VERSION.fullmatch(segment) for segment in path.split("/")):
        path = f"{path}/{version}"
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def _without_endpoint(path: str) -> str:
    for end in _ENDPOINTS:
        if path.endswith(end):
            return path.removesuffix(end)
    return path


def _is_beginning(path: str, whole: str) -> bool:
    return whole == path or whole.startswith(path + "/")
