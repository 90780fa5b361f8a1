"""The master key, backups, notifications, settings, repricing, and what the audit log says of it all."""

from __future__ import annotations

import sqlite3
import zipfile
from pathlib import Path

import pytest

from conduit_desktop.actions import master_key, notifications
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import Conflict
from conduit_desktop.core.records import RequestRecord
from tests.actions.conftest import OPENAI, Do
from tests.fakes.app_context import DictSecrets, published


async def test_the_master_key_is_made_when_first_read(context: AppContext) -> None:
    key = await master_key.current(context)
    assert key.startswith("condm_")
    assert isinstance(context.secrets, DictSecrets)
    assert context.secrets.kept == {"master-key": key}
    assert await master_key.authenticate(context, key) == "admin"
    assert await master_key.authenticate(context, f"{key}x") is None
    assert await master_key.authenticate(context, "\udcff") is None
    assert await master_key.authenticate(context, context.local_token) == "cli"
    assert context.local_token not in repr(context)
    assert key not in repr(context)


async def test_a_rotated_master_key_opens_and_the_old_one_does_not(context: AppContext, do: Do) -> None:
    old = await master_key.current(context)
    new = (await do("POST", "/master-key/rotate"))["master_key"]
    assert await master_key.authenticate(context, new) == "admin"
    assert await master_key.authenticate(context, old) is None


async def test_the_environments_master_key_wins(context: AppContext, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDUIT_MASTER_KEY", "mine")
    assert await master_key.authenticate(context, "mine") == "admin"
    with pytest.raises(Conflict, match="CONDUIT_MASTER_KEY"):
        await do("POST", "/master-key/rotate")


async def test_a_backup_holds_the_databases_and_no_secret(do: Do, tmp_path: Path) -> None:
    await do("POST", "/providers", OPENAI)
    made = await do("POST", "/backup", {"path": str(tmp_path / "copy.zip")})
    assert made["bytes"] == (tmp_path / "copy.zip").stat().st_size
    with zipfile.ZipFile(made["path"]) as archive:
        assert OPENAI["api_key"].encode() not in b"".join(archive.read(name) for name in archive.namelist())
        archive.extract("conduit.db", tmp_path)
    copy = sqlite3.connect(tmp_path / "conduit.db")
    assert copy.execute("SELECT name FROM providers").fetchall() == [("openai",)]
    copy.close()


async def test_a_backup_without_a_place_goes_into_the_home(context: AppContext, do: Do) -> None:
    made = await do("POST", "/backup")
    assert Path(made["path"]).parent == context.home.root / "backups"


async def test_every_change_is_in_the_audit_log_with_its_actor(do: Do) -> None:
    await do("POST", "/providers", OPENAI)
    await do("PATCH", "/providers/openai", {"enabled": False})
    await do("DELETE", "/providers/openai")
    rows = (await do("GET", "/audit"))["data"]
    assert [(row["actor"], row["action"], row["subject"]) for row in rows] == [
        ("admin", "provider.remove", "openai"), ("admin", "provider.edit", "openai"), ("admin", "provider.create", "openai"),
    ]  # fmt: skip
    assert rows[1]["changes"] == {"enabled": False}


async def test_settings_change_and_go_back(context: AppContext, do: Do) -> None:
    changes = published(context)
    rows = {row["name"]: row for row in (await do("PATCH", "/settings", {"idle_s": 5.5, "theme": "dark"}))["data"]}
    assert (rows["idle_s"]["value"], rows["theme"]["choices"]) == (5.5, ["system", "light", "dark"])
    assert context.gateway.snapshot.settings.idle_s == 5.5
    assert [change.topic for change in changes] == ["settings", "audit"]
    rows = {row["name"]: row for row in (await do("PATCH", "/settings", {"idle_s": None}))["data"]}
    assert rows["idle_s"]["value"] == rows["idle_s"]["default"] == 60


async def test_a_notification_is_read_once(context: AppContext, do: Do) -> None:
    await notifications.notify(context, "system", "warning", "Disk", "It is full.")
    await notifications.notify(context, "system", "warning", "Disk", "It is full.")
    rows = (await do("GET", "/notifications"))["data"]
    assert [row["title"] for row in rows] == ["Disk"]
    await do("POST", f"/notifications/{rows[0]['id']}/read")
    assert (await do("GET", "/notifications", unread="1"))["data"] == []
    assert await notifications.unread(context) == 0


async def test_what_was_paid_in_units_is_not_repriced_by_tokens(context: AppContext, do: Do) -> None:
    for number, (endpoint, tokens) in enumerate((("speech", 0), ("images", 0), ("images", 1_000_000))):
        record = RequestRecord(id=f"u{number}", started_at=1_790_000_000_000, provider="gpu", upstream_model="m", endpoint=endpoint)
        record.input = tokens
        await context.store.ledger.record(record)
    await do("PUT", "/prices/gpu/m", {"input": 2, "output": 8, "per_image": 1})
    assert (await do("POST", "/prices/reprice"))["repriced"] == 1
    costs = {row["id"]: row["cost_usd"] for row in (await do("GET", "/requests"))["data"]}
    assert costs == {"u0": None, "u1": None, "u2": 2}


async def test_reprice_gives_unknown_costs_a_price_and_leaves_the_rest(context: AppContext, do: Do) -> None:
    await do("POST", "/providers", {"name": "gpu", "kind": "openai-compatible", "base_url": "http://10.0.0.1/v1"})
    for number in range(3):
        model = "unknown-b" if number == 2 else "unknown-a"
        await context.store.ledger.record(
            RequestRecord(
                id=f"r{number}", started_at=1_790_000_000_000 + number, provider="gpu", upstream_model=model, input=1_000_000
            )
        )
    assert (await do("POST", "/prices/reprice"))["repriced"] == 0
    await do("PUT", "/prices/gpu/unknown-a", {"input": 2, "output": 8})
    assert (await do("POST", "/prices/reprice"))["repriced"] == 2
    costs = {row["id"]: row["cost_usd"] for row in (await do("GET", "/requests"))["data"]}
    assert costs == {"r0": 2, "r1": 2, "r2": None}
    assert (await do("GET", "/usage"))["data"][0]["unpriced_requests"] == 1
