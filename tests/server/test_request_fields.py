"""How a request's key, body and common fields are read, rule by rule."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.streams import StreamReader
from aiohttp.test_utils import TestServer, make_mocked_request

from conduit_desktop.core.errors import BadRequest, PayloadTooLarge
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.server import request_fields

MB = 1024 * 1024


def request(path: str = "/", payload: Any = None, **headers: str) -> web.Request:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return make_mocked_request("POST", path, sent, **({} if payload is None else {"payload": payload}))


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


# The body as JSON.


async def read(raw: bytes, **headers: str) -> dict[str, Any]:
    return await request_fields.read_json(request(payload=stream(raw) if raw else stream(), **headers), 1)


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
