"""The feed emits at most ten batches a second, and none while the window is hidden."""

from __future__ import annotations

import asyncio
from typing import cast

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.core.bus import Bus, Change
from conduit_desktop.gui.feed import BATCH_MS, MAX_PENDING, Feed
from tests.fakes.waiting import until


def listening() -> tuple[Bus, Feed, list[list[Change]]]:
    bus = Bus()
    feed = Feed(cast(AdminClient, bus))  # of the client, the feed uses only `subscribe`
    batches: list[list[Change]] = []
    feed.batch.connect(batches.append)
    return bus, feed, batches


async def test_a_thousand_changes_are_one_batch_in_order():
    bus, feed, batches = listening()
    for number in range(1000):
        bus.publish("requests", number)
    assert batches == []
    await until(lambda: batches)
    assert [change.payload for change in batches[0]] == list(range(1000))
    await asyncio.sleep(BATCH_MS / 1000 * 1.5)
    assert len(batches) == 1
    feed.close()


async def test_a_paused_feed_emits_each_topic_once_when_resumed():
    bus, feed, batches = listening()
    bus.publish("keys", "k1")
    feed.pause()
    for _ in range(50):
        bus.publish("requests", "r")
    await asyncio.sleep(BATCH_MS / 1000 * 1.5)
    assert batches == []
    feed.resume()
    assert batches == [[Change("keys"), Change("requests")]]
    bus.publish("models", "m")
    await until(lambda: len(batches) == 2)
    assert batches[1] == [Change("models", "m")]
    feed.close()


async def test_of_too_many_changes_only_the_oldest_requests_are_dropped():
    bus, feed, batches = listening()
    bus.publish("providers", "p")
    for number in range(MAX_PENDING * 2):
        bus.publish("requests", number)
    await until(lambda: batches)
    assert len(batches[0]) <= MAX_PENDING + 1
    assert batches[0][0] == Change("providers", "p")
    assert batches[0][-1].payload == MAX_PENDING * 2 - 1
    feed.close()


async def test_a_closed_feed_emits_nothing():
    bus, feed, batches = listening()
    bus.publish("keys")
    feed.close()
    bus.publish("keys")
    await asyncio.sleep(BATCH_MS / 1000 * 1.5)
    assert batches == []
