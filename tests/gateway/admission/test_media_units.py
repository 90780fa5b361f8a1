"""Units that a request to a media endpoint is expected to use."""

from __future__ import annotations

from conduit_desktop.core.media import Units
from conduit_desktop.gateway.admission.media_units import expected_units
from conduit_desktop.wire.framing import multipart
from conduit_desktop.wire.media.endpoints import MediaRequest


def test_an_image_request_is_expected_to_make_as_many_pictures_as_it_requests() -> None:
    assert expected_units(MediaRequest("images", {"n": 3})) == Units(images=3)
    assert expected_units(MediaRequest("images", {})) == Units(images=1)


def test_a_speech_request_is_expected_to_take_its_text_in_characters() -> None:
    assert expected_units(MediaRequest("speech", {"input": "äbc"})) == Units(characters=3)


def test_the_length_of_a_recording_is_estimated_from_the_size_of_its_file() -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n'
    file = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n' + b"\0" * 32_000 + b"\r\n--x--\r\n"
    form = multipart.parse(head + file, "multipart/form-data; boundary=x")
    assert expected_units(MediaRequest("transcriptions", form.fields(), form)) == Units(seconds=2.0)
    assert expected_units(MediaRequest("transcriptions", {})) == Units(seconds=None)


def test_an_image_edit_with_a_file_is_counted_in_pictures() -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + b"\0" * 32_000 + b"\r\n--x--\r\n"
    form = multipart.parse(body, "multipart/form-data; boundary=x")
    assert expected_units(MediaRequest("image_edits", {}, form)) == Units(images=1)
