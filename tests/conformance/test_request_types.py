"""Whatever can be asked in one dialect is, for every other vendor, a request that its own SDK's types take."""

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
from conduit_desktop.providers.mistral import Mistral
from conduit_desktop.wire import WrittenRequest, dialect
from tests.conformance import drawn
from tests.conformance.silence import lost
from tests.fakes.replay import interactions
from tests.wire.strategies import Features, requests
from tools.conformance import places
from tools.conformance.request_types import PACKAGES, invalid_request, is_known

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
MISTRAL = Mistral(Provider(id="p", name="mistral", kind="mistral"))


KNOWN = [name for name in PACKAGES if is_known(name)]


def vendors(caller: str) -> list[str]:
    """Those of other dialects whose types are installed."""
    return [name for name in KNOWN if name != caller and (caller, name) != ("openai_chat", "mistral")]


def written(upstream: str, request: ChatRequest) -> WrittenRequest:
    """What is sent to the vendor."""
    out = dialect("openai_chat" if upstream == "mistral" else upstream).write_request(request, "model")
    body = orjson.loads(orjson.dumps(out.body))
    more = MISTRAL.adapt("model", body, "openai_chat", translated=True) if upstream == "mistral" else []
    return WrittenRequest(body, [*out.dropped, *more])


def heard(caller: str, body: dict[str, Any], stream: bool) -> ChatRequest:
    """What a caller asked."""
    asked = {**body, "stream": stream} if caller != "gemini" else body
    return dialect(caller).read_request(orjson.loads(orjson.dumps(asked)), {"model": "model", "stream": stream})


@pytest.mark.parametrize("caller", CALLERS)
@settings(max_examples=25)
@given(data=st.data())
def test_a_translated_conversation_fits_the_vendors_types(caller: str, data: st.DataObject) -> None:
    asked: ChatRequest = data.draw(requests(CALLERS[caller]))
    request = heard(caller, dialect(caller).write_request(asked, "model").body, asked.stream)
    assert {name: faults for name in vendors(caller) if (faults := invalid_request(name, written(name, request).body))} == {}


@pytest.mark.parametrize("caller", CALLERS)
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), stream=st.booleans())
def test_whatever_an_sdk_may_send_is_refused_by_name_or_fits_everywhere_and_loses_nothing_in_silence(
    caller: str, data: st.DataObject, stream: bool
) -> None:
    body = data.draw(drawn.said(caller))
    try:
        request = heard(caller, body, stream)
    except BadRequest as refusal:
        assert refusal.param  # noqa: PT017 (most are not refused)
        return
    for name in vendors(caller):
        out = written(name, request)
        assert (name, invalid_request(name, out.body)) == (name, [])
        assert (name, lost(body, out, lambda less, to=name: written(to, heard(caller, less, stream)))) == (name, [])


def test_whatever_was_recorded_fits_every_vendor_in_whatever_dialect_it_is_asked(recordings: Path) -> None:
    """Every other request that its own vendor took, as clients of all dialects would send it."""
    asked = [one for one in places.recordings(interactions(recordings)) if one.status < 400 and one.place and one.place.dialect]
    faults: set[tuple[str, ...]] = set()
    for one in asked[::2]:
        assert one.place is not None
        neutral = dialect(one.place.dialect).read_request(one.request, {"model": one.model, "stream": one.stream})
        for caller in CALLERS:
            request = heard(caller, dialect(caller).write_request(neutral, "model").body, one.stream)
            for name in vendors(caller):
                faults |= {(one.name, caller, name, fault) for fault in invalid_request(name, written(name, request).body)}
    assert faults == set()
    assert len(asked) > 100


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
def test_what_no_sdk_would_send_does_not_fit(name: str) -> None:
    """The validators themselves: an unknown field, or a value of another type, at the top and deep inside."""
    right = LEAST[name]
    turns = next(field for field in ("messages", "input", "contents") if field in right)
    assert invalid_request(name, right) == []
    for wrong in (
        {**right, "surprise": 1},
        {**right, turns: [{**right[turns][0], "surprise": 1}]},
        {**right, turns: [{**right[turns][0], "role": 5}]},
        {**right, "tools": [{"type": 5}]},
    ):
        assert invalid_request(name, wrong) != [], wrong
