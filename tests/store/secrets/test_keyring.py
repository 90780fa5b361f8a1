"""The system's keyring: trial, long values, and a crash at any step."""

from __future__ import annotations

import stat
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import keyring
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keyring.backends import fail, null
from keyring.backends.chainer import ChainerBackend
from keyring.errors import KeyringLocked

from conduit_desktop.core.errors import SecretsUnavailable
from conduit_desktop.core.paths import Home
from conduit_desktop.store.secrets.keyring import PIECE, KeyringSecrets, usable_keyring
from tests.fakes.memory_keyring import MemoryKeyring

NAME = "provider/p1/default"
LONG = "".join(chr(ord("a") + number % 26) for number in range(4321))


class Crash(BaseException):
    """The power goes."""


class Small(MemoryKeyring):
    """Has the length limit of Windows, and fails at the chosen write."""

    priority = 1.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.breaks_after: int | None = None

    def set_password(self, service: str, username: str, password: str) -> None:
        if len(password.encode("utf-16-le")) > 2560:
            raise ValueError("too long")
        self._tick()
        super().set_password(service, username, password)

    def delete_password(self, service: str, username: str) -> None:
        self._tick()
        super().delete_password(service, username)

    def _tick(self) -> None:
        if self.breaks_after is not None:
            if self.breaks_after == 0:
                raise Crash
            self.breaks_after -= 1


@pytest.fixture
def ring() -> Small:
    made = Small()
    keyring.set_keyring(made)
    return made


def test_a_secret_is_there_for_the_next_process(home: Home, system_keyring: MemoryKeyring):
    KeyringSecrets.open(home).set(NAME, "sk-test")
    assert KeyringSecrets.open(home).get(NAME) == "sk-test"
    assert KeyringSecrets.open(home).get("other") is None


def test_the_trial_leaves_nothing(home: Home, system_keyring: MemoryKeyring):
    KeyringSecrets.open(home)
    assert system_keyring.entries == {}
    assert not home.identity.exists()


def test_reading_from_a_new_home_makes_no_identity(home: Home):
    fresh = KeyringSecrets.open(home)
    assert fresh.get(NAME) is None
    fresh.delete(NAME)
    assert not home.identity.exists()


def test_the_identity_is_random_and_for_the_user_alone(home: Home):
    KeyringSecrets.open(home).set(NAME, "x")
    assert len(home.identity.read_text().strip()) == 32
    assert stat.S_IMODE(home.identity.stat().st_mode) == 0o600


def test_two_homes_never_share(home: Home, tmp_path: Path, system_keyring: MemoryKeyring):
    other = Home(tmp_path / "other")
    other.prepare()
    ours, theirs = KeyringSecrets.open(home), KeyringSecrets.open(other)
    ours.set(NAME, "ours")
    theirs.set(NAME, "theirs")
    theirs.delete(NAME)
    assert ours.get(NAME) == "ours"
    assert len({service for service, _ in system_keyring.entries}) == 1
    assert str(home.root) not in str(list(system_keyring.entries))


@pytest.mark.parametrize("value", [LONG, "é" * 1500, "🦊" * 1500, "x" * PIECE, "x" * (PIECE + 1), "conduit-pieces:a:1", ""])
def test_any_length_fits_where_an_entry_holds_1280_characters(home: Home, ring: Small, value: str):
    ours = KeyringSecrets.open(home)
    ours.set(NAME, value)
    assert KeyringSecrets.open(home).get(NAME) == value
    ours.delete(NAME)
    assert ours.get(NAME) is None
    assert ring.entries == {}


def test_a_replaced_value_leaves_no_old_piece(home: Home, ring: Small):
    ours = KeyringSecrets.open(home)
    for value in (LONG, LONG[::-1], "short", LONG, "short again"):
        ours.set(NAME, value)
        assert ours.get(NAME) == value
    assert list(ring.entries.values()) == ["short again"]


