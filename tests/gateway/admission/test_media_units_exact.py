"""Units and tokens of media requests: at the worst, and of answers that report none."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import Units
from conduit_desktop.gateway.admission.media_units import expected_units, media_usage, reports_tokens, worst_units
from conduit_desktop.wire.framing import multipart
from conduit_desktop.wire.media.endpoints import MediaRequest


def recording(size: int) -> multipart.Form:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
    return multipart.parse(head + b"\0" * size + b"\r\n--x--\r\n", "multipart/form-data; boundary=x")


def test_a_recording_is_at_most_as_long_as_at_eight_kilobits_a_second() -> None:
    for endpoint in ("transcriptions", "translations"):
        assert worst_units(MediaRequest(endpoint, {}, recording(1500))) == Units(seconds=1.5)
        assert expected_units(MediaRequest(endpoint, {}, recording(24_000))) == Units(seconds=1.5)
        assert worst_units(MediaRequest(endpoint, {})) == Units(seconds=None)


def test_what_states_its_units_uses_them_at_most() -> None:
    assert worst_units(MediaRequest("image_edits", {"n": 2}, recording(9000))) == Units(images=2)
    assert worst_units(MediaRequest("speech", {"input": "abc"})) == Units(characters=3)


@pytest.mark.parametrize(
    ("quality", "size", "output"),
    [
        ("low", "1024x1024", 272), ("low", "1024x1536", 408), ("medium", "1024x1024", 1056), ("Medium", "1536x1024", 1584),
        ("high", "1024x1024", 4160), ("high", "1536x1024", 6240), ("", "1024x1024", 4160), ("", "", 6240), ("hd", "auto", 6240),
        ("low", "x", 408), ("low", "", 408),
    ],
)  # fmt: skip
def test_pictures_whose_tokens_are_not_reported_are_counted_by_quality_and_shape(quality: str, size: str, output: int) -> None:
    for images in (1, 3):
        units = Units(images=images, image_size=size, image_quality=quality)
        found = media_usage("images", units, 17)
        assert found == Usage(input=17, output=images * output, image_out=images * output, source="estimated")


@pytest.mark.parametrize(("seconds", "audio_in", "output"), [(1, 10, 4), (0.01, 1, 1), (60, 600, 240), (1.26, 13, 6)])
def test_sound_whose_tokens_are_not_reported_is_counted_by_its_seconds(seconds: float, audio_in: int, output: int) -> None:
    for endpoint in ("transcriptions", "translations"):
        found = media_usage(endpoint, Units(seconds=seconds), 17)
        assert found == Usage(audio_in=audio_in, output=output, source="estimated")


@pytest.mark.parametrize(
    ("endpoint", "units"),
    [
        ("transcriptions", Units(seconds=None)), ("transcriptions", Units(seconds=0)), ("speech", Units(characters=9)),
        ("speech", Units(seconds=9)), ("images", Units()),
    ],
)  # fmt: skip
def test_units_that_show_no_tokens_give_none(endpoint: str, units: Units) -> None:
    assert media_usage(endpoint, units, 17) is None


@pytest.mark.parametrize(
    ("endpoint", "body", "reports"),
    [
        ("images", {}, True), ("embeddings", {"response_format": "text"}, True), ("speech", {}, False),
        ("speech", {"stream_format": "sse"}, True), ("speech", {"stream_format": "audio"}, False), ("transcriptions", {}, True),
        ("transcriptions", {"response_format": "json"}, True), ("transcriptions", {"response_format": "text"}, False),
        ("translations", {"response_format": "srt"}, False), ("transcriptions", {"response_format": "vtt"}, False),
        ("transcriptions", {"response_format": "text", "stream": True}, True),
        ("transcriptions", {"response_format": "text", "stream": "true"}, True),
        ("transcriptions", {"response_format": "text", "stream": "false"}, False),
    ],
    ids=str,
)  # fmt: skip
def test_sound_and_subtitles_report_no_tokens_unless_they_come_as_events(
    endpoint: str, body: dict[str, Any], reports: bool
) -> None:
    assert reports_tokens(endpoint, body) is reports
