"""Every vendor's rules on turns, on tool names and on the ids of calls: what breaks one is arranged before it is sent.

The rules themselves are data of the strict vendors (`tests/fakes/strict`).
"""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.targets import BoundTarget
from conduit_desktop.gateway.snapshot import BoundProvider
from conduit_desktop.gateway.upstream.reasoning_store import ReasoningStore
from conduit_desktop.gateway.upstream.translation import prepare
from conduit_desktop.providers.catalog import CATALOG, bind
from conduit_desktop.wire import dialect
from tests.fakes.strict.checks import RULES, broken
from tests.fakes.strict.checks import Call as StrictCall

TURNS = (
    "tool-name-", "tool-call-name-", "tool-use-name-", "function-name", "function-unique", "tool-call-id", "tool_call-id",
    "tool_use-id-", "toolUseId-pattern", "call_id-over-64", "call-without-", "result-without-", "output-without-call",
    "role-after-tool", "system-after-assistant", "last-message", "call-count", "assistant-empty", "system-not-first",
    "mistral-alternate", "two-assistants-last", "alternate", "first-user", "first-message-user", "system-first", "last-user",
    "system-once", "only-system", "system-role-in-messages", "prefill-refused", "content-empty", "text-empty", "parts-empty",
    "tool_result-id-unique", "tool_result-first", "final-whitespace", "call-after-user", "response-after-call", "response-count",
    "response-name", "message-empty", "role",
)  # fmt: skip
KINDS = {"openai_responses": "openai"}
OF_TURNS = [
    rule
    for rule in RULES
    if rule["dialect"] in ("openai_chat", "openai_responses", "anthropic_messages", "gemini", "bedrock", "cohere")
    and KINDS.get(rule["vendor"], rule["vendor"]) in CATALOG
    and rule.get("check") != "manual"
    and rule["id"].removeprefix(f"{rule['vendor']}-").startswith(TURNS)
]


def bound(vendor: str, model: str) -> BoundTarget:
    kind = KINDS.get(vendor, vendor)
    base = None if CATALOG[kind].default_base_url else "https://h"
    provider = Provider(id="p", name="p", kind=kind, base_url=base, options={"project": "p", "region": "r"})
    return BoundTarget.of(BoundProvider(provider, bind(provider), ()), model)


def rules_broken_by(rule: dict[str, Any], model: str, body: dict[str, Any]) -> list[str]:
    return [one["id"] for one in broken(StrictCall(rule["vendor"], rule["dialect"], model, body, {}), also_silent=True)]


def model_of(rule: dict[str, Any]) -> str:
    return rule.get("path_model") or rule["refuses"].get("model") or "m"


def test_there_are_rules_to_check():
    assert len(OF_TURNS) > 90


@pytest.mark.parametrize("rule", OF_TURNS, ids=[rule["id"] for rule in OF_TURNS])
def test_a_translated_request_keeps_the_rule(rule: dict[str, Any]):
    spoken, model = dialect(rule["dialect"]), model_of(rule)
    assert rule["id"] in rules_broken_by(rule, model, rule["refuses"])
    try:
        neutral = spoken.read_request(copy.deepcopy(rule["refuses"]), {"model": model})
    except BadRequest:
        pytest.skip("no client's request can be read as this")
    # The same conversation, as if it came from a dialect that this vendor does not know.
    neutral.dialect, neutral.source_form = "other", {}
    call = Call(dialect("replicate"), {}, model)
    call._neutral = neutral
    made = prepare(call, bound(rule["vendor"], model), {}, ReasoningStore())
    if made.upstream.name != rule["dialect"]:
        pytest.skip("the vendor is asked in another dialect")
    assert rule["id"] not in rules_broken_by(rule, model, orjson.loads(made.body))


BORROWED = [
    rule
    for rule in OF_TURNS
    if rule["dialect"] in CATALOG[KINDS.get(rule["vendor"], rule["vendor"])].borrowed
    # What OpenAI refuses as well is known to its clients.
    and not rule["id"].removeprefix(f"{rule['vendor']}-").startswith(("call-without-", "result-without-", "call-count"))
]


@pytest.mark.parametrize("rule", BORROWED, ids=[rule["id"] for rule in BORROWED])
def test_a_request_in_a_borrowed_dialect_keeps_the_rule(rule: dict[str, Any]):
    model = model_of(rule)
    made = prepare(
        Call(dialect(rule["dialect"]), copy.deepcopy(rule["refuses"]), model), bound(rule["vendor"], model), {}, ReasoningStore()
    )
    assert made.passthrough
    assert rule["id"] not in rules_broken_by(rule, model, orjson.loads(made.body))
