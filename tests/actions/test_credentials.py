"""Secrets around the writing of one row: set before it, put back if it fails, removed after it."""

from __future__ import annotations

import logging

import pytest

from conduit_desktop.actions.credentials import SecretDraft, hint, keep_credentials, keep_headers
from conduit_desktop.actions.schemas.inputs import NewCredential
from conduit_desktop.core.entities import CredentialRef, HeaderHint
from conduit_desktop.core.errors import Invalid
from tests.fakes.app_context import DictSecrets

OLD = (
    CredentialRef(label="a", secret="provider/p/a", hint="sk-…aaaa", weight=1),
    CredentialRef(label="b", secret="provider/p/b", hint="sk-…bbbb", weight=2),
    CredentialRef(label="c", secret="env:C", hint="env:C"),
)
HEADERS = (HeaderHint(name="X-A", secret="header/p/x-a", hint="…"), HeaderHint(name="X-B", secret="env:B", hint="env:B"))


@pytest.fixture
def store() -> DictSecrets:
    made = DictSecrets()
    made.kept = {"provider/p/a": "old-a", "provider/p/b": "old-b", "header/p/x-a": "old-x", "other": "kept"}
    return made


async def test_secrets_are_removed_only_for_the_keys_that_are_gone(store: DictSecrets) -> None:
    async with SecretDraft(store) as draft:
        kept = await keep_credentials(draft, "p", [NewCredential(label="b", weight=5)], OLD)
        assert store.kept["provider/p/a"] == "old-a"  # the row that names it is not written yet
    assert kept == (CredentialRef(label="b", secret="provider/p/b", hint="sk-…bbbb", weight=5),)
    assert store.kept == {"provider/p/b": "old-b", "header/p/x-a": "old-x", "other": "kept"}


async def test_an_environment_reference_is_kept_as_it_is_and_never_stored_or_removed(store: DictSecrets) -> None:
    before = dict(store.kept)
    wanted = [NewCredential(label="a"), NewCredential(label="b"), NewCredential(label="d", api_key="env:D")]
    async with SecretDraft(store) as draft:
        kept = await keep_credentials(draft, "p", wanted, OLD)
    assert (kept[2].secret, kept[2].hint) == ("env:D", "env:D")
    assert store.kept == before


async def test_a_key_that_becomes_an_environment_reference_loses_its_secret(store: DictSecrets) -> None:
    async with SecretDraft(store) as draft:
        await keep_credentials(draft, "p", [NewCredential(label="a", api_key="env:A"), NewCredential(label="b")], OLD[:2])
    assert "provider/p/a" not in store.kept
    assert store.kept["provider/p/b"] == "old-b"


async def test_a_replaced_key_keeps_its_place_and_its_new_secret(store: DictSecrets) -> None:
    wanted = [NewCredential(label="a", api_key="new-a"), NewCredential(label="b")]
    async with SecretDraft(store) as draft:
        kept = await keep_credentials(draft, "p", wanted, OLD[:2])
        # A process that is killed here leaves a row whose secret is still the one of its hint.
        assert store.kept["provider/p/a"] == "old-a"
    assert [store.kept[one.secret] for one in kept] == ["new-a", "old-b"]
    assert "provider/p/a" not in store.kept
    async with SecretDraft(store) as draft:
        again = await keep_credentials(draft, "p", wanted, kept)
    assert [one.secret for one in again] == ["provider/p/a", "provider/p/b"]


async def test_two_labels_never_share_a_secret(store: DictSecrets) -> None:
    wanted = [NewCredential(label="a", api_key="new-a"), NewCredential(label="a/2", api_key="new-a2")]
    async with SecretDraft(store) as draft:
        kept = await keep_credentials(draft, "p", wanted, OLD[:2])
    assert [store.kept[one.secret] for one in kept] == ["new-a", "new-a2"]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ([NewCredential(label="new")], "api_keys[0].api_key"),
        ([NewCredential(label="a"), NewCredential(label="a")], "api_keys[1].label"),
    ],
)
async def test_a_key_without_a_secret_or_with_a_label_twice_is_refused_and_changes_nothing(
    store: DictSecrets, wanted: list[NewCredential], field: str
) -> None:
    before = dict(store.kept)
    with pytest.raises(Invalid) as raised:
        async with SecretDraft(store) as draft:
            await keep_credentials(draft, "p", wanted, OLD)
    assert raised.value.field == field
    assert store.kept == before


async def test_a_failure_restores_what_was_replaced_and_forgets_what_was_new(store: DictSecrets) -> None:
    before = dict(store.kept)

    async def failing() -> None:
        async with SecretDraft(store) as draft:
            await draft.put("provider/p/a", "second")
            await draft.put("provider/p/a", "third")
            await draft.put("provider/p/new", "first")
            draft.drop({"provider/p/b"})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await failing()
    assert store.kept == before


async def test_a_header_is_replaced_whatever_its_case_and_removed_by_null(store: DictSecrets) -> None:
    async with SecretDraft(store) as draft:
        kept = await keep_headers(draft, "p", {"x-a": "new-x"}, HEADERS)
    assert [(one.name, one.secret) for one in kept] == [("x-a", "header/p/x-a/2"), ("X-B", "env:B")]
    assert store.kept["header/p/x-a/2"] == "new-x"
    async with SecretDraft(store) as draft:
        kept = await keep_headers(draft, "p", {"X-a": None, "x-unknown": None}, kept)
    assert [one.name for one in kept] == ["X-B"]
    assert not any(name.startswith("header/") for name in store.kept)


async def test_a_secret_that_cannot_be_removed_is_logged_by_name_and_does_not_undo_the_change(
    store: DictSecrets, caplog: pytest.LogCaptureFixture
) -> None:
    async with SecretDraft(store) as draft:
        draft.drop({"provider/p/a"})
        store.broken = True
    assert [(one.levelno, "provider/p/a" in one.message, "old-a" in one.message) for one in caplog.records] == [
        (logging.WARNING, True, False)
    ]


def test_a_hint_shows_a_reference_whole_and_only_the_end_of_a_secret() -> None:
    assert hint("env:OPENAI_API_KEY") == "env:OPENAI_API_KEY"
    assert hint("sk-proj-0123456789abcdef") == "sk-…cdef"
    assert hint("short") == "…"


async def test_what_is_named_by_a_reference_or_by_nothing_is_never_removed(store: DictSecrets) -> None:
    store.kept |= {"env:C": "not ours", "": "not ours"}
    async with SecretDraft(store) as draft:
        draft.drop({"env:C", "", "provider/p/a"})
    assert "provider/p/a" not in store.kept
    assert {"env:C", ""} <= set(store.kept)
