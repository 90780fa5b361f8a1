"""What the middleware of the client API enforces, rule by rule, without a listening server."""

from __future__ import annotations

import logging
import socket
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from conduit_desktop.core.entities import IpRule, VirtualKey
from conduit_desktop.core.errors import (
    BadRequest,
    Forbidden,
    GatewayError,
    ModelNotFound,
    PayloadTooLarge,
    RateLimited,
    UnknownPath,
    UpstreamError,
)
from conduit_desktop.core.settings import Settings
from conduit_desktop.gateway import snapshot
from conduit_desktop.gateway.admission.access import digest
from conduit_desktop.gateway.snapshot import Snapshot
from conduit_desktop.server import middleware
from conduit_desktop.server.identity import head_of
from conduit_desktop.server.middleware import (
    REQUEST_ID,
    Handler,
    check_host,
    client_api_middleware,
    cors_headers,
    dialect_of,
    error_response,
    foreign_page,
    host_name,
    is_known,
    origin_allowed,
)
from conduit_desktop.server.unknown_paths import UnknownPaths
from conduit_desktop.wire import dialect

KEY = "condt_" + "k" * 43
PAGE = "http://localhost:3000"
FOREIGN = "https://evil.example"
CHAT = "/v1/chat/completions"
AUTHORIZED = {"Authorization": f"Bearer {KEY}"}


def gateway(rules: tuple[IpRule, ...] = (), **settings: Any) -> Any:
    """What the middleware reads of a gateway: its settings, one key, and IP rules."""
    key = VirtualKey(id="key_a", name="a", digest=digest(KEY), hint="condt_…")
    parsed = tuple(snapshot._rule(rule) for rule in rules)
    return SimpleNamespace(snapshot=Snapshot(settings=Settings(**settings), keys_by_digest={key.digest: key}, rules=parsed))


def request(method: str = "POST", path: str = CHAT, host: str = "localhost:5000", **headers: str) -> web.Request:
    return make_mocked_request(method, path, {"Host": host, **{name.replace("_", "-"): value for name, value in headers.items()}})


def raises(error: BaseException) -> Handler:
    """A handler that fails with `error`."""

    async def handler(request: web.Request) -> web.StreamResponse:
        raise error

    return handler


async def answers(request: web.Request) -> web.StreamResponse:
    return web.Response(text="ok")


async def run(sent: web.Request, handler: Handler = answers, served: Any = None) -> web.Response:
    response = await client_api_middleware(served or gateway())(sent, handler)
    assert isinstance(response, web.Response)
    return response


def error_of(response: web.Response) -> dict[str, Any]:
    """The error in OpenAI's shape."""
    assert isinstance(response.body, bytes)
    body: dict[str, Any] = orjson.loads(response.body)["error"]
    return body


# The Host header.


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost:5000", "LOCALHOST:5000", "LocalHost", "app.localhost", "a.b.localhost:1", "127.0.0.1",
        "127.0.0.1:5000",
        "[::1]", "[::1]:5000", "[::FFFF:127.0.0.1]", "192.168.1.20:5000", "10.0.0.1", "host.docker.internal:5000",
        "user@localhost", "",
    ],
)  # fmt: skip
def test_a_host_header_with_an_address_or_a_name_of_this_computer_is_accepted(host: str) -> None:
    check_host(host, [])


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "localhost.evil.com", "localhost.evil.com:5000", "evil-localhost", "evillocalhost", "localhost-evil",
        "localhost.", "localhost.:5000", "127.0.0.1.nip.io", "127.0.0.1.nip.io:5000", "127.0.0.1.", "1.127.0.0.1", "127.1",
        "2130706433", "0x7f000001", "localhost@evil.com", "127.0.0.1:80@evil.com:5000", "docker.internal",
        "host.docker.internal.evil.com", "evil.host.docker.internal", "localhost evil.com", "local", "*", "[localhost",
        "[::1].evil.com", "[::1].evil.com:5000", "[::1]evil.com", "evil.com[::1]", "evil.com[::1]:5000", "[::1]:5000.evil.com",
        "[127.0.0.1].evil.com", "user@[::1].evil.com", "[]", "[::1][::1]",
    ],
)  # fmt: skip
def test_a_host_header_that_only_looks_like_this_computer_is_refused(host: str) -> None:
    with pytest.raises(Forbidden) as caught:
        check_host(host, [])
    assert (caught.value.status, caught.value.code) == (403, "host_not_allowed")


