"""The strict vendors: every rule accepts its example and refuses the one that differs in one thing."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.fakes.strict.checks import CHECKS, RULES, Call, broken, check_of
from tests.fakes.strict.vendor import strict_vendors

CHECKED = [rule for rule in RULES if rule.get("check") != "manual"]


def call_of(rule: dict[str, Any], example: str) -> Call:
    headers = {"anthropic-version": "2023-06-01", **rule.get(f"{example}_headers", {})}
    model = rule.get("path_model") if rule["dialect"] in ("gemini", "bedrock") else rule[example].get("model")
    return Call(
        rule["vendor"], rule["dialect"], model, rule[example], {k: v for k, v in headers.items() if v}, rule.get("streamed")
    )


@pytest.mark.parametrize("rule", CHECKED, ids=[rule["id"] for rule in CHECKED])
def test_a_rule_accepts_and_refuses_its_examples(rule: dict[str, Any]) -> None:
    silent = rule.get("check") == "silent"
    assert broken(call_of(rule, "accepts"), silent) == []
    assert rule["id"] in [one["id"] for one in broken(call_of(rule, "refuses"), silent)]


def test_every_rule_states_its_source_and_has_a_check() -> None:
    assert [rule["id"] for rule in RULES if not rule["source"] or not rule["says"]] == []
    assert {check_of(rule) for rule in CHECKED} <= CHECKS.keys()
    assert len({rule["id"] for rule in RULES}) == len(RULES)


async def test_a_refusal_has_the_status_and_the_shape_of_its_vendor() -> None:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "stream_options": {"include_usage": True}}
    async with strict_vendors() as vendors, aiohttp.ClientSession() as session:
        async with session.post(f"{vendors.address}/openai/v1/chat/completions", json=body) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]["param"] == "stream_options"
        async with session.post(f"{vendors.address}/openai/v1/chat/completions", json={**body, "stream": True}) as answer:
            assert answer.status == 200
            assert (await answer.text()).endswith("data: [DONE]\n\n")
    assert [one.id for one in vendors.refused] == ["openai-stream_options-without-stream"]
