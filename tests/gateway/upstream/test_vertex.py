"""Vertex AI behind the gateway: a token for the account, Gemini and Claude at their own addresses, and counting."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.call import Call, WholeReply
from conduit_desktop.gateway.health.probe import offered_models
from conduit_desktop.wire.media.endpoints import MediaRequest
from tests.fakes.gateway import GatewayFixture, call, open_gateway
from tests.fakes.script import Step
from tests.fakes.vendor import Vendor

PLACE = "/v1/projects/p1/locations/global/publishers"


@pytest.fixture
async def token_uri() -> AsyncIterator[str]:
    """A token endpoint on loopback."""

    async def token(request: web.Request) -> web.Response:
        return web.json_response({"access_token": "ya29.token", "expires_in": 3600, "token_type": "Bearer"})

    app = web.Application()
    app.router.add_post("/token", token)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/token"
    await runner.cleanup()


def account(token_uri: str) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    fields = {"type": "service_account", "project_id": "p1", "private_key": pem.decode(), "client_email": "me@example.org"}
    return orjson.dumps({**fields, "token_uri": token_uri}).decode()


@pytest.fixture
async def context(home: Home, token_uri: str) -> AsyncIterator[tuple[GatewayFixture, Vendor]]:
    async with Vendor(keys={"ya29.token"}) as vendor, open_gateway(home) as gateway:
        await gateway.add_provider("v", vendor.anthropic_url, kind="vertex", keys=[account(token_uri)])
        await gateway.add_alias("gem", "v/gemini-3-flash")
        await gateway.add_alias("cla", "v/claude-sonnet-4-5@20250929")
        await gateway.add_key()
        yield gateway, vendor


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("client_dialect", ["openai_chat", "anthropic_messages"])
async def test_both_families_answer(context: tuple[GatewayFixture, Vendor], client_dialect: str, stream: bool):
    gateway, vendor = context
    for alias in ("gem", "cla"):
        if stream:
            assert b"hello" in await gateway.stream(alias, client_dialect=client_dialect)
        else:
            assert "hello" in str(await gateway.ask(alias, client_dialect=client_dialect))
    to_gemini, to_claude = vendor.requests
    method = "streamGenerateContent" if stream else "generateContent"
    assert to_gemini.path == f"{PLACE}/google/models/gemini-3-flash:{method}"
    method = "streamRawPredict" if stream else "rawPredict"
    assert to_claude.path == f"{PLACE}/anthropic/models/claude-sonnet-4-5@20250929:{method}"
    assert to_claude.body["anthropic_version"] == "vertex-2023-10-16"
    assert "model" not in to_claude.body
    assert [record.status for record in gateway.records] == ["success", "success"]


async def count_tokens(gateway: GatewayFixture, request: Call) -> bytes | None:
    """The count of a target; None for an estimate. A count of Gemini's is not recorded."""
    request.endpoint, request.recorded = "count_tokens", False
    request.media_request = MediaRequest("count_tokens", request.body)
    reply = await gateway.answer(request)
    assert isinstance(reply, WholeReply)
    assert gateway.records == []
    assert gateway.in_flight == 0
    return None if reply.headers.get("x-conduit-token-count") == "estimated" else reply.body


async def test_tokens_are_counted_by_vertex_field_by_field(context: tuple[GatewayFixture, Vendor]):
    gateway, vendor = context
    count_call = call("gem", client_dialect="gemini")
    contents = [{"role": "user", "parts": [{"text": "hi"}]}]
    count_call.body = {"generateContentRequest": {"model": "models/gem", "contents": contents}}
    counted = await count_tokens(gateway, count_call)
    assert counted is not None
    assert orjson.loads(counted) == {"totalTokens": 20}
    assert vendor.requests[-1].body == {"contents": contents}


async def test_gemini_tokens_are_not_counted_by_claude(context: tuple[GatewayFixture, Vendor]):
    gateway, vendor = context
    assert await count_tokens(gateway, call("cla", client_dialect="gemini")) is None
    assert vendor.requests == []


@pytest.mark.parametrize("step", [Step(status=500), Step(body="<html>sign in</html>", content_type="text/html")])
async def test_the_count_is_estimated_where_the_target_cannot_count(context: tuple[GatewayFixture, Vendor], step: Step):
    gateway, vendor = context
    vendor.script(step)
    assert await count_tokens(gateway, call("gem", client_dialect="gemini")) is None


async def test_a_refusal_to_count_does_not_quote_the_token(context: tuple[GatewayFixture, Vendor]):
    gateway, vendor = context
    vendor.script(Step(status=400, message="ya29.token asks oddly"))
    with pytest.raises(UpstreamError, match="asks oddly") as refused:
        await count_tokens(gateway, call("gem", client_dialect="gemini"))
    assert "ya29.token" not in f"{refused.value} {refused.value.body!r}"


async def test_a_disabled_credential_is_not_used_to_count(context: tuple[GatewayFixture, Vendor]):
    gateway, vendor = context
    gateway.health.failed("v/gemini-3-flash", "prov_v", "0", UpstreamError("not welcome", status=401, reason="auth"))
    assert await count_tokens(gateway, call("gem", client_dialect="gemini")) is None
    assert vendor.requests == []


async def test_the_list_of_models_is_requested_with_the_token(context: tuple[GatewayFixture, Vendor]):
    gateway, vendor = context
    with pytest.raises(Exception, match="no list of models"):
        await offered_models(gateway, "v")
    assert vendor.calls[-1].path == "/v1beta1/publishers/google/models"
    assert vendor.calls[-1].headers["x-goog-user-project"] == "p1"
