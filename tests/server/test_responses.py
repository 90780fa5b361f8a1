"""`/v1/responses` over real HTTP, to vendors that know nothing of it: kept responses, chains, other keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.paths import Home
from conduit_desktop.server.application import build
from conduit_desktop.server.http_server import HttpServer
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.script import Step
from tests.fakes.vendor import Vendor

OTHER = "condt_" + "o" * 43
ALIASES = ["to-openai", "to-anthropic"]


class ServedGateway:
    """A short way to call the gateway."""

    def __init__(self, gateway: GatewayFixture, vendor: Vendor, session: aiohttp.ClientSession, url: str) -> None:
        self.gateway = gateway
        self.vendor = vendor
        self._session = session
        self._url = url

    async def call(self, method: str, path: str, body: Any = None, key: str = KEY) -> tuple[int, Any, Any]:
        data = None if body is None else orjson.dumps(body)
        headers = {"Authorization": f"Bearer {key}"}
        async with self._session.request(method, f"{self._url}{path}", data=data, headers=headers) as response:
            raw = await response.read()
            return response.status, orjson.loads(raw) if raw[:1] == b"{" else raw, response.headers

    async def ask(self, **body: Any) -> dict[str, Any]:
        status, answer, _ = await self.call("POST", "/v1/responses", body)
        assert status == 200, answer
        return dict(answer)


@pytest.fixture
async def served(home: Home) -> AsyncIterator[ServedGateway]:
    async with Vendor() as vendor, open_gateway(home) as gateway, aiohttp.ClientSession() as session:
        await gateway.add_provider("oa", vendor.openai_url)
        await gateway.add_provider("an", vendor.anthropic_url, kind="anthropic-compatible")
        await gateway.add_alias("to-openai", "oa/gpt-x")
        await gateway.add_alias("to-anthropic", "an/claude-x")
        await gateway.add_key()
        await gateway.add_key("other", OTHER)
        context = AppContext(home, gateway.store, gateway.secrets, gateway, gateway.bus, HttpServer(), gateway.state.overrides)
        async with TestServer(build(context), host="127.0.0.1") as server:
            yield ServedGateway(gateway, vendor, session, str(server.make_url("")).rstrip("/"))


def text_of(response: dict[str, Any]) -> str:
    return "".join(part["text"] for item in response["output"] if item["type"] == "message" for part in item["content"])


@pytest.mark.parametrize("alias", ALIASES)
async def test_a_whole_answer_is_a_response_and_is_kept(served: ServedGateway, alias: str) -> None:
    answer = await served.ask(model=alias, input="hello there", metadata={"a": "b"})
    assert (answer["object"], answer["status"], answer["metadata"]) == ("response", "completed", {"a": "b"})
    assert "hello there" in text_of(answer)
    assert answer["usage"]["total_tokens"] > 0
    status, kept, _ = await served.call("GET", f"/v1/responses/{answer['id']}")
    assert (status, kept) == (200, answer)


@pytest.mark.parametrize("alias", ALIASES)
async def test_a_stream_is_stored_before_its_end_is_sent(served: ServedGateway, alias: str) -> None:
    status, raw, headers = await served.call("POST", "/v1/responses", {"model": alias, "input": "hello", "stream": True})
    assert (status, headers["Content-Type"].partition(";")[0]) == (200, "text/event-stream")
    frames = [orjson.loads(line[6:]) for line in raw.split(b"\n") if line.startswith(b"data: ")]
    assert [frame["sequence_number"] for frame in frames] == list(range(len(frames)))
    assert frames[-1]["type"] == "response.completed"
    final = frames[-1]["response"]
    assert (await served.call("GET", f"/responses/{final['id']}"))[1] == final


@pytest.mark.parametrize("alias", ALIASES)
async def test_a_conversation_goes_on_from_the_response_before(served: ServedGateway, alias: str) -> None:
    first = await served.ask(model=alias, input="my name is Ada", instructions="Be brief.")
    second = await served.ask(model=alias, input="and now?", previous_response_id=first["id"])
    assert second["previous_response_id"] == first["id"]
    third = await served.ask(model=alias, input=[{"role": "user", "content": "again"}], previous_response_id=second["id"])
    assert third["status"] == "completed"
    messages = served.vendor.requests[-1].body["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant", "user"]
    assert messages[0]["content"] == "my name is Ada"
    assert "Be brief." not in orjson.dumps(served.vendor.requests[-1].body).decode(), "instructions hold for one request"
    assert "x-conduit-dropped" not in (await served.call("POST", "/v1/responses", {"model": alias, "input": "x", "store": True}))[2]


async def test_the_conversation_may_go_on_with_a_vendor_of_another_kind(served: ServedGateway) -> None:
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
    first = await served.ask(model="to-openai", input="weather?", tools=[tool])
    call = next(item for item in first["output"] if item["type"] == "function_call")
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    second = await served.ask(model="to-anthropic", input=[result], previous_response_id=first["id"], tools=[tool])
    assert "sunny" in text_of(second)
    blocks = [block["type"] for message in served.vendor.requests[-1].body["messages"][1:] for block in message["content"]]
    assert blocks == ["tool_use", "tool_result"]


@pytest.mark.parametrize("kind", [{"type": "item_reference"}, {}])
async def test_a_reference_to_an_item_is_the_stored_item(served: ServedGateway, kind: dict[str, str]) -> None:
    first = await served.ask(model="to-openai", input="my name is Ada")
    reference = {**kind, "id": first["output"][-1]["id"]}
    history = [{"role": "user", "content": "my name is Ada"}, reference, {"role": "user", "content": "and now?"}]
    await served.ask(model="to-anthropic", input=history)
    sent = served.vendor.requests[-1].body["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert text_of(first) in str(sent[1]["content"])


async def test_a_reference_to_an_item_of_another_key_is_refused(served: ServedGateway) -> None:
    first = await served.ask(model="to-openai", input="my name is Ada")
    body = {"model": "to-openai", "input": [{"type": "item_reference", "id": first["output"][-1]["id"]}]}
    for key, expected in ((OTHER, 400), (KEY, 200)):
        status, answer, _ = await served.call("POST", "/v1/responses", body, key)
        assert status == expected
        assert expected == 200 or answer["error"]["param"] == "input[0]"


async def test_another_key_sees_nothing_of_it(served: ServedGateway) -> None:
    answer = await served.ask(model="to-openai", input="a secret")
    for method in ("GET", "DELETE"):
        status, body, _ = await served.call(method, f"/v1/responses/{answer['id']}", key=OTHER)
        assert (status, body["error"]["code"]) == (404, "response_not_found")
    request = {"model": "to-openai", "input": "what was it?", "previous_response_id": answer["id"]}
    status, body, _ = await served.call("POST", "/v1/responses", request, key=OTHER)
    assert (status, body["error"]["code"], body["error"]["param"]) == (400, "previous_response_not_found", "previous_response_id")
    assert (await served.call("GET", f"/v1/responses/{answer['id']}"))[0] == 200


async def test_what_is_deleted_or_was_not_to_be_stored_is_not_there(served: ServedGateway) -> None:
    answer = await served.ask(model="to-openai", input="hi")
    status, body, _ = await served.call("DELETE", f"/v1/responses/{answer['id']}")
    assert (status, body) == (200, {"id": answer["id"], "object": "response", "deleted": True})
    unstored = await served.ask(model="to-openai", input="hi", store=False)
    for id in (answer["id"], unstored["id"], "resp_never"):
        assert (await served.call("GET", f"/v1/responses/{id}"))[0] == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": 7}, "input"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": "x", "conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
    ],
)
async def test_a_request_that_cannot_be_served_names_its_field(served: ServedGateway, body: dict[str, Any], param: str) -> None:
    status, answer, _ = await served.call("POST", "/v1/responses", {"model": "to-openai", **body})
    assert (status, answer["error"]["param"], answer["error"]["type"]) == (400, param, "invalid_request_error")


async def test_a_broken_stream_ends_in_a_failure_and_is_not_kept(served: ServedGateway) -> None:
    served.vendor.script(Step(cut_after=2))
    _, raw, _ = await served.call("POST", "/v1/responses", {"model": "to-openai", "input": "a b c d e f", "stream": True})
    frames = [orjson.loads(line[6:]) for line in raw.split(b"\n") if line.startswith(b"data: ")]
    assert [frame["type"] for frame in frames[-2:]] == ["error", "response.failed"]
    assert b"response.completed" not in raw
    assert (await served.call("GET", f"/v1/responses/{frames[-1]['response']['id']}"))[0] == 404


async def test_input_tokens_are_estimated_with_the_conversation_before(served: ServedGateway) -> None:
    answer = await served.ask(model="to-openai", input="word " * 400)
    _, short, headers = await served.call("POST", "/v1/responses/input_tokens", {"model": "to-openai", "input": "hi"})
    assert (short["object"], headers["x-conduit-token-count"]) == ("response.input_tokens", "estimated")
    request = {"model": "to-openai", "input": "hi", "previous_response_id": answer["id"]}
    _, long, _ = await served.call("POST", "/v1/responses/input_tokens", request)
    assert long["input_tokens"] > short["input_tokens"] + 400
    assert (await served.call("POST", "/v1/responses/input_tokens", {"input": "hi"}, key="condt_wrong"))[0] == 401
    status, body, _ = await served.call("POST", "/v1/responses/input_tokens", {"model": "nothing", "input": "hi"})
    assert (status, body["error"]["code"]) == (404, "model_not_found")


async def test_a_passed_through_stream_that_fails_has_one_error(served: ServedGateway) -> None:
    head = {"id": "resp_theirs", "object": "response", "model": "gpt-x", "output": []}
    frames = [
        {"type": "response.created", "response": {**head, "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": {"id": "m", "type": "message"}},
        {"type": "response.output_text.delta", "output_index": 0, "item_id": "m", "content_index": 0, "delta": "said"},
        {"type": "response.failed", "response": {**head, "status": "failed", "error": {"code": "server_error", "message": "oops"}}},
    ]

    async def answer(request: web.Request) -> web.Response:
        body = b"".join(b"data: " + orjson.dumps(frame) + b"\n\n" for frame in frames)
        return web.Response(body=body, content_type="text/event-stream")

    app = web.Application()
    app.router.add_post("/v1/responses", answer)
    async with TestServer(app, host="127.0.0.1") as upstream:
        await served.gateway.add_provider("real", str(upstream.make_url("/v1")), kind="openai")
        _, raw, _ = await served.call("POST", "/v1/responses", {"model": "real/gpt-x", "input": "hi", "stream": True})
    assert b"said" in raw
    assert raw.count(b'"type":"response.failed"') == 1
    assert b"oops" in raw
    assert (served.gateway.records[-1].status, served.gateway.records[-1].error_code) == ("broken", "provider_stream_broken")


async def test_a_provider_of_the_api_itself_gets_the_body_as_it_is(served: ServedGateway) -> None:
    seen: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.path, await request.json()))
        body = {"id": "resp_theirs", "object": "response", "status": "completed", "model": "gpt-x", "unheard_of": 1, "output": []}
        return web.json_response({**body, "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}})

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    async with TestServer(app, host="127.0.0.1") as upstream:
        await served.gateway.add_provider("real", str(upstream.make_url("/v1")), kind="openai")
        request = {"model": "real/gpt-x", "input": "hi", "previous_response_id": "resp_unknown_here", "new_field": [1]}
        response = await served.ask(**request)
        assert response["unheard_of"] == 1
        assert seen == [("/v1/responses", {**request, "model": "gpt-x"})]
        assert (await served.call("GET", "/v1/responses/resp_theirs"))[0] == 404, "the provider keeps its own"
        kept = await served.ask(model="to-anthropic", input="my name is Ada")
        await served.ask(model="real/gpt-x", input="and?", previous_response_id=kept["id"])
        assert [item.get("role") for item in seen[-1][1]["input"]] == ["user", "assistant", "user"]
        assert "previous_response_id" not in seen[-1][1], "that provider does not know it"
    assert [served.gateway.records[0].output, served.gateway.records[0].dialect] == [4, "openai_responses"]


async def test_the_input_of_a_stored_response_is_listed_newest_first(served: ServedGateway) -> None:
    first = await served.ask(model="to-openai", input="one")
    second = await served.ask(model="to-openai", input="two", previous_response_id=first["id"])
    path = f"/v1/responses/{second['id']}/input_items"
    status, listed, _ = await served.call("GET", path)
    assert (status, listed["object"], listed["has_more"]) == (200, "list", False)
    assert [row["content"][0]["text"] for row in listed["data"]] == ["two", "You said: one", "one"]
    assert {row["type"] for row in listed["data"]} == {"message"}
    assert (listed["first_id"], listed["last_id"]) == (listed["data"][0]["id"], listed["data"][-1]["id"])
    _, page, _ = await served.call("GET", f"{path}?order=asc&limit=1")
    assert (page["data"][0]["content"][0]["text"], page["has_more"]) == ("one", True)
    _, page, _ = await served.call("GET", f"{path}?order=asc&after={page['last_id']}")
    assert [row["content"][0]["text"] for row in page["data"]] == ["You said: one", "two"]
    assert (await served.call("GET", path, key=OTHER))[0] == 404


async def test_a_response_that_is_complete_cannot_be_cancelled(served: ServedGateway) -> None:
    response = await served.ask(model="to-openai", input="one")
    status, body, _ = await served.call("POST", f"/v1/responses/{response['id']}/cancel")
    assert (status, body["error"]["message"]) == (400, "Cannot cancel a synchronous response.")
    assert (await served.call("POST", "/v1/responses/resp_none/cancel"))[0] == 404
