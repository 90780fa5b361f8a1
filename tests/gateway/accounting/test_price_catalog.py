"""A catalog from elsewhere: what is refused, and that the one in use stays until a newer one is whole."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from conduit_desktop.core.errors import Conflict, Invalid
from conduit_desktop.core.paths import resource
from conduit_desktop.gateway.accounting.price_catalog import MAX_CATALOG, PriceCatalog, install_catalog

NOW = datetime(2027, 6, 1, tzinfo=UTC)
AT = int(NOW.timestamp() * 1000)


def made(date: str = "2027-05-01", price: dict[str, Any] | None = None, **fields: Any) -> bytes:
    row = {"url": "https://api\\.openai\\.com", "prices": [[price or {"input": 7, "output": 8}]], "models": {"gpt-4o": 0}}
    return orjson.dumps({"date": date, "source": "a test", "providers": {"openai": row}, **fields})


def test_a_newer_catalog_is_used_from_the_next_look_up(tmp_path: Path):
    path = tmp_path / "prices.json"
    assert PriceCatalog.load(path).is_built_in
    assert install_catalog(made(), path, NOW).date.isoformat() == "2027-05-01"
    loaded = PriceCatalog.load(path)
    found = loaded.find("openai", "gpt-4o", AT)
    assert found is not None
    assert (found.price.input, found.price.as_of, loaded.is_built_in) == (7, "2027-05-01", False)


@pytest.mark.parametrize("date", ["2027-05-01", "2027-04-30"])
def test_a_catalog_that_is_not_newer_than_the_one_in_use_is_refused(tmp_path: Path, date: str):
    path = tmp_path / "prices.json"
    install_catalog(made(), path, NOW)
    before = path.read_bytes()
    with pytest.raises(Conflict):
        install_catalog(made(date), path, NOW)
    assert path.read_bytes() == before


def test_a_catalog_that_is_older_than_the_one_that_ships_is_refused(tmp_path: Path):
    with pytest.raises(Conflict):
        install_catalog(made("2020-01-01"), tmp_path / "prices.json", NOW)


def test_a_catalog_from_the_future_is_refused(tmp_path: Path):
    with pytest.raises(Invalid):
        install_catalog(made("2027-06-05"), tmp_path / "prices.json", NOW)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"null", b'"text"', b"<html>", made()[:-5], made(more=1), made(providers={}), made(providers={"v": {}}),
        made("no date"), made(source=5), made(price={"input": 1}), made(price={"output": 1}),
        made(price={"input": -1, "output": 1}),
        made(price={"input": "free", "output": 1}), made(price={"input": 1, "output": 1, "unknown": 1}),
        made(price={"input": 1, "output": 1, "from": "soon"}), made(price={"input": 1, "output": 1, "between": ["1", "2"]}),
        made(price={"input": 1, "output": 1, "days": [9]}), made(price={"input": 1, "output": 1, "regions": {"us": 0}}),
        made(price={"input": 1, "output": 1, "tiers": [{"input": 2}]}),
        made(providers={"v": {"url": "(", "prices": [], "models": {}}}),
        made(providers={"v": {"url": "https://v", "prices": [], "models": {"m": 0}}}),
        made(providers={"v": {"url": "https://v", "prices": [[]], "models": {"m": 0}}}),
        made(providers={"v": {"url": "https://v", "prices": [[{"input": 1, "output": 1}]], "models": {"m": True}}}),
        b" " * (MAX_CATALOG + 1),
    ],
)  # fmt: skip
def test_what_is_no_catalog_is_refused_and_the_one_in_use_stays(tmp_path: Path, data: bytes):
    path = tmp_path / "prices.json"
    install_catalog(made(), path, NOW)
    before = path.read_bytes()
    with pytest.raises(Invalid):
        install_catalog(data, path, NOW)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["prices.json"]


def test_an_installed_file_that_was_broken_by_hand_leaves_the_catalog_that_ships(tmp_path: Path):
    path = tmp_path / "prices.json"
    path.write_bytes(b'{"date":"2027-05-01","source":')
    assert PriceCatalog.load(path).is_built_in


def test_an_installed_catalog_that_a_release_has_overtaken_is_not_used(tmp_path: Path):
    path = tmp_path / "prices.json"
    path.write_bytes(made("2020-01-01"))
    assert PriceCatalog.load(path).is_built_in


def test_the_catalog_that_ships_passes_its_own_check():
    shipped = PriceCatalog.read(resource("prices.json").read_bytes())
    assert shipped.models > 5000
    assert len(shipped.names()) == shipped.models


def test_the_date_may_be_anywhere_in_a_new_catalog(tmp_path: Path):
    content = orjson.loads(made())
    reordered = orjson.dumps({"providers": content["providers"], "source": content["source"], "date": content["date"]})
    path = tmp_path / "prices.json"
    install_catalog(reordered, path, NOW)
    assert not PriceCatalog.load(path).is_built_in


def test_a_damaged_catalog_that_was_installed_is_named_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    installed = tmp_path / "prices.json"
    installed.write_bytes(b'{"date":"2999-01-01", damaged')
    assert PriceCatalog.load(installed).is_built_in
    assert "the price catalog that was installed is not used" in caplog.text
