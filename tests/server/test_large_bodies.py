"""Large bodies reach their target whole, and nothing that is done with one on the event loop is done in one piece."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from conduit_desktop.core.errors import BadRequest
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway import call as call_module
from conduit_desktop.gateway.admission import body_survey
from conduit_desktop.gateway.call import Call, WholeReply
from conduit_desktop.server import media, request_fields
from conduit_desktop.wire import dialect, sliced_json
from conduit_desktop.wire.framing.multipart import Multipart
from conduit_desktop.wire.media.endpoints import MediaRequest
from tests.fakes.gateway import KEY, open_gateway
from tests.fakes.vendor import Vendor

LARGEST = 256 * 1024
"""Bytes that orjson may get at once on the loop."""


class CountingJson:
    """orjson, with the sizes of what it was given."""

    JSONDecodeError = orjson.JSONDecodeError

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def loads(self, text: bytes) -> Any:
        """As orjson's."""
        self.sizes.append(len(text))
        return orjson.loads(text)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> CountingJson:
    """What is given to orjson while a body is read."""
    counting = CountingJson()
    monkeypatch.setattr(sliced_json, "orjson", counting)
    monkeypatch.setattr(request_fields, "orjson", counting)
    return counting


@pytest.mark.parametrize(
    "body",
    [
        {"model": "m", "messages": [{"role": "user", "content": "word " * 1_200_000}]},
        {"model": "m", "messages": [{"role": "user", "content": "x"}] * 40_000},
        {"model": "m", "tools": {f"k{at}": at for at in range(100_000)}},
        {"model": "m", "input": [0] * 900_000, "text": "ä\n" * 2_000_000},
    ],
    ids=["one long text", "many messages", "many fields", "numbers and escapes"],
)
async def test_a_large_body_is_never_parsed_in_one_piece(given: CountingJson, body: dict[str, Any]) -> None:
    assert await request_fields.parse_spread(orjson.dumps(body)) == body
    assert max(given.sizes) <= LARGEST


async def test_of_several_lists_of_many_values_one_is_read_before_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def watched(work: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **options: (steps.append(turns), work(*args, **options))[1]

    monkeypatch.setattr(request_fields, "parse_json", watched(request_fields.parse_json))
    monkeypatch.setattr(body_survey, "survey", watched(body_survey.survey))
    many = orjson.dumps({"model": "m", "input": ["x"] * 500_000})
    counting = asyncio.ensure_future(count_turns())
    (body, is_heavy, _), *_ = await asyncio.gather(*(request_fields._parse_large(many) for _ in range(3)))
    counting.cancel()
    assert (len(body["input"]), is_heavy) == (500_000, True)
    assert len(steps) == len(set(steps)) == 6


def test_half_a_million_texts_and_more_are_read_in_slices() -> None:
    assert sliced_json.is_heavy(orjson.dumps(["x"] * 600_002))
    assert not sliced_json.is_heavy(orjson.dumps(["x"] * 600_001))


async def test_a_large_body_that_is_no_json_is_refused_as_that() -> None:
    with pytest.raises(BadRequest, match="is not valid JSON") as caught:
        await request_fields.parse_spread(b'{"messages":"' + b"x" * 5_000_000)
    assert caught.value.code == "invalid_json"


def _heavy_call() -> Call:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}] * 40_000, "max_tokens": 7, "n": 2}
    call = Call(dialect("openai_chat"), body, "m", credential=KEY)
    call.received = (orjson.dumps(body), body)
    return call