def test_this_computers_own_network_name_is_accepted_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "My-Laptop")
    middleware._is_this_computer.cache_clear()
    check_host("MY-LAPTOP:5000", [])
    for other in ("my-laptop.evil.com", "not-my-laptop"):
        with pytest.raises(Forbidden):
            check_host(other, [])
    middleware._is_this_computer.cache_clear()


def test_allowed_hosts_are_whole_names_in_any_case() -> None:
    check_host("Conduit.LAN:5000", ["conduit.lan"])
    check_host("conduit.lan", ["other", "CONDUIT.lan"])
    for other in ("a.conduit.lan", "conduit.lan.evil.com", "conduit", "conduit.lan."):
        with pytest.raises(Forbidden):
            check_host(other, ["conduit.lan"])


@pytest.mark.parametrize("allowed", ["*", "*.lan", "", "."])
def test_allowed_hosts_hold_no_patterns(allowed: str) -> None:
    with pytest.raises(Forbidden):
        check_host("evil.lan", [allowed])


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("A.Example:80", "a.example"), ("user:pass@B.example:1", "b.example"), ("[::1]:80", "::1"), ("", ""), ("[::1", "[::1"),
        ("a.example/b", "a.example"), ("a.example:port", "a.example"), ("[::1].evil.com", "[::1].evil.com"), ("[::1]:", "::1"),
    ],
)  # fmt: skip
def test_the_name_in_a_host_header_is_lower_case_without_port_and_user(host: str, name: str) -> None:
    assert host_name(host) == name


def test_a_refused_host_is_named_in_the_error_and_cut_to_100_characters() -> None:
    with pytest.raises(Forbidden) as caught:
        check_host("x" * 500, [])
    assert "x" * 100 in caught.value.message
    assert "x" * 101 not in caught.value.message


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_no_handler_runs_for_a_refused_host(method: str) -> None:
    ran: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        ran.append(request.path)
        return web.Response()

    response = await run(request(method, host="evil.example", Origin=PAGE), handler)
    assert (response.status, error_of(response)["code"]) == (403, "host_not_allowed")
    assert not ran


async def test_the_middleware_reads_allowed_hosts_from_the_settings() -> None:
    assert (await run(request(host="conduit.lan"), served=gateway(allowed_hosts=["conduit.lan"]))).status == 200
    assert (await run(request(host="conduit.lan"))).status == 403


# Cross-origin requests.

DEFAULTS = tuple(Settings().cors_origins)


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:8080", "app://obsidian.md"])
def test_the_default_origins_are_pages_of_this_computer(origin: str) -> None:
    assert origin_allowed(origin, DEFAULTS)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example", "http://localhost.evil.com:80", "http://evil-localhost:80",
        "http://evil.com/http://localhost:80",
        "https://localhost:3000", "http://127.0.0.1.nip.io:80", "app://obsidian.md.evil.com", "xapp://obsidian.md",
        "app://obsidianxmd",
        "null", "http://localhost", "", " http://localhost:1",
    ],
)  # fmt: skip
def test_an_origin_that_only_looks_like_a_default_one_is_not_allowed(origin: str) -> None:
    assert not origin_allowed(origin, DEFAULTS)


