"""Damaged requests, from every dialect to every other: read or refused, and what was read can be written."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit_desktop.core.errors import BadRequest
from conduit_desktop.wire import dialect
from tests.fuzz.mutations import JSON, mutated, places
from tests.fuzz.samples import CHAT, GEMINI, MESSAGES, RESPONSES

CONVERSE: dict[str, Any] = {
    "system": [{"text": "be short"}],
    "messages": [
        {"role": "user", "content": [{"text": "look"}, {"image": {"format": "png", "source": {"bytes": "AAAA"}}}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Bern"}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "sunny"}]}}]},
    ],
    "inferenceConfig": {"maxTokens": 50, "stopSequences": ["x"]},
    "toolConfig": {
        "tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object"}}}}],
        "toolChoice": {"tool": {"name": "weather"}},
    },
}
SAMPLES = {
    "openai_chat": CHAT, "openai_responses": RESPONSES, "anthropic_messages": MESSAGES, "gemini": GEMINI, "bedrock": CONVERSE,
    "cohere": CHAT, "ollama": CHAT,
}  # fmt: skip
TARGETS = (*SAMPLES, "openai_completions", "ollama_generate", "replicate")


@st.composite
def bodies(draw: st.DrawFn, sample: dict[str, Any]) -> Any:
    body: Any = sample
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from([path for path in places(body) if path]))
        body = mutated(body, place, draw(st.sampled_from(["change", "remove", "double", "add"])), draw(JSON))
    return body


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_request_is_refused_or_can_be_written_for_every_vendor(name: str, data: st.DataObject) -> None:
    source, body = dialect(name), data.draw(bodies(SAMPLES[name]))
    source.passthrough_request(body, "m")
    try:
        request = source.read_request(body, {"model": "m"})
    except BadRequest:
        return
    for to in TARGETS:
        orjson.dumps(dialect(to).write_request(request, "m").body)


@pytest.mark.parametrize("name", ["maxOutputTokens", "seed", "candidateCount"])
@pytest.mark.parametrize("value", [1e300, -1e300])
def test_a_whole_number_that_no_integer_holds_is_the_callers_fault(name: str, value: float) -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": "x"}]}], "generationConfig": {name: value}}
    with pytest.raises(BadRequest) as raised:
        dialect("gemini").read_request(body, {"model": "m"})
    assert raised.value.param == f"generationConfig.{name}"
