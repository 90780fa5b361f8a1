"""The system's keyring: Secret Service, KWallet, macOS Keychain or Windows Credential Manager.

Entries are filed under a service named by the home's random identity. A value too long for one entry (Windows takes
about 1,280 characters) is kept in pieces, and the entry of its name says where they are.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import keyring
from keyring.backend import KeyringBackend

from conduit_desktop.core.errors import SecretsUnavailable, describe
from conduit_desktop.core.paths import Home
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.store.private_files import create_private
from conduit_desktop.store.secrets.base import SecretStore

PIECE = 1000
"""Characters in one entry; half as many where they are not ASCII, since Windows counts in UTF-16."""
_MARK = "conduit-pieces:"
_SERVICE = "conduit-desktop"
_PROBE_PATIENCE_S = 60.0
_USELESS = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")
"""Keep nothing, keep it as plain text, or prompt on a terminal that is not visible."""


class _Pieces(NamedTuple):
    """Where a long value is: entries `<name>#<generation>#<number>`."""

    generation: str
    number: int

    @classmethod
    def read(cls, entry: str | None) -> _Pieces | None:
        """What an entry says of pieces; None for a plain value, for no entry and for a damaged one."""
        if entry is None or not entry.startswith(_MARK):
            return None
        generation, _, number = entry.removeprefix(_MARK).partition(":")
        return cls(generation, int(number)) if number.isdecimal() else None

    def entry(self) -> str:
        return f"{_MARK}{self.generation}:{self.number}"

    def names(self, name: str) -> list[str]:
        return [f"{name}#{self.generation}#{index}" for index in range(self.number)]


class KeyringSecrets(SecretStore):
    """Secrets in one keyring, under one home's service."""

    backend = "keyring"

    def __init__(self, home: Home, ring: KeyringBackend) -> None:
        self._home = home
        self._ring = ring
        self._lock = threading.RLock()
        self._service: str | None = None
        self.note = f"Secrets are kept in the system's keyring ({ring.name})."

    @classmethod
    def open(cls, home: Home) -> KeyringSecrets:
        """The keyring, after it has kept, given back and forgotten a trial value; raises SecretsUnavailable."""
        ring = usable_keyring()
        _probe(ring)
        return cls(home, ring)

    def get(self, name: str) -> str | None:
        if not (service := self._known_service()):
            return None
        with self._lock, _plain_errors("read"):
            for _ in range(3):  # another process may be replacing it: then the entry names other pieces the next time
                entry = self._ring.get_password(service, name)
                value = self._joined(service, name, entry) if entry is not None and entry.startswith(_MARK) else entry
                if entry is None or value is not None:
                    SECRETS.add(value)
                    return value
        raise SecretsUnavailable(f"the keyring has lost a part of {name}")

    def set(self, name: str, value: str) -> None:
        SECRETS.add(value)
        service = self._own_service()
        with self._lock, _plain_errors("write to"):
            old = _Pieces.read(self._ring.get_password(service, name))
            size = PIECE if value.isascii() else PIECE // 2
            # A value that itself starts with the mark goes into pieces, or it would be read as an entry that names some.
            if len(value) <= size and not value.startswith(_MARK):
                self._ring.set_password(service, name, value)
            else:
                self._set_pieces(service, name, [value[start : start + size] for start in range(0, len(value), size)])
            # Only now: until the new entry is written, readers follow the old one to its pieces.
            self._remove(service, old.names(name) if old else [])

    def delete(self, name: str) -> None:
        if not (service := self._known_service()):
            return
        with self._lock, _plain_errors("delete from"):
            entry = self._ring.get_password(service, name)
            if entry is None:
                return
            # The entry before its pieces: a reader never finds an entry whose pieces are gone.
            self._ring.delete_password(service, name)
            pieces = _Pieces.read(entry)
            self._remove(service, pieces.names(name) if pieces else [])

    def _joined(self, service: str, name: str, entry: str) -> str | None:
        pieces = _Pieces.read(entry)
        found = [self._ring.get_password(service, piece) for piece in pieces.names(name)] if pieces else [None]
        present = [part for part in found if part is not None]
        return "".join(present) if len(present) == len(found) else None

    def _set_pieces(self, service: str, name: str, values: list[str]) -> None:
        """The pieces first, then the entry that names them: a crash in between leaves the old value whole."""
        pieces = _Pieces(secrets.token_hex(4), len(values))
        try:
            for piece, value in zip(pieces.names(name), values, strict=True):
                self._ring.set_password(service, piece, value)
            self._ring.set_password(service, name, pieces.entry())
        except BaseException:
            self._remove(service, pieces.names(name))
            raise

    def _remove(self, service: str, names: list[str]) -> None:
        for name in names:
            with suppress(Exception):  # a piece that stays behind is harmless
                self._ring.delete_password(service, name)

    def _known_service(self) -> str | None:
        """The home's service; None as long as it has kept nothing."""
        if self._service is None and self._home.identity.exists():
            return self._own_service()
        return self._service

    def _own_service(self) -> str:
        """The home's service, its identity made at first use: random, so that no two homes ever share one."""
        if self._service is None:
            try:
                identity = create_private(self._home.identity, secrets.token_hex(16).encode() + b"\n").decode("ascii").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SecretsUnavailable(f"cannot use {self._home.identity}: {error}") from error
            if not identity:
                raise SecretsUnavailable(f"{self._home.identity} is empty")
            self._service = f"{_SERVICE}/{identity}"
        return self._service


