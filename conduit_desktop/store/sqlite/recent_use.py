"""What keys used lately, by steps of time: the rate-limit windows begin with it after a restart."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import orjson

from conduit_desktop.core.tokens import INPUT_CLASSES, OUTPUT_CLASSES
from conduit_desktop.store.interface import KeyUse

LONGEST_MS = 3_600_000
"""Tokens count from the end of a request: those that began this long before are looked at."""

# As in memory: requests that were admitted. A caller who hung up during admission has the status `cancelled` and no provider.
_ADMITTED = """key_id IN (SELECT value FROM json_each(?)) AND status <> 'refused' AND endpoint <> 'count_tokens'
    AND NOT (status = 'cancelled' AND provider = '')"""
# The latest moment of a step: a request is never forgotten too soon.
_REQUESTS = f"""
    SELECT key_id, max(started_at), count(*) FROM requests WHERE started_at >= ? AND {_ADMITTED}
    GROUP BY key_id, started_at / ? ORDER BY 2"""
_ENDED = "CAST(started_at + duration_ms AS INTEGER)"
_TOKENS = f"""
    SELECT key_id, max({_ENDED}), sum({" + ".join((*INPUT_CLASSES, *OUTPUT_CLASSES))}) FROM requests
    WHERE started_at >= ? - {LONGEST_MS} AND {_ENDED} >= ? AND {_ADMITTED} GROUP BY key_id, {_ENDED} / ? ORDER BY 2"""


def requests(connection: sqlite3.Connection, key_ids: Sequence[str], since_ms: int, step_ms: int) -> list[KeyUse]:
    """The requests that keys were admitted with since then, by the moment they began."""
    keys = orjson.dumps(list(key_ids)).decode()
    return [KeyUse(*row) for row in connection.execute(_REQUESTS, (since_ms, keys, step_ms))]


def tokens(connection: sqlite3.Connection, key_ids: Sequence[str], since_ms: int, step_ms: int) -> list[KeyUse]:
    """The tokens of the requests that ended since then, by the moment they ended."""
    keys = orjson.dumps(list(key_ids)).decode()
    return [KeyUse(*row) for row in connection.execute(_TOKENS, (since_ms, since_ms, keys, step_ms))]
