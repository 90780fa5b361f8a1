"""Base64 in the one form that every vendor takes: the standard alphabet, on one line, padded."""

from __future__ import annotations

from dataclasses import replace

from conduit_desktop.core.chat import Media

_STANDARD = str.maketrans("-_", "+/", " \t\r\n")
_ODD = "-_ \t\r\n"


def standard_base64(data: str) -> str:
    """`data` so that strict decoders read it: callers write the other alphabet, break lines, and pad too little or too much."""
    if any(mark in data for mark in _ODD):
        data = data.translate(_STANDARD)
    bare = data.rstrip("=")
    missing = -len(bare) % 4
    if missing == 3 or len(data) == len(bare) + missing:
        return data  # no decoder reads the former, whatever it ends in
    return bare + "=" * missing


def standard(media: Media) -> Media:
    """`media` with what it holds in that form."""
    if media.data is None:
        return media
    data = standard_base64(media.data)
    return media if data is media.data else replace(media, data=data)
