"""Who a client says it is: its own login together with a virtual key, its User-Agent and session, and a request that comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest

from conduit_desktop.actions import requests
from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.entities import Provider
from conduit_desktop.core.paths import Home
from conduit_desktop.providers import Secrets
from conduit_desktop.providers.catalog import bind
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.http_server import listening
from tests.fakes.script import Step
from tests.fakes.vendor import Vendor

LOGIN = "sk-ant-oat01-login"
CLAUDE = {"model": "claude", "max_tokens": 20, "messages": [{"role": "user", "content": "hello"}]}
CHAT = {"model": "alias", "messages": [{"role": "user", "content": "hello"}]}
RESPONSES = {"model": "oai", "input": "hello"}


@dataclass
class Served:
    """A listening gateway; its provider `an` accepts clients' own keys, and `oa` has one of the operator."""

    gateway: GatewayFixture
    vendor: Vendor
    session: aiohttp.ClientSession
    address: str
    context: AppContext

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any, Any]:
        """Status, JSON and headers. Names of headers are written with `_` for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(self.address + path, data=orjson.dumps(body), headers=sent) as response:
            return response.status, orjson.loads(await response.read()), response.headers


@pytest.fixture
async def served(home: Home) -> AsyncIterator[Served]:
    async with Vendor() as vendor, open_gateway(home, port=0) as gateway, aiohttp.ClientSession() as session:
        vendor.keys = None
        await gateway.add_provider("an", vendor.anthropic_url, kind="anthropic", accept_client_keys=True, keys=["sk-operators"])
        await gateway.add_provider("oa", vendor.openai_url, keys=["sk-operators"])
        await gateway.add_provider("open", vendor.openai_url, kind="openai", keys=["sk-operators"])
        await gateway.add_alias("claude", "an/claude-x")
        await gateway.add_alias("alias", "oa/gpt-x")
        await gateway.add_alias("oai", "open/gpt-x")
        await gateway.add_alias("both", "oa/gpt-x", "an/claude-x")
        await gateway.add_key()
        async with listening(home, gateway) as context:
            yield Served(gateway, vendor, session, context.server.address or "", context)


@pytest.mark.parametrize("header", ["x_api_key", "x_conduit_key", "api_key", "x_goog_api_key"])
async def test_a_login_goes_on_in_its_header_and_the_virtual_key_sent_with_it_pays(served: Served, header: str) -> None:
    status, _, _ = await served.post("/v1/messages", CLAUDE, Authorization=f"Bearer {LOGIN}", **{header: KEY})
    assert status == 200
    sent = served.vendor.requests[0].headers
    assert sent["authorization"] == f"Bearer {LOGIN}"
    assert "x-api-key" not in sent
    assert KEY not in str(sent)
    assert "sk-operators" not in str(sent)
    assert [(record.key_name, record.status) for record in served.gateway.records] == [("tester", "success")]


async def test_the_limits_of_the_virtual_key_hold_for_a_login_too(served: Served) -> None:
    await served.gateway.add_key("slow", "condt_" + "s" * 43, rpm=1, models=["claude"])
    headers = {"Authorization": f"Bearer {LOGIN}", "x_conduit_key": "condt_" + "s" * 43}
    assert (await served.post("/v1/messages", CLAUDE, **headers))[0] == 200
    assert (await served.post("/v1/messages", CLAUDE, **headers))[0] == 429
    assert (await served.post("/v1/messages", {**CLAUDE, "model": "both"}, **headers))[0] == 403


async def test_a_login_alone_goes_on_in_its_header(served: Served) -> None:
    assert (await served.post("/v1/messages", CLAUDE, Authorization=f"Bearer {LOGIN}"))[0] == 200
    assert served.vendor.requests[0].headers["authorization"] == f"Bearer {LOGIN}"
    assert (await served.post("/v1/messages", CLAUDE, x_api_key="sk-ant-api03"))[0] == 200
    assert served.vendor.requests[1].headers["x-api-key"] == "sk-ant-api03"
    assert "authorization" not in served.vendor.requests[1].headers


async def test_a_key_of_a_caller_of_another_dialect_comes_in_the_header_that_the_vendor_reads(served: Served) -> None:
    assert (await served.post("/v1/chat/completions", {**CHAT, "model": "claude"}, Authorization="Bearer sk-ant-api03"))[0] == 200
    assert served.vendor.requests[0].headers["x-api-key"] == "sk-ant-api03"


async def test_a_login_is_not_shown_to_a_provider_that_does_not_take_it(served: Served) -> None:
    status, _, _ = await served.post("/v1/chat/completions", CHAT, Authorization=f"Bearer {LOGIN}", x_conduit_key=KEY)
    assert status == 200
    assert served.vendor.requests[0].headers["authorization"] == "Bearer sk-operators"
    await served.post("/v1/chat/completions", {**CHAT, "model": "both"}, Authorization=f"Bearer {LOGIN}", x_conduit_key=KEY)
    assert [LOGIN in str(call.headers) for call in served.vendor.requests] == [False, False]


async def test_a_wrong_virtual_key_sent_with_a_login_is_refused(served: Served) -> None:
    for key in ("condt_" + "w" * 43, "sk-other"):
        status, _, _ = await served.post("/v1/messages", CLAUDE, Authorization=f"Bearer {LOGIN}", x_conduit_key=key)
        assert status == 401
    assert not served.vendor.requests


async def test_a_caller_with_its_own_key_is_shown_the_models_it_may_call(served: Served) -> None:
    async def listed(**headers: str) -> list[str]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        async with served.session.get(served.address + "/v1/models", headers=sent) as response:
            return [row["id"] for row in (await response.json())["data"]]

    assert await listed(Authorization=f"Bearer {LOGIN}") == ["both", "claude"]
    assert await listed(Authorization=f"Bearer {KEY}") == ["alias", "both", "claude", "oai"]
    assert await listed(Authorization=f"Bearer {LOGIN}", x_conduit_key=KEY) == ["alias", "both", "claude", "oai"]


CLAUDE_CODE = {
    "User_Agent": "claude-cli/2.1.252 (external, cli)", "x_app": "cli", "x_stainless_lang": "js", "anthropic_beta": "a,b",
    "x_claude_code_session_id": "s1", "x_session_id": "s2",
}  # fmt: skip
CODEX = {
    "User_Agent": "codex_cli_rs/0.58.0", "originator": "codex_cli_rs", "session_id": "s1", "conversation_id": "c1",
    "chatgpt_account_id": "acct", "openai_beta": "responses=v1", "x_codex_turn_metadata": "{}", "version": "0.58.0",
}  # fmt: skip
NEVER = {
    "Cookie": "secret=1", "x_conduit_tags": "secret", "x_forwarded_for": "1.2.3.4", "Proxy_Authorization": "secret",
    "x_conduit_key": KEY, "TE": "trailers",
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [("/v1/messages", CLAUDE, CLAUDE_CODE), ("/v1/responses", RESPONSES, CODEX), ("/v1/chat/completions", CHAT, CODEX)],
    ids=["Claude Code", "Codex", "chat"],
)
async def test_a_clients_own_identification_is_relayed_in_passthrough(
    served: Served, path: str, body: dict[str, Any], headers: dict[str, str]
) -> None:
    await served.post(path, body, **headers, **NEVER)
    sent = served.vendor.requests[0].headers
    assert {name.replace("_", "-").lower(): value for name, value in headers.items()}.items() <= sent.items()
    names = {name.replace("_", "-").lower() for name in NEVER}
    assert not names & sent.keys()
    assert "secret" not in str(sent)


async def test_codexs_session_with_an_underscore_is_relayed(served: Served) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "session_id": "s1", "conversation_id": "c1"}
    async with served.session.post(served.address + "/v1/responses", json=RESPONSES, headers=headers) as response:
        await response.read()
    sent = served.vendor.requests[0].headers
    assert (sent["session_id"], sent["conversation_id"]) == ("s1", "c1")


def test_a_header_that_the_operator_configured_replaces_the_callers() -> None:
    kind = bind(Provider(id="p", name="p", kind="anthropic"))
    sent = kind.all_headers(Secrets("sk-x", {"User-Agent": "the-plan/1"}), "anthropic_messages", {"user-agent": "claude-cli/2"})
    assert sent["user-agent"] == "the-plan/1"


async def test_a_translated_request_does_not_pose_as_the_client(served: Served) -> None:
    assert (await served.post("/v1/messages", {**CLAUDE, "model": "alias"}, **CLAUDE_CODE, x_api_key=KEY))[0] == 200
    sent = served.vendor.requests[0].headers
    assert sent["user-agent"].startswith("conduit-desktop/")
    assert "x-app" not in sent
    assert "anthropic-beta" not in sent


async def test_the_parts_of_a_list_header_are_relayed_together(served: Served) -> None:
    headers = [("x-api-key", KEY), ("anthropic-beta", "one"), ("anthropic-beta", "two")]
    async with served.session.post(served.address + "/v1/messages", json=CLAUDE, headers=headers) as response:
        assert response.status == 200
    assert served.vendor.requests[0].headers["anthropic-beta"] == "one, two"


@pytest.mark.parametrize(("path", "body"), [("/v1/chat/completions", CHAT), ("/v1/messages", CLAUDE), ("/v1/responses", RESPONSES)])
async def test_a_request_that_comes_back_is_refused(served: Served, path: str, body: dict[str, Any]) -> None:
    kind = "anthropic-compatible" if path == "/v1/messages" else "openai"
    await served.gateway.add_provider("self", served.address, kind=kind, keys=[KEY])
    await served.gateway.add_alias("loop", "self/loop")
    status, answer, _ = await served.post(path, {**body, "model": "loop"}, Authorization=f"Bearer {KEY}")
    assert status == 508
    assert "passed through this gateway already" in answer["error"]["message"]
    assert answer["error"].get("code", "loop_detected") == "loop_detected"
    assert served.gateway.calls == 1, "it went round once, and was not asked again"


def test_vendors_do_not_see_which_gateways_a_request_has_passed(served: Served) -> None:
    assert not bind(Provider(id="p", name="p", kind="openai")).may_lead_back
    assert bind(Provider(id="p", name="p", kind="openai", base_url="http://127.0.0.1:1/v1")).may_lead_back
    assert bind(Provider(id="p", name="p", kind="vllm")).may_lead_back


OPENAI_BODY = {"user": "ann", "prompt_cache_key": "cached"}
ATTRIBUTED: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {**CHAT, **OPENAI_BODY}),
    "translated chat": ("/v1/chat/completions", {**CHAT, "model": "claude", **OPENAI_BODY}),
    "streamed chat": ("/v1/chat/completions", {**CHAT, "stream": True, **OPENAI_BODY}),
    "responses": ("/v1/responses", {**RESPONSES, "model": "alias", **OPENAI_BODY}),
    "messages": ("/v1/messages", {**CLAUDE, "metadata": {"user_id": "ann"}}),
    "embeddings": ("/v1/embeddings", {"model": "alias", "input": "a", "user": "ann"}),
    "images": ("/v1/images/generations", {"model": "alias", "prompt": "a", "user": "ann"}),
}


@pytest.mark.parametrize("case", ATTRIBUTED)
async def test_a_record_names_session_user_tags_client_and_team(served: Served, case: str) -> None:
    path, body = ATTRIBUTED[case]
    await served.gateway.add_key("team", "condt_" + "t" * 43, team="red", tags=("prod",))
    headers = {
        "Authorization": "Bearer condt_" + "t" * 43, "User-Agent": "claude-cli/2.1.252 (external, cli)",
        "x-claude-code-session-id": "s-1", "x-conduit-tags": "night, prod",
    }  # fmt: skip
    async with served.session.post(served.address + path, data=orjson.dumps(body), headers=headers) as response:
        assert response.status == 200
        await response.read()
        request_id = response.headers["x-conduit-request-id"]
    assert all("x-conduit-tags" not in sent.headers for sent in served.vendor.requests)
    found = await requests.get(served.context, request_id)
    assert (found.session, found.user, found.tags, found.client, found.team) == (
        "s-1",
        "ann",
        ["prod", "night"],
        "claude-cli",
        "red",
    )


async def test_a_refused_request_names_them_too(served: Served) -> None:
    await served.gateway.add_key("narrow", "condt_" + "n" * 43, models=["other"], team="red")
    status, _, _ = await served.post("/v1/chat/completions", {**CHAT, "user": "ann"}, Authorization="Bearer condt_" + "n" * 43)
    assert status == 403
    assert [(record.user, record.team, record.status) for record in served.gateway.records] == [("ann", "red", "refused")]


NAMED = "gpt-x-2026-01-31"
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}
CHUNK = {"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}


@pytest.mark.parametrize("stream", [False, True])
async def test_the_upstream_model_is_the_one_that_the_answer_names(served: Served, stream: bool) -> None:
    head = {"id": "c", "created": 1, "model": NAMED + "\x1b[31m", "service_tier": "flex"}
    whole: Any = {**head, "object": "chat.completion", "choices": [CHOICE], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    chunk = {**head, "object": "chat.completion.chunk", "choices": [CHUNK], "usage": whole["usage"]}
    body = f"data: {orjson.dumps(chunk).decode()}\n\ndata: [DONE]\n\n" if stream else whole
    served.vendor.script(Step(body=body, content_type="text/event-stream" if stream else None))
    headers = {"Authorization": f"Bearer {KEY}"}
    async with served.session.post(
        f"{served.address}/v1/chat/completions", data=orjson.dumps({**CHAT, "stream": stream}), headers=headers
    ) as response:
        assert response.status == 200
        await response.read()
    record = served.gateway.records[0]
    assert (record.upstream_model, record.service_tier, record.model) == (NAMED + "[31m", "flex", "alias")
    # What was asked for stays with the attempt.
    assert [attempt.model for attempt in record.attempts] == ["gpt-x"]


async def test_a_media_answer_names_its_model_too(served: Served) -> None:
    row = {"object": "embedding", "index": 0, "embedding": [0.5]}
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    served.vendor.script(Step(body={"object": "list", "data": [row], "model": "emb-2", "usage": usage}))
    body = {"model": "alias", "input": "a", "encoding_format": "float"}
    assert (await served.post("/v1/embeddings", body, Authorization=f"Bearer {KEY}"))[0] == 200
    assert [record.upstream_model for record in served.gateway.records] == ["emb-2"]
