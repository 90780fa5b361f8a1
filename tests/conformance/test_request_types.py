"""Whatever can be asked in one dialect is, in every other, a request that its vendor's own SDK types take."""

from __future__ import annotations

from itertools import permutations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.wire import dialect
from tests.wire.strategies import Features, requests
from tools.conformance import sdk

pytest.importorskip("google.genai")
pytest.importorskip("cohere")

CALLERS = {
    "openai_chat": Features("openai_chat", custom_tools=True),
    "openai_responses": Features("openai_responses"),
    "anthropic_messages": Features(
        "anthropic_messages", documents=False, results_in="user", tool_errors=True, penalties=False, output_formats=False,
        top_k=True,
    ),
    "gemini": Features(documents=False, top_k=True),
}  # fmt: skip
UPSTREAMS = (*CALLERS, "cohere", "bedrock", "ollama")
WAYS = [(caller, upstream) for caller in CALLERS for upstream in UPSTREAMS if caller != upstream]
assert set(permutations(CALLERS, 2)) <= set(WAYS)


@pytest.mark.parametrize(("caller", "upstream"), WAYS)
@settings(max_examples=15)
@given(data=st.data())
def test_a_translated_request_fits_the_vendors_types(caller: str, upstream: str, data: st.DataObject) -> None:
    request: ChatRequest = data.draw(requests(CALLERS[caller]))
    said = dialect(caller).write_request(request, "model").body
    heard = dialect(caller).read_request(orjson.loads(orjson.dumps(said)), {"model": "model", "stream": request.stream})
    written = dialect(upstream).write_request(heard, "model").body
    assert sdk.invalid_request(upstream, orjson.loads(orjson.dumps(written))) == []
