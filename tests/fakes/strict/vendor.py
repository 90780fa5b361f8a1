"""Vendors that refuse what real vendors refuse, by the rules of `rules.jsonl`, with the vendor's status and error shape.

`http://127.0.0.1:PORT/VENDOR/...`, the vendor as in the rules, below it the vendor's own paths. `refused` lists what was refused;
`met` also what a vendor accepts and mishandles (`check: silent`).

`python -m tests.fakes.strict.vendor` runs them as a process and prints their address: POST /__script takes {"model", "rounds",
"texts", "thinking"} and forgets the requests so far, GET /__refused lists the rules that were broken since.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import re
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.strict.answers import ANSWER, message, message_stream
from tests.fakes.strict.checks import Call, broken
from tests.fakes.strict.scripts import Script, unscripted

_DIALECTS = (
    ("/chat/completions", "openai_chat"),
    ("/responses", "openai_responses"),
    ("/messages", "anthropic_messages"),
    ("enerateContent", "gemini"),
    ("/v2/chat", "cohere"),
    ("/api/chat", "ollama"),
    ("/embeddings", "openai_embeddings"),
    ("/converse", "bedrock"),
    ("/converse-stream", "bedrock"),
)
_COUNTED = re.compile(r"count_tokens$|countTokens$")
_COUNTS = {"count_tokens": {"input_tokens": 5}, "countTokens": {"totalTokens": 5}}
_NO_THREAD = {
    "type": "error",
    "error": {"type": "not_found_error", "message": "thread not found", "details": {"error_code": "thread_not_found"}},
}
_STREAM_TYPES = {"bedrock": "application/vnd.amazon.eventstream", "ollama": "application/x-ndjson"}


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A rule that a request broke. `silent`: the vendor accepts that and mishandles it."""

    id: str
    says: str
    silent: bool
    path: str
    body: dict[str, Any]


@dataclass(slots=True)
class StrictVendors:
    """All vendors on one port."""

    address: str = ""
    calls: list[Call] = field(default_factory=list)
    met: list[BrokenRule] = field(default_factory=list)
    scripts: dict[str, Script] = field(default_factory=dict)
    """By model. A model without one calls `lookup`."""
    stored: dict[str, list[Any]] = field(default_factory=dict)
    """The items of a stored response and of those before it, by its id."""
    threads: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Anthropic's message threads by the id of the last answer: messages, and what only the first request has."""

    @property
    def refused(self) -> list[BrokenRule]:
        """The broken rules for which requests were refused."""
        return [one for one in self.met if not one.silent]

    def clear(self) -> None:
        """Forget the requests so far."""
        self.calls.clear()
        self.met.clear()

    def _whole(self, call: Call) -> Call:
        """The request with the history that the vendor keeps for it; KeyError for an unknown thread."""
        match call.dialect:
            case "openai_responses":
                given = call.body.get("input")
                items = given if isinstance(given, list) else [{"role": "user", "content": given}]
                before = self.stored.get(str(call.body.get("previous_response_id")), [])
                return _with(call, {"input": [*before, *items]})
            case "anthropic_messages" if call.get("thread.type") == "continue":
                kept = self.threads[call.get("thread.previous_message_id")]
                new = call.body.get("messages") or []
                return _with(call, {**kept, "messages": [*kept["messages"], *new], "thread": {"type": "create"}})
        return call

    def _broken(self, call: Call, whole: Call) -> list[dict[str, Any]]:
        if call.dialect != "anthropic_messages" or whole is call:
            return broken(call, also_silent=True)
        # Pairs of calls and results are seen in the whole thread; what may not be repeated, in the request.
        repeated = [rule for rule in broken(call) if rule["id"] == "anthropic-thread-continue-repeats"]
        return repeated + broken(whole, also_silent=True)

    def _answer(self, call: Call, whole: Call) -> Any:
        script = self.scripts.get(call.model)
        reply = script.reply(whole) if script else unscripted(whole)
        if call.dialect == "openai_responses":
            answer = ANSWER[call.dialect](call, reply)
            response = json.loads(answer.rsplit("data: ", 1)[1])["response"] if isinstance(answer, str) else answer
            if call.body.get("store", True):
                self.stored[response["id"]] = [*whole.body["input"], *response["output"]]
            return answer
        if call.get("thread"):
            made = message(call, reply)
            history = [*whole.messages, {"role": "assistant", "content": made["content"]}]
            fixed = {name: whole.body[name] for name in ("system", "tools") if name in whole.body}
            self.threads[made["id"]] = {**fixed, "messages": history}
            return message_stream(made) if call.streamed else made
        return ANSWER[call.dialect](call, reply)

    async def _control(self, request: web.Request) -> web.Response:
        if request.path == "/__script":
            given = json.loads(await request.read())
            self.clear()
            model = given.pop("model")
            self.scripts[model] = Script(**given)
            return web.json_response({})
        if request.path == "/__calls":
            return web.json_response([{"dialect": call.dialect, "path": call.vendor, "body": call.body} for call in self.calls])
        return web.json_response([{"id": one.id, "says": one.says, "path": one.path, "body": one.body} for one in self.refused])

    async def handle(self, request: web.Request) -> web.Response:
        """Refuse or answer one request."""
        if request.path.startswith("/__"):
            return await self._control(request)
        if (counted := _COUNTED.search(request.path)) and request.method == "POST":
            return web.json_response(_COUNTS[counted[0]])
        dialect = next((name for end, name in _DIALECTS if request.path.endswith(end)), None)
        if request.method != "POST" or dialect is None:
            return web.json_response({"object": "list", "data": [], "models": []}, status=200 if request.method == "GET" else 404)
        try:
            body = json.loads(await request.read())
        except ValueError:
            return web.json_response({"error": {"message": "no JSON"}}, status=400)
        call = _call(request, dialect, body)
        self.calls.append(call)
        try:
            whole = self._whole(call)
        except KeyError:
            return web.json_response(_NO_THREAD, status=404)
        rules = self._broken(call, whole)
        self.met += [BrokenRule(rule["id"], rule["says"], rule.get("check") == "silent", request.path, body) for rule in rules]
        loud = [rule for rule in rules if rule.get("check") != "silent"]
        if loud:
            headers = {"x-amzn-errortype": "ValidationException"} if dialect == "bedrock" else {}
            return web.json_response(loud[0]["error"], status=loud[0]["status"], headers=headers)
        if dialect == "openai_embeddings":
            return web.json_response(_embeddings(call))
        answer = self._answer(call, whole)
        if isinstance(answer, dict):
            return web.json_response(answer)
        data = answer if isinstance(answer, bytes) else answer.encode()
        return web.Response(body=data, headers={"content-type": _STREAM_TYPES.get(dialect, "text/event-stream")})


