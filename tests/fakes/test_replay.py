"""The recorded traffic and the server that replays it."""

from __future__ import annotations

import aiohttp

from tests.fakes.replay import interactions, replaying


def test_the_recordings_can_be_read(recordings):
    first = next(interactions(recordings))
    assert {"cassette", "n", "provider", "status", "headers"} <= first.keys()


async def test_a_recorded_answer_is_served_again(recordings):
    recorded = next(
        item for item in interactions(recordings) if item["method"] == "POST" and item["status"] == 200 and "text" in item
    )
    path = recorded["uri"].split("/", 3)[3]
    async with replaying(recordings) as address, aiohttp.ClientSession() as session:
        url = f"{address}/c/{recorded['cassette']}@{recorded['n']}/{path}"
        async with session.post(url, json=recorded["req"]) as answer:
            assert (answer.status, await answer.text()) == (200, recorded["text"])
