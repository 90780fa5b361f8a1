"""What the models on Bedrock refuse of a Converse request, and the mends."""

from __future__ import annotations

from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.providers.claude import CONVERSE_RULES
from conduit_desktop.providers.model_facts import ModelFacts, fitted_effort
from conduit_desktop.providers.request_rules import RequestRule

_FIELDS = "additionalModelRequestFields"
_FILLER = {"text": "."}
_ROOT = frozenset({"type", "properties", "required", "$defs", "definitions"})


def fit_effort(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """The effort of Nova and gpt-oss in the words that the model takes; left out where it does not reason."""
    fields = dict(body.get(_FIELDS) or {})
    config = fields.pop("reasoningConfig", None)
    word = fields.pop("reasoning_effort", None)
    if config is None and word is None:
        return []
    lost: list[str] = []
    if config is not None and facts.thinking == "none":
        lost = ["reasoning"] if config["type"] != "disabled" else []
    elif config is not None and config["type"] == "enabled":
        limits = body.get("inferenceConfig") or {}
        effort = fitted_effort(config["maxReasoningEffort"], facts.efforts or ("low", "medium", "high"))
        if effort == "high" and limits.get("maxTokens") is not None:
            # With `high` there may be no limit, and the caller's is a promise.
            # https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html
            effort, lost = "medium", ["reasoning.effort"]
        elif effort == "high":
            lost = _without_sampling(body, fields)
        fields["reasoningConfig"] = {**config, "maxReasoningEffort": effort}
    elif config is not None:
        fields["reasoningConfig"] = config
    if word is not None:
        fields["reasoning_effort"] = fitted_effort(word, facts.efforts or ("low", "medium", "high"))
        if word == "none":
            lost.append("reasoning")  # it reasons all the same
    _put(body, _FIELDS, fields)
    return lost


def _without_sampling(body: dict[str, Json], fields: dict[str, Json]) -> list[str]:
    limits = dict(body.get("inferenceConfig") or {})
    names = {"temperature": "temperature", "topP": "top_p"}
    lost = [dropped for name, dropped in names.items() if limits.pop(name, None) is not None]
    _put(body, "inferenceConfig", limits)
    return [*lost, "top_k"] if fields.pop("inferenceConfig", None) else lost


def fit_stops(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """No stop sequences for models without them."""
    limits = dict(body.get("inferenceConfig") or {})
    if facts.stops != 0 or limits.pop("stopSequences", None) is None:
        return []
    _put(body, "inferenceConfig", limits)
    return ["stop"]


def without_blank_stops(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Claude's stop sequences hold more than white space."""
    limits = dict(body.get("inferenceConfig") or {})
    stops = limits.pop("stopSequences", None) or []
    kept = [text for text in stops if text.strip()]
    if len(kept) == len(stops):
        return []
    _put(body, "inferenceConfig", {**limits, "stopSequences": kept} if kept else limits)
    return ["stop"]


def without_tools(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """No tools for models without them; the calls in the history become text, as they would need the tools."""
    if facts.tools is not False:
        return []
    lost = ["tools"] if body.pop("toolConfig", None) else []
    if any("toolUse" in block or "toolResult" in block for message in body["messages"] for block in message["content"]):
        body["messages"] = [
            {**message, "content": [one for block in message["content"] for one in _as_text(block)]} for message in body["messages"]
        ]
    return lost


def _as_text(block: dict[str, Json]) -> list[dict[str, Json]]:
    if "toolUse" in block:
        use = block["toolUse"]
        return [{"text": f"[{use['name']}: {orjson.dumps(use.get('input')).decode()}]"}]
    if "toolResult" not in block:
        return [block]
    content = block["toolResult"]["content"]
    return [{"text": orjson.dumps(one["json"]).decode()} if "json" in one else one for one in content]


def move_system(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """The instructions stand before the user's first text at models that have none of their own. Nothing is lost."""
    if facts.system is not False or not body.get("system"):
        return []
    system = body.pop("system")
    first, *others = body["messages"]
    body["messages"] = [{**first, "content": [*system, *first["content"]]}, *others]
    return []


def without_images(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """No images and documents for models that read neither."""
    refused = {"image": facts.images is False, "document": facts.files is False}
    lost: dict[str, None] = {}

    def kept(content: list[dict[str, Json]]) -> list[dict[str, Json]]:
        made: list[dict[str, Json]] = []
        for block in content:
            name = next(iter(block))
            if refused.get(name):
                lost[name] = None
            elif name == "toolResult":
                made.append({"toolResult": {**block[name], "content": kept(block[name]["content"])}})
            else:
                made.append(block)
        return made or [_FILLER]

    if any(refused.values()):
        body["messages"] = [{**message, "content": kept(message["content"])} for message in body["messages"]]
    return list(lost)


def without_cache_points(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """No cache points for models that have no prompt cache."""
    before = body.get("messages"), body.get("system"), (body.get("toolConfig") or {}).get("tools")
    body["messages"] = [{**message, "content": _uncached(message["content"])} for message in body["messages"]]
    if body.get("system"):
        _put(body, "system", _uncached(body["system"]))
    _without_tool_points(body)
    after = body.get("messages"), body.get("system"), (body.get("toolConfig") or {}).get("tools")
    return ["cache_control"] if before != after else []


def fit_nova_cache_points(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Nova caches the system prompt and the messages, not the tools, and for five minutes."""
    lost = ["cache_control"] if _without_tool_points(body) else []
    for holder in (*body["messages"], body):
        name = "system" if holder is body else "content"
        blocks = holder.get(name) or []
        if any("ttl" in block.get("cachePoint", ()) for block in blocks):
            holder[name] = [{"cachePoint": {"type": "default"}} if "cachePoint" in block else block for block in blocks]
            lost.append("cache_control.ttl")
    return lost


def _uncached(blocks: list[dict[str, Json]]) -> list[dict[str, Json]]:
    return [block for block in blocks if "cachePoint" not in block]


def _without_tool_points(body: dict[str, Json]) -> bool:
    config = body.get("toolConfig") or {}
    tools = config.get("tools") or []
    if not any("cachePoint" in tool for tool in tools):
        return False
    body["toolConfig"] = {**config, "tools": _uncached(tools)}
    return True


def fit_nova_schemas(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Nova takes little at the root of a tool's schema: `$schema`, a title and the like say nothing that a model needs."""
    config = body.get("toolConfig") or {}
    tools: list[Any] = []
    for tool in config.get("tools") or ():
        schema = tool.get("toolSpec", {}).get("inputSchema", {}).get("json", {})
        if schema.keys() - _ROOT:
            root = {name: value for name, value in schema.items() if name in _ROOT}
            tool = {"toolSpec": {**tool["toolSpec"], "inputSchema": {"json": root}}}
        tools.append(tool)
    if tools:
        body["toolConfig"] = {**config, "tools": tools}
    return []


def _put(body: dict[str, Json], name: str, value: Json) -> None:
    body.pop(name, None)
    if value:
        body[name] = value


_FEATURES = "https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html"
_CACHING = "https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html"

RULES = (
    *CONVERSE_RULES,
    RequestRule(fit_effort, "https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html"),
    RequestRule(without_blank_stops, "https://github.com/BerriAI/litellm/issues/3286", models=".*claude"),
    RequestRule(fit_stops, "https://github.com/crewAIInc/crewAI/issues/3317"),
    RequestRule(without_tools, _FEATURES),
    RequestRule(without_images, _FEATURES),
    # The name of an ARN may not show the family, so only the families that are known to have no cache are listed.
    RequestRule(without_cache_points, _CACHING, models=".*(llama|mistral|mixtral|cohere|gpt-oss|deepseek|qwen|ai21|titan)"),
    RequestRule(move_system, _FEATURES),
    RequestRule(fit_nova_cache_points, _CACHING, models=".*amazon\\.nova"),
    RequestRule(fit_nova_schemas, "https://github.com/BerriAI/litellm/pull/10062", models=".*amazon\\.nova"),
)
"""For every translated Converse request, in this order."""
