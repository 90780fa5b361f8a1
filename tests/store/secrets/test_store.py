"""Which place is chosen for secrets, references, and hints."""

from __future__ import annotations

import subprocess
import sys

import keyring
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backends import fail

from conduit_desktop.core.errors import SecretsUnavailable
from conduit_desktop.core.paths import Home
from conduit_desktop.store.secrets.store import hint, open_secrets, resolve
from tests.fakes.memory_keyring import MemoryKeyring


@pytest.fixture
def no_keyring() -> None:
    keyring.set_keyring(fail.Keyring())


def test_auto_takes_the_keyring_where_there_is_one(home: Home, system_keyring: MemoryKeyring):
    secrets = open_secrets(home)
    secrets.set("master-key", "condm-1")
    assert secrets.backend == "keyring"
    assert "keyring" in secrets.note
    assert not home.vault.exists()
    assert "condm-1" in system_keyring.entries.values()


def test_auto_uses_a_vault_where_there_is_no_keyring_and_logs_what_that_means(home: Home, no_keyring: None):
    secrets = open_secrets(home)
    assert secrets.backend == "vault"
    assert "vault.key" in secrets.note
    assert "no keyring" in secrets.note
    assert "CONDUIT_VAULT_KEY" in secrets.note


def test_auto_stays_with_a_vault_that_has_entries(home: Home):
    open_secrets(home, "vault").set("a", "b")
    assert open_secrets(home).backend == "vault"


def test_auto_leaves_an_empty_vault(home: Home):
    vault = open_secrets(home, "vault")
    vault.set("a", "b")
    vault.delete("a")
    assert open_secrets(home).backend == "keyring"


def test_a_home_in_the_keyring_does_not_seem_empty_when_the_keyring_is_away(home: Home):
    open_secrets(home).set("a", "b")
    keyring.set_keyring(fail.Keyring())
    with pytest.raises(SecretsUnavailable, match="keeps its secrets in the system's keyring"):
        open_secrets(home)
    assert open_secrets(home, "vault").backend == "vault"


def test_a_demanded_keyring_is_never_replaced_by_a_vault(home: Home, no_keyring: None):
    with pytest.raises(SecretsUnavailable):
        open_secrets(home, "keyring")
    assert not home.vault.exists()


def test_the_passphrase_comes_from_the_environment(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CONDUIT_VAULT_KEY", "correct horse")
    open_secrets(home, "vault").set("a", "b")
    assert not home.vault_key.exists()
    assert open_secrets(home, "vault", "correct horse").get("a") == "b"


def test_an_unknown_kind_of_secret_store_is_refused(home: Home):
    with pytest.raises(SecretsUnavailable, match="auto, keyring or vault"):
        open_secrets(home, "envelope")


def test_a_reference_is_an_environment_variable_or_a_name(home: Home, monkeypatch: pytest.MonkeyPatch):
    secrets = open_secrets(home)
    secrets.set("provider/p1/default", "kept")
    monkeypatch.setenv("MY_KEY", "from outside")
    assert resolve(secrets, "env:MY_KEY") == "from outside"
    assert resolve(secrets, "env:NOT_SET") is None
    assert resolve(secrets, "provider/p1/default") == "kept"
    assert resolve(secrets, "") is None


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("sk-proj-abcdefghijklmnop9f3a", "sk-…9f3a"),
        ("condt_" + "A" * 39 + "wxyz", "condt_…wxyz"),
        ("gsk_0123456789abcdefghij", "gsk_…ghij"),
        ("0123456789abcdef0123", "…0123"),
        ("sk-short", "…"),
        ("", "…"),
    ],
)
def test_a_hint_shows_the_ends_and_no_more(secret: str, shown: str):
    assert hint(secret) == shown


@given(st.text(max_size=80))
def test_a_hint_never_gives_more_than_ten_characters_away(secret: str):
    shown = hint(secret).replace("…", "")
    assert len(shown) <= 10
    assert len(shown) <= len(secret) * 2 // 3


def test_neither_library_is_imported_before_it_is_needed():
    script = (
        "import sys, conduit_desktop.store.secrets.store\n"
        "print([name for name in ('keyring', 'cryptography') if name in sys.modules])"
    )  # fmt: skip
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
