"""Bodies of OpenAI's chat dialect for tests of what is mended in them."""

from __future__ import annotations

import copy
from typing import Any

from conduit_desktop.providers.model_facts import ModelFacts
from conduit_desktop.providers.request_rules import Mend
from conduit_desktop.providers.thinking_switch import ThinkingSwitch

NOTHING_KNOWN = ModelFacts()
USER = {"role": "user", "content": "hi"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
SWITCH = ThinkingSwitch({"enable_thinking": True}, {"enable_thinking": False}, always_on="qwq")


def mended(mend: Mend, body: dict[str, Any], facts: ModelFacts = NOTHING_KNOWN) -> tuple[dict[str, Any], list[str]]:
    before, shared = copy.deepcopy(body), dict(body)
    lost = mend(shared, facts)
    assert body == before, "the caller's own body was changed"
    return shared, lost


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def tool(name: str, schema: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": schema or SCHEMA, **more}}
