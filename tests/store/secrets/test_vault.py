"""The vault: secrets come back, only the key opens it, and damage or tampering is noticed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit_desktop.core.errors import SecretsUnavailable
from conduit_desktop.core.paths import Home
from conduit_desktop.store.secrets import vault as vault_module
from conduit_desktop.store.secrets.vault import Vault

SECRET = "sk-test-0123456789abcdef"


@pytest.fixture(autouse=True)
def _fast_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vault_module._SCRYPT, "n", 2**14)


def fresh(home: Home, passphrase: str | None = None) -> Vault:
    return Vault.open(home, passphrase)


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_a_secret_is_there_for_the_next_process(home: Home, passphrase: str | None):
    fresh(home, passphrase).set("provider/p1/default", SECRET)
    again = fresh(home, passphrase)
    assert again.get("provider/p1/default") == SECRET
    assert again.get("other") is None
    assert again.names() == ["provider/p1/default"]


def test_no_file_holds_a_secret_in_the_clear_and_all_are_for_the_user_alone(home: Home):
    fresh(home).set("master-key", SECRET)
    for path in (home.vault, home.vault_key):
        data = path.read_bytes()
        assert SECRET.encode() not in data
        assert b"master-key" not in data
        if os.name == "posix":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_vault_with_a_passphrase_has_no_key_file(home: Home):
    fresh(home, "correct horse").set("a", "b")
    assert not home.vault_key.exists()


def test_the_shipped_scrypt_is_as_expensive_as_promised(monkeypatch: pytest.MonkeyPatch, home: Home):
    monkeypatch.setitem(vault_module._SCRYPT, "n", 2**15)
    fresh(home, "correct horse").set("a", "b")
    header = orjson.loads(home.vault.read_bytes().split(b"\n")[1])
    assert (header["n"], header["r"], header["p"]) == (32_768, 8, 1)


def test_a_wrong_passphrase_is_an_error_of_one_line(home: Home):
    fresh(home, "correct horse").set("a", SECRET)
    with pytest.raises(SecretsUnavailable, match="CONDUIT_VAULT_KEY is not the vault's passphrase"):
        fresh(home, "wrong horse")
    with pytest.raises(SecretsUnavailable, match="set CONDUIT_VAULT_KEY"):
        fresh(home)


def test_a_lost_key_file_is_named(home: Home):
    fresh(home).set("a", SECRET)
    home.vault_key.unlink()
    with pytest.raises(SecretsUnavailable, match=r"vault\.key is missing"):
        fresh(home)


def test_another_homes_key_file_is_not_taken_for_ours(home: Home, tmp_path: Path):
    other = Home(tmp_path / "other")
    other.prepare()
    fresh(home).set("a", SECRET)
    fresh(other).set("a", SECRET)
    home.vault_key.write_bytes(other.vault_key.read_bytes())
    with pytest.raises(SecretsUnavailable, match="is not the key of"):
        fresh(home)


@pytest.mark.parametrize("place", [-1, -20, 0.5])
def test_a_changed_byte_is_noticed(home: Home, place: float):
    fresh(home).set("a", SECRET)
    data = bytearray(home.vault.read_bytes())
    index = int(len(data) * place) if isinstance(place, float) else int(place)
    data[index] ^= 1
    home.vault.write_bytes(data)
    with pytest.raises(SecretsUnavailable):
        fresh(home)


@pytest.mark.parametrize("keep", [0, 5, 16, 40, -3])
def test_a_cut_file_is_noticed(home: Home, keep: int):
    fresh(home).set("a", SECRET)
    home.vault.write_bytes(home.vault.read_bytes()[:keep])
    with pytest.raises(SecretsUnavailable):
        fresh(home)


@pytest.mark.parametrize(("field", "value"), [("n", 2), ("n", 2**30), ("n", 2**15 + 1), ("r", 1), ("p", "1"), ("salt", "?")])
def test_a_header_that_weakens_the_key_or_eats_the_memory_is_refused(home: Home, field: str, value: object):
    fresh(home, "correct horse").set("a", SECRET)
    magic, header, sealed = home.vault.read_bytes().split(b"\n", 2)
    home.vault.write_bytes(b"\n".join([magic, orjson.dumps({**orjson.loads(header), field: value}), sealed]))
    with pytest.raises(SecretsUnavailable, match="damaged"):
        fresh(home, "correct horse")


def test_a_passphrase_takes_over_a_vault_with_a_key_file(home: Home):
    fresh(home).set("a", SECRET)
    assert fresh(home, "correct horse").get("a") == SECRET
    assert not home.vault_key.exists()
    assert fresh(home, "correct horse").get("a") == SECRET
    with pytest.raises(SecretsUnavailable):
        fresh(home)


def test_what_another_process_wrote_is_seen_and_kept(home: Home):
    ours, theirs = fresh(home), fresh(home)
    theirs.set("theirs", "1")
    assert ours.get("theirs") == "1"
    ours.set("ours", "2")
    theirs.delete("theirs")
    assert ours.names() == theirs.names() == ["ours"]


def test_a_failed_write_leaves_the_old_vault_and_the_old_answer(home: Home, monkeypatch: pytest.MonkeyPatch):
    ours = fresh(home)
    ours.set("a", "old")

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(vault_module, "write_private", full)
    with pytest.raises(SecretsUnavailable, match="No space left"):
        ours.set("a", "new")
    assert ours.get("a") == "old"
    assert fresh(home).get("a") == "old"


def test_a_first_write_that_fails_leaves_nothing(home: Home, monkeypatch: pytest.MonkeyPatch):
    ours = fresh(home)

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(vault_module, "write_private", full)
    with pytest.raises(SecretsUnavailable):
        ours.set("a", "new")
    assert ours.get("a") is None


def test_writers_in_many_threads_lose_nothing(home: Home):
    def write(number: int) -> None:
        mine = fresh(home)
        for index in range(5):
            mine.set(f"{number}/{index}", str(number * index))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fresh(home).names()) == 30


WRITER = """
import sys
from pathlib import Path
from conduit_desktop.core.paths import Home
from conduit_desktop.store.secrets.vault import Vault
mine = Vault.open(Home(Path(sys.argv[1])), None)
for index in range(8):
    mine.set(f"{sys.argv[2]}/{index}", "x" * 2000)