def usable_keyring() -> KeyringBackend:
    """The keyring this machine's user has; raises SecretsUnavailable where it keeps nothing, or keeps it in the clear."""
    with _plain_errors("find"):
        ring = keyring.get_keyring()
        rings = list(getattr(ring, "backends", [ring]))
    # One backend of a chain is taken, not the chain: that could fall back on one that keeps plain text.
    for each in rings:
        kind = type(each)
        if not kind.__module__.startswith(_USELESS) and "plaintext" not in kind.__name__.lower():
            return each  # type: ignore[no-any-return]
    raise SecretsUnavailable("this session has no keyring")


def _probe(ring: KeyringBackend) -> None:
    """Write, read, delete a trial value. In a thread of its own: a locked keyring waits for its password."""
    failure: list[SecretsUnavailable] = []

    def try_it() -> None:
        try:
            _write_read_delete(ring)
        except SecretsUnavailable as error:
            failure.append(error)
        except Exception as error:  # see _plain_errors; with a trial value, its text gives nothing away
            failure.append(SecretsUnavailable(f"the keyring cannot be used ({describe(error)})"))

    # A daemon: a keyring that never answers must not keep the process from ending.
    thread = threading.Thread(target=try_it, name="keyring-probe", daemon=True)
    thread.start()
    thread.join(_PROBE_PATIENCE_S)
    if thread.is_alive():
        raise SecretsUnavailable(f"the keyring has not answered for {_PROBE_PATIENCE_S:.0f} s; it may be locked")
    if failure:
        raise failure[0]


def _write_read_delete(ring: KeyringBackend) -> None:
    service, name, value = f"{_SERVICE}/probe", secrets.token_hex(8), secrets.token_hex(16)
    ring.set_password(service, name, value)
    kept = ring.get_password(service, name)
    if kept is not None:
        ring.delete_password(service, name)
    if kept != value or ring.get_password(service, name) is not None:
        raise SecretsUnavailable("the keyring does not keep what it is given")


@contextmanager
def _plain_errors(operation: str) -> Iterator[None]:
    try:
        yield
    except SecretsUnavailable:
        raise
    except Exception as error:  # the backends raise D-Bus, OS and their own errors, none of one kind
        # The type alone: the text of a backend's error could repeat the secret.
        raise SecretsUnavailable(f"cannot {operation} the keyring: {type(error).__name__}") from error
