"""Budgets of every scope under parallel calls that cost more than expected, with hang-ups, broken streams and killed processes.

    python -m tests.endurance.money [--calls 100000] [--seed 1]

A vendor in this process answers with what it likes: hidden reasoning, cache writes of both lifetimes, several choices, pictures,
streams that break. Budgets that are spent are raised a little, so that there is always an edge to race for. Checked: no budget is
passed by more than one answer, at any look; what the API says was spent is the sum of the records, to the nano-dollar, before and
after a restart; nothing stays reserved; every answer that a client got whole has its record. Exits with 1 where one does not hold.
"""

# ruff: noqa: T201 (a command that prints its result)

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from tests.endurance import run_command
from tests.journeys.processes import RunningGateway, conduit

PARALLEL = 64
KILLS = 5
KEYS, TEAMS, ALIASES = 30, 6, 10
STEP_USD = {"global": 40.0, "provider": 15.0, "alias": 4.0, "team": 6.0, "key": 1.0}
"""The first limit of a budget, by which it is also raised."""
PRICES: dict[str, dict[str, Any]] = {
    "think-*": {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75, "cache_write_1h": 6},
    "paint": {"per_image": [{"size": "1024x1024", "quality": "high", "usd": 0.19}, {"usd": 0.04}]},
}
PROVIDERS = (("oa", "openai-compatible", "/v1"), ("ob", "openai-compatible", "/v1"), ("an", "anthropic-compatible", ""))
WORDS_OF_OTHERS: tuple[dict[str, Any], ...] = (
    {}, {}, {"options": {"num_predict": 1}}, {"generationConfig": {"maxOutputTokens": 1}}, {"max_output_tokens": 1},
)  # fmt: skip
"""Limits in the words of dialects that the vendor does not speak."""


