"""Limits, money and log from outside: what callers pay, which requests are refused, and what the records show."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fakes.vendor import API_KEY
from tests.fakes.waiting import WITHIN_S, read_until
from tests.journeys.processes import RunningGateway, conduit, vendor

CHAT = "/v1/chat/completions"
PRICES: dict[str, dict[str, float]] = {
    "dear": {"input": 1000, "output": 1000},
    "wordy": {"input": 1, "output": 1000},
    "free": {"input": 0, "output": 0},
    "claude": {"input": 1, "output": 10, "cache_read": 0.1, "cache_write": 1.25},
    "classes": {"input": 1, "output": 2, "cache_read": 0.5, "reasoning": 8, "audio_in": 10, "audio_out": 20},
}


class PricedGateway:
    """A gateway, a scripted vendor behind it, and keys with limits and budgets."""

    def __init__(self, served: RunningGateway, upstream: str) -> None:
        self.served = served
        self.upstream = upstream
        self.admin = served.admin

    def script(self, model: str, **step: Any) -> None:
        """How the vendor answers `model` from now on."""
        httpx.post(f"{self.upstream}/__script", json={"steps": [step], "model": model}).raise_for_status()

    def key(self, name: str, **fields: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.served.add("keys", name=name, **fields)
        return made

    def account(self, key: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.admin("GET", f"/keys/{key['id']}")
        return found

    def ask(self, key: dict[str, Any], model: str, path: str = CHAT, **fields: Any) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "hello you"}], **fields}
        headers = {"Authorization": f"Bearer {key['key']}"}
        return httpx.post(self.served.address + path, json=body, headers=headers, timeout=60)

    def record(self, answer: httpx.Response) -> dict[str, Any]:
        found: dict[str, Any] = self.admin("GET", f"/requests/{answer.headers['x-conduit-request-id']}")
        return found


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PricedGateway]:
    with vendor() as upstream, conduit(tmp_path_factory.mktemp("home")) as served:
        served.add("providers", name="oa", kind="openai-compatible", base_url=upstream, api_key=API_KEY)
        served.add("providers", name="an", kind="anthropic-compatible", base_url=f"{upstream}/v1", api_key=API_KEY)
        for model in ("dear", "wordy", "free", "classes", "unpriced"):
            served.add("models", alias=model, targets=[{"provider": "oa", "model": model}], retries=0)
        served.add("models", alias="claude", targets=[{"provider": "an", "model": "claude"}], retries=0)
        served.add("models", alias="either", targets=[{"provider": "oa", "model": name} for name in ("free", "dear")])
        for pattern, price in PRICES.items():
            served.admin("PUT", f"/prices/{pattern}", price)
        yield PricedGateway(served, upstream)


@pytest.mark.parametrize("stream", [False, True])
def test_of_200_at_once_on_a_budget_for_3_exactly_3_pass(gateway: PricedGateway, stream: bool) -> None:
    # 9 tokens of input and 500 of output are $0.500009: nearly a third of the budget.
    key = gateway.key(f"crowd {stream}", budget_usd=1.503)
    gateway.script("wordy", delay_s=1.0, tokens={"input": 9, "output": 500})

    async def all_at_once() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=250)
        async with httpx.AsyncClient(limits=limits, timeout=60, headers={"Authorization": f"Bearer {key['key']}"}) as client:
            body = {"model": "wordy", "max_tokens": 500, "stream": stream, "messages": [{"role": "user", "content": "hello you"}]}
            return await asyncio.gather(*(client.post(gateway.served.address + CHAT, json=body) for _ in range(200)))

    answers = asyncio.run(all_at_once())
    assert Counter(answer.status_code for answer in answers) == {200: 3, 402: 197}
    refusal = next(answer for answer in answers if answer.status_code == 402).json()["error"]
    assert (refusal["type"], refusal["code"]) == ("insufficient_quota", "billing_hard_limit_reached")
    account = gateway.account(key)
    assert (account["spend_usd"], account["reserved_usd"]) == (pytest.approx(1.500027), 0)


def test_what_a_request_may_cost_is_reckoned_at_the_dearest_target(gateway: PricedGateway) -> None:
    key = gateway.key("careful", budget_usd=1)
    gateway.script("free")
    assert gateway.ask(key, "either", max_tokens=2000).status_code == 402
    assert gateway.ask(key, "either").status_code == 402
    assert gateway.ask(key, "either", max_tokens=900).status_code == 200
    assert gateway.ask(key, "free").status_code == 200
    assert gateway.ask(key, "dear", max_tokens=1, messages=[{"role": "user", "content": "word " * 1000}]).status_code == 402


def test_an_answer_dearer_than_expected_is_billed_whole_and_is_the_last(gateway: PricedGateway) -> None:
    key = gateway.key("surprised", budget_usd=0.05, unpriced="allow")
    gateway.script("dear", tokens={"input": 2, "output": 500})
    gateway.script("free")
    gateway.script("unpriced")
    answer = gateway.ask(key, "dear", max_tokens=10)
    assert answer.headers["x-conduit-cost-usd"] == "0.502"
    account = gateway.account(key)
    assert (account["spend_usd"], account["status"]) == (pytest.approx(0.502), "budget_spent")
    assert gateway.ask(key, "dear", max_tokens=1).status_code == 402
    assert gateway.ask(key, "free").headers["x-conduit-cost-usd"] == "0.0"
    assert gateway.ask(key, "unpriced").status_code == 402
    read_until(
        lambda: [note["title"] for note in gateway.admin("GET", "/notifications")["data"] if note["kind"] == "budget"],
        lambda titles: "The total budget of the key surprised is spent" in titles,
    )
    gateway.admin("POST", f"/keys/{key['id']}/reset-spend")
    assert gateway.ask(key, "dear", max_tokens=1).status_code == 200


def test_what_has_no_price_is_unknown_or_kept_out(gateway: PricedGateway) -> None:
    gateway.script("unpriced")
    answer = gateway.ask(gateway.key("open", budget_usd=1, unpriced="allow"), "unpriced")
    assert answer.headers["x-conduit-cost-usd"] == "unknown"
    record = gateway.record(answer)
    assert (record["cost_usd"], record["cost_state"]) == (None, "unknown")
    refusal = gateway.ask(gateway.key("strict", unpriced="block"), "unpriced")
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (403, "model_not_allowed")
    refusal = gateway.ask(gateway.key("limited", budget_usd=1), "unpriced")
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (403, "model_not_allowed")
    rows = gateway.admin("GET", "/usage?group_by=model")["data"]
    assert next(row for row in rows if row["model"] == "unpriced")["cost_usd"] is None


def test_every_class_of_tokens_has_its_own_price(gateway: PricedGateway) -> None:
    key = gateway.key("classes")
    gateway.script("claude", tokens={"input": 100, "cache_read": 1000, "cache_write": 200, "output": 50})
    answer = gateway.ask(key, "claude", "/v1/messages", max_tokens=100)
    assert float(answer.headers["x-conduit-cost-usd"]) == pytest.approx((100 + 1000 * 0.1 + 200 * 1.25 + 50 * 10) / 1e6)
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 60,
        "prompt_tokens_details": {"cached_tokens": 30, "audio_tokens": 20},
        "completion_tokens_details": {"reasoning_tokens": 10, "audio_tokens": 15},
    }
    message = {"role": "assistant", "content": "hi"}
    body = {"id": "x", "object": "chat.completion", "model": "classes", "usage": usage}
    gateway.script("classes", body={**body, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    answer = gateway.ask(key, "classes")
    record = gateway.record(answer)
    counted = {name: record[name] for name in ("input", "cache_read", "audio_in", "output", "reasoning", "audio_out")}
    assert counted == {"input": 50, "cache_read": 30, "audio_in": 20, "output": 45, "reasoning": 10, "audio_out": 15}
    assert record["cost_usd"] == pytest.approx((50 + 30 * 0.5 + 20 * 10 + 35 * 2 + 10 * 8 + 15 * 20) / 1e6)
    assert record["cost_state"] == "final"


def test_what_broke_off_or_was_left_is_estimated(gateway: PricedGateway) -> None:
    key = gateway.key("broken")
    gateway.script("dear", text="one two three four five six", cut_after=3)
    answer = gateway.ask(key, "dear", stream=True)
    assert "provider_stream_broken" in answer.text
    assert "[DONE]" not in answer.text
    record = gateway.record(answer)
    assert (record["status"], record["cost_state"]) == ("broken", "estimated")
    assert record["cost_usd"] > 0
    gateway.script("dear", delay_s=60)
    asyncio.run(disconnect_once_requested(gateway, key))
    rows = read_until(lambda: gateway.admin("GET", f"/requests?key={key['id']}&status=cancelled")["data"])
    assert (rows[0]["cost_state"], rows[0]["output"]) == ("estimated", 0)
    assert gateway.account(key)["reserved_usd"] == 0


async def disconnect_once_requested(gateway: PricedGateway, key: dict[str, Any]) -> None:
    """Ask for `dear`, and hang up when the vendor has the request: before that, nothing would have been spent."""
    body = {"model": "dear", "messages": [{"role": "user", "content": "hello you"}]}
    async with httpx.AsyncClient(timeout=60) as client:

        async def arrived() -> int:
            return len((await client.get(f"{gateway.upstream}/__calls")).json())

        before = await arrived()
        headers = {"Authorization": f"Bearer {key['key']}"}
        request = asyncio.ensure_future(client.post(gateway.served.address + CHAT, json=body, headers=headers))
        async with asyncio.timeout(WITHIN_S):
            while await arrived() == before:
                await asyncio.sleep(0.02)
        request.cancel()
        await asyncio.wait({request})


def test_rate_limits_are_in_headers_and_enforced(gateway: PricedGateway) -> None:
    gateway.script("free")
    key = gateway.key("slow", rpm=2)
    answers = [gateway.ask(key, "free") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["x-ratelimit-remaining-requests"] == "1"
    assert int(answers[2].headers["retry-after"]) > 0
    assert answers[2].json()["error"]["code"] == "rate_limit_exceeded"
    claude = gateway.ask(key, "claude", "/v1/messages", max_tokens=9)
    assert (claude.status_code, claude.json()["error"]["type"]) == (429, "rate_limit_error")
    assert [gateway.ask(shop_key, "free").status_code for shop_key in [gateway.key("daily", rpd=1)] * 2] == [200, 429]
