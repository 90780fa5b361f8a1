"""The composer: keyboard and attached images."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from conduit_desktop.gui.widgets.chat import attachments
from conduit_desktop.gui.widgets.chat.composer import Composer


@pytest.fixture
def composer(qtbot: QtBot) -> Composer:
    made = Composer()
    qtbot.addWidget(made)
    made.resize(600, 160)
    made.show()
    return made


@pytest.fixture
def png(tmp_path: Path, qapp) -> Path:
    path = tmp_path / "shot.png"
    image = QImage(3000, 1500, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    assert image.save(str(path))
    return path


def test_enter_sends_and_shift_enter_breaks_the_line(composer: Composer, qtbot: QtBot):
    sent: list[tuple[str, list]] = []
    composer.sent.connect(lambda text, pictures: sent.append((text, pictures)))
    qtbot.keyClicks(composer.edit, "one")
    qtbot.keyClick(composer.edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClicks(composer.edit, "two")
    assert sent == []
    qtbot.keyClick(composer.edit, Qt.Key.Key_Return)
    assert [(text.splitlines(), pictures) for text, pictures in sent] == [(["one", "two"], [])]
    assert composer.edit.toPlainText() == ""


def test_an_empty_message_is_not_sent(composer: Composer, qtbot: QtBot):
    sent: list[str] = []
    composer.sent.connect(lambda text, _: sent.append(text))
    qtbot.keyClicks(composer.edit, "   ")
    qtbot.keyClick(composer.edit, Qt.Key.Key_Return)
    assert sent == []
    assert not composer.send_button.isEnabled()


def test_during_a_response_stop_replaces_send(composer: Composer, qtbot: QtBot):
    """And the text being written is kept."""
    composer.set_busy(True)
    qtbot.keyClicks(composer.edit, "next")
    qtbot.keyClick(composer.edit, Qt.Key.Key_Return)
    assert composer.edit.toPlainText() == "next"
    assert composer.stop_button.isVisible()
    assert not composer.send_button.isVisible()


def test_escape_stops_only_a_running_response(composer: Composer, qtbot: QtBot):
    stopped: list[bool] = []
    composer.stopped.connect(lambda: stopped.append(True))
    composer.activateWindow()
    composer.edit.setFocus()
    qtbot.keyClick(composer.edit, Qt.Key.Key_Escape)
    composer.set_busy(True)
    assert stopped == []
    qtbot.keyClick(composer.edit, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: stopped == [True])


async def test_a_large_image_is_scaled_down_and_shown(composer: Composer, png: Path):
    picture = await attachments.from_file(png)
    image = QImage.fromData(base64.b64decode(picture.data))
    assert (image.width(), image.height()) == (2048, 1024)
    composer.thumbnails.add([picture])
    assert composer.thumbnails.isVisible()
    assert composer.send_button.isEnabled()
    composer.thumbnails.findChildren(attachments.QToolButton)[0].click()
    assert composer.thumbnails.pictures == []


async def test_a_dropped_text_file_is_not_an_image(tmp_path: Path, png: Path):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "notes.txt"))])
    assert not attachments.has_images(mime)
    mime.setUrls([QUrl.fromLocalFile(str(png)), QUrl.fromLocalFile(str(tmp_path / "notes.txt"))])
    assert [picture.name for picture in await attachments.images_from(mime)] == ["shot.png"]


async def test_a_broken_image_is_reported(tmp_path: Path):
    path = tmp_path / "broken.png"
    path.write_bytes(b"not a picture")
    with pytest.raises(attachments.UnreadableImage, match=r"broken\.png is not an image"):
        await attachments.from_file(path)


def test_pasted_text_is_pasted_as_text(composer: Composer):
    offered: list[QMimeData] = []
    composer.pictures_offered.connect(offered.append)
    mime = QMimeData()
    mime.setText("plain")
    mime.setHtml("<b>plain</b>")
    composer.edit.insertFromMimeData(mime)
    assert composer.edit.toPlainText() == "plain"
    assert offered == []