@pytest.mark.parametrize("limits", [{}, {"tpm": 10**9}, {"budget_nano": 10**15, "budget_period": "monthly"}], ids=str)
async def test_a_large_body_is_looked_through_off_the_loop(
    home: Home, monkeypatch: pytest.MonkeyPatch, limits: dict[str, Any]
) -> None:
    threads: set[int] = set()

    def watched(work: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **options: (threads.add(threading.get_ident()), work(*args, **options))[1]

    for module, name in ((call_module, "has_media"), (call_module, "input_estimate")):
        monkeypatch.setattr(module, name, watched(getattr(module, name)))
    async with Vendor() as vendor, open_gateway(home) as gateway:
        await gateway.add_provider("v", vendor.openai_url)
        await gateway.add_alias("m", "v/m")
        await gateway.add_price("m", 1, 1)
        await gateway.add_key(**limits)
        assert isinstance(await gateway.answer(_heavy_call()), WholeReply)
    assert threads
    assert threading.get_ident() not in threads


class SearchedText(bytearray):
    """A text of which `searched` has the bytes that each search looked through at most."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.searched: list[int] = [0]

    def __contains__(self, part: Any) -> bool:
        self.searched.append(len(self))
        return super().__contains__(part)

    def find(self, part: Any, *within: Any) -> int:
        """As its base's."""
        self.searched.append(len(range(len(self))[slice(*within)] if within else self))
        return super().find(part, *within)

    def count(self, part: Any, *within: Any) -> int:
        """As its base's."""
        self.searched.append(len(range(len(self))[slice(*within)] if within else self))
        return super().count(part, *within)


@pytest.mark.parametrize("limits", [{}, {"tpm": 10**9}, {"budget_nano": 10**15, "budget_period": "monthly"}], ids=str)
async def test_the_text_of_a_large_body_is_never_searched_in_one_piece(home: Home, limits: dict[str, Any]) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "word " * 1_200_000}], "max_tokens": 7}
    text = SearchedText(orjson.dumps(body))
    call = Call(dialect("openai_chat"), body, "m", credential=KEY)
    call.receive(text, body, True)
    async with Vendor() as vendor, open_gateway(home) as gateway:
        await gateway.add_provider("v", vendor.openai_url)
        await gateway.add_alias("m", "v/m")
        await gateway.add_price("m", 1, 1)
        await gateway.add_key(**limits)
        assert isinstance(await gateway.answer(call), WholeReply)
    assert max(text.searched) <= sliced_json.LARGE


async def test_what_is_left_of_a_large_conversation_is_looked_through_anew(home: Home) -> None:
    marked = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    messages = [{"role": "user", "content": [marked]}, *[{"role": "user", "content": "x" * 100}] * 40_000]
    body = {"model": "m", "messages": messages, "max_tokens": 7}
    call = Call(dialect("openai_chat"), body, "m", credential=KEY)
    call.receive(orjson.dumps(body), body, True)
    async with Vendor() as vendor, open_gateway(home) as gateway:
        await gateway.add_provider("v", vendor.openai_url)
        await gateway.add_alias("m", "v/m", trim=True, max_context_tokens=1000)
        await gateway.add_price("m", 1, 1)
        await gateway.add_key(budget_nano=10**15, budget_period="monthly")
        assert isinstance(await gateway.answer(call), WholeReply)
    assert call.trimmed > 39_000
    assert call.cache_marks == []


def test_a_large_form_is_heavy() -> None:
    form = Multipart(b"x" * (sliced_json.LARGE + 1), b"b")
    assert Call(dialect("openai_chat"), {}, "m", media_request=MediaRequest("transcriptions", {}, form)).is_heavy


def test_a_request_for_very_many_embeddings_is_refused_by_their_number() -> None:
    media._embeddings({"input": ["x"] * media.MOST_INPUTS})
    with pytest.raises(BadRequest, match="'input' has 20,001 entries; a request may have 20,000"):
        media._embeddings({"input": ["x"] * (media.MOST_INPUTS + 1)})
    # The ids of one long text.
    media._embeddings({"input": [1] * media.MOST_TOKENS})
    with pytest.raises(BadRequest, match="has 200,001 token ids"):
        media._embeddings({"input": [1] * (media.MOST_TOKENS + 1)})
