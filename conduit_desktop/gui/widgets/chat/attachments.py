"""Images attached to a message: read and scaled down off the loop, shown as removable thumbnails."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMimeData, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from conduit_desktop.gui.widgets.labels import plain_tooltip

LARGEST_EDGE = 2048
"""Pixels of the longer edge; vendors scale larger images down themselves, after the upload."""
LARGEST_FILE = 20 * 1024 * 1024
SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}
_THUMBNAIL = QSize(52, 52)


@dataclass(frozen=True, slots=True)
class AttachedImage:
    """An image ready to be sent; `data` is base64."""

    name: str
    media_type: str
    data: str
    thumbnail: QImage


class UnreadableImage(ValueError):
    """The file or clipboard is not an image that can be sent; the text is shown to the user."""


def has_images(mime: QMimeData) -> bool:
    """Whether a paste or a drop contains images."""
    return mime.hasImage() or any(Path(url.toLocalFile()).suffix.lower() in SUFFIXES for url in mime.urls() if url.isLocalFile())


async def images_from(mime: QMimeData) -> list[AttachedImage]:
    """The images of a paste or a drop; files first, because a copied file also has its icon as image data."""
    paths = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
    if paths:
        # One after the other: decoding several large images at once would multiply the memory they need.
        return [await from_file(path) for path in paths if path.suffix.lower() in SUFFIXES]
    image = mime.imageData()
    if isinstance(image, QPixmap):
        image = image.toImage()
    return [await asyncio.to_thread(_from_image, image, "pasted.png")] if isinstance(image, QImage) else []


async def from_file(path: Path) -> AttachedImage:
    """Read an image from a file; raises UnreadableImage."""
    # In a thread: decoding a large image takes longer than a frame, and the server shares this loop.
    return await asyncio.to_thread(_read, path)


def _read(path: Path) -> AttachedImage:
    try:
        size = path.stat().st_size
        # The size is checked first: a file of any size can be dropped, and it would be read into memory.
        data = path.read_bytes() if size <= LARGEST_FILE else b""
    except OSError as error:
        raise UnreadableImage(f"{path.name} cannot be read: {error.strerror or error}") from error
    image = QImage.fromData(data)
    if image.isNull():
        why = "is larger than 20 MB" if size > LARGEST_FILE else "is not an image"
        raise UnreadableImage(f"{path.name} {why}.")
    if max(image.width(), image.height()) > LARGEST_EDGE:
        return _from_image(image, f"{path.stem}.png")
    # The original bytes: encoding a photo again as PNG would make it several times larger.
    return AttachedImage(path.name, _TYPES[path.suffix.lower()], base64.b64encode(data).decode(), _small(image))


def _from_image(image: QImage, name: str) -> AttachedImage:
    if max(image.width(), image.height()) > LARGEST_EDGE:
        edge = QSize(LARGEST_EDGE, LARGEST_EDGE)
        image = image.scaled(edge, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if image.isNull() or not image.save(buffer, "PNG"):  # type: ignore[call-overload]  # the stubs know files only
        raise UnreadableImage("The clipboard contains no image.")
    return AttachedImage(name, "image/png", base64.b64encode(bytes(buffer.data().data())).decode(), _small(image))


def _small(image: QImage) -> QImage:
    """A square thumbnail of the middle of the image, at twice the size for dense screens."""
    edge = _THUMBNAIL * 2
    filled = image.scaled(edge, Qt.AspectRatioMode.KeepAspectRatioByExpanding, Qt.TransformationMode.SmoothTransformation)
    left, top = (filled.width() - edge.width()) // 2, (filled.height() - edge.height()) // 2
    return filled.copy(left, top, edge.width(), edge.height())


class Thumbnails(QWidget):
    """A row of thumbnails; a click on one removes it."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None, removable: bool = True) -> None:
        super().__init__(parent)
        self.pictures: list[AttachedImage] = []
        self._removable = removable
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(8)
        self._row.addStretch(1)
        self.hide()

    def add(self, pictures: list[AttachedImage]) -> None:
        """Add images."""
        for picture in pictures:
            self.pictures.append(picture)
            self._row.insertWidget(self._row.count() - 1, self._button(picture))
        self.setVisible(bool(self.pictures))
        self.changed.emit()

    def take(self) -> list[AttachedImage]:
        """Remove and return all images."""
        taken = self.pictures
        self.pictures = []
        while self._row.count() > 1:
            item = self._row.takeAt(0)
            if item is not None and (widget := item.widget()) is not None:
                widget.deleteLater()
        self.hide()
        self.changed.emit()
        return taken

    def _button(self, picture: AttachedImage) -> QToolButton:
        button = QToolButton()
        button.setObjectName("thumbnail")
        button.setIcon(QIcon(QPixmap.fromImage(picture.thumbnail)))
        button.setIconSize(_THUMBNAIL)
        button.setAccessibleName(picture.name)
        if self._removable:
            button.setToolTip(plain_tooltip(f"{picture.name}: click to remove"))
            button.clicked.connect(lambda: self._remove(picture, button))
        else:
            button.setToolTip(plain_tooltip(picture.name))
        return button

    def _remove(self, picture: AttachedImage, button: QToolButton) -> None:
        self.pictures = [kept for kept in self.pictures if kept is not picture]
        # Not deleted at once: this runs inside the button's own signal.
        button.deleteLater()
        self.setVisible(bool(self.pictures))
        self.changed.emit()
