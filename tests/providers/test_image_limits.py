"""Pictures over a vendor's limits are refused by the client's field, before anything is sent."""

from __future__ import annotations

import base64

import pytest

from conduit_desktop.core.chat import ChatRequest, Media, Message, ToolResult
from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.providers.catalog import bind
from conduit_desktop.providers.image_limits import MB, check_images, dimensions


def png(width: int, height: int) -> str:
    return base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4) + height.to_bytes(4) + b"\x08\x06\0\0\0").decode()


def checked(kind: str, model: str, *data: str) -> None:
    """As in a request whose last picture is a tool's."""
    images = [Media("image", data=one, media_type="image/png") for one in data]
    messages = [Message("user", list(images[:-1])), Message("tool", [ToolResult("t", [images[-1]])])]
    limits = bind(Provider(id="p", name="p", kind=kind)).image_limits(model)
    assert limits is not None
    check_images(ChatRequest("openai_responses", "m", messages), limits, "Vendor", "input")


SMALL = png(9, 9)
OLD, NEW = "claude-sonnet-4-5", "claude-opus-4-7"


@pytest.mark.parametrize(
    ("kind", "model", "fits", "refused", "says"),
    [
        ("anthropic", OLD, [SMALL] * 100, [SMALL] * 101, "at most 100 images"),
        ("anthropic", NEW, [SMALL] * 600, [SMALL] * 601, "at most 600 images"),
        ("anthropic", NEW, ["A" * 10 * MB], ["A" * (10 * MB + 4)], "image 1 of the request has 10.0 MB"),
        ("vertex", NEW, ["A" * 5 * MB], ["A" * (5 * MB + 4)], "at most 5.0 MB"),
        ("bedrock", f"us.anthropic.{NEW}", ["A" * 5 * MB], [SMALL, "A" * (5 * MB + 4)], "image 2 of the request"),
        ("anthropic", NEW, [png(8000, 8000)], [png(20, 8001)], "has 20 x 8001"),
        ("anthropic", NEW, [png(2001, 9)] * 20, [SMALL] * 20 + [png(2001, 9)], "more than 20 of them"),
        ("openai", "gpt-5", [SMALL] * 500, [SMALL] * 501, "at most 500 images"),
        ("azure", "gpt-5", ["A" * 25 * MB] * 2, ["A" * 26 * MB] * 2, "together"),
        ("xai", "grok-4", ["A" * 26 * MB], ["A" * 27 * MB], "at most 26.7 MB in base64"),
        ("gemini", "gemini-3-pro", [SMALL] * 3600, [SMALL] * 3601, "at most 3600 images"),
        ("vertex", "gemini-3-pro", [SMALL] * 3000, [SMALL] * 3001, "at most 3000 images"),
    ],
)  # fmt: skip
def test_pictures_over_a_limit_are_refused_by_the_clients_field(
    kind: str, model: str, fits: list[str], refused: list[str], says: str
):
    checked(kind, model, *fits)
    with pytest.raises(BadRequest, match=says) as refusal:
        checked(kind, model, *refused)
    assert refusal.value.param == "input"


def test_the_dimensions_of_a_picture_are_in_its_first_bytes():
    def in_base64(*parts: bytes) -> str:
        return base64.b64encode(b"".join(parts)).decode()

    segment = b"\xff\xe1" + (302).to_bytes(2) + b"x" * 300
    frame = b"\xff\xc2" + (17).to_bytes(2) + b"\x08" + (600).to_bytes(2) + (800).to_bytes(2) + b"\x03" + b"\0" * 9
    assert dimensions(png(800, 600)) == (800, 600)
    assert dimensions(in_base64(b"\xff\xd8", segment, b"\xff\xff\xc4\0\x04ab", frame)) == (800, 600)
    assert dimensions(in_base64(b"GIF89a", (800).to_bytes(2, "little"), (600).to_bytes(2, "little"), b"\0\0")) == (800, 600)
    webp = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (799).to_bytes(3, "little") + (599).to_bytes(3, "little")
    assert dimensions(in_base64(webp)) == (800, 600)
    lossless = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + (799 | 599 << 14).to_bytes(4, "little") + b"\0" * 8
    assert dimensions(in_base64(lossless)) == (800, 600)
    lossy = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a" + (800).to_bytes(2, "little") + (600).to_bytes(2, "little")
    assert dimensions(in_base64(lossy)) == (800, 600)
    for other in ("", "!", "é", "AAAA", in_base64(b"\xff\xd8\xff"), in_base64(b"BM" + b"\0" * 40)):
        assert dimensions(other) == (0, 0)
