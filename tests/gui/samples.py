"""Request records for the tests of pages."""

from __future__ import annotations

import time
from typing import Any

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.records import AttemptRecord, RequestRecord

_count = iter(range(1, 1_000_000))


def record(**values: Any) -> RequestRecord:
    """The record of a successful request of now; `values` override its fields."""
    now = int(time.time() * 1000)
    given = {
        "id": f"req_{next(_count):06}", "started_at": now, "key_id": "k1", "key_name": "laptop", "model": "smart",
        "provider": "openai",
        "upstream_model": "gpt-5.1", "dialect": "openai_chat", "duration_ms": 1200.0, "first_token_ms": 300.0, "upstream_ms": 299.0,
        "input": 1000, "output": 200, "cost_nano": 2_500_000, "cost_state": "final", "finish": "stop",
        "attempts": [AttemptRecord("openai", "gpt-5.1", "default", "ok", 200, "", now, 1200.0)],
    }  # fmt: skip
    return RequestRecord(**{**given, **values})


async def keep(context: AppContext, *records: RequestRecord) -> None:
    """Write records to the request log."""
    for one in records:
        await context.store.ledger.record(one)
