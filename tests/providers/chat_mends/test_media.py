"""Images, files and recordings in bodies of OpenAI's chat dialect: what is changed, what stays, and what is named as lost."""

from __future__ import annotations

import pytest

from conduit_desktop.providers.chat_mends import media
from conduit_desktop.providers.model_facts import ModelFacts
from conduit_desktop.providers.request_rules import Mend
from tests.fakes.chat_bodies import USER, image, mended


def test_a_picture_that_the_model_cannot_read_is_replaced_by_a_sentence() -> None:
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "see"}, image("data:image/png;base64,AA")]}, USER]}
    sent, lost = mended(media.unread_images, body, ModelFacts(images=False))
    # As one string: vendors that read text only often take no list of parts.
    assert sent["messages"] == [{"role": "user", "content": "see\n[An image was left out: the model does not take it]"}, USER]
    assert lost == ["content.image_url"]
    assert mended(media.unread_images, body) == (body, [])


def test_only_parts_of_the_types_that_a_vendor_refuses_are_replaced() -> None:
    picture, file = image("data:image/png;base64,AA"), {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA"}}
    sent, lost = mended(media.without_parts("file"), {"messages": [{"role": "user", "content": [picture, file]}]})
    assert sent["messages"][0]["content"][0] == picture
    assert sent["messages"][0]["content"][1]["type"] == "text"
    assert lost == ["content.file"]


def test_a_file_of_text_is_its_text_where_a_vendor_takes_no_files() -> None:
    file = {"type": "file", "file": {"filename": "a.csv", "file_data": "data:text/csv;charset=utf-8;base64,aSxqCg=="}}
    sent, lost = mended(media.without_parts("file"), {"messages": [{"role": "user", "content": [file]}]})
    assert sent["messages"][0]["content"] == "a.csv\n\ni,j\n"
    assert lost == []


@pytest.mark.parametrize(
    ("mend", "url", "taken"),
    [
        (media.without_remote_images, "https://x/a.png", False),
        (media.without_remote_images, "data:image/png;base64,AA", True),
        (media.without_remote_images, "ms://file-1", True),
        (media.images_of("png", "jpe?g"), "data:image/jpeg;base64,AA", True),
        (media.images_of("png", "jpe?g"), "data:image/webp;base64,AA", False),
        (media.images_of("png", "jpe?g"), "https://x/a.webp", True),
    ],
)
def test_pictures_are_taken_by_their_address(mend: Mend, url: str, taken: bool) -> None:
    body = {"messages": [{"role": "user", "content": [image(url)]}]}
    sent, lost = mended(mend, body)
    assert (sent == body) is taken
    assert lost == ([] if taken else ["content.image_url"])


def test_of_too_many_pictures_the_last_are_kept() -> None:
    urls = [f"data:image/png;base64,{name}" for name in ("AA", "BB", "CC")]
    messages = [{"role": "user", "content": [image(urls[0]), image(urls[1])]}, {"role": "user", "content": [image(urls[2])]}]
    sent, lost = mended(media.last_images(2), {"messages": messages})
    assert [part["type"] for message in sent["messages"] for part in message["content"]] == ["text", "image_url", "image_url"]
    assert lost == ["content.image_url"]
    assert mended(media.last_images(3), {"messages": messages}) == ({"messages": messages}, [])
