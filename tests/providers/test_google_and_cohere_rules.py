"""Every rule of Gemini, Vertex AI and Cohere: a client of another vendor whose request would break it gets an answer.

The rules are data of the strict vendors (`tests/fakes/strict`). What a rule refuses is read as a neutral request, which then counts
as another dialect's, and is written again.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.providers.catalog import bind
from conduit_desktop.wire import dialect
from conduit_desktop.wire.tool_names import with_fitting_names, without_repeated_tools
from conduit_desktop.wire.turns import normalised
from tests.fakes.strict.checks import RULES, Call, broken

# A signature comes from the client's history: only Google can tell an invalid one.
ELSEWHERE = ("thought-signature-invalid",)
CHECKED = [
    rule
    for rule in RULES
    if rule["vendor"] in ("gemini", "vertex", "cohere") and rule["dialect"] in ("gemini", "cohere")
    and not rule["id"].endswith(ELSEWHERE)
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
    kind = bind(Provider(id="p", name="p", kind=vendor))
    turns = kind.turn_rules(model, spoken.name)
    tools, _ = without_repeated_tools(request.tools)
    request, _ = with_fitting_names(replace(request, dialect="openai_chat", tools=tools), turns.names)
    request, _ = normalised(request, turns, spoken.name)
    written = spoken.write_request(request, model).body
    if rule["id"].endswith("functions-over-512"):
        with pytest.raises(BadRequest, match="at most 512 tools, and the request has 513") as refusal:
            kind.adapt(model, written, spoken.name, translated=True)
        assert refusal.value.param == "tools"
        return
    kind.adapt(model, written, spoken.name, translated=True)
    call = Call(vendor, spoken.name, model, written, {})
    assert [one["id"] for one in broken(call, also_silent=True)] == []
