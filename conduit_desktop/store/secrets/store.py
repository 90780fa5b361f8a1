"""Opens the secret store of a home: the system's keyring, or an encrypted vault in the home where there is none.

Entities hold only the name of a secret. Everything here blocks, so call it in a worker thread.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal, get_args

from conduit_desktop.core.errors import SecretsUnavailable
from conduit_desktop.core.own_secrets import is_own_secret
from conduit_desktop.core.paths import Home
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.store.secrets.base import SecretStore as SecretStore

if TYPE_CHECKING:
    from conduit_desktop.store.secrets.vault import Vault

Mode = Literal["auto", "keyring", "vault"]
VAULT_VARIABLE = "CONDUIT_VAULT_KEY"
_PREFIX = re.compile(r"[A-Za-z]{2,5}[-_]")
_SHORTEST_HINTED = 16


def open_secrets(home: Home, mode: str = "auto", passphrase: str | None = None) -> SecretStore:
    """The secrets of a home. `passphrase` locks the vault; None takes CONDUIT_VAULT_KEY, and without it a key file.

    `auto` takes a vault that has entries, else the keyring if a trial write succeeds, else a vault. A home whose secrets
    are in the keyring never gets a vault by default: its secrets would seem lost. Raises SecretsUnavailable.
    """
    if mode not in get_args(Mode):
        raise SecretsUnavailable(f"CONDUIT_SECRETS must be {', '.join(get_args(Mode)[:-1])} or {get_args(Mode)[-1]}, not {mode!r}")
    passphrase = passphrase or os.environ.get(VAULT_VARIABLE) or None
    SECRETS.add(passphrase)
    if mode == "vault":
        return _vault(home, passphrase)
    if mode == "keyring":
        return _keyring(home)
    return _auto(home, passphrase)


def _auto(home: Home, passphrase: str | None) -> SecretStore:
    # A vault with entries wins over a keyring that has appeared since, or its secrets would seem lost.
    if home.vault.exists():
        vault = _vault(home, passphrase)
        if vault.names():
            return vault
    try:
        return _keyring(home)
    except SecretsUnavailable as error:
        if home.identity.exists():
            raise SecretsUnavailable(
                f"this home keeps its secrets in the system's keyring, which cannot be used now: {error}. "
                "Unlock it and start again, or set CONDUIT_SECRETS=vault to start a vault without them."
            ) from error
        vault = _vault(home, passphrase)
        vault.note += f" The system's keyring cannot be used: {error}."
        return vault


def _keyring(home: Home) -> SecretStore:
    from conduit_desktop.store.secrets.keyring import KeyringSecrets  # imports keyring, some megabytes

    return KeyringSecrets.open(home)


def _vault(home: Home, passphrase: str | None) -> Vault:
    from conduit_desktop.store.secrets.vault import Vault

    return Vault.open(home, passphrase)


def resolve(secrets: SecretStore, reference: str) -> str | None:
    """The secret behind a reference: `env:NAME` from the environment, anything else by name; None where there is none."""
    if not reference:
        return None
    if reference.startswith("env:") and is_own_secret(reference[4:]):
        return None  # also where an earlier release let it be configured
    value = os.environ.get(reference[4:]) or None if reference.startswith("env:") else secrets.get(reference)
    SECRETS.add(value)
    return value


def hint(secret: str) -> str:
    """Enough to recognise a secret: `sk-…9f3a`. One of less than 16 characters shows nothing."""
    # Four characters are too large a part of a short secret to be shown.
    if len(secret) < _SHORTEST_HINTED:
        return "…"
    prefix = _PREFIX.match(secret)
    return f"{prefix.group() if prefix else ''}…{secret[-4:]}"
