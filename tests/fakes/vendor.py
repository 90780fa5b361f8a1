"""A scripted vendor: a real HTTP server on loopback that answers or fails as its script says, and keeps the calls it got.

    async with Vendor() as vendor:
        vendor.script(Step(status=429, headers={"retry-after": "1"}), Step())      # then always good
        vendor.script(Step(cut_after=3), model="demo-small")                       # this model: always cut
        ...  vendor.openai_url, vendor.anthropic_url (Gemini's too), vendor.calls

`python -m tests.fakes.vendor --port 0` runs it as a process: it prints its address; POST /__script takes
{"steps": [{…}], "model", "key", "cycle"}, GET /__journal lists the calls.
"""

from __future__ import annotations

import argparse
import asyncio
from types import ModuleType

import orjson
from aiohttp import web

from tests.fakes import vendor_anthropic, vendor_gemini, vendor_openai
from tests.fakes.script import Script, Scripts, Step, Tokens
from tests.fakes.vendor_calls import Call, StepPlayer, as_json, read

API_KEY = "sk-vendor-0000"
MAX_BODY = 256 * 1024 * 1024


class Vendor:
    """The server. `keys` are the credentials it accepts, by default API_KEY."""

    def __init__(self, keys: set[str] | None = None) -> None:
        self.keys: set[str] | None = {API_KEY} if keys is None else keys
        self.calls: list[Call] = []
        self._scripts = Scripts()
        self._runner: web.AppRunner | None = None
        self.port = 0

    def script(self, *steps: Step, model: str | None = None, key: str | None = None, cycle: bool = False) -> None:
        """Answer the next calls (of `model`, or with the credential `key`) by these steps; the last step is repeated."""
        if key is not None and self.keys is not None:
            self.keys.add(key)
        self._scripts.set(Script(steps, cycle), model, key)

    @property
    def openai_url(self) -> str:
        """The base URL as OpenAI documents it: with the version."""
        return f"{self.anthropic_url}/v1"

    @property
    def anthropic_url(self) -> str:
        """The base URL as Anthropic documents it: without the version."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[Call]:
        """The POST calls: without lists of models."""
        return [call for call in self.calls if call.method == "POST"]

    async def __aenter__(self) -> Vendor:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; 0 takes any free port."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self._answer)
        # Without handler_cancellation a client's disconnect would be noticed only at the next write.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every connection and stop listening; `start(port)` starts it again at the same address."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/__"):
            return await self._control(request)
        call = await read(request)
        self.calls.append(call)
        try:
            response = await self._act(request, call)
        except (asyncio.CancelledError, ConnectionError):
            call.end("hung up")
            raise
        call.end("answered")
        return response

    async def _act(self, request: web.Request, call: Call) -> web.StreamResponse:
        dialect = _dialect(call)
        if self.keys is not None and call.key not in self.keys:
            return as_json(401, dialect.error(401, "invalid x-api-key", "invalid_api_key" if dialect is vendor_openai else None))
        if dialect is vendor_anthropic and not _has_version(call):
            return as_json(400, dialect.error(400, "anthropic-version: header is required", None))
        if call.method == "GET":
            return as_json(200, dialect.models())
        if not isinstance(call.body, dict):
            return as_json(400, dialect.error(400, "the body is not a JSON object", None))
        if dialect is vendor_gemini and (name := vendor_gemini.call_without_signature(call.body)):
            return as_json(400, dialect.error(400, f"Function call is missing a thought_signature: {name}", None))
        model = (call.body | vendor_gemini.path_fields(call.path)).get("model")
        step = self._scripts.take(str(model), call.key)
        return await StepPlayer(request, call, step, dialect).run()

    async def _control(self, request: web.Request) -> web.Response:
        if request.path == "/__script":
            given = orjson.loads(await request.read())
            steps = [
                Step(**{**step, **({"tokens": Tokens(**step["tokens"])} if step.get("tokens") else {})}) for step in given["steps"]
            ]
            self.script(*steps, model=given.get("model"), key=given.get("key"), cycle=given.get("cycle", False))
            return as_json(200, {})
        keys = ("method", "path", "query", "headers", "body", "outcome", "frames_sent", "at", "ended_at")
        return as_json(200, [{key: getattr(call, key) for key in keys} for call in self.calls])


def _dialect(call: Call) -> ModuleType:
    if "/anthropic/" in call.path:  # Claude on Vertex AI
        return vendor_anthropic
    if "x-goog-api-key" in call.headers or vendor_gemini.path_fields(call.path):
        return vendor_gemini
    return vendor_anthropic if _is_anthropic(call) else vendor_openai


def _has_version(call: Call) -> bool:
    """In a header, or for Claude on Vertex AI in the body."""
    return "anthropic-version" in call.headers or (isinstance(call.body, dict) and "anthropic_version" in call.body)


def _is_anthropic(call: Call) -> bool:
    return "/messages" in call.path or "anthropic-version" in call.headers


async def _serve(port: int) -> None:
    vendor = Vendor()
    await vendor.start(port)
    print(f"Vendor listening on {vendor.anthropic_url}", flush=True)  # noqa: T201
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(_serve(parser.parse_args().port))
