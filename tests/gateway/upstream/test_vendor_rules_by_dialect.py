"""Every rule of the vendors with OpenAI's dialect, met by clients of every dialect: the body that is sent breaks none.

Each rule's example of a refused body is written in the client's dialect, and goes the way of any request: turns and names are
put right, it is written for the vendor, and the vendor's rules are applied.
"""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.gateway.call import Call as ClientCall
from conduit_desktop.gateway.routing.targets import BoundTarget
from conduit_desktop.gateway.snapshot import BoundProvider
from conduit_desktop.gateway.upstream.reasoning_store import ReasoningStore
from conduit_desktop.gateway.upstream.translation import prepare
from conduit_desktop.providers.catalog import CATALOG, bind
from conduit_desktop.wire import dialect
from tests.fakes.strict.checks import RULES, Call, broken

CHAT = "openai_chat"
CLIENTS = (CHAT, "anthropic_messages", "openai_responses", "gemini", "ollama", "cohere", "bedrock")
KINDS = {"sglang": "openai-compatible"}
NOT_OURS = {
    "messages-empty": "nothing can be made of it",
    "reasoning_details-missing": "what no vendor sent cannot be returned",
}
ALSO_REFUSED_BY_OPENAI = ("call-without-result", "result-without-call", "call-count", "tool-call-name-characters")
"""What a client of OpenAI's dialect may not send to OpenAI either, so that its error is its own to see."""
CHECKED = [
    rule
    for rule in RULES
    if rule["dialect"] == CHAT
    and rule.get("check") != "manual"
    and CHAT in getattr(CATALOG.get(KINDS.get(rule["vendor"], rule["vendor"])), "dialects", ())
    and rule["vendor"] not in ("openai", "azure")
    and not any(rule["id"].endswith(name) for name in NOT_OURS)
]


def body_of(rule: dict[str, Any], client: str) -> dict[str, Any]:
    """The rule's refused body in the client's dialect."""
    refused: dict[str, Any] = copy.deepcopy(rule["refuses"])
    if client == CHAT:
        return refused
    body = dialect(client).write_request(dialect(CHAT).read_request(refused, {}), refused["model"]).body
    return {"max_tokens": 100, **body} if client == "anthropic_messages" else body


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("rule", CHECKED, ids=[rule["id"] for rule in CHECKED])
def test_no_rule_is_broken(rule: dict[str, Any], client: str) -> None:
    name = KINDS.get(rule["vendor"], rule["vendor"])
    kind = bind(Provider(id="p", name="p", kind=name, base_url=None if CATALOG[name].default_base_url else "https://h"))
    own = client == CHAT
    if (own and (not kind.borrowed or rule["id"].endswith(ALSO_REFUSED_BY_OPENAI))) or (not own and kind.supports(client)):
        pytest.skip("passed through as it came")
    try:
        body = body_of(rule, client)
        # Gemini has no conversation of instructions alone.
        dialect(client).read_request(body, {"model": "m", "stream": False})
    except BadRequest:
        pytest.skip("the dialect has no such request")
    model = rule["refuses"]["model"]
    call = ClientCall(dialect(client), body, model, stream=bool(rule["refuses"].get("stream")), credential="k")
    target = BoundTarget.of(BoundProvider(kind.config, kind, ()), model)
    if "tools-over-128" in rule["id"]:
        with pytest.raises(BadRequest, match="at most 128 tools"):
            prepare(call, target, {}, ReasoningStore())
        return
    sent = orjson.loads(prepare(call, target, {}, ReasoningStore()).body)
    met = [one["id"] for one in broken(Call(rule["vendor"], CHAT, sent["model"], sent, {}), also_silent=True)]
    # Ollama's dialect has no files, so that nothing may be left of a message.
    assert [name for name in met if not name.endswith(tuple(NOT_OURS))] == []
