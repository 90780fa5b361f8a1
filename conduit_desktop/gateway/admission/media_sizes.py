"""How long a sound in base64 is, and what a PDF shows: its pages and the characters of their text."""

from __future__ import annotations

import base64
import re
import zlib

from conduit_desktop.gateway.admission.body_content import wav_rate
from conduit_desktop.gateway.admission.media_units import SOUND_BYTES_S
from conduit_desktop.wire.values import standard_base64

_MOST_DECODED = 2 * 1024 * 1024
# Kilobits a second of layer III by the index in a frame's head, for MPEG 1 and for MPEG 2 (ISO/IEC 11172-3, 13818-3).
_RATES = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLES_S = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000)}
"""Samples a second by the version in the head: MPEG 1 and 2; heads of 2.5 are not looked for."""
_FRAME = re.compile(rb"\xff[\xf2\xf3\xfa\xfb]")
_HEAD = 64 * 1024
"""Base64 characters that hold the first frame, but where a tag before it holds a picture."""

_PAGE = re.compile(rb"/Type\s*/Page\b(?!s)")
_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_STRING = re.compile(rb"\(((?:[^()\\]|\\.)*)\)|<([0-9A-Fa-f]{2,})>")
_MOST_STREAMS, _MOST_INFLATED = 24, 128 * 1024
_ALL_INFLATED = 512 * 1024
"""Inflating takes 5 ms a megabyte, and holds up every stream."""


def sound_seconds(data: str) -> float:
    """The length of a sound in base64, in seconds: of WAV and MP3 as their heads state, of others at 128 kilobits a second."""
    size = len(data) * 3 // 4
    if rate := wav_rate(data):
        return size / rate
    try:
        head = base64.b64decode(standard_base64(data[:_HEAD]))
    except ValueError:
        return size / SOUND_BYTES_S
    begin = 0
    if head.startswith(b"ID3") and len(head) > 10:
        # The length of the tag has seven bits in each byte.
        begin = 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])
    elif not _FRAME.match(head):
        return size / SOUND_BYTES_S
    frame = _FRAME.search(head, begin)
    if frame is None or frame.start() + 4 > len(head):
        return max(0, size - begin) / SOUND_BYTES_S
    return _mp3_seconds(head[frame.start() : frame.start() + 64], size - frame.start())


def _mp3_seconds(frame: bytes, size: int) -> float:
    """The length of MP3 from its first frame on: by the frames that it counts, or else by the rate of the first."""
    version, rate, sampling = frame[1] >> 3 & 3, frame[2] >> 4, frame[2] >> 2 & 3
    if sampling > 2 or not 0 < rate < 15 or version not in _SAMPLES_S:
        return size / SOUND_BYTES_S
    mark = max(frame.find(b"Xing"), frame.find(b"Info"))
    if mark > 0 and len(frame) >= mark + 12 and frame[mark + 7] & 1:
        frames = int.from_bytes(frame[mark + 8 : mark + 12], "big")
        return frames * (1152 if version == 3 else 576) / _SAMPLES_S[version][sampling]
    return size / (_RATES[version == 3][rate] * 125)


def pdf_content(data: str) -> tuple[int, int]:
    """The pages of a PDF in base64 and the characters of their text, as its first megabytes show; (0, 0) where they do not."""
    try:
        head = base64.b64decode(standard_base64(data[:_MOST_DECODED]))
    except ValueError:
        return 0, 0
    pages, characters, inflated = len(_PAGE.findall(head)), 0, 0
    for number, stream in enumerate(_STREAM.finditer(head)):
        if number == _MOST_STREAMS or inflated > _ALL_INFLATED:
            break
        try:
            text = zlib.decompressobj().decompress(head[stream.end() :], _MOST_INFLATED)
        except zlib.error:
            continue
        inflated += len(text)
        # What draws a page: texts stand between BT and ET, shown by Tj or TJ. Fonts and pictures have none of these.
        if b"BT" in text and b"ET" in text and (b"Tj" in text or b"TJ" in text):
            characters += sum(len(letters) + len(codes) // 2 for letters, codes in _STRING.findall(text))
    return pages, characters