@pytest.mark.parametrize(
    ("pattern", "allowed", "forbidden"),
    [
        ("*", "https://anything.example", None),
        ("https://*.example.com", "https://a.example.com", "https://example.com"),
        ("https://*.example.com", "https://a.b.example.com", "https://a.example.com.evil.net"),
        ("https://*.example.com", "https://a.example.com", "https://aXexample.com"),
        ("http://*:30*", "http://a:3000", "http://a:4000"),
        ("https://a.example", "https://a.example", "https://a.example:8443"),
        ("https://a.example", "https://a.example", "https://A.example"),
        ("https://[a-z].example", "https://[a-z].example", "https://b.example"),
    ],
)
def test_only_an_asterisk_is_a_wildcard_and_the_whole_origin_must_match(pattern: str, allowed: str, forbidden: str | None) -> None:
    assert origin_allowed(allowed, ("https://first.example", pattern))
    assert forbidden is None or not origin_allowed(forbidden, (pattern,))


def test_without_patterns_no_origin_is_allowed() -> None:
    assert not origin_allowed(PAGE, ())


def test_a_page_of_an_allowed_origin_may_read_the_answer() -> None:
    headers = cors_headers(request(Origin=PAGE), gateway())
    assert headers["Access-Control-Allow-Origin"] == PAGE, "the origin itself: a `*` forbids credentials"
    assert headers["Vary"] == "Origin"
    assert set(headers["Access-Control-Expose-Headers"].split(", ")) == {
        "x-conduit-request-id", "x-conduit-provider", "x-conduit-model", "x-conduit-attempts", "x-conduit-dropped",
        "x-conduit-trimmed",
        "x-conduit-cost-usd", "x-conduit-overhead-ms", "x-conduit-token-count", "retry-after", "request-id", "x-request-id",
        "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests",
        "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens",
        "anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset",
        "anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset",
    }  # fmt: skip
    assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.parametrize("headers", [{}, {"Origin": ""}, {"Origin": FOREIGN}])
def test_no_other_page_may_read_the_answer(headers: dict[str, str]) -> None:
    assert cors_headers(request(**headers), gateway()) == {}


def test_an_empty_origin_gets_no_headers_where_every_origin_is_allowed() -> None:
    assert cors_headers(request(Origin=""), gateway(cors_origins=["*"])) == {}


@pytest.mark.parametrize(
    ("headers", "foreign"), [({}, False), ({"Origin": PAGE}, False), ({"Origin": FOREIGN}, True), ({"Origin": ""}, True)]
)
def test_a_foreign_page_is_one_that_sends_an_origin_that_is_not_allowed(headers: dict[str, str], foreign: bool) -> None:
    sent = request(**headers)
    assert foreign_page(sent, gateway()) is foreign
    assert head_of(sent, gateway()).foreign_page is foreign


async def test_a_preflight_of_an_allowed_page_says_what_the_page_may_send() -> None:
    response = await run(request("OPTIONS", Origin=PAGE, Access_Control_Request_Headers="authorization,x-stainless-os"))
    assert response.status == 204
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    assert response.headers["Access-Control-Allow-Headers"] == "authorization,x-stainless-os"
    assert set(response.headers["Access-Control-Allow-Methods"].split(", ")) == {"GET", "POST", "DELETE", "OPTIONS", "HEAD"}
    assert response.headers["Access-Control-Max-Age"] == "600"
    assert "Access-Control-Allow-Private-Network" not in response.headers


async def test_a_preflight_that_names_no_headers_may_send_a_key_and_json() -> None:
    response = await run(request("OPTIONS", Origin=PAGE))
    assert response.headers["Access-Control-Allow-Headers"] == "authorization, content-type"


@pytest.mark.parametrize(("requested", "given"), [("true", "true"), ("false", None)])
async def test_access_from_the_public_network_is_granted_to_an_allowed_page_that_asks(requested: str, given: str | None) -> None:
    response = await run(request("OPTIONS", Origin=PAGE, Access_Control_Request_Private_Network=requested))
    assert response.headers.get("Access-Control-Allow-Private-Network") == given


