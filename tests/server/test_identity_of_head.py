"""What the head of a request says, and what is decided by it alone, without a server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from conduit_desktop.core.entities import VirtualKey
from conduit_desktop.core.errors import GatewayError, RateLimited, Unauthorized
from conduit_desktop.core.settings import Settings
from conduit_desktop.gateway.admission.access import digest
from conduit_desktop.gateway.snapshot import Snapshot
from conduit_desktop.server.identity import caller_of, head_of, identified
from conduit_desktop.server.middleware import REQUEST_ID
from conduit_desktop.wire import dialect

KEY = "condt_" + "k" * 43
WRONG = "condt_" + "w" * 43
CHAT = dialect("openai_chat")
KB = 1024


class Body:
    """A request body, of which only is known whether it has come whole."""

    def __init__(self, whole: bool) -> None:
        self.whole = whole

    def is_eof(self) -> bool:
        """Whether it has."""
        return self.whole


class Gateway:
    """What `identity` uses of a gateway: one key, its limits, failed logins, and a record of refusals."""

    def __init__(self, wait_s: float = 0.0) -> None:
        key = VirtualKey(id="key_a", name="a", digest=digest(KEY), hint="condt_…")
        self.snapshot = Snapshot(settings=Settings(), keys_by_digest={key.digest: key})
        self.state = SimpleNamespace(snapshot=self.snapshot, limiter=self, failed_logins=self)
        self.checked: list[str] = []
        self.failures: list[str] = []
        self.refused: list[str] = []
        self._wait_s = wait_s

    def check_room(self, key: VirtualKey) -> None:
        """Note the key whose limits are looked at."""
        self.checked.append(key.name)

    def failed(self, address: str) -> float:
        """Note a failed login; the seconds to wait."""
        self.failures.append(address)
        return self._wait_s

    def refuse(self, _call: Any, error: GatewayError) -> None:
        """Note a refusal that is recorded."""
        self.refused.append(error.code)


def request(key: str | None = KEY, whole: bool = True, path: str = "/v1/chat/completions", **headers: str) -> web.Request:
    sent = {"Host": "localhost", **({"Authorization": f"Bearer {key}"} if key else {})}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("POST", path, sent, payload=Body(whole))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("whole", "length", "checked"),
    [
        (False, 256 * KB - 1, []),
        (False, 256 * KB, ["a"]),
        (False, 256 * KB + 1, ["a"]),
        (False, None, ["a"]),
        (True, 256 * KB, []),
        (True, 5, []),
    ],
)
def test_the_limits_of_the_key_are_looked_at_before_a_body_of_256_kilobytes_or_of_no_stated_length_has_come(
    whole: bool, length: int | None, checked: list[str]
) -> None:
    gateway = Gateway()
    stated = {} if length is None else {"Content_Length": str(length)}
    identified(request(whole=whole, **stated), gateway, CHAT)  # type: ignore[arg-type]
    assert gateway.checked == checked


@pytest.mark.parametrize(("is_stranger", "found"), [(True, ["known"]), (False, [])])
def test_the_connection_of_a_caller_with_a_valid_key_is_no_longer_a_strangers(is_stranger: bool, found: list[str]) -> None:
    noted: list[str] = []
    sent = request()
    sent._protocol.is_stranger = is_stranger  # type: ignore[attr-defined]
    sent._protocol.known = lambda: noted.append("known")  # type: ignore[attr-defined]
    identified(sent, Gateway(), CHAT)  # type: ignore[arg-type]
    assert noted == found
    wrong = request(WRONG)
    wrong._protocol.is_stranger = True  # type: ignore[attr-defined]
    wrong._protocol.known = lambda: noted.append("wrong")  # type: ignore[attr-defined]
    with pytest.raises(Unauthorized):
        identified(wrong, Gateway(), CHAT)  # type: ignore[arg-type]
    assert noted == found


@pytest.mark.parametrize(
    ("key", "wait_s", "error", "failures", "refused"),
    [
        (None, 60.0, "missing_api_key", [], ["missing_api_key"]),
        (WRONG, 0.0, "invalid_api_key", ["127.0.0.1"], ["invalid_api_key"]),
        (WRONG, 60.0, RateLimited.code, ["127.0.0.1"], []),
    ],
)
def test_a_refusal_is_recorded_with_its_id_and_a_flood_of_wrong_keys_is_not(
    key: str | None, wait_s: float, error: str, failures: list[str], refused: list[str]
) -> None:
    gateway, sent = Gateway(wait_s), request(key).clone(remote="127.0.0.1")
    with pytest.raises(GatewayError) as raised:
        identified(sent, gateway, CHAT)  # type: ignore[arg-type]
    assert raised.value.code == error
    assert (gateway.failures, gateway.refused, REQUEST_ID in sent) == (failures, refused, bool(refused))


def test_a_request_without_a_body_is_slowed_down_after_failed_logins_and_recorded_nowhere() -> None:
    for wait_s, kind in ((0.0, Unauthorized), (7.0, RateLimited)):
        gateway = Gateway(wait_s)
        with pytest.raises(kind) as raised:
            caller_of(request(WRONG), gateway)  # type: ignore[arg-type]
        assert (gateway.refused, len(gateway.failures)) == ([], 1)
        assert raised.value.retry_after == (wait_s or None)
    assert caller_of(request(), Gateway()).key is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("headers", "foreign"), [({}, False), ({"Origin": "http://localhost:3000"}, False), ({"Origin": "https://evil.example"}, True)]
)
def test_a_call_is_a_foreign_pages_where_its_origin_is_not_allowed(headers: dict[str, str], foreign: bool) -> None:
    assert head_of(request(**headers), Gateway()).foreign_page is foreign  # type: ignore[arg-type]


def test_of_a_user_agent_the_first_200_characters_are_looked_at() -> None:
    assert head_of(request(User_Agent=" " * 198 + "abc/1"), Gateway()).client == "ab"  # type: ignore[arg-type]


def test_a_head_is_read_in_the_dialect_given_and_else_in_openais() -> None:
    assert head_of(request(), Gateway(), dialect("gemini")).dialect.name == "gemini"  # type: ignore[arg-type]
    assert head_of(request(), Gateway()).dialect.name == "openai_chat"  # type: ignore[arg-type]
