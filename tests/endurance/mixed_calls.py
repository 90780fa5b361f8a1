"""One call of a random dialect, streamed or not, and its outcome as a short text."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import aiohttp
import orjson

from tests.fakes.client_dialects import CLIENT_DIALECTS, ClientDialect

MODELS = 8
PATIENCE_S = 60.0
HANG_UPS = 0.02
"""Share of clients that disconnect: from a stream after its first bytes, else before the response."""
MOMENT_S = 0.15
"""Latest time in seconds at which such a client disconnects before the response."""


async def one_call(session: aiohttp.ClientSession, address: str, key: str, outcomes: Counter[str]) -> None:
    """Make one call and count its outcome."""
    name = random.choice(tuple(CLIENT_DIALECTS))
    stream, impatient = random.random() < 0.5, random.random() < HANG_UPS
    text = "one two three four five six seven eight nine ten " * random.randrange(1, 30)
    path, body = CLIENT_DIALECTS[name].request(f"mixed-{random.randrange(MODELS)}", text, stream)
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    early = impatient and not stream
    try:
        async with (
            asyncio.timeout(random.uniform(0, MOMENT_S) if early else PATIENCE_S),
            session.post(address + path, data=orjson.dumps(body), headers=headers) as answer,
        ):
            if stream and impatient and answer.status == 200:
                await answer.content.readany()
                answer.close()
                outcomes[f"{name} hung up"] += 1
                return
            raw = await answer.read()
            outcomes[f"{name} {_outcome(CLIENT_DIALECTS[name], raw, stream, answer.status)}"] += 1
    except TimeoutError:
        outcomes[f"{name} hung up early" if early else f"{name} LOST (no answer)"] += 1
    except aiohttp.ClientError as error:
        outcomes[f"{name} LOST ({type(error).__name__})"] += 1


def _outcome(dialect: ClientDialect, raw: bytes, stream: bool, status: int) -> str:
    if not stream or status != 200:
        return str(status)
    well, ill = (any(mark in raw for mark in marks) for marks in (dialect.success_marks, dialect.error_marks))
    if well == ill:
        return "LOST (stream ended as both or neither)"
    return "200 stream" if well else "broken, with error event"
