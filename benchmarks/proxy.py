"""The baseline: a minimal reverse proxy on aiohttp. It checks, counts and records nothing.

python -m benchmarks.proxy --upstream http://127.0.0.1:PORT
"""

from __future__ import annotations

import argparse
import asyncio

import aiohttp
from aiohttp import web

from benchmarks.event_loop import run

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "accept-encoding", "date", "server"}


async def serve(upstream: str, port: int) -> None:
    """Forward everything, bodies streamed through, both ways."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)
    ) as session:

        async def forward(request: web.Request) -> web.StreamResponse:
            headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
            body = await request.read()
            async with session.request(request.method, upstream + request.path_qs, headers=headers, data=body) as answer:
                kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
                if answer.content_length is not None:
                    return web.Response(status=answer.status, headers=kept, body=await answer.read())
                response = web.StreamResponse(status=answer.status, headers=kept)
                await response.prepare(request)
                async for data in answer.content.iter_any():
                    await response.write(data)
                return response

        app = web.Application(client_max_size=100 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", forward)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        # With the default of 128, every other one of 256 streams opened at once would wait a second for its SYN to be sent again.
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        print(f"Proxy listening on http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    run(serve(options.upstream, options.port))