@pytest.mark.parametrize("headers", [{"Origin": FOREIGN}, {}])
async def test_a_preflight_of_any_other_page_grants_nothing(headers: dict[str, str]) -> None:
    response = await run(request("OPTIONS", Access_Control_Request_Private_Network="true", **headers))
    assert response.status == 204
    assert not [name for name in response.headers if name.startswith("Access-Control-")]


async def test_a_preflight_runs_no_handler() -> None:
    assert (await run(request("OPTIONS", Origin=PAGE), raises(AssertionError("ran")))).status == 204


@pytest.mark.parametrize("handler", [answers, raises(ModelNotFound("none"))])
async def test_an_allowed_page_may_read_answers_and_errors_and_a_foreign_one_neither(handler: Handler) -> None:
    assert (await run(request(Origin=PAGE), handler)).headers["Access-Control-Allow-Origin"] == PAGE
    assert "Access-Control-Allow-Origin" not in (await run(request(Origin=FOREIGN), handler)).headers
    assert "Access-Control-Allow-Origin" not in (await run(request(), handler)).headers


async def test_headers_of_an_answer_that_has_begun_are_left_alone() -> None:
    async def streams(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        return response

    app = web.Application()
    sent = make_mocked_request("POST", CHAT, {"Host": "localhost", "Origin": PAGE}, app=app)
    response = await client_api_middleware(gateway())(sent, streams)
    assert response.prepared
    assert "Access-Control-Allow-Origin" not in response.headers


# Who the caller is comes before what is wrong with the body.


@pytest.mark.parametrize("error", [BadRequest("no model"), PayloadTooLarge("too large")])
@pytest.mark.parametrize(("headers", "code"), [({}, "missing_api_key"), ({"x_api_key": "condt_wrong"}, "invalid_api_key")])
@pytest.mark.parametrize("is_call", [False, True], ids=["not yet a call", "a call"])
async def test_a_caller_without_a_valid_key_is_not_shown_what_is_wrong_with_its_body(
    error: GatewayError, headers: dict[str, str], code: str, is_call: bool
) -> None:
    sent = request(**headers)
    if is_call:  # its fields are checked after it has an id
        sent[REQUEST_ID] = "req_1"
    response = await run(sent, raises(error))
    assert (response.status, error_of(response)["code"]) == (401, code)


@pytest.mark.parametrize(
    ("address", "status", "code"), [("10.1.2.3", 403, "ip_not_allowed"), ("11.1.2.3", 400, "invalid_parameter")]
)
async def test_an_address_that_is_denied_is_not_shown_what_is_wrong_with_its_body(address: str, status: int, code: str) -> None:
    served = gateway((IpRule(id="ip_a", action="deny", network="10.0.0.0/8"),))
    sent = request(**AUTHORIZED).clone(remote=address)
    response = await client_api_middleware(served)(sent, raises(BadRequest("no model")))  # type: ignore[arg-type]
    assert isinstance(response, web.Response)
    assert (response.status, error_of(response)["code"]) == (status, code)


def test_a_request_without_an_address_has_an_empty_one() -> None:
    assert head_of(request(), gateway()).client_ip == ""


@pytest.mark.parametrize(("error", "status"), [(BadRequest("no model", param="model"), 400), (PayloadTooLarge("too large"), 413)])
async def test_a_known_caller_is_shown_what_is_wrong_with_its_body(error: GatewayError, status: int) -> None:
    response = await run(request(**AUTHORIZED), raises(error))
    assert (response.status, error_of(response)["message"], error_of(response)["param"]) == (status, error.message, error.param)


@pytest.mark.parametrize("headers", [{}, AUTHORIZED])
async def test_a_wrong_body_has_an_id_and_that_of_its_call_where_it_is_one(headers: dict[str, str]) -> None:
    ids = [(await run(request(**headers), raises(BadRequest("x")))).headers["x-conduit-request-id"] for _ in range(2)]
    assert len(set(ids)) == 2
    sent = request(**headers)
    sent[REQUEST_ID] = "req_1"
    assert (await run(sent, raises(BadRequest("x")))).headers["x-conduit-request-id"] == "req_1"


@pytest.mark.parametrize(
    "error",
    [BadRequest("x"), ModelNotFound("x"), UnknownPath("x"), web.HTTPNotFound(), web.HTTPRequestEntityTooLarge(1, 2), OSError()],
)
async def test_an_error_that_was_answered_holds_no_frame_and_so_no_body(error: BaseException) -> None:
    assert (await run(request(**AUTHORIZED), raises(error))).status >= 400
    assert error.__traceback__ is None


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (web.HTTPNotFound(), {("POST", CHAT): 1}),
        (UnknownPath("x"), {("POST", CHAT): 1}),
        (web.HTTPForbidden(), {}),
        (web.HTTPMethodNotAllowed("POST", ["GET"]), {}),
        (ModelNotFound("x"), {}),
    ],
)
async def test_only_paths_that_do_not_exist_are_counted(error: BaseException, counts: dict[tuple[str, str], int]) -> None:
    unknown = UnknownPaths()
    await client_api_middleware(gateway(), unknown)(request(**AUTHORIZED), raises(error))
    assert unknown.counts == counts