class DearVendor:
    """Speaks OpenAI's chats and pictures and Anthropic's messages; each answer costs what the dice say."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw

    def app(self) -> web.Application:
        """The server."""
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/chat/completions", self.chat)
        app.router.add_post("/v1/images/generations", self.pictures)
        app.router.add_post("/v1/messages", self.messages)
        return app

    def _output(self, cap: int | None) -> int:
        """Output tokens, most of them never shown: now and then as many as the cap allows."""
        draw = self._draw
        wanted = int(draw.choice((draw.expovariate(1 / 300), draw.expovariate(1 / 3000), 40_000 if draw.random() < 0.05 else 50)))
        return wanted if cap is None else min(cap, wanted if draw.random() < 0.7 else cap)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        await asyncio.sleep(self._draw.random() * 0.05)
        if self._draw.random() < 0.02:
            return web.json_response({"error": {"message": "try later", "type": "server_error"}}, status=500)
        choices = int(body.get("n") or 1)
        output = sum(self._output(body.get("max_completion_tokens") or body.get("max_tokens")) for _ in range(choices))
        prompt = len(orjson.dumps(body["messages"])) // self._draw.choice((3, 4, 6)) + 1
        cached = prompt // 2 if self._draw.random() < 0.2 else 0
        usage = {
            "prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output,
            "prompt_tokens_details": {"cached_tokens": cached}, "completion_tokens_details": {"reasoning_tokens": output * 9 // 10},
        }  # fmt: skip
        head = {"id": "c", "object": "chat.completion", "created": 1, "model": body["model"]}
        if not body.get("stream"):
            message = {"role": "assistant", "content": "hello"}
            rows = [{"index": at, "message": message, "finish_reason": "stop"} for at in range(choices)]
            return web.json_response({**head, "choices": rows, "usage": usage})
        head["object"] = "chat.completion.chunk"
        delta = {"index": 0, "delta": {"role": "assistant", "content": "hello "}, "finish_reason": None}
        end = {"index": 0, "delta": {}, "finish_reason": "stop"}
        chunks = [{**head, "choices": [delta]}] * 3
        chunks += [{**head, "choices": [end]}, {**head, "choices": [], "usage": usage}]
        return await self._stream(request, [b"data: %s\n\n" % orjson.dumps(one) for one in chunks], b"data: [DONE]\n\n")

    async def messages(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        await asyncio.sleep(self._draw.random() * 0.05)
        size = len(orjson.dumps(body["messages"])) // 4 + 1
        hour = size if b"cache_control" in orjson.dumps(body) else 0
        given = {
            "input_tokens": size - hour + 1, "cache_read_input_tokens": 0, "cache_creation_input_tokens": hour,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": hour},
        }  # fmt: skip
        output = self._output(body["max_tokens"])
        message = {
            "id": "m", "type": "message", "role": "assistant", "model": body["model"], "content": [], "stop_reason": None,
            "stop_sequence": None, "usage": {**given, "output_tokens": 1},
        }  # fmt: skip
        text = {"type": "text", "text": "hello"}
        if not body.get("stream"):
            done = {"content": [text], "stop_reason": "end_turn", "usage": {**given, "output_tokens": output}}
            return web.json_response(message | done)
        events = [
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"output_tokens": output},
            },
        ]
        frames = [b"event: %s\ndata: %s\n\n" % (str(one["type"]).encode(), orjson.dumps(one)) for one in events]
        return await self._stream(request, frames, b'event: message_stop\ndata: {"type":"message_stop"}\n\n')

    async def pictures(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        await asyncio.sleep(self._draw.random() * 0.05)
        return web.json_response({"created": 1, "data": [{"b64_json": "aGk="}] * int(body.get("n") or 1)})

    async def _stream(self, request: web.Request, frames: list[bytes], end: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        cut = self._draw.randrange(1, len(frames)) if self._draw.random() < 0.05 else None
        with suppress(ConnectionError):
            for frame in frames[:cut]:
                await response.write(frame)
                await asyncio.sleep(self._draw.random() * 0.01)
            if cut is None:
                await response.write(end)
            elif request.transport is not None:
                request.transport.close()
        return response


@dataclass
class Race:
    """What is raced for, and what was seen."""

    served: RunningGateway
    draw: random.Random
    keys: list[dict[str, Any]] = field(default_factory=list)
    limits: dict[str, float] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    whole: set[str] = field(default_factory=set)
    """Ids of requests whose answer a client got to its end."""
    faults: list[str] = field(default_factory=list)
    raised: int = 0

    def budgets(self) -> list[dict[str, Any]]:
        """Every budget, as the API shows it."""
        rows: list[dict[str, Any]] = self.served.admin("GET", "/budgets?limit=500")["data"]
        return rows

    def configure(self, vendor: str) -> None:
        """Providers, aliases, keys in teams, prices and the budgets."""
        served = self.served
        for name, kind, path in (
            ("oa", "openai-compatible", "/v1"),
            ("ob", "openai-compatible", "/v1"),
            ("an", "anthropic-compatible", ""),
        ):
            served.add("providers", name=name, kind=kind, base_url=vendor + path, api_key="sk-race")
        for number in range(ALIASES):
            first, second = ("oa", "an") if number % 2 else ("ob", "oa")
            targets = [{"provider": first, "model": f"think-{number}"}, {"provider": second, "model": f"think-{number}"}]
            served.add("models", alias=f"a{number}", targets=targets, strategy="round_robin", retries=0)
        served.add("models", alias="paint", targets=[{"provider": "oa", "model": "paint"}])
        for pattern, price in PRICES.items():
            served.admin("PUT", f"/prices/{pattern}", price)
        served.admin("PATCH", "/settings", {"budget_wait_s": 0.3})
        self.keys = [served.add("keys", name=f"k{number}", team=f"t{number % TEAMS}") for number in range(KEYS)]
        holders = [("global", None), *(("provider", name) for name in ("oa", "ob", "an"))]
        holders += [("alias", f"a{number}") for number in range(ALIASES)] + [("team", f"t{number}") for number in range(TEAMS)]
        holders += [("key", key["id"]) for key in self.keys]
        for scope, target in holders:
            made = served.add(
                "budgets", scope=scope, target=target, limit_usd=STEP_USD[scope], period="total", name=f"{scope} {target}"
            )
            self.limits[made["id"]] = STEP_USD[scope]

    def body(self) -> tuple[str, dict[str, Any], bool]:
        """Path, body and whether it streams."""
        draw = self.draw
        if draw.random() < 0.05:
            return (
                "/v1/images/generations",
                {"model": "paint", "prompt": "x", "n": draw.choice((1, 2)), "size": "1024x1024", "quality": "high"},
                False,
            )
        stream = draw.random() < 0.5
        text = "word " * draw.randrange(1, 200) + draw.choice(("", "0f" * 200, "你好" * 100))
        content: Any = text
        if draw.random() < 0.1:
            content = [{"type": "text", "text": text, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
        body: dict[str, Any] = {
            "model": f"a{draw.randrange(ALIASES)}",
            "stream": stream,
            "messages": [{"role": "user", "content": content}],
        }
        if draw.random() < 0.5:
            body["max_tokens"] = draw.choice((16, 500, 9000))
        if draw.random() < 0.3:
            # Anthropic's API answers once, and its own limit is one that must be given.
            return "/v1/messages", {"max_tokens": 2000, **body}, stream
        return (
            "/v1/chat/completions",
            {**body, **({"n": 3} if draw.random() < 0.05 else {}), **draw.choice(WORDS_OF_OTHERS)},
            stream,
        )

    async def call(self, session: aiohttp.ClientSession) -> None:
        """One call, and its outcome."""
        path, body, stream = self.body()
        key = self.draw.choice(self.keys)["key"]
        hangs_up = self.draw.random() < 0.05
        headers = {"Authorization": f"Bearer {key}", "anthropic-version": "2023-06-01"}
        try:
            async with asyncio.timeout(self.draw.random() * 0.1 if hangs_up and not stream else 60):
                async with session.post(self.served.address + path, json=body, headers=headers) as answer:
                    if hangs_up:
                        await answer.content.readany()
                        answer.close()
                        self.outcomes["hung up"] += 1
                        return
                    data = await answer.read()
        except TimeoutError:
            self.outcomes["hung up early" if hangs_up else "LOST"] += 1
            return
        except aiohttp.ClientError:
            self.outcomes["the process was killed"] += 1
            return
        ended = not stream or b"[DONE]" in data or b"message_stop" in data
        broken = b'"error"' in data
        self.outcomes[str(answer.status) + (" broken" if answer.status == 200 and (broken or not ended) else "")] += 1
        if answer.status == 200 and ended and not broken:
            self.whole.add(answer.headers["x-conduit-request-id"])

    def look(self, dearest: float) -> None:
        """No budget is over by more than one answer; those that are spent are raised."""
        for row in self.budgets():
            limit = self.limits[row["id"]]
            if row["spend_usd"] > limit + dearest:
                self.faults.append(
                    f"{row['name']}: {row['spend_usd']:.6f} of {limit:.2f} spent, the dearest answer costs {dearest:.6f}"
                )
            if row["spend_usd"] > limit * 0.98:
                self.limits[row["id"]] = limit + STEP_USD[row["scope"]]
                self.served.admin("PATCH", f"/budgets/{row['id']}", {"limit_usd": self.limits[row["id"]]})
                self.raised += 1

    def records(self) -> list[dict[str, Any]]:
        """The whole request log."""
        rows: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.served.admin("GET", f"/requests?limit=500{cursor}")
            rows += page["data"]
            if page["next"] is None:
                return rows
            cursor = f"&cursor={page['next']}"

    def check(self, when: str, records: list[dict[str, Any]]) -> None:
        """What the API says of each budget is the sum of its records."""
        sums: dict[tuple[str, str | None], int] = defaultdict(int)
        dearest: dict[tuple[str, str | None], float] = defaultdict(float)
        for row in records:
            nano, usd = round((row["cost_usd"] or 0) * 1e9), row["cost_usd"] or 0
            named = {"alias": "model", "team": "team", "key": "key_id"}
            shares = [(holder, nano) for holder in (("global", None), *((scope, row[name]) for scope, name in named.items()))]
            # A provider is paid for its own attempts; what none of them holds belongs to the last one.
            paid = [(attempt["provider"], round((attempt["cost_usd"] or 0) * 1e9)) for attempt in row["attempts"]]
            shares += [(("provider", name), share) for name, share in paid]
            shares.append((("provider", row["provider"]), nano - sum(share for _, share in paid)))
            for holder, share in shares:
                sums[holder] += share
                dearest[holder] = max(dearest[holder], usd)
        for row in self.budgets():
            holder = (row["scope"], row["target"])
            if round(row["spend_usd"] * 1e9) != sums[holder]:
                self.faults.append(f"{when}: {row['name']} has {row['spend_usd']:.9f} spent, its records {sums[holder] / 1e9:.9f}")
            if row["reserved_usd"]:
                self.faults.append(f"{when}: {row['name']} has {row['reserved_usd']} reserved with nothing in flight")
            if row["spend_usd"] > row["limit_usd"] + dearest[holder]:
                self.faults.append(
                    f"{when}: {row['name']} is over by {row['spend_usd'] - row['limit_usd']:.6f}, more than one answer"
                )


async def race(race: Race, calls: int, restart: Any) -> None:
    """The calls, `PARALLEL` at a time, with a look every half second and a killed process now and then."""
    made = 0
    # Three choices of the most tokens that the vendor ever writes, at the output's price, and the input.
    dearest = 3 * 40_000 * 15 / 1e6 + 0.2
    up, over = asyncio.Event(), asyncio.Event()
    up.set()

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal made
        while made < calls:
            await up.wait()
            made += 1
            await race.call(session)

    async def watch() -> None:
        killed = 0
        while not over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 0.5)
            if killed < KILLS and made > calls * (killed + 1) / (KILLS + 1):
                killed += 1
                up.clear()
                await asyncio.to_thread(restart, signal.SIGKILL)
                up.set()
            await asyncio.to_thread(race.look, dearest)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        watcher = asyncio.ensure_future(watch())
        await asyncio.gather(*(client(session) for _ in range(PARALLEL)))
        over.set()
        await watcher


async def run(calls: int, seed: int) -> int:
    """The whole race; the exit code."""
    draw = random.Random(seed)
    runner = web.AppRunner(DearVendor(draw).app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    vendor = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        home = Path(folder) / "home"
        # On this thread: it must not start a gateway after SIGTERM has removed the folder.
        raced = Race(running.enter_context(conduit(home)), draw)

        def restart(how: signal.Signals) -> None:
            raced.served.process.send_signal(how)
            raced.served.process.wait(60)
            raced.served = running.enter_context(conduit(home))

        await asyncio.to_thread(raced.configure, vendor)
        began = time.monotonic()
        await race(raced, calls, restart)
        took = time.monotonic() - began
        # Clients that hung up are settled a moment after they are gone.
        await asyncio.to_thread(_settle, raced)
        records = await asyncio.to_thread(raced.records)
        await asyncio.to_thread(raced.check, "at the end", records)
        await asyncio.to_thread(restart, signal.SIGINT)
        await asyncio.to_thread(raced.check, "after a restart", records)
        missing = raced.whole - {row["id"] for row in records}
        if missing:
            raced.faults.append(f"{len(missing)} answers that a client got whole have no record")
        if raced.outcomes["LOST"]:
            raced.faults.append(f"{raced.outcomes['LOST']} callers got no answer")
        _print(raced, records, calls, took)
    await runner.cleanup()
    return 1 if raced.faults else 0


def _settle(raced: Race) -> None:
    give_up = time.monotonic() + 30
    while raced.served.admin("GET", "/status")["in_flight"] and time.monotonic() < give_up:
        time.sleep(0.1)
    time.sleep(1)


def _print(raced: Race, records: list[dict[str, Any]], calls: int, took: float) -> None:
    outcomes = ", ".join(f"{count:,} {what}" for what, count in raced.outcomes.most_common())
    spent = sum(row["cost_usd"] or 0 for row in records)
    print(f"calls     {calls:,} in {took:.0f} s: {outcomes}")
    print(f"records   {len(records):,}, ${spent:,.2f}; {len(raced.whole):,} answers arrived whole")
    print(f"budgets   {len(raced.limits)}, raised {raced.raised} times; the process was killed {KILLS} times")
    for fault in raced.faults[:20]:
        print(f"WRONG     {fault}")
    print(f"faults    {len(raced.faults)}")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    return asyncio.run(run(given.calls, given.seed))


if __name__ == "__main__":
    run_command(main)
