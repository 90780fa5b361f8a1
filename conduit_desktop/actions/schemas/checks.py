"""Checks of single values; each returns the value as it is stored, or raises ValueError with a plain message."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from ipaddress import ip_address, ip_network
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from conduit_desktop.core.own_secrets import is_own_secret

_PROVIDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}")
_ENV = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# RFC 9110 section 7.6.1, and the fields that aiohttp writes itself: a second one would make the request ambiguous.
_HOP_BY_HOP = frozenset({"host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "keep-alive"})


def provider_name(text: str) -> str:
    """1 to 64 letters, digits, dots, dashes and underscores: it is the first half of `provider/model`."""
    if not _PROVIDER.fullmatch(text):
        raise ValueError("must be 1 to 64 letters, digits, dots, dashes or underscores, and begin with a letter or digit")
    return text


def alias_name(text: str) -> str:
    """1 to 200 printable characters without white space at the ends."""
    return _printable(text, 200)


def label_text(text: str) -> str:
    """1 to 200 printable characters."""
    return _printable(text, 200)


def price_pattern(text: str) -> str:
    """1 to 300 printable characters."""
    return _printable(text, 300)


def _printable(text: str, longest: int) -> str:
    # Printable: names get into terminals and logs, where control characters would act as escape sequences.
    if not 1 <= len(text) <= longest or not text.isprintable() or text != text.strip():
        raise ValueError(f"must be 1 to {longest} printable characters")
    return text


def secret_text(text: str) -> str:
    """A credential, or `env:NAME`. The message never repeats it."""
    if text.startswith("env:") and not _ENV.fullmatch(text):
        raise ValueError("must name an environment variable after `env:`, as in env:OPENAI_API_KEY")
    if text.startswith("env:") and is_own_secret(text[4:]):
        raise ValueError(f"must not name {text[4:]}, which is a secret of the gateway itself")
    if not text:
        raise ValueError("must not be empty; use null for none")
    # Line breaks are allowed: a Google service account key is a JSON document of several lines.
    if any(ord(char) < 32 and char not in "\n\r\t" for char in text):
        raise ValueError("must not hold control characters")
    return text


def header_name(text: str) -> str:
    """A header a provider may add: a token of RFC 9110 that does not control the connection."""
    if not _HEADER.fullmatch(text):
        raise ValueError("is not a valid header name")
    if text.lower() in _HOP_BY_HOP:
        raise ValueError("belongs to the connection and cannot be set")
    return text


def header_values(headers: dict[str, str]) -> dict[str, str]:
    """Names that are headers, values without line breaks."""
    for name, value in headers.items():
        try:
            header_name(name)
            secret_text(value)
        except ValueError as error:
            raise ValueError(f"{name!r} {error}") from None
        if any(char in value for char in "\r\n"):
            # A line break would let a value add headers of its own.
            raise ValueError(f"{name!r} must not hold line breaks")
    return headers


def network(text: str) -> str:
    """An address or CIDR block, in its usual spelling."""
    try:
        # One spelling of each network, so that a second rule for it is recognised.
        return str(ip_network(text, strict=False) if "/" in text else ip_address(text))
    except ValueError:
        raise ValueError("must be an IP address or a CIDR block, such as 10.0.0.0/8") from None


def moment(text: str) -> str:
    """RFC 3339 with an offset, or a plain date (midnight UTC), as UTC with Z and milliseconds."""
    if _DATE.fullmatch(text):
        text += "T00:00:00Z"
    try:
        # An unescaped `+` in a query string arrives as a space.
        at = datetime.fromisoformat(re.sub(r" (\d{2}:?\d{2})$", r"+\1", text))
    except ValueError:
        raise ValueError("must be a time such as 2027-01-31T12:00:00Z") from None
    # Its meaning would depend on the time zone of the gateway's computer.
    if at.tzinfo is None:
        raise ValueError("must have an offset, as in 2027-01-31T12:00:00Z")
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def not_before(until: str | None, since: str | None) -> str | None:
    """`until`, unless it is before `since`: such a range would hold nothing, without a word. Both as `moment` writes them."""
    if until is not None and since is not None and until < since:
        raise ValueError(f"must not be before since, which is {since}")
    return until


def zone_name(text: str) -> str:
    """The IANA name of a time zone, such as `Europe/Berlin`."""
    if time_zone(text) is None:
        raise ValueError("must be the name of a time zone, such as Europe/Berlin")
    return text


def time_zone(name: str) -> tzinfo | None:
    """The zone of an IANA name; None where there is none of that name."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def day_start(text: Any, zone: tzinfo) -> Any:
    """The first moment of a plain date in `zone`, as RFC 3339; any other value as it is."""
    if not isinstance(text, str) or not _DATE.fullmatch(text):
        return text
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).isoformat()
    except ValueError:
        return text  # 2027-02-30: `moment` says so