class Connection:
    """A client's connection: notes that it was found to be no stranger's."""

    def __init__(self, is_stranger: bool) -> None:
        self.is_stranger = is_stranger
        self.found = 0

    def known(self) -> None:
        """Note it."""
        self.found += 1


def test_a_connection_is_found_known_once_and_one_that_tells_no_strangers_never() -> None:
    for connection, found in ((Connection(is_stranger=True), 1), (Connection(is_stranger=False), 0)):
        is_known(SimpleNamespace(protocol=connection))  # type: ignore[arg-type]
        assert connection.found == found
    is_known(SimpleNamespace(protocol=object()))  # type: ignore[arg-type]


# In which dialect an error is written.


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/chat/completions", "openai_chat"), ("/chat/completions", "openai_chat"), ("/v1/embeddings", "openai_chat"),
        ("/", "openai_chat"),
        ("/nothing", "openai_chat"), ("/v1/completions", "openai_completions"), ("/completions", "openai_completions"),
        ("/v1/responses", "openai_responses"), ("/v1/responses/resp_1", "openai_responses"),
        ("/v1/messages", "anthropic_messages"),
        ("/v1/messages/count_tokens", "anthropic_messages"), ("/api/chat", "ollama"), ("/api/tags", "ollama"),
        ("/api/generate", "ollama_generate"),
        ("/v1beta/models", "gemini"), ("/v1beta/models/m:generateContent", "gemini"), ("/v1/v1beta/models", "gemini"),
        ("/v1/models/m:generateContent", "gemini"), ("/v1/models/m:streamGenerateContent", "gemini"),
        ("/models/m:countTokens", "gemini"),
        ("/v1/models/m:embedContent", "gemini"),
        ("/v1/models/m:batchEmbedContents", "gemini"), ("/v1/models/qwen:7b", "openai_chat"), ("/v1/models", "openai_chat"),
        ("/v1/generateContent", "openai_chat"), ("/apis", "openai_chat"), ("/v1beta", "openai_chat"),
        ("/v2/chat", "cohere"), ("/v2/rerank", "cohere"), ("/v2", "openai_chat"), ("/anthropic/v1/models", "anthropic_messages"),
        ("/anthropic", "openai_chat"),
    ],
)  # fmt: skip
def test_the_path_names_the_dialect(path: str, name: str) -> None:
    assert dialect_of(request(path=path)).name == name


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"x_goog_api_key": "k"}, "gemini"),
        ({"anthropic_version": "2023-06-01"}, "anthropic_messages"),
        ({"x_goog_api_key": "k", "anthropic_version": "2023-06-01"}, "gemini"),
        ({}, "openai_chat"),
    ],
)
def test_the_headers_name_the_dialect_of_a_list_of_models_and_of_nothing_else(headers: dict[str, str], name: str) -> None:
    assert dialect_of(request("GET", "/v1/models", **headers)).name == name
    assert dialect_of(request("GET", "/v1/models/m", **headers)).name == name
    assert dialect_of(request("POST", CHAT, **headers)).name == "openai_chat"


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        (CHAT, {"error": {"code", "message", "param", "type"}}),
        ("/v1/messages", {"type": "error"}),
        ("/v1beta/models/m:generateContent", {"error": {"code", "message", "status"}}),
        ("/api/chat", {"error": "no such model"}),
    ],
)
async def test_an_error_has_the_shape_of_its_paths_dialect(path: str, shape: dict[str, Any]) -> None:
    response = await run(request(path=path), raises(ModelNotFound("no such model")))
    assert (response.status, response.content_type) == (404, "application/json")
    assert isinstance(response.body, bytes)
    body = orjson.loads(response.body)
    for name, wanted in shape.items():
        assert (set(wanted) <= set(body[name])) if isinstance(wanted, set) else body[name] == wanted


