"""Every rule of Gemini, Vertex AI and Cohere: a client of another vendor whose request would break it gets an answer.

The rules are data of the strict vendors (`tests/fakes/strict`). What a rule refuses is read as a neutral request, which then counts
as another dialect's, and is written again.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.providers.catalog import bind
from conduit_desktop.wire import dialect
from tests.fakes.strict.checks import RULES, Call, broken

ELSEWHERE = (
    # The turns of a conversation and the names of tools are put right before a body is written: `wire/turns.py`.
    # A signature comes from the client's history: only Google can tell an invalid one.
    "thought-signature-invalid",
    "response-after-call", "response-count", "result-without-call", "function-name",
)  # fmt: skip
CHECKED = [
    rule
    for rule in RULES
    if rule["vendor"] in ("gemini", "vertex", "cohere") and rule["dialect"] in ("gemini", "cohere")
    and not any(rule["id"].endswith(name) for name in ELSEWHERE)
]  # fmt: skip


def test_there_are_rules_to_check():
    assert len(CHECKED) > 80


@pytest.mark.parametrize("rule", CHECKED, ids=[rule["id"] for rule in CHECKED])
def test_a_request_that_would_be_refused_is_written_so_that_it_is_not(rule: dict[str, Any]):
    vendor, body = rule["vendor"], copy.deepcopy(rule["refuses"])
    model = rule.get("path_model") or body["model"]
    spoken = dialect(rule["dialect"])
    try:
        request = spoken.read_request(body, {"model": model})
    except BadRequest:
        return  # the gateway refuses it itself, and names the field
    request.dialect = "openai_chat"
    written = spoken.write_request(request, model).body
    bind(Provider(id="p", name="p", kind=vendor)).adapt(model, written, spoken.name, translated=True)
    call = Call(vendor, spoken.name, model, written, {})
    assert [one["id"] for one in broken(call, also_silent=True)] == []
