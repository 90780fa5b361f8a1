"""Vendors that refuse what real vendors refuse, by the rules of `rules.jsonl`, with the vendor's status and error shape.

`http://127.0.0.1:PORT/VENDOR/...`, the vendor as in the rules, below it the vendor's own paths. `refused` lists what was refused;
`met` also what a vendor accepts and mishandles (`check: silent`).
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.strict.answers import ANSWER, want_calls
from tests.fakes.strict.checks import Call, broken

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

    @property
    def refused(self) -> list[BrokenRule]:
        """The broken rules for which requests were refused."""
        return [one for one in self.met if not one.silent]

    def clear(self) -> None:
        """Forget the requests so far."""
        self.calls.clear()
        self.met.clear()

    async def handle(self, request: web.Request) -> web.Response:
        """Refuse or answer one request."""
        dialect = next((name for end, name in _DIALECTS if request.path.endswith(end)), None)
        if request.method != "POST" or dialect is None:
            return web.json_response({"object": "list", "data": [], "models": []}, status=200 if request.method == "GET" else 404)
        try:
            body = json.loads(await request.read())
        except ValueError:
            return web.json_response({"error": {"message": "no JSON"}}, status=400)
        call = _call(request, dialect, body)
        self.calls.append(call)
        rules = broken(call, also_silent=True)
        self.met += [BrokenRule(rule["id"], rule["says"], rule.get("check") == "silent", request.path, body) for rule in rules]
        loud = [rule for rule in rules if rule.get("check") != "silent"]
        if loud:
            headers = {"x-amzn-errortype": "ValidationException"} if dialect == "bedrock" else {}
            return web.json_response(loud[0]["error"], status=loud[0]["status"], headers=headers)
        if dialect == "openai_embeddings":
            return web.json_response(_embeddings(call))
        answer = ANSWER[dialect](call, want_calls(call))
        if isinstance(answer, dict):
            return web.json_response(answer)
        data = answer if isinstance(answer, bytes) else answer.encode()
        return web.Response(body=data, headers={"content-type": _STREAM_TYPES.get(dialect, "text/event-stream")})


@asynccontextmanager
async def strict_vendors() -> AsyncIterator[StrictVendors]:
    """All vendors, listening on a free port of loopback."""
    vendors = StrictVendors()
    app = web.Application(client_max_size=1 << 28)
    app.router.add_route("*", "/{path:.*}", vendors.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
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


def _embeddings(call: Call) -> dict[str, Any]:
    vector: Any = [0.1, 0.2, 0.3]
    if call.body.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<3f", *vector)).decode()
    count = len(call.body["input"]) if isinstance(call.body["input"], list) else 1
    data = [{"object": "embedding", "index": index, "embedding": vector} for index in range(count)]
    return {"object": "list", "model": call.model, "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}
