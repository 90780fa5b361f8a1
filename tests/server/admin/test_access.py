"""Who may use the admin API, rule by rule."""

from __future__ import annotations

import hmac
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from conduit_desktop.actions import master_key
from conduit_desktop.server.admin.access import AdminRefused, check

MASTER = "condm_" + "m" * 43
LOCAL = "condl_" + "l" * 43
VIRTUAL = "condt_" + "v" * 43


async def actor(context: Any = None, **headers: str) -> str:
    """Who is let in with these headers; raises Refused."""
    sent = {"Host": "localhost:5000", **{name.replace("_", "-"): value for name, value in headers.items()}}
    context = context or SimpleNamespace(master_key=MASTER, local_token=LOCAL)
    return await check(make_mocked_request("GET", "/admin/v1/status", sent), context)


async def refused(**headers: str) -> tuple[int, str]:
    """With which status and code the headers are refused."""
    with pytest.raises(AdminRefused) as caught:
        await actor(**headers)
    return caught.value.status, caught.value.code


@pytest.mark.parametrize(
    "headers", [{"Authorization": f"Bearer {MASTER}"}, {"Authorization": f"bEARER  {MASTER} "}, {"X_Master_Key": f" {MASTER} "}]
)
async def test_the_master_key_is_let_in_by_either_header(headers: dict[str, str]) -> None:
    assert await actor(**headers) == "admin"


async def test_the_local_token_is_let_in_as_the_command_line() -> None:
    assert await actor(Authorization=f"Bearer {LOCAL}") == "cli"


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Bearer  "}, {"X_Master_Key": " "},
        {"Authorization": f"Basic {MASTER}"},
        {"Authorization": MASTER}, {"x_api_key": MASTER},
    ],
)  # fmt: skip
async def test_a_request_without_a_key_in_a_header_of_the_admin_api_is_401(headers: dict[str, str]) -> None:
    assert await refused(**headers) == (401, "missing_master_key")


async def test_the_key_in_the_query_is_not_read() -> None:
    sent = make_mocked_request("GET", f"/admin/v1/status?key={MASTER}", {"Host": "localhost:5000"})
    with pytest.raises(AdminRefused) as caught:
        await check(sent, SimpleNamespace(master_key=MASTER, local_token=LOCAL))  # type: ignore[arg-type]
    assert caught.value.code == "missing_master_key"


@pytest.mark.parametrize("key", ["wrong", MASTER[:-1], MASTER + "x", MASTER.upper(), "sk-provider", LOCAL[:-1], "condm_", "é"])
async def test_a_wrong_key_is_401(key: str) -> None:
    assert await refused(Authorization=f"Bearer {key}") == (401, "invalid_master_key")


async def test_bytes_that_are_no_text_are_a_wrong_key() -> None:
    context: Any = SimpleNamespace(master_key=MASTER, local_token=LOCAL)
    assert await master_key.authenticate(context, "\udce9") is None


async def test_a_virtual_key_is_403_whether_it_exists_or_not() -> None:
    assert await refused(Authorization=f"Bearer {VIRTUAL}") == (403, "virtual_key")
    assert await refused(X_Master_Key="condt_") == (403, "virtual_key")


async def test_the_bearer_key_is_judged_and_the_other_header_only_where_there_is_none() -> None:
    assert await refused(Authorization="Bearer wrong", X_Master_Key=MASTER) == (401, "invalid_master_key")
    for empty in ("Basic eDp5", "Bearer", "Bearer  "):
        assert await actor(Authorization=empty, X_Master_Key=MASTER) == "admin"


async def test_a_master_key_of_the_environment_replaces_the_stored_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(master_key.VARIABLE, "from the environment")
    assert await actor(X_Master_Key="from the environment") == "admin"
    assert await refused(X_Master_Key=MASTER) == (401, "invalid_master_key")


async def test_a_master_key_that_begins_like_a_virtual_key_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(master_key.VARIABLE, VIRTUAL)
    assert await actor(X_Master_Key=VIRTUAL) == "admin"


async def test_both_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def never_equal(given: bytes, kept: bytes) -> bool:
        compared.append((given, kept))
        return False

    monkeypatch.setattr(hmac, "compare_digest", never_equal)
    assert await refused(X_Master_Key=MASTER) == (401, "invalid_master_key"), "no other comparison lets it in"
    assert await refused(X_Master_Key=LOCAL) == (401, "invalid_master_key")
    given = [MASTER.encode()] * 2 + [LOCAL.encode()] * 2
    assert compared == list(zip(given, [LOCAL.encode(), MASTER.encode()] * 2, strict=True))


# Web pages. The admin API serves none, so only its own origin may call it.


@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_a_browser_that_names_its_own_site_is_let_in(site: str) -> None:
    assert await actor(Sec_Fetch_Site=site, X_Master_Key=MASTER) == "admin"


@pytest.mark.parametrize("origin", ["http://localhost:5000", "https://localhost:5000", "http://LOCALHOST:5000"])
async def test_a_page_of_the_gateways_own_origin_is_let_in(origin: str) -> None:
    assert await actor(Origin=origin, X_Master_Key=MASTER) == "admin"


async def test_the_host_header_ignores_case_too() -> None:
    assert await actor(Host="LocalHost:5000", Origin="http://localhost:5000", X_Master_Key=MASTER) == "admin"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost:3000"}, {"Origin": "http://localhost"}, {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""}, {"Origin": "http://localhost:5000.evil.com"}, {"Origin": "http://localhost:5000@evil.com"},
        {"Origin": "http://[::1"}, {"Origin": "app://obsidian.md"}, {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "cross-site", "Origin": "http://localhost:5000"},
    ],
)  # fmt: skip
async def test_a_page_of_another_origin_is_403_with_the_right_key_and_without_one(headers: dict[str, str]) -> None:
    assert await refused(**headers, X_Master_Key=MASTER) == (403, "origin_not_allowed")
    assert await refused(**headers) == (403, "origin_not_allowed")