@pytest.mark.parametrize("old", ["old", LONG[::-1]])
@pytest.mark.parametrize("new", ["new", LONG])
def test_a_crash_at_any_step_leaves_the_old_value_or_the_new_one(home: Home, ring: Small, old: str, new: str):
    ours = KeyringSecrets.open(home)
    for step in range(12):
        ring.breaks_after = None
        ours.set(NAME, old)
        ring.breaks_after = step
        with suppress(Crash):
            ours.set(NAME, new)
        ring.breaks_after = None
        assert KeyringSecrets(home, ring).get(NAME) in (old, new)


def test_a_lost_piece_is_an_error_and_can_be_replaced(home: Home, ring: Small):
    ours = KeyringSecrets.open(home)
    ours.set(NAME, LONG)
    lost = next(key for key in ring.entries if key[1].endswith("#2"))
    del ring.entries[lost]
    with pytest.raises(SecretsUnavailable, match="lost a part"):
        ours.get(NAME)
    ours.set(NAME, "new")
    assert ours.get(NAME) == "new"


@pytest.mark.parametrize("useless", [fail.Keyring(), null.Keyring()])
def test_a_keyring_that_keeps_nothing_is_none(home: Home, useless: object):
    keyring.set_keyring(useless)
    with pytest.raises(SecretsUnavailable, match="no keyring"):
        KeyringSecrets.open(home)


def test_a_keyring_of_plain_text_is_none(home: Home):
    class PlaintextKeyring(MemoryKeyring):
        priority = 1.0  # type: ignore[assignment]

    keyring.set_keyring(PlaintextKeyring())
    with pytest.raises(SecretsUnavailable):
        KeyringSecrets.open(home)


class Chain(ChainerBackend):
    """A chain of what the test says."""

    priority = 10.0  # type: ignore[assignment]
    backends: ClassVar[list[object]] = []


def test_a_chain_counts_as_the_first_that_can_be_used(home: Home):
    chain = Chain()
    keyring.set_keyring(chain)
    with pytest.raises(SecretsUnavailable):
        usable_keyring()
    inner = MemoryKeyring()
    Chain.backends = [null.Keyring(), inner]
    try:
        assert usable_keyring() is inner
    finally:
        Chain.backends = []


def test_a_keyring_that_loses_values_is_refused(home: Home):
    class Forgetful(MemoryKeyring):
        priority = 1.0  # type: ignore[assignment]

        def set_password(self, service: str, username: str, password: str) -> None:
            """Says yes and does nothing."""

    keyring.set_keyring(Forgetful())
    with pytest.raises(SecretsUnavailable, match="does not keep"):
        KeyringSecrets.open(home)


def test_a_locked_keyring_is_an_error_that_names_no_secret(
    home: Home, system_keyring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
):
    ours = KeyringSecrets.open(home)

    def refuse(service: str, username: str, password: str) -> None:
        raise KeyringLocked(f"cannot store {password}")

    monkeypatch.setattr(system_keyring, "set_password", refuse)
    with pytest.raises(SecretsUnavailable) as caught:
        ours.set(NAME, "sk-test-secret")
    assert "sk-test-secret" not in str(caught.value)
    assert "KeyringLocked" in str(caught.value)


def test_a_keyring_that_does_not_answer_in_time_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch):
    import threading

    from conduit_desktop.store.secrets import keyring as keyring_secrets

    release = threading.Event()

    class Silent(MemoryKeyring):
        priority = 1.0  # type: ignore[assignment]

        def set_password(self, service: str, username: str, password: str) -> None:
            release.wait(30)

    keyring.set_keyring(Silent())
    monkeypatch.setattr(keyring_secrets, "_PROBE_PATIENCE_S", 0.05)
    try:
        with pytest.raises(SecretsUnavailable, match="not answered"):
            KeyringSecrets.open(home)
    finally:
        release.set()


@settings(max_examples=25)
@given(st.lists(st.text(max_size=2500), min_size=1, max_size=4))
def test_the_last_value_set_is_the_one_there_is(tmp_path_factory: pytest.TempPathFactory, values: list[str]):
    home = Home(tmp_path_factory.mktemp("ring"))
    ours = KeyringSecrets(home, Small())
    for value in values:
        ours.set(NAME, value)
    assert ours.get(NAME) == values[-1]
