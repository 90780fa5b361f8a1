"""Every rule of the vendors that borrow OpenAI's dialect: a client's own body that breaks it is mended, not refused.

The rules themselves are data of the strict vendors (`tests/fakes/strict`).
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.providers.catalog import CATALOG, bind
from tests.fakes.strict.checks import RULES, Call, broken

ELSEWHERE = (
    "messages-empty",  # no vendor takes it, and nothing can be made of it
    # The turns of a conversation and the names of tools are put right before a body is written: `wire/turns.py`.
    "tool-name-", "tool-call-name-", "tool-call-id", "call-without-result", "result-without-call",
    "role-after-tool", "system-after-assistant",
    "call-count", "assistant-empty", "system-not-first", "mistral-alternate", "two-assistants-last", "alternate",
    "system-first", "last-user", "system-once", "only-system",
    "tools-functions",  # a custom tool becomes a function before the body is written: `gateway/upstream/translation.py`
    # Reasoning that must come back is kept apart from the body: `gateway/upstream`.
    "reasoning-missing", "reasoning_details-missing",
    # The gateway asks for a stream and collects it.
    "thinking-needs-stream", "max_tokens-needs-stream",
)  # fmt: skip
CHECKED = [
    rule
    for rule in RULES
    if rule["dialect"] == "openai_chat" and "openai_chat" in getattr(CATALOG.get(rule["vendor"]), "borrowed", ())
    and rule.get("check") != "manual" and not any(f"{rule['vendor']}-{name}" in rule["id"] for name in ELSEWHERE)
]  # fmt: skip


def test_there_are_rules_to_check():
    assert len(CHECKED) > 60
    assert {"deepseek", "groq", "mistral", "moonshot", "qwen", "xai", "zai"} <= {rule["vendor"] for rule in CHECKED}


@pytest.mark.parametrize("rule", CHECKED, ids=[rule["id"] for rule in CHECKED])
@pytest.mark.parametrize("translated", [False, True], ids=["passthrough", "translated"])
def test_a_body_that_a_vendor_refuses_is_mended(rule: dict[str, Any], translated: bool):
    kind, body = rule["vendor"], copy.deepcopy(rule["refuses"])
    base = None if CATALOG[kind].default_base_url else "https://h"
    bound = bind(Provider(id="p", name="p", kind=kind, base_url=base))
    if "tools-over-128" in rule["id"]:
        with pytest.raises(BadRequest, match="at most 128 tools") as refusal:
            bound.adapt(body["model"], body, "openai_chat", translated)
        assert refusal.value.param == "tools"
        return
    bound.adapt(body["model"], body, "openai_chat", translated)
    call = Call(kind, "openai_chat", body["model"], body, {})
    assert rule["id"] not in [one["id"] for one in broken(call, also_silent=True)]
