"""The names of the rates of a price, and rates as short texts."""

from __future__ import annotations

from collections.abc import Mapping

from conduit_desktop.core.money import decimal_usd, to_nano

RATE_LABELS: Mapping[str, str] = {
    "input": "Input", "output": "Output", "cache_read": "Cache read", "cache_write": "Cache write",
    "cache_write_1h": "Cache write, 1 h", "reasoning": "Reasoning", "audio_in": "Audio in", "audio_out": "Audio out",
    "image_in": "Image in", "image_out": "Image out", "per_image": "Image", "per_minute": "Minute of audio",
    "per_1k_chars": "1,000 characters", "per_search": "Search", "per_request": "Request",
}  # fmt: skip
UNIT_CLASSES: Mapping[str, str] = {
    "images": "per_image", "seconds": "per_minute", "characters": "per_1k_chars", "searches": "per_search",
    "requests": "per_request",
}  # fmt: skip
"""The rates by the classes of a cost breakdown that are not rates themselves."""


def rate_text(usd: float | None) -> str:
    """`$2.50`, `$0.075`; a dash for None."""
    if usd is None:
        return "—"
    whole, _, fraction = decimal_usd(to_nano(usd)).partition(".")
    return f"${int(whole):,}.{fraction.ljust(2, '0')}"
