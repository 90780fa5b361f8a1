"""Records as the gateway makes them, one second apart, on 2026-03-01 by default."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from conduit_desktop.core.records import AttemptRecord, RequestRecord, UsageRow
from conduit_desktop.store.sqlite.store import SqliteStore

NOON = 1_772_366_400_000
DAY = 86_400_000


def record(number: int = 0, **values: Any) -> RequestRecord:
    """Record `req_0000…number`; `values` replace fields."""
    defaults: dict[str, Any] = {
        "id": f"req_{number:08d}", "started_at": NOON + number * 1000, "key_id": "key_a", "key_name": "app", "model": "fast",
        "provider": "openai", "upstream_model": "gpt-5-mini", "dialect": "openai_chat", "duration_ms": 812.25,
        "first_token_ms": 301.5, "input": 10, "output": 5, "reasoning": 2, "cost_nano": 1000, "cost_state": "final",
        "finish": "stop", "dropped": ("top_k",),
        "attempts": [AttemptRecord("openai", "gpt-5-mini", "default", "rate_limit", 429, "slow down", NOON, 12.5)],
    }  # fmt: skip
    return RequestRecord(**(defaults | values))


async def write(store: SqliteStore, *records: RequestRecord) -> None:
    """All of them, durably."""
    for future in [store.ledger.record(made) for made in records]:
        await future


def total(rows: list[UsageRow], name: str) -> int:
    """The sum of one field."""
    assert name in {field.name for field in fields(UsageRow)}
    return sum(getattr(row, name) for row in rows)
