"""Rules of every change: the lock of the config file, null as a default, and an audit entry without secrets."""

from __future__ import annotations

import pytest

from conduit_desktop.actions.changes import check_unlocked, difference, new_id, replaced, sent
from conduit_desktop.actions.schemas.inputs import KeyPatch, ProviderPatch, read
from conduit_desktop.core.entities import CredentialRef, HeaderHint, Provider, VirtualKey
from conduit_desktop.core.errors import Conflict, Invalid

PROVIDER = Provider(
    id="prov_1", name="a", kind="openai", created_at=5, updated_at=5,
    credentials=(CredentialRef(label="one", secret="provider/prov_1/one", hint="sk-…1111"),),
    headers=(HeaderHint(name="X-Org", secret="header/prov_1/x-org", hint="…2222"),),
)  # fmt: skip
KEY = VirtualKey(id="key_1", name="k", digest="d" * 64, hint="condt_…aaaa", rpm=5, baseline_nano=7, baseline_at=8)


def test_what_the_config_file_defines_is_a_conflict_and_the_rest_is_not() -> None:
    check_unlocked("user", "The key 'a'")
    with pytest.raises(Conflict, match="The key 'a' is defined in the config file"):
        check_unlocked("file", "The key 'a'")


def test_a_null_becomes_the_default_and_what_was_not_sent_is_left_out() -> None:
    assert sent(read(KeyPatch, {"rpm": None, "models": None, "enabled": False}), VirtualKey) == {
        "rpm": None, "models": (), "enabled": False,
    }  # fmt: skip


@pytest.mark.parametrize("field", ["name", "kind"])
def test_a_null_is_refused_where_there_is_no_default(field: str) -> None:
    with pytest.raises(Invalid, match="must not be empty") as raised:
        sent(read(ProviderPatch, {field: None}), Provider)
    assert raised.value.field == field


def test_a_changed_entity_is_checked_again_and_has_a_new_time() -> None:
    after = replaced(PROVIDER, {"enabled": False})
    assert (after.enabled, after.created_at, after.id) == (False, 5, "prov_1")
    assert after.updated_at > 5
    with pytest.raises(ValueError, match="rpm"):
        replaced(KEY, {"rpm": 0})


def test_ids_are_random_and_begin_with_their_kind() -> None:
    assert new_id("key").startswith("key_")
    assert new_id("key") != new_id("key")
    assert len(new_id("key")) == len("key_") + 20


def test_an_audit_entry_of_a_new_entity_names_no_secret_digest_or_internal_field() -> None:
    for entity in (PROVIDER, KEY):
        text = str(difference(None, entity))
        for hidden in ("secret", "prov_1", "digest", "ddd", "created_at", "updated_at", "baseline", "source", "'id'"):
            assert hidden not in text
    assert difference(None, PROVIDER)["credentials"] == [{"label": "one", "hint": "sk-…1111", "weight": 1}]


def test_an_audit_entry_of_a_change_holds_only_the_fields_that_changed() -> None:
    after = replaced(KEY, {"rpm": 6, "digest": "e" * 64})
    assert difference(KEY, after) == {"rpm": 6}
    assert difference(KEY, replaced(KEY, {})) == {}
    assert difference(KEY, None) == {}
