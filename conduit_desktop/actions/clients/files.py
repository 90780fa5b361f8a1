"""Config files of other programs: read, written in one step and never over a change that was not seen, kept in the home."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from conduit_desktop.actions.clients.documents import Unreadable
from conduit_desktop.core.errors import Conflict, Invalid
from conduit_desktop.store.private_files import remove, sync_folder, temporary, write_private

BOM = b"\xef\xbb\xbf"
log = logging.getLogger(__name__)
MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class Content:
    """A file at one moment: `data` is None where there is none. `target` is where its links lead to."""

    path: Path
    target: Path
    data: bytes | None

    @property
    def digest(self) -> str | None:
        """SHA-256 of the content."""
        return None if self.data is None else digest(self.data)


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def read(path: Path) -> Content:
    """The file; raises Conflict for one that cannot be read or is no file."""
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            raise Conflict(f"{path} is no file.")
        if target.exists() and target.stat().st_size > MAX_BYTES:
            raise Conflict(f"{path} is larger than {MAX_BYTES // 1024 // 1024} MB.")
        return Content(path, target, target.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return Content(path, target, None)
    except OSError as error:
        raise Conflict(f"{path} cannot be read: {error.strerror or error}.") from error


def text_of(data: bytes | None) -> str:
    """The text of a file, without its byte-order mark; raises Unreadable for another encoding than UTF-8."""
    raw = (data or b"").removeprefix(BOM)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(raw.count(b"\n", 0, error.start) + 1, "the text is not UTF-8") from error


def data_of(text: str, former: bytes | None) -> bytes:
    """The bytes of a text, with a byte-order mark where the file had one."""
    return (BOM if former is not None and former.startswith(BOM) else b"") + text.encode("utf-8")


def write(seen: Content, data: bytes | None) -> list[str]:
    """Put `data` where `seen` was read, or remove the file for None; returns the folders made for it.

    The file is replaced in one step, keeps its mode, and links to it stay links. Raises Conflict where it changed since it was
    read, and where it cannot be written.
    """
    target = seen.target
    try:
        made = _folders(target.parent)
        part = temporary(target)
        try:
            if data is not None:
                _write_new(part, data, target.stat() if seen.data is not None else None)
            # As late as can be: what another program wrote meanwhile must not be lost.
            if read(seen.path).digest != seen.digest or Path(os.path.realpath(seen.path)) != target:
                raise Conflict(f"{seen.path} was changed by another program just now. Look at the difference again.")
            if data is None:
                target.unlink(missing_ok=True)
            else:
                part.replace(target)
            sync_folder(target.parent)
        except BaseException:
            remove(part)
            _remove_folders(made)
            raise
    except OSError as error:
        why = error.strerror or str(error)
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            why += "; it was not changed"
        raise Conflict(f"{seen.path} cannot be written: {why}.") from error
    return made


def remove_folders(made: list[str]) -> None:
    """Remove folders that were made for a file, where they are empty."""
    _remove_folders(made)


def keep(folder: Path, data: bytes) -> str:
    """Keep a copy under the name of its content's digest, mode 0600; returns that name."""
    name = digest(data)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / name).is_file():
        write_private(folder / name, data)
    return name


def kept(folder: Path, name: str) -> bytes | None:
    """A kept copy; None where it is gone, or not what it was: our values are then taken out of the file as it is."""
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        log.warning("the backup %s of a client's file cannot be read: %s", folder / name, error.strerror or error)
        return None
    if digest(data) != name:
        log.warning("the backup %s of a client's file was changed, and is not used", folder / name)
        return None
    return data


def unreadable(path: Path, error: Unreadable) -> Invalid:
    """The error of a file that is not of its format, with file and line."""
    return Invalid(f"{path}, {error}. The file was not changed; mend it first.")


def _folders(folder: Path) -> list[str]:
    """Make the folder; those that were made, the innermost first."""
    missing = []
    while not os.path.exists(folder):  # `Path.exists` raises where a folder above may not be read
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(mode=0o700)
    return [str(one) for one in missing]


def _remove_folders(made: list[str]) -> None:
    for one in made:
        with suppress(OSError):
            Path(one).rmdir()  # refused where something is in it


def _write_new(path: Path, data: bytes, like: os.stat_result | None) -> None:
    """A new file with the mode and the owner of `like`, else for the user alone."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if like is not None and sys.platform != "win32":
            # Where the gateway runs as another user, such as root.
            with suppress(OSError):
                os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
