"""The vault: secrets in one encrypted file, for homes without a keyring.

The file is a line that names the format, a line of JSON that says how the key is made, and a nonce with AES-256-GCM over
a JSON object; both lines are authenticated with it. The key comes from a passphrase by scrypt, or is the file `vault.key`.
cryptography is some megabytes, and loaded when something is sealed or unsealed: a home without secrets does without.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from conduit_desktop.core.errors import SecretsUnavailable
from conduit_desktop.core.paths import Home
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.store.private_files import create_private, locked, write_private
from conduit_desktop.store.secrets.base import SecretStore

_MAGIC = b"conduit-vault 1\n"
_NONCE_BYTES = 12
_KEY_BYTES = 32
_SCRYPT: dict[str, int] = {"n": 2**15, "r": 8, "p": 1}
_SCRYPT_BOUNDS = {"n": (2**14, 2**20), "r": (8, 32), "p": (1, 16)}
"""Values beyond them mean a weak key, or far too much memory."""


@dataclass(frozen=True, slots=True, repr=False)
class _Key:
    """A key and the header that says where it comes from."""

    header: bytes
    secret: bytes


class Vault(SecretStore):
    """Secrets in `secrets.vault`. Other processes may use the same file: every change begins with what is there."""

    backend = "vault"

    def __init__(self, home: Home, passphrase: str | None) -> None:
        self._home = home
        self._passphrase = passphrase
        self._lock = threading.RLock()
        self._key: _Key | None = None
        self._entries: dict[str, str] = {}
        self._seen: tuple[int, int, int] | None = None
        self.note = f"Secrets are kept in {home.vault.name}, encrypted with "
        self.note += "the passphrase of CONDUIT_VAULT_KEY." if passphrase else (
            f"the key in {home.vault_key.name} next to it: any program that can read this folder can read them. "
            "Set CONDUIT_VAULT_KEY to a passphrase to lock them."
        )  # fmt: skip

    @classmethod
    def open(cls, home: Home, passphrase: str | None) -> Vault:
        """The home's vault, begun with its first secret. Raises SecretsUnavailable where the key does not open it.

        A vault that was locked with a key file is locked with the passphrase from now on, where one is given.
        """
        vault = cls(home, passphrase)
        with vault._writing():
            if vault._key is not None and passphrase:
                if _how(vault._key.header)["kdf"] == "file":
                    vault._key = None
                    # Before the key file goes: a crash in between must not leave a vault that nothing opens.
                    vault._save()
                # Also one that a crash in between has left.
                home.vault_key.unlink(missing_ok=True)
        return vault

    def names(self) -> list[str]:
        """What secrets there are."""
        with self._reading():
            return sorted(self._entries)

    def get(self, name: str) -> str | None:
        with self._reading():
            return self._entries.get(name)

    def set(self, name: str, value: str) -> None:
        SECRETS.add(value)
        with self._writing():
            self._entries = {**self._entries, name: value}
            self._save()

    def delete(self, name: str) -> None:
        with self._writing():
            if name in self._entries:
                self._entries = {kept: value for kept, value in self._entries.items() if kept != name}
                self._save()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, _plain_errors(self._home):
            # Another process, such as the command line, may have written since.
            if self._signature() != self._seen:
                with locked(self._lock_path):
                    self._load()
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock, _plain_errors(self._home), locked(self._lock_path):
            self._load()
            try:
                yield
            except BaseException:
                self._entries, self._key, self._seen = {}, None, None  # memory may be ahead of the file
                raise

    @property
    def _lock_path(self) -> Any:
        # A file of its own: each save replaces the vault, and a lock on it would stay with the old file.
        return self._home.vault.with_name(self._home.vault.name + ".lock")

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            found = self._home.vault.stat()
        except FileNotFoundError:
            return None
        # The inode too: each save puts a new file in place, also where size and time stay the same.
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _load(self) -> None:
        signature = self._signature()
        if signature is None:
            self._entries, self._key, self._seen = {}, None, None
        elif signature != self._seen:
            header, sealed = _split(self._home.vault.read_bytes())
            # scrypt is slow by design: the key is derived again only where the header changed.
            if self._key is None or self._key.header != header:
                self._key = self._known_key(header)
            self._entries = _unseal(self._key, sealed)
            SECRETS.add(*self._entries.values())
            self._seen = signature

    def _save(self) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if self._key is None:
            self._key = self._new_key()
        # A new nonce for each save: AES-GCM is broken by two messages with one key and nonce.
        nonce = os.urandom(_NONCE_BYTES)
        start = _MAGIC + self._key.header
        sealed = AESGCM(self._key.secret).encrypt(nonce, orjson.dumps(self._entries), start)
        write_private(self._home.vault, start + nonce + sealed)
        self._seen = self._signature()

    def _new_key(self) -> _Key:
        if self._passphrase:
            how: dict[str, Any] = {"kdf": "scrypt", "salt": base64.b64encode(os.urandom(16)).decode(), **_SCRYPT}
            secret = _derive(self._passphrase, how)
        else:
            how = {"kdf": "file"}
            secret = _file_key(create_private(self._home.vault_key, base64.b64encode(os.urandom(_KEY_BYTES)) + b"\n"))
        return _Key(orjson.dumps({**how, "check": _check(secret)}) + b"\n", secret)

    def _known_key(self, header: bytes) -> _Key:
        how = _how(header)
        if how["kdf"] == "scrypt":
            if not self._passphrase:
                raise SecretsUnavailable(f"the vault {self._home.vault} is locked with a passphrase: set CONDUIT_VAULT_KEY")
            secret, wrong = _derive(self._passphrase, how), f"CONDUIT_VAULT_KEY is not the vault's passphrase ({self._home.vault})"
        else:
            if not self._home.vault_key.exists():
                raise SecretsUnavailable(
                    f"the vault {self._home.vault} cannot be opened: its key file {self._home.vault_key} is missing. "
                    "Put it back from a copy. Without it the secrets are lost: move the vault away, run "
                    f"`conduit-desktop doctor --forget {self._home.vault.name}`, and enter the keys anew."
                )
            secret = _file_key(self._home.vault_key.read_bytes())
            wrong = f"{self._home.vault_key} is not the key of {self._home.vault}"
        if not hmac.compare_digest(_check(secret), str(how.get("check"))):
            raise SecretsUnavailable(wrong)
        return _Key(header, secret)


def _split(data: bytes) -> tuple[bytes, bytes]:
    header_end = data.find(b"\n", len(_MAGIC)) + 1
    if not data.startswith(_MAGIC) or header_end == 0:
        raise SecretsUnavailable(
            "secrets.vault is not a vault, or one of a newer version: update Conduit Desktop, put a copy of it back, "
            "or move it away and enter the keys anew"
        )
    return data[len(_MAGIC) : header_end], data[header_end:]


def _how(header: bytes) -> dict[str, Any]:
    try:
        how = orjson.loads(header)
    except orjson.JSONDecodeError:
        how = None
    if not isinstance(how, dict) or how.get("kdf") not in ("scrypt", "file"):
        raise SecretsUnavailable(
            "secrets.vault is damaged, its header cannot be read: put a copy of it back, or move it away and enter the keys anew"
        )
    return how


def _derive(passphrase: str, how: dict[str, Any]) -> bytes:
    # The header is used before it can be authenticated: its numbers must not decide how much memory is taken.
    for name, (least, most) in _SCRYPT_BOUNDS.items():
        if not isinstance(how.get(name), int) or not least <= how[name] <= most or (name == "n" and how[name] & (how[name] - 1)):
            raise SecretsUnavailable(f"secrets.vault is damaged: scrypt's {name} is out of bounds")
    try:
        salt = base64.b64decode(how["salt"], validate=True)
    except (KeyError, TypeError, ValueError) as error:
        raise SecretsUnavailable("secrets.vault is damaged: it has no salt") from error
    memory = 128 * how["r"] * (how["n"] + how["p"] + 2)
    # OpenSSL refuses to use more than 32 MB unless `maxmem` allows it.
    return hashlib.scrypt(
        passphrase.encode(), salt=salt, n=how["n"], r=how["r"], p=how["p"], maxmem=memory + 2**20, dklen=_KEY_BYTES
    )


def _file_key(data: bytes) -> bytes:
    try:
        key = base64.b64decode(data.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY_BYTES:
        raise SecretsUnavailable("vault.key, the key of secrets.vault, is empty or damaged. Put it back from a copy")
    return key


def _check(secret: bytes) -> str:
    """Distinguishes a wrong key from a damaged file, without revealing the key."""
    return hmac.new(secret, b"conduit-vault key check", hashlib.sha256).hexdigest()[:16]


def _unseal(key: _Key, sealed: bytes) -> dict[str, str]:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        plain = AESGCM(key.secret).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _MAGIC + key.header)
    except (InvalidTag, ValueError) as error:
        raise SecretsUnavailable(
            "secrets.vault is damaged or was tampered with: put a copy of it back, or move it away and enter the keys anew"
        ) from error
    entries: dict[str, str] = orjson.loads(plain)
    return entries


@contextmanager
def _plain_errors(home: Home) -> Iterator[None]:
    try:
        yield
    except SecretsUnavailable as error:
        # With its folder: a user may have several homes.
        raise SecretsUnavailable(re.sub(rf"^{re.escape(home.vault.name)}(?= )", str(home.vault), str(error))) from error
    except OSError as error:
        raise SecretsUnavailable(f"cannot use {home.vault}: {error.strerror or error}") from error
