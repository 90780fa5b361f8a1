"""Reads the JSON of whole answers of providers, within limits of size and depth, and large ones while others go on."""

from __future__ import annotations

import asyncio

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.wire import json_limits, json_text, sliced_json

MOST_FIELDS, MOST_VALUES = 1_000_000, 5_000_000
"""Of one answer, see `json_limits`: with twenty alternatives for each, 8,000 tokens have 900,000 fields in their `logprobs`."""


async def check_size(body: bytes, most_values: int = MOST_VALUES) -> None:
    """Check how much a large answer holds, while others go on; raises UpstreamError."""
    try:
        if len(body) > json_limits.LARGE:
            for _ in json_limits.check(body, most_values, MOST_FIELDS):
                await asyncio.sleep(0)
    except json_limits.TooComplex as error:
        raise UpstreamError(f"the provider's answer cannot be read: {error}", status=502, reason="malformed") from None


def check_depth(body: bytes, value: Json) -> None:
    """Raises UpstreamError where the value of `body` is nested so deep that it cannot be written again."""
    if len(body) > json_limits.SHALLOW and json_limits.may_be_deep(body):
        try:
            json_limits.check_depth(value)
        except json_limits.TooComplex as error:
            raise UpstreamError(f"the provider's answer cannot be read: {error}", status=502, reason="malformed") from None


async def read_spread(body: bytes) -> Json:
    """As `read_json`; others go on while a large answer is read."""
    # Numbers that orjson would change are read by a slower parser, up to a size that it takes.
    if len(body) <= sliced_json.LARGE and json_text.has_long_number(body):
        return read_json(body)
    try:
        value: Json = await sliced_json.spread(sliced_json.read(body))
    except (sliced_json.NotJson, json_limits.TooComplex) as error:
        # Halves of characters, for instance, which vLLM has in its `logprobs`.
        if isinstance(error, sliced_json.NotJson) and len(body) <= json_limits.LARGE:
            return read_json(body)
        raise UpstreamError(f"the provider's answer cannot be read: {error}", status=502, reason="malformed") from None
    return value


def read_json(body: bytes) -> Json:
    """The JSON of a provider's answer; raises UpstreamError."""
    try:
        return json_text.loads_exact(body)
    except orjson.JSONDecodeError as error:
        found = "a web page" if body.lstrip()[:1] == b"<" else "not JSON"
        raise UpstreamError(f"the provider's answer is {found}", status=502, reason="malformed") from error