# Which headers go with an error, and when a provider's own body does.

SENT = {
    "retry-after": "7", "request-id": "r1", "x-request-id": "r2", "x-should-retry": "true",
    "content-type": "application/problem+json; charset=x",
    "set-cookie": "a=b", "server": "nginx", "openai-organization": "org-secret", "x-ratelimit-limit-requests": "5",
    "content-length": "3",
    "content-encoding": "gzip", "access-control-allow-origin": "*", "location": "https://evil.example",
}  # fmt: skip


def refusal(**more: Any) -> UpstreamError:
    fields: dict[str, Any] = {
        "status": 400, "reason": "bad_request", "dialect": "openai_chat",
        "body": b'{"error": "theirs"}', "headers": SENT, **more,
    }  # fmt: skip
    return UpstreamError("refused", **fields)


def test_a_providers_own_error_is_relayed_to_a_caller_of_its_dialect_with_the_listed_headers_only() -> None:
    response = error_response(request(), refusal())
    assert (response.status, response.body, response.content_type) == (400, b'{"error": "theirs"}', "application/problem+json")
    relayed = {name.lower(): value for name, value in response.headers.items() if name.lower() != "content-type"}
    assert relayed == {"retry-after": "7", "request-id": "r1", "x-request-id": "r2", "x-should-retry": "true"}


@pytest.mark.parametrize("headers", [{}, {"content-type": ""}, {"content-type": ";charset=x"}])
def test_a_relayed_error_without_a_content_type_is_json(headers: dict[str, str]) -> None:
    assert error_response(request(), refusal(headers=headers)).content_type == "application/json"


@pytest.mark.parametrize("headers", [{"content-type": "text/plain"}, {"content-type": "text/html; charset=x"}])
def test_a_relayed_error_that_is_json_is_named_json(headers: dict[str, str]) -> None:
    response = error_response(request(), refusal(headers=headers))
    assert (response.body, response.content_type) == (b'{"error": "theirs"}', "application/json")


@pytest.mark.parametrize("body", [b"404 page not found", b"<html><title>Not found</title></html>", b'"no"', b"{half"])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/chat/completions", "openai_chat"), ("/v1/completions", "openai_completions"), ("/v1/responses", "openai_responses"),
        ("/v1/messages", "anthropic_messages"), ("/v1beta/models/m:generateContent", "gemini"), ("/api/chat", "ollama"),
    ],
)  # fmt: skip
def test_a_text_or_a_page_of_a_provider_becomes_an_error_of_the_callers_dialect(path: str, name: str, body: bytes) -> None:
    error = dialect(name).read_error(404, {"content-type": "text/plain", "request-id": "r1"}, body)
    error.dialect = name  # as the gateway sets it
    response = error_response(request("POST", path), error)
    assert (response.status, response.content_type, response.headers["request-id"]) == (404, "application/json", "r1")
    written = orjson.loads(response.body)["error"]  # type: ignore[arg-type]
    message = written if name == "ollama" else written["message"]
    assert message == error.message
    assert "page not found" in message or not body.startswith(b"404")


