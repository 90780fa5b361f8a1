"""How a request's key, body and common fields are read, rule by rule."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.streams import StreamReader
from aiohttp.test_utils import TestServer, make_mocked_request

from conduit_desktop.core.errors import BadRequest, BodyTimeout, PayloadTooLarge
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.server import request_fields
from conduit_desktop.wire import json_limits

MB = 1024 * 1024


def request(path: str = "/", payload: Any = None, **headers: str) -> web.Request:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("POST", path, sent, **({} if payload is None else {"payload": payload}))


def with_deployment(path: str, name: str | None) -> web.Request:
    """A request with what the router found in its path."""
    return make_mocked_request("POST", path, match_info={} if name is None else {"deployment": name})


# The key.

SOURCES = [
    ({"Authorization": "Bearer one"}, "one"),
    ({"x_api_key": "two"}, "two"),
    ({"api_key": "three"}, "three"),
    ({"x_goog_api_key": "four"}, "four"),
]


@pytest.mark.parametrize("first", range(4), ids=["Authorization", "x-api-key", "api-key", "x-goog-api-key"])
def test_the_first_header_that_holds_a_key_wins_over_those_after_it_and_the_query(first: int) -> None:
    headers: dict[str, str] = {}
    for sent, _ in reversed(SOURCES[first:]):
        headers |= sent
    assert request_fields.keys(request("/?key=five", **headers)).credential == SOURCES[first][1]


@pytest.mark.parametrize("empty", ["Bearer ", "Bearer    ", "Basic dXNlcjpwYXNz", "one", "Bearerone", ""])
def test_an_authorization_header_without_a_bearer_key_is_passed_over(empty: str) -> None:
    assert request_fields.keys(request(Authorization=empty, x_api_key="two")).credential == "two"
    assert request_fields.keys(request(Authorization=empty)).credential is None


def test_an_empty_key_header_is_passed_over() -> None:
    assert request_fields.keys(request(x_api_key=" ", api_key="", x_goog_api_key="four")).credential == "four"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_ignores_case_and_spaces_around_the_key_are_dropped(scheme: str) -> None:
    assert request_fields.keys(request(Authorization=f"{scheme}   one ")).credential == "one"
    assert request_fields.keys(request(x_api_key="  two ")).credential == "two"


@pytest.mark.parametrize(
    ("path", "key"), [("/?key=five", "five"), ("/?a=b&key=five", "five"), ("/?key=", None), ("/?a=b", None), ("/", None)]
)
def test_the_query_holds_the_key_where_no_header_does(path: str, key: str | None) -> None:
    assert request_fields.keys(request(path)).credential == key


VIRTUAL = "condt_" + "k" * 43


@pytest.mark.parametrize("name", ["x_conduit_key", "x_api_key", "api_key", "x_goog_api_key", "query"])
def test_a_virtual_key_next_to_a_providers_own_says_who_pays(name: str) -> None:
    path, headers = (f"/?key={VIRTUAL}", {}) if name == "query" else ("/", {name: VIRTUAL})
    found = request_fields.keys(request(path, Authorization="Bearer sk-ant-oat01-login", **headers))
    assert found == (VIRTUAL, "sk-ant-oat01-login", "authorization")


def test_a_providers_own_key_is_read_with_its_header_after_a_virtual_key_too() -> None:
    assert request_fields.keys(request(Authorization=f"Bearer {VIRTUAL}", x_api_key="sk-own")) == (VIRTUAL, "sk-own", "x-api-key")
    assert request_fields.keys(request("/?key=AIza", x_api_key=VIRTUAL)) == (VIRTUAL, "AIza", "")


def test_the_gateways_own_header_holds_nothing_but_a_virtual_key() -> None:
    other = "condt_" + "z" * 43
    assert request_fields.keys(request(x_conduit_key=VIRTUAL, x_api_key=other)).credential == VIRTUAL
    assert request_fields.keys(request(x_conduit_key="sk-own", x_api_key=VIRTUAL)) == ("sk-own", None, "x-conduit-key")


def test_a_bearer_key_hides_no_other_key_of_the_request() -> None:
    bearer = {"Authorization": f"Bearer {VIRTUAL}"}
    assert request_fields.keys(request(**bearer)) == (VIRTUAL, None, "")
    assert request_fields.keys(request("/?key=AIza", **bearer)) == (VIRTUAL, "AIza", "")
    assert request_fields.keys(request("/?a=b", **bearer)) == (VIRTUAL, None, "")
    assert request_fields.keys(request(x_conduit_key="condt_other", **bearer)).credential == "condt_other"


def test_the_first_key_of_each_sort_counts() -> None:
    other = "condt_" + "z" * 43
    assert request_fields.keys(request(f"/?key={other}", x_api_key=VIRTUAL, api_key=other)) == (VIRTUAL, None, "")
    assert request_fields.keys(request("/?key=five", x_api_key="two", api_key="three")) == ("two", "two", "x-api-key")
    assert request_fields.keys(request(x_conduit_key=" ", x_api_key="two")) == ("two", "two", "x-api-key")


# The size of the body.


@asynccontextmanager
async def raw_server(app: web.Application) -> AsyncIterator[TestServer]:
    """A server that leaves bodies packed, as the gateway's does."""
    server = TestServer(app, host="127.0.0.1")
    await server.start_server(auto_decompress=False)
    try:
        yield server
    finally:
        await server.close()


