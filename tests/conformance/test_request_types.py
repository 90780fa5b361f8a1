"""A request of one dialect, translated for another vendor, always fits the types of that vendor's own SDK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.providers.anthropic import Anthropic
from conduit_desktop.providers.mistral import Mistral
from conduit_desktop.wire import WrittenRequest, dialect
from conduit_desktop.wire.turn_rules import rules_of
from conduit_desktop.wire.turns import normalised
from tests.conformance import recordings as recorded_traffic
from tests.conformance import request_strategies
from tests.conformance.request_types import PACKAGES, invalid_request, is_known
from tests.conformance.undropped_fields import undropped_fields
from tests.fakes.replay import interactions
from tests.wire.strategies import Features, requests

CALLERS = {
    "openai_chat": Features("openai_chat", custom_tools=True, refusals=True, cache=True),
    "openai_responses": Features("openai_responses", custom_tools=True, refusals=True, result_media=True),
    "anthropic_messages": Features(
        "anthropic_messages", documents=False, results_in="user", tool_errors=True, penalties=False, output_formats=False,
        top_k=True, thinking=True, signatures=True, redacted=True, cache=True, result_media=True,
    ),
    "gemini": Features(documents=False, top_k=True, result_media=True),
    "ollama": Features("ollama", documents=False, thinking=True, top_k=True),
}  # fmt: skip
ADAPTING = {
    "mistral": Mistral(Provider(id="p", name="mistral", kind="mistral")),
    "anthropic_messages": Anthropic(Provider(id="p", name="anthropic", kind="anthropic")),
}
"""Kinds without whose rules the written request lacks what the vendor demands."""


KNOWN = [name for name in PACKAGES if is_known(name)]


def vendors(caller: str) -> list[str]:
    """Vendors of other dialects whose SDK types are installed."""
    return [name for name in KNOWN if name != caller and (caller, name) != ("openai_chat", "mistral")]


def written(upstream: str, request: ChatRequest) -> WrittenRequest:
    """The request that is sent to the vendor."""
    spoken = "openai_chat" if upstream == "mistral" else upstream
    kind = ADAPTING.get(upstream)
    rules = kind.turn_rules("model", spoken) if kind is not None else rules_of(spoken)
    request, _ = normalised(request, rules, spoken)
    out = dialect(spoken).write_request(request, "model")
    body = orjson.loads(orjson.dumps(out.body))
    more = kind.adapt("model", body, spoken, translated=True) if kind is not None else []
    return WrittenRequest(body, [*out.dropped, *more])


def read_by_gateway(caller: str, body: dict[str, Any], stream: bool) -> ChatRequest:
    """The neutral request that the gateway reads from a client's body."""
    sent = {**body, "stream": stream} if caller != "gemini" else body
    return dialect(caller).read_request(orjson.loads(orjson.dumps(sent)), {"model": "model", "stream": stream})


@pytest.mark.parametrize("caller", CALLERS)
@settings(max_examples=25)
@given(data=st.data())
def test_a_translated_conversation_fits_the_vendors_types(caller: str, data: st.DataObject) -> None:
    sent: ChatRequest = data.draw(requests(CALLERS[caller]))
    request = read_by_gateway(caller, dialect(caller).write_request(sent, "model").body, sent.stream)
    assert {name: faults for name in vendors(caller) if (faults := invalid_request(name, written(name, request).body))} == {}


@pytest.mark.parametrize("caller", CALLERS)
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), stream=st.booleans())
def test_what_an_sdk_may_send_is_refused_by_name_or_fits_every_vendor_with_every_loss_reported(
    caller: str, data: st.DataObject, stream: bool
) -> None:
    body = data.draw(request_strategies.sent_by(caller))
    try:
        request = read_by_gateway(caller, body, stream)
    except BadRequest as refusal:
        assert refusal.param  # noqa: PT017 (most are not refused)
        return
    for name in vendors(caller):
        out = written(name, request)
        assert (name, invalid_request(name, out.body)) == (name, [])
        assert (name, undropped_fields(body, out, lambda less, to=name: written(to, read_by_gateway(caller, less, stream)))) == (
            name,
            [],
        )


def test_recorded_requests_fit_every_vendor_from_every_client_dialect(recordings: Path) -> None:
    """Every second request that its own vendor accepted, as clients of all dialects would send it."""
    sent = [
        one
        for one in recorded_traffic.recordings(interactions(recordings))
        if one.status < 400 and one.endpoint and one.endpoint.dialect
    ]
    faults: set[tuple[str, ...]] = set()
    for one in sent[::2]:
        assert one.endpoint is not None
        neutral = dialect(one.endpoint.dialect).read_request(one.request, {"model": one.model, "stream": one.stream})
        for caller in CALLERS:
            # A client of Anthropic's sends a limit, which the other dialects leave to the model.
            limit = {"max_tokens": 1024} if caller == "anthropic_messages" else {}
            request = read_by_gateway(caller, limit | dialect(caller).write_request(neutral, "model").body, one.stream)
            for name in vendors(caller):
                faults |= {(one.name, caller, name, fault) for fault in invalid_request(name, written(name, request).body)}
    assert faults == set()
    assert len(sent) > 100


HELLO = {"role": "user", "content": "hello"}
LEAST: dict[str, dict[str, Any]] = {
    **{name: {"model": "m", "messages": [HELLO]} for name in ("openai_chat", "ollama", "cohere", "mistral")},
    "openai_responses": {"model": "m", "input": [HELLO]},
    "anthropic_messages": {"model": "m", "messages": [HELLO], "max_tokens": 5},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
    "bedrock": {"messages": [{"role": "user", "content": [{"text": "hello"}]}]},
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.skipif(name not in KNOWN, reason=f"{PACKAGES[name]} is not installed"))
        for name in PACKAGES
    ],
)
def test_the_validators_refuse_unknown_fields_and_wrong_types(name: str) -> None:
    """An unknown field, or a value of another type, at the top level and nested."""
    right = LEAST[name]
    messages_field = next(field for field in ("messages", "input", "contents") if field in right)
    assert invalid_request(name, right) == []
    for wrong in (
        {**right, "surprise": 1},
        {**right, messages_field: [{**right[messages_field][0], "surprise": 1}]},
        {**right, messages_field: [{**right[messages_field][0], "role": 5}]},
        {**right, "tools": [{"type": 5}]},
    ):
        assert invalid_request(name, wrong) != [], wrong
