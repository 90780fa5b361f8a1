"""How many pictures of which size a vendor takes in one request. A translated request with more is refused here, by its field.

Nothing is resized or left out: which picture matters only the client knows. A refusal lets the next target answer.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace

from conduit_desktop.core.chat import ChatRequest, Media, Part, ToolResult
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.providers.model_facts import facts_of

MB = 1024 * 1024
_HEAD = 128 * 1024
"""Characters of a picture that are looked at for its dimensions: those of a JPEG may stand behind a thumbnail."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """The limits of one vendor; None: none is known. `each` and `total` are bytes in base64, `side` pixels.

    `side_of_many`: the longest side in requests with more than `many` pictures.
    """

    source: str
    count: int | None = None
    each: int | None = None
    total: int | None = None
    side: int | None = None
    side_of_many: int | None = None
    many: int = 0


def check_images(request: ChatRequest, limits: ImageLimits, vendor: str, field: str) -> None:
    """Raises BadRequest where the pictures are too many or too large; `field` is the client's for the conversation."""
    images = [part for message in request.messages for part in _images(message.parts)]
    if not images:
        return
    if limits.count is not None and len(images) > limits.count:
        raise _refusal(f"{vendor} takes at most {limits.count} images in a request, and this one has {len(images)}.", field)
    sizes = [len(image.data or "") for image in images]
    if limits.total is not None and sum(sizes) > limits.total:
        raise _refusal(f"{vendor} takes images of at most {_mb(limits.total)} together, and these have {_mb(sum(sizes))}.", field)
    side = limits.side_of_many if limits.side_of_many is not None and len(images) > limits.many else limits.side
    for number, (image, size) in enumerate(zip(images, sizes, strict=True), 1):
        if limits.each is not None and size > limits.each:
            text = (
                f"{vendor} takes images of at most {_mb(limits.each)} in base64, and image {number} of the request has {_mb(size)}."
            )
            raise _refusal(text, field)
        if side is not None and image.data and max(found := dimensions(image.data)) > side:
            width, height = found
            text = f"{vendor} takes images of at most {side} pixels a side"
            text += f" in requests with more than {limits.many} of them" if side != limits.side else ""
            raise _refusal(f"{text}, and image {number} of the request has {width} x {height}.", field)


def _images(parts: list[Part]) -> Iterator[Media]:
    for part in parts:
        if isinstance(part, ToolResult):
            yield from _images(part.parts)
        elif isinstance(part, Media) and part.kind == "image":
            yield part


def _refusal(text: str, field: str) -> BadRequest:
    return BadRequest(f"{field}: {text}", code="invalid_parameter", param=field)


def _mb(size: int) -> str:
    return f"{size / MB:.1f} MB"


def dimensions(data: str) -> tuple[int, int]:
    """Width and height of a PNG, GIF, JPEG or WebP in base64, by its first bytes; (0, 0) where they cannot be read."""
    try:
        head = base64.b64decode(data[:_HEAD])
    except ValueError:
        return 0, 0
    if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) >= 24:
        return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    if head[:4] == b"GIF8" and len(head) >= 10:
        return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP" and len(head) >= 30:
        return _webp(head)
    return _jpeg(head) if head[:2] == b"\xff\xd8" else (0, 0)


def _webp(head: bytes) -> tuple[int, int]:
    """https://developers.google.com/speed/webp/docs/riff_container"""
    match head[12:16]:
        case b"VP8X":
            return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
        case b"VP8 ":
            return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return 0, 0


def _jpeg(head: bytes) -> tuple[int, int]:
    """From the frame header, which follows segments of any length."""
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        # SOF0 to SOF15, without the tables (C4, CC) and the reserved C8 among them.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(head[at + 7 : at + 9]), int.from_bytes(head[at + 5 : at + 7])
        if marker == 0xFF:  # a fill byte
            at += 1
        else:
            at += 2 + int.from_bytes(head[at + 2 : at + 4])
    return 0, 0


_VISION = "https://platform.claude.com/docs/en/build-with-claude/vision#general-limits"
CLAUDE_IMAGES = ImageLimits(_VISION, 600, 10 * MB, None, 8000, 2000, 20)
"""On Anthropic's own API, for models with a window of a million tokens."""
CLAUDE_IMAGES_OF_CLOUDS = ImageLimits(_VISION, 600, 5 * MB, None, 8000, 2000, 20)
"""On Amazon Bedrock and Vertex AI."""
FEWER_CLAUDE_IMAGES = 100
"""The count for models with a window of 200,000 tokens."""
OPENAI_IMAGES = ImageLimits(
    "https://developers.openai.com/api/docs/guides/images-vision#image-input-requirements", 500, None, 50 * MB
)
GEMINI_IMAGES = ImageLimits("https://ai.google.dev/gemini-api/docs/image-understanding: 3,600 image files per request", 3600)
VERTEX_IMAGES = ImageLimits("https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/image-understanding", 3000)
XAI_IMAGES = ImageLimits("https://docs.x.ai/docs/guides/image-understanding: 20 MiB an image", None, 20 * MB * 4 // 3 + 4)


def claude_images(limits: ImageLimits, model: str, vendor: str) -> ImageLimits:
    """`limits` for one Claude, by the size of its window."""
    window = facts_of(model, vendor).context
    return replace(limits, count=FEWER_CLAUDE_IMAGES) if window is not None and window <= 200_000 else limits