@pytest.mark.parametrize(
    "more",
    [{"dialect": "anthropic_messages"}, {"body": b""}, {"status": 399}, {"status": 200}],
    ids=["another dialect", "no body", "status 399", "status 200"],
)
def test_any_other_providers_error_is_written_anew_without_its_headers(more: dict[str, Any]) -> None:
    response = error_response(request(), refusal(**more))
    assert error_of(response)["message"] == "refused"
    assert {name.lower() for name in response.headers} <= {"content-type", "content-length"}


def test_an_error_that_is_not_a_providers_own_is_never_relayed() -> None:
    class Lookalike(GatewayError):
        body, dialect, headers, status = b"theirs", "openai_chat", SENT, 400

    assert error_of(error_response(request(), Lookalike("ours")))["message"] == "ours"


@pytest.mark.parametrize(("seconds", "header"), [(None, None), (0.0, "1"), (0.2, "1"), (1.0, "1"), (1.01, "2"), (59.5, "60")])
def test_a_wait_is_named_in_whole_seconds_rounded_up_and_at_least_one(seconds: float | None, header: str | None) -> None:
    assert error_response(request(), RateLimited("wait", retry_after=seconds)).headers.get("retry-after") == header


def test_an_error_carries_its_own_headers_and_the_id_of_its_call() -> None:
    error = RateLimited("wait")
    error.response_headers = {"x-conduit-attempts": "2"}
    sent = request()
    assert "x-conduit-request-id" not in error_response(sent, error).headers
    sent[REQUEST_ID] = "req_1"
    response = error_response(sent, error)
    assert (response.headers["x-conduit-attempts"], response.headers["x-conduit-request-id"]) == ("2", "req_1")
    theirs = refusal()
    theirs.response_headers = {"x-conduit-attempts": "1"}
    response = error_response(sent, theirs)
    assert (response.headers["x-conduit-attempts"], response.headers["x-conduit-request-id"]) == ("1", "req_1")


# Errors of aiohttp, and unexpected ones.


@pytest.mark.parametrize(
    ("error", "status", "code", "text"),
    [
        (web.HTTPNotFound(), 404, "not_found", f"No such path: {CHAT}"),
        (web.HTTPMethodNotAllowed("POST", ["GET"]), 405, "method_not_allowed", f"{CHAT} does not take POST"),
        (web.HTTPRequestEntityTooLarge(1, 2), 413, "payload_too_large", "too large"),
        (web.HTTPExpectationFailed(), 417, "internal_error", "Expectation Failed"),
        (web.HTTPServiceUnavailable(), 503, "internal_error", "Service Unavailable"),
    ],
)
async def test_an_error_of_the_http_library_is_written_in_the_callers_dialect(
    error: web.HTTPException, status: int, code: str, text: str
) -> None:
    response = await run(request(**AUTHORIZED), raises(error))
    assert (response.status, error_of(response)["code"]) == (status, code)
    assert text in error_of(response)["message"]


async def test_an_unexpected_exception_is_500_without_its_text_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        response = await run(request(Origin=PAGE), raises(RuntimeError("sk-secret in /home/user")))
    assert (response.status, error_of(response)["code"]) == (500, "internal_error")
    assert isinstance(response.body, bytes)
    assert b"sk-secret" not in response.body
    assert b"RuntimeError" not in response.body
    assert response.headers["Access-Control-Allow-Origin"] == PAGE
    [record] = caplog.records
    assert record.exc_info is not None
    assert CHAT in record.getMessage()


async def test_a_caller_that_hung_up_is_not_logged_as_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConnectionResetError):
        await run(request(), raises(ConnectionResetError("gone")))
    assert not caplog.records