"""


def test_writers_in_many_processes_lose_nothing_and_leave_no_scraps(home: Home):
    arguments = [sys.executable, "-c", WRITER, str(home.root)]
    writers = [subprocess.Popen([*arguments, str(number)]) for number in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert len(fresh(home).names()) == 24
    assert sorted(path.name for path in home.root.iterdir()) == ["logs", "secrets.vault", "secrets.vault.lock", "vault.key"]


def test_nothing_that_prints_a_vault_shows_what_is_in_it(home: Home):
    ours = fresh(home, "correct horse")
    ours.set("a", SECRET)
    assert SECRET not in repr(ours) + str(ours) + repr(ours._key) + ours.note
    assert "correct horse" not in repr(ours) + ours.note


names = st.text(min_size=1, max_size=20)


@settings(max_examples=25)
@given(st.dictionaries(names, st.text(max_size=3000), max_size=6))
def test_any_text_is_read_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, entries: dict[str, str]):
    home = Home(tmp_path_factory.mktemp("vault"))
    ours = Vault.open(home, None)
    for name, value in entries.items():
        ours.set(name, value)
    again = Vault.open(home, None)
    assert {name: again.get(name) for name in again.names()} == entries


@pytest.mark.parametrize("content", [b"\xff\xfe junk", b"conduit-vault 1\n\xff\n", b"conduit-vault 1\n{}\n"])
def test_a_damaged_vault_is_named_with_its_folder_and_a_remedy(home: Home, content: bytes):
    home.vault.write_bytes(content)
    with pytest.raises(SecretsUnavailable, match="put a copy of it back") as raised:
        fresh(home).get("a")
    assert str(home.vault) in str(raised.value)
    assert home.vault.read_bytes() == content
