"""The reasons of each vendor's errors, for bodies as the vendors document them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.providers.catalog import CATALOG, bind
from conduit_desktop.wire import dialect

ROWS: list[dict[str, Any]] = [
    orjson.loads(line) for line in Path(__file__).with_name("errors.jsonl").read_bytes().splitlines() if line
]


def judged(row: dict[str, Any]) -> UpstreamError:
    """The error as the gateway has it: read in the dialect, then corrected by the kind."""
    base = None if CATALOG[row["kind"]].default_base_url else "https://h.example"
    kind = bind(Provider(id="p", name="p", kind=row["kind"], base_url=base))
    headers = {"x-amzn-errortype": row["type"]} if "type" in row else {}
    body = row["text"].encode() if "text" in row else orjson.dumps(row["body"])
    error = dialect(row.get("dialect", kind.dialects[0])).read_error(row["status"], headers, body)
    kind.judge(error)
    return error


def _name(row: dict[str, Any]) -> str:
    return f"{row['kind']}-{row['status']}-{row['reason']}"


@pytest.mark.parametrize("row", ROWS, ids=_name)
def test_a_vendors_error_gets_its_reason(row: dict[str, Any]) -> None:
    error = judged(row)
    assert error.reason == row["reason"], error.message
    assert error.type == ("invalid_request_error" if error.callers_fault else "api_error")
    assert error.message
    assert not error.message.lower().startswith(("<html", "<!doctype")), "a page is named, not quoted"


@pytest.mark.parametrize("kind", [name for name, kind in CATALOG.items() if not kind.local])
def test_every_vendor_has_errors_here(kind: str) -> None:
    assert any(row["kind"] == kind for row in ROWS)


def test_the_same_code_can_mean_different_things_at_two_vendors() -> None:
    """insufficient_quota is an empty account at OpenAI, and a limit of tokens a minute at Qwen, where the key stays usable."""
    body = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    reasons = {kind: judged({"kind": kind, "status": 429, "body": body}).reason for kind in ("openai", "qwen")}
    assert reasons == {"openai": "money", "qwen": "rate_limit"}