def stream(*chunks: bytes, whole: bool = True) -> StreamReader:
    """A body that came in `chunks`; more may follow unless it is `whole`."""
    reader = Chunks(chunks)
    if whole:
        reader.feed_eof()
    return reader


class Chunks(StreamReader):
    """Gives one chunk a read, and fails a test that waits for more than came."""

    def __init__(self, chunks: tuple[bytes, ...]) -> None:
        self.left = list(chunks)
        self.whole = False

    def feed_eof(self) -> None:
        self.whole = True

    def is_eof(self) -> bool:
        return self.whole and len(self.left) < 2

    def at_eof(self) -> bool:
        return self.whole and not self.left

    def read_nowait(self, n: int = -1) -> bytes:
        assert n == -1
        assert self.is_eof()
        return self.left.pop(0) if self.left else b""

    async def readany(self) -> bytes:
        if self.left:
            return self.left.pop(0)
        assert self.whole, "waits for the rest of a body that is too large already"
        return b""


class LateEnd(Chunks):
    """A body whose end is known only by one more read."""

    def is_eof(self) -> bool:
        return False


@pytest.mark.parametrize("kind", [Chunks, LateEnd])
@pytest.mark.parametrize("pieces", [(MB,), (1, MB - 1), (MB - 1, 1), (MB // 2, MB // 2)])
async def test_a_body_of_exactly_the_limit_is_read_whole(kind: type[Chunks], pieces: tuple[int, ...]) -> None:
    payload = kind(tuple(b"x" * size for size in pieces))
    payload.feed_eof()
    assert await request_fields.read_body(request(payload=payload), 1) == b"x" * MB


async def test_pieces_of_every_size_are_joined_in_the_order_in_which_they_came() -> None:
    pieces = [bytes([65 + at % 26]) * size for at, size in enumerate([1, 1, 5000, 1, 2, 1, 9000, 4096, 4095, 1, 1])]
    assert await request_fields.read_body(request(payload=stream(*pieces)), 1) == b"".join(pieces)


@pytest.mark.parametrize("kind", [Chunks, LateEnd])
@pytest.mark.parametrize("pieces", [(MB + 1,), (1, MB), (MB, 1), (MB // 2, MB // 2, 1)])
async def test_a_body_of_one_byte_over_the_limit_is_refused(kind: type[Chunks], pieces: tuple[int, ...]) -> None:
    payload = kind(tuple(b"x" * size for size in pieces))
    payload.feed_eof()
    with pytest.raises(PayloadTooLarge, match="over 1 MB"):
        await request_fields.read_body(request(payload=payload), 1)


@pytest.mark.parametrize("pieces", [(MB + 1,), (1, MB), (MB, 1)])
async def test_a_body_over_the_limit_is_refused_before_its_end_comes(pieces: tuple[int, ...]) -> None:
    with pytest.raises(PayloadTooLarge):
        await request_fields.read_body(request(payload=stream(*(b"x" * size for size in pieces), whole=False)), 1)


async def test_a_content_length_over_the_limit_is_refused_before_a_byte_is_read() -> None:
    with pytest.raises(PayloadTooLarge):
        await request_fields.read_body(request(payload=stream(whole=False), Content_Length=str(MB + 1)), 1)


async def test_a_content_length_of_exactly_the_limit_is_read() -> None:
    assert len(await request_fields.read_body(request(payload=stream(b"x" * MB), Content_Length=str(MB)), 1)) == MB


async def test_a_content_length_that_is_too_small_lifts_no_limit() -> None:
    with pytest.raises(PayloadTooLarge):
        await request_fields.read_body(request(payload=stream(b"x" * MB, b"x"), Content_Length="5"), 1)


@pytest.mark.parametrize(("size", "status"), [(MB, 200), (MB + 1, 413), (64 * MB, 413)])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_compressed_body_is_measured_unpacked(encoding: str, size: int, status: int) -> None:
    async def handler(request: web.Request) -> web.Response:
        try:
            return web.Response(text=str(len(await request_fields.read_body(request, 1))))
        except PayloadTooLarge as error:
            return web.Response(status=error.status)

    app = web.Application()
    app.router.add_post("/", handler)
    body = gzip.compress(b"x" * size) if encoding == "gzip" else zlib.compress(b"x" * size)
    assert len(body) < MB
    async with (
        raw_server(app) as server,
        aiohttp.ClientSession() as session,
        session.post(server.make_url("/"), data=body, headers={"Content-Encoding": encoding}) as response,
    ):
        assert response.status == status
        assert status != 200 or await response.text() == str(size)


class Broken(Chunks):
    """A body whose chunks are malformed."""

    async def readany(self) -> bytes:
        raise web.RequestPayloadError("bad chunk of sk-secret")


async def test_a_malformed_body_is_a_bad_request() -> None:
    with pytest.raises(BadRequest, match=r"^The request body is malformed\.$") as caught:
        await request_fields.read_body(request(payload=Broken(())), 1)
    assert caught.value.code == "invalid_body"


@pytest.mark.parametrize(("size", "kind"), [(65_535, bytes), (65_536, bytearray)])
async def test_a_body_that_came_in_pieces_is_copied_up_to_64_kilobytes(size: int, kind: type) -> None:
    payload = LateEnd((b"x" * size,))
    payload.feed_eof()
    body = await request_fields.read_body(request(payload=payload), 1)
    assert (type(body), len(body)) == (kind, size)


class Clock:
    """`asyncio` with a clock of its own, and a sleep that takes no time and is noted."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.slept: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    def get_running_loop(self) -> Clock:
        """The loop as far as its time is asked for."""
        return self

    def time(self) -> float:
        """In seconds."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Note it."""
        self.slept.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(request_fields, "asyncio", made)
    return made


class Slow(Chunks):
    """A body of which each chunk takes some seconds."""

    def __init__(self, clock: Clock, *chunks: tuple[float, int]) -> None:
        super().__init__(tuple(b"x" * size for _, size in chunks))
        self.feed_eof()
        self._clock = clock
        self._seconds = [seconds for seconds, _ in chunks]

    def is_eof(self) -> bool:
        return False

    async def readany(self) -> bytes:
        if self._seconds:
            self._clock.at += self._seconds.pop(0)
        return await super().readany()


@pytest.mark.parametrize(
    ("chunks", "in_time"),
    [
        ([(60.0, 1)], True),
        ([(60.5, 1)], False),
        ([(100.0, 40 * 8192)], True),
        ([(100.01, 40 * 8192)], False),
        ([(50.0, 10 * 8192), (50.0, 30 * 8192)], True),
        ([(50.0, 10 * 8192), (50.5, 30 * 8192)], False),
    ],
)
async def test_after_a_minute_a_body_must_have_come_at_8_kilobytes_a_second(
    clock: Clock, chunks: list[tuple[float, int]], in_time: bool
) -> None:
    sent = request(payload=Slow(clock, *chunks))
    if in_time:
        assert len(await request_fields.read_body(sent, 1)) == sum(size for _, size in chunks)
        return
    with pytest.raises(BodyTimeout, match="too slowly"):
        await request_fields.read_body(sent, 1)


class Held:
    """What a body holds of the room for large ones: notes how it grows; each time it waits for `wait_s`."""

    def __init__(self, clock: Clock | None = None, wait_s: float = 0.0) -> None:
        self.noted: list[tuple[str, int]] = []
        self.size = 0
        self._clock, self._wait_s = clock, wait_s

    async def grow(self, size: int) -> None:
        """Note it."""
        self.noted.append(("grow", size))
        self.size = size
        if self._clock is not None:
            self._clock.at += self._wait_s

    def came(self, size: int) -> None:
        """Note it."""
        self.noted.append(("came", size))


@pytest.mark.parametrize(
    ("chunks", "noted"),
    [
        ([MB], []),
        ([MB + 1], [("grow", MB + 1), ("came", MB + 1)]),
        ([MB, 1, MB, 1], [("grow", MB + 1), ("grow", 2 * MB + 2), ("came", 2 * MB + 2)]),
        ([MB + 1, MB - 1, 1, 5], [("grow", MB + 1), ("grow", 2 * MB + 6), ("came", 2 * MB + 6)]),
    ],
)
async def test_every_further_megabyte_of_a_large_body_needs_room(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, chunks: list[int], noted: list[tuple[str, int]]
) -> None:
    held: list[Held] = []

    def held_body(_request: web.Request, largest: int) -> Held:
        assert largest == 9 * MB
        held.append(Held())
        return held[-1]

    monkeypatch.setattr(request_fields, "held_body", held_body)
    await request_fields.read_body(request(payload=Slow(clock, *((0.0, size) for size in chunks))), 9)
    assert [one.noted for one in held] == ([noted] if noted else [])


async def test_a_wait_for_room_is_no_slowness_of_the_client(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(request_fields, "held_body", lambda _request, _largest: Held(clock, 1000.0))
    payload = Slow(clock, (1.0, MB + 1), (1.0, MB), (1.0, 1))
    assert len(await request_fields.read_body(request(payload=payload), 9)) == 2 * MB + 2
    late = Slow(clock, (1.0, MB + 1), (1000.0, 1))
    with pytest.raises(BodyTimeout):
        await request_fields.read_body(request(payload=late), 9)


@pytest.mark.parametrize(
    ("packed", "max_mb", "unpacked", "noted"),
    [
        (10_485, 9, 5, [("came", 5)]),
        (10_486, 9, 5, [("grow", 4 * MB), ("came", 5)]),
        (60_000, 9, 5, [("grow", 6_000_000), ("came", 5)]),
        (60_000, 5, 5, [("grow", 5 * MB), ("came", 5)]),
        (10_486, 9, 4 * MB, [("grow", 4 * MB), ("came", 4 * MB)]),
        (10_486, 9, 4 * MB + 1, [("grow", 4 * MB), ("grow", 4 * MB + 1), ("came", 4 * MB + 1)]),
        (100, 9, MB, [("came", MB)]),
        (100, 9, MB + 1, [("grow", MB + 1), ("came", MB + 1)]),
    ],
)
async def test_a_packed_body_needs_room_for_what_it_may_unpack_to(
    monkeypatch: pytest.MonkeyPatch, packed: int, max_mb: int, unpacked: int, noted: list[tuple[str, int]]
) -> None:
    held = Held()

    async def unpack(_packed: bytes, _encoding: str, _max_mb: float) -> bytes:
        return bytes(unpacked)

    monkeypatch.setattr(request_fields, "held_body", lambda _request, _largest: held)
    monkeypatch.setattr(request_fields, "unpack", unpack)
    sent = request(payload=stream(b"x" * packed), Content_Encoding=" GZIP ")
    assert len(await request_fields.read_body(sent, max_mb)) == unpacked
    assert held.noted == noted


@pytest.mark.parametrize(("encoding", "body"), [("", b"[]"), ("identity", b"[]"), ("Identity", b"x"), ("lzma", b' {"a":1}')])
async def test_plain_json_under_the_name_of_an_encoding_is_left_as_it_is(encoding: str, body: bytes) -> None:
    assert await request_fields.read_body(request(payload=stream(body), Content_Encoding=encoding), 1) == body


async def test_an_unknown_encoding_is_refused_and_named_up_to_40_characters() -> None:
    with pytest.raises(BadRequest, match="'lzma' is not supported: use one of gzip, deflate, br, zstd") as caught:
        await request_fields.read_body(request(payload=stream(b"[]"), Content_Encoding="lzma"), 1)
    assert caught.value.code == "unsupported_encoding"


# The body as JSON.


async def test_a_byte_order_mark_before_the_text_is_passed_over() -> None:
    assert await read(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


class Receiving:
    """A call that keeps what it received."""

    def __init__(self) -> None:
        self.got: list[tuple[Any, ...]] = []

    def receive(self, *given: Any) -> None:
        """Keep it."""
        self.got.append(given)


def text_of(size: int) -> bytes:
    """A JSON object of that many bytes with one long text."""
    return b'{"a":"' + b"x" * (size - 8) + b'"}'


@pytest.mark.parametrize(
    ("raw", "is_heavy", "surveyed"),
    [
        (b"{}", False, False),
        (text_of(32 * 1024), False, False),
        (text_of(32 * 1024 + 1), False, True),
        (text_of(MB + 1), False, True),
        (text_of(4 * MB), False, True),
        (text_of(4 * MB + 1), True, False),
    ],
    ids=lambda value: str(len(value)) if isinstance(value, bytes) else None,
)
async def test_a_body_is_received_with_whether_it_is_heavy_and_what_was_found_in_it(
    raw: bytes, is_heavy: bool, surveyed: bool
) -> None:
    call, sent = Receiving(), request(payload=stream(raw))
    body = await request_fields.read_json(sent, 9, call)  # type: ignore[arg-type]
    [(text, received, heavy, found)] = call.got
    assert (text, received, heavy, found is not None) == (raw, body, is_heavy, surveyed)
    assert request_fields.RECEIVED not in sent
    later = request(payload=stream(raw))
    await request_fields.read_json(later, 9)
    assert later[request_fields.RECEIVED][:3] == (raw, body, is_heavy)


async def test_a_large_body_of_too_many_values_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(_raw: bytes) -> Any:
        yield
        raise json_limits.TooComplex("it holds too much", "too_many_values")

    monkeypatch.setattr(json_limits, "check", check)
    for reads in (partial(read, max_mb=9), request_fields.parse_spread):
        with pytest.raises(BadRequest, match="it holds too much") as caught:
            await reads(text_of(MB + 1))
        assert caught.value.code == "too_many_values"


async def test_others_go_on_between_the_steps_of_checking_a_large_text(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(json_limits, "check", lambda _raw: (one for one in range(3)))
    assert await request_fields.check_size(b"{}") is False
    assert clock.slept == [0, 0, 0]


DEEP = b"[" * 201 + b"]" * 201


@pytest.mark.parametrize(
    ("raw", "is_deep", "refused"),
    [
        (DEEP, None, True),
        (DEEP, True, True),
        (DEEP, False, False),
        (b"[" * 200 + b"]" * 200, True, False),
        (b"[" * 2000 + b"]" * 2000, False, True),  # the parser has a limit of its own
    ],
)
def test_a_text_is_nested_up_to_200_levels(raw: bytes, is_deep: bool | None, refused: bool) -> None:
    if not refused:
        assert request_fields.parse_json(raw, is_deep=is_deep) is not None
        return
    with pytest.raises(BadRequest, match=r"The prompt cannot be read: .*nested") as caught:
        request_fields.parse_json(raw, "prompt", is_deep)
    assert caught.value.code != "invalid_json"


async def test_a_body_between_32_kilobytes_and_a_megabyte_that_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(BadRequest, match="nested"):
        await read(b'{"a":' + DEEP + b',"b":"' + b"x" * 40_000 + b'"}')


@pytest.mark.parametrize(
    ("path", "deployment", "model"),
    [
        ("/openai/deployments/d/chat/completions", "d", "d"),
        ("/openai/deployments/d/chat/completions", None, "m"),
        ("/v1/chat/completions", "d", "m"),
    ],
)
def test_the_deployment_in_a_path_of_azure_is_the_model(path: str, deployment: str | None, model: str) -> None:
    assert request_fields.with_model_of_path(with_deployment(path, deployment), {"model": "m"})["model"] == model


async def read(raw: bytes, max_mb: int = 1, **headers: str) -> dict[str, Any]:
    return await request_fields.read_json(request(payload=stream(raw) if raw else stream(), **headers), max_mb)


async def test_a_json_object_is_read_whatever_its_content_type_says() -> None:
    for kind in ("application/json", "text/plain", ""):
        assert await read(b'{"a": 1}', Content_Type=kind) == {"a": 1}


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "Multipart/Form-Data; boundary=x"])
async def test_a_form_is_refused_where_json_is_needed(kind: str) -> None:
    with pytest.raises(BadRequest) as caught:
        await read(b'{"a": 1}', Content_Type=kind)
    assert caught.value.code == "unsupported_media_type"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", "body is empty"),
        (b"{", "not valid JSON"), (b"\xff", "not valid JSON"), (b"{} {}", "not valid JSON"), (b"[]", "object"), (b"null", "object"),
    ],
)  # fmt: skip
async def test_a_body_that_is_no_json_object_is_refused_with_the_reason(raw: bytes, text: str) -> None:
    with pytest.raises(BadRequest, match=text) as caught:
        await read(raw)
    assert caught.value.code == "invalid_json"


async def test_the_limit_holds_for_json_too() -> None:
    with pytest.raises(PayloadTooLarge):
        await read(b'{"a": "' + b"x" * MB + b'"}')


# The fields that every handler reads.


@pytest.mark.parametrize("model", ["m", "x" * 512])
def test_a_model_of_up_to_512_characters_is_read(model: str) -> None:
    assert request_fields.model_of({"model": model}) == model


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_parameter"), ({"model": None}, "missing_parameter"), ({"model": ""}, "missing_parameter"),
        ({"model": 5}, "invalid_parameter"), ({"model": 0}, "invalid_parameter"), ({"model": ["m"]}, "invalid_parameter"),
        ({"model": "x" * 513}, "invalid_parameter"),
    ],
)  # fmt: skip
def test_any_other_model_is_refused_by_name(body: dict[str, Any], code: str) -> None:
    with pytest.raises(BadRequest) as caught:
        request_fields.model_of(body)
    assert (caught.value.code, caught.value.param) == (code, "model")


@pytest.mark.parametrize(("body", "value"), [({"a": True}, True), ({"a": False}, False), ({"a": None}, False), ({}, False)])
def test_a_flag_is_a_boolean_and_false_where_it_is_absent_or_null(body: dict[str, Any], value: bool) -> None:
    assert request_fields.flag(body, "a") is value


@pytest.mark.parametrize("value", [0, 1, "true", "", [], {}])
def test_a_flag_of_another_type_is_refused_by_name(value: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        request_fields.flag({"a": value}, "a")
    assert caught.value.param == "a"


def test_messages_with_roles_are_accepted_whatever_else_they_hold() -> None:
    request_fields.need_messages({"messages": [{"role": "user"}, {"role": "none such", "content": 5}]})


@pytest.mark.parametrize(
    ("messages", "code", "param"),
    [
        (None, "missing_parameter", "messages"), ([], "invalid_parameter", "messages"),
        ("hello", "invalid_parameter", "messages"),
        ({"role": "user"}, "invalid_parameter", "messages"), (["hello"], "invalid_parameter", "messages[0].role"),
        ([{"role": "user"}, {}], "invalid_parameter", "messages[1].role"),
        ([{"role": None}], "invalid_parameter", "messages[0].role"),
    ],
)  # fmt: skip
def test_any_other_messages_are_refused_by_place(messages: Any, code: str, param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        request_fields.need_messages({"messages": messages})
    assert (caught.value.code, caught.value.param) == (code, param)


def test_absent_messages_are_missing() -> None:
    with pytest.raises(BadRequest) as caught:
        request_fields.need_messages({})
    assert caught.value.code == "missing_parameter"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("claude-cli/2.1 (external, cli)", "claude-cli"), ("OpenAI/Python 3.54.0", "OpenAI/Python"),
        ("AsyncOpenAI/Python 1.2", "AsyncOpenAI/Python"), ("codex_cli_rs/0.50.0 (Debian 12; x86_64) xterm", "codex_cli_rs"),
        ("google-genai-sdk/1.2 gl-python/3.11", "google-genai-sdk"), ("ai-sdk/openai/2.0.1 runtime/node", "ai-sdk/openai"),
        ("GeminiCLI/v0.9/gemini-3-pro (linux; x64)", "GeminiCLI"), ("curl/8.1", "curl"), ("node", "node"), ("a/", "a"),
        ("x" * 200, "x" * 80), ("", ""), ("evil\x9b31m/1", "evil31m"),
    ],
)  # fmt: skip
def test_a_clients_name_is_the_product_of_its_user_agent_without_the_version(agent: str, name: str) -> None:
    assert request_fields.client_name(request(User_Agent=agent)) == name


def test_a_secret_in_a_user_agent_is_no_name_of_a_client_also_where_it_was_seen_before_it_was_a_secret() -> None:
    agent = "tool/master-of-all-0123456789"
    assert request_fields.product_name(agent) == agent
    SECRETS.add("master-of-all-0123456789")
    assert request_fields.product_name(agent) == "tool/[credential]"


def test_the_keys_of_a_request_are_not_printed() -> None:
    assert "secret" not in repr(request_fields.Keys("secret-1", "secret-2", "x-api-key"))


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("claude-cli/2.1 (external, cli)", "claude-cli/2.1"),
        ("OpenAI/Python 3.54.0", "OpenAI/Python 3.54.0"),
        ("a (b) (c)", "a"),
        ("x" * 81, "x" * 80),
        ("", ""),
    ],
)
def test_the_log_shows_a_user_agent_up_to_its_comment(agent: str, shown: str) -> None:
    assert request_fields.user_agent(request(User_Agent=agent)) == shown


def test_of_a_user_agent_the_first_200_characters_name_the_client() -> None:
    assert request_fields.client_name(request(User_Agent=" " * 198 + "abc")) == "ab"