@asynccontextmanager
async def strict_vendors(port: int = 0) -> AsyncIterator[StrictVendors]:
    """All vendors, listening on loopback; port 0 is any free one."""
    vendors = StrictVendors()
    app = web.Application(client_max_size=1 << 28)
    app.router.add_route("*", "/{path:.*}", vendors.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        vendors.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield vendors
    finally:
        await runner.cleanup()


def _call(request: web.Request, dialect: str, body: dict[str, Any]) -> Call:
    vendor, _, rest = request.path.strip("/").partition("/")
    # Gemini and Bedrock have the model in the path, older Azure APIs the deployment.
    in_path = re.search(r"models?/([^:]+(?::\d+)?)(?=:|/converse)", request.path)
    deployment = re.search(r"deployments/([^/]+)", request.path)
    if dialect in ("gemini", "bedrock") and in_path:
        model = in_path[1]
    else:
        model = body.get("model") or (deployment[1] if deployment else None)
    streamed = {
        "gemini": "stream" in rest.rsplit(":", 1)[-1],
        "bedrock": rest.endswith("stream"),
        "ollama": body.get("stream", True),
    }.get(dialect)
    if vendor in ("openai", "azure") and dialect == "openai_responses":
        vendor = "openai_responses"
    return Call(vendor, dialect, model, body, request.headers, streamed)


def _with(call: Call, fields: dict[str, Any]) -> Call:
    return Call(call.vendor, call.dialect, call.model, {**call.body, **fields}, call.headers, call.streamed)


def _embeddings(call: Call) -> dict[str, Any]:
    vector: Any = [0.1, 0.2, 0.3]
    if call.body.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<3f", *vector)).decode()
    count = len(call.body["input"]) if isinstance(call.body["input"], list) else 1
    data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(count)]
    return {"object": "list", "model": call.model, "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}


async def _serve(port: int) -> None:
    async with strict_vendors(port) as vendors:
        print(f"Strict vendors listening on {vendors.address}", flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Vendors that refuse what real vendors refuse.")
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(_serve(parser.parse_args().port))
