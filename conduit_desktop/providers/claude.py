"""What Claude refuses in a request, by its generation, and the mends: the same for Anthropic's Messages API and for Bedrock.

An effort stays a word wherever the model knows words. The caller's limit of output tokens is never raised: a thinking budget fits
below it, or thinking is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.providers.model_facts import ModelFacts, fitted_effort
from conduit_desktop.providers.request_rules import Mend, RequestRule
from conduit_desktop.wire.anthropic.messages_layout import open_tool_loop_without_thinking
from conduit_desktop.wire.changed_items import with_items
from conduit_desktop.wire.json_instruction import json_instruction
from conduit_desktop.wire.values import effort_for_budget

MIN_BUDGET = 1024
"""The smallest thinking budget in tokens. https://platform.claude.com/docs/en/build-with-claude/extended-thinking"""
EFFORT_BUDGETS = {"minimal": MIN_BUDGET, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 24_576, "max": 32_000}
"""Thinking budgets in tokens for the efforts, for models that know budgets only."""
DEFAULT_MAX_TOKENS = 8192
"""The output limit where the caller sets none: Anthropic requires one, and every Claude since 3.5 can answer that much."""
_LEAST_TOP_P_WHILE_THINKING = 0.95


class _Body(Protocol):
    """Where a dialect keeps what the mends read and change. Nothing inside of the body is changed in place."""

    fields: dict[str, Any]
    """Holds `thinking`, `output_config` and `top_k`."""
    limits: dict[str, Any]
    """Holds the output limit, the temperature and top_p."""
    messages: list[dict[str, Any]]
    cap: str
    top_p: str

    @property
    def forces_a_tool(self) -> bool: ...

    @property
    def lacks_thoughts(self) -> bool:
        """Whether the end of the conversation excludes a thinking budget: a call without its thought, or an answer to continue."""
        ...

    def free_the_tools(self) -> None:
        """Let the model choose between an answer and a call."""
        ...

    def close(self) -> None:
        """Write the changes back into the body."""
        ...


class _Messages:
    """A request of Anthropic's Messages API."""

    cap, top_p = "max_tokens", "top_p"

    def __init__(self, body: dict[str, Json]) -> None:
        self.fields = self.limits = body

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self.fields.get("messages") or []

    @messages.setter
    def messages(self, messages: list[dict[str, Any]]) -> None:
        self.fields["messages"] = messages

    @property
    def forces_a_tool(self) -> bool:
        return (self.fields.get("tool_choice") or {}).get("type") in ("any", "tool")

    @property
    def lacks_thoughts(self) -> bool:
        messages = self.fields.get("messages") or []
        return open_tool_loop_without_thinking(messages) or bool(messages and messages[-1].get("role") == "assistant")

    def free_the_tools(self) -> None:
        # The limit to one call is no forced call, so it stays.
        single = {name: value for name, value in self.fields["tool_choice"].items() if name == "disable_parallel_tool_use"}
        self.fields["tool_choice"] = {"type": "auto", **single}

    def close(self) -> None:
        pass


class _Converse:
    """A request of Bedrock's Converse API."""

    cap, top_p = "maxTokens", "topP"

    def __init__(self, body: dict[str, Json]) -> None:
        self._body = body
        self.messages: list[dict[str, Any]] = body["messages"]
        self.fields = dict(body.get("additionalModelRequestFields") or {})
        self.limits = dict(body.get("inferenceConfig") or {})

    @property
    def forces_a_tool(self) -> bool:
        choice = (self._body.get("toolConfig") or {}).get("toolChoice") or {}
        return "any" in choice or "tool" in choice

    @property
    def lacks_thoughts(self) -> bool:
        messages = self._body["messages"]
        if messages[-1]["role"] == "assistant":
            return True
        in_loop = len(messages) > 1 and any("toolResult" in block for block in messages[-1]["content"])
        return in_loop and "reasoningContent" not in messages[-2]["content"][0]

    def free_the_tools(self) -> None:
        self._body["toolConfig"] = {**self._body["toolConfig"], "toolChoice": {"auto": {}}}

    def close(self) -> None:
        self._body["messages"] = self.messages
        for name, value in (("additionalModelRequestFields", self.fields), ("inferenceConfig", self.limits)):
            self._body.pop(name, None)
            if value:
                self._body[name] = value


Fit = Callable[[Any, ModelFacts], list[str]]


def _in(form: Callable[[dict[str, Json]], _Body], fit: Fit) -> Mend:
    def mend(body: dict[str, Json], facts: ModelFacts) -> list[str]:
        opened = form(body)
        lost = fit(opened, facts)
        opened.close()
        return lost

    return mend


def fit_output_limit(body: _Body, facts: ModelFacts) -> list[str]:
    """Lower a limit that is more than the model can put out."""
    cap = body.limits.get(body.cap)
    if cap is None or facts.max_output is None or cap <= facts.max_output:
        return []
    body.limits[body.cap] = facts.max_output
    return ["max_tokens"]


def fit_tool_choice(body: _Body, facts: ModelFacts) -> list[str]:
    """Free the tools where the model refuses to be forced to call one."""
    if facts.forced_tools is not False or not body.forces_a_tool:
        return []
    body.free_the_tools()
    return ["tool_choice"]


def fit_thinking(body: _Body, facts: ModelFacts) -> list[str]:
    """Ask for thinking in the model's own way, or leave it out where it is refused.

    A tool that the caller forces wins over thinking, which it excludes: the caller waits for that call.
    """
    asked = body.fields.get("thinking") or {}
    effort = (body.fields.get("output_config") or {}).get("effort")
    kind = asked.get("type")
    off = {"type": facts.thinking_off or "disabled"}
    lost: list[str] = []
    thinking: dict[str, Json] | None = asked or None
    if kind in ("enabled", "adaptive"):
        thinking, effort, lost = _thinking(body, facts, asked, effort)
        if thinking is None and facts.thinks and facts.can_stop_thinking:
            thinking = off
    elif kind == "disabled":
        if facts.can_stop_thinking is False:
            # It thinks all the same: as little as it can.
            thinking, effort, lost = None, effort or "none", ["reasoning"]
        else:
            thinking = None if facts.thinks is False else off  # it does not think without being asked to
    elif kind is None and body.forces_a_tool and facts.thinks and facts.can_stop_thinking:
        thinking = off
    _set(body.fields, "thinking", thinking)
    is_on = (thinking or {}).get("type") in ("enabled", "adaptive")
    return lost + _fit_effort(body, facts, effort, is_on, thinking == off and facts.thinks is True, lost)


def _thinking(
    body: _Body, facts: ModelFacts, asked: dict[str, Json], effort: str | None
) -> tuple[dict[str, Json] | None, str | None, list[str]]:
    """The field `thinking`, the effort, and what was lost."""
    if facts.thinking == "none" or body.forces_a_tool:
        return None, effort, ["reasoning"]
    kept = {name: value for name, value in asked.items() if name not in ("type", "budget_tokens")}
    if kept.get("display") == "summarized" and (facts.thinking != "adaptive" or facts.budget_range is not None):
        del kept["display"]  # what the generations until 4.6 do anyway
    budget = asked.get("budget_tokens")
    lacks = body.lacks_thoughts
    if facts.thinking == "adaptive" and (asked["type"] == "adaptive" or lacks or facts.budget_range is None):
        if isinstance(budget, int):
            # This generation knows words only. One that the request names itself wins.
            effort = effort or effort_for_budget(budget)
        return {"type": "adaptive", **kept}, effort, []
    if lacks:
        # "a final `assistant` message must start with a thinking block"; in adaptive mode the model may answer without one.
        return None, effort, ["reasoning"]
    words = EFFORT_BUDGETS.get(effort or "medium", EFFORT_BUDGETS["medium"])
    fitted = _fitted_budget(body, facts, budget if isinstance(budget, int) else words)
    if fitted is None:
        return None, effort, ["reasoning"]
    lost = ["reasoning.budget_tokens"] if isinstance(budget, int) and fitted < budget else []
    return {"type": "enabled", "budget_tokens": fitted, **kept}, effort, lost


def _fitted_budget(body: _Body, facts: ModelFacts, budget: int) -> int | None:
    """The budget below the output limit, with room for an answer; None where there is no room for thinking."""
    budget = max(budget, MIN_BUDGET)
    cap = body.limits.get(body.cap)
    if cap is None:
        # Without a limit of the caller's, thinking does not have to share the default.
        cap = min(budget + DEFAULT_MAX_TOKENS, facts.max_output or budget + DEFAULT_MAX_TOKENS)
        body.limits[body.cap] = cap
    if budget < cap:
        return budget
    return None if cap <= MIN_BUDGET else max(MIN_BUDGET, cap - min(DEFAULT_MAX_TOKENS, cap // 2))


def _fit_effort(body: _Body, facts: ModelFacts, effort: str | None, is_on: bool, is_stopped: bool, lost: list[str]) -> list[str]:
    if effort is None:
        return []
    # Only models that are known to take a word get one.
    fitted = fitted_effort(effort, facts.efforts or ())
    if is_stopped and fitted in ("xhigh", "max"):
        # Thinking can be switched off up to `high` only: https://platform.claude.com/docs/en/models/opus-5/migration-guide
        fitted = "high"
    config = {name: value for name, value in (body.fields.get("output_config") or {}).items() if name != "effort"}
    _set(body.fields, "output_config", {"effort": fitted, **config} if fitted else config or None)
    return [] if fitted or is_on or lost or effort == "none" else ["reasoning"]


def drop_thoughts(body: _Body, facts: ModelFacts) -> list[str]:
    """Leave out the thoughts of other models where the model does not think at all."""
    if facts.thinking != "none":
        return []
    messages = body.messages
    kept = [_without_thoughts(message) for message in messages]
    if all(new is old for new, old in zip(kept, messages, strict=True)):
        return []
    body.messages = kept
    return ["reasoning"]


def _without_thoughts(message: dict[str, Json]) -> dict[str, Json]:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    kept = [block for block in content if not _is_thought(block)]
    # A message of thoughts alone stays as it is: without content it would be refused for that.
    return message if len(kept) == len(content) or not kept else {**message, "content": kept}


def _is_thought(block: Json) -> bool:
    return isinstance(block, dict) and (block.get("type") in ("thinking", "redacted_thinking") or "reasoningContent" in block)


def without_thoughts(body: dict[str, Json]) -> dict[str, Json]:
    """A body of the Messages API without any thought; the same object where it has none."""
    return with_items(body, "messages", lambda message: _without_thoughts(message) if isinstance(message, dict) else message)


BINDING_BETA = "thinking-binding-controls-2026-08-01"
"""The beta of the field `block_binding`."""


def drop_unbound_thoughts(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Has a thought dropped, not refused, where the client changed something before it.

    The gateway puts back the thoughts for clients of other dialects, which shorten old results and edit messages.
    """
    thinking = body.get("thinking") or {"type": "adaptive"}
    if facts.binds_thoughts and thinking["type"] == "adaptive" and without_thoughts(body) is not body:
        body["thinking"] = {**thinking, "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
    return []


def fit_sampling(body: _Body, facts: ModelFacts) -> list[str]:
    """Leave out the sampling parameters that the model refuses: by its generation, and while it thinks."""
    kept = {
        "temperature": body.limits.get("temperature"),
        "top_p": body.limits.get(body.top_p),
        "top_k": body.fields.get("top_k"),
    }
    temperature, top_p = kept["temperature"], kept["top_p"]
    thinks = (body.fields.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    both = temperature is not None and top_p is not None
    refused = {
        "temperature": thinks and temperature != 1,
        # "temperature and top_p cannot both be specified for this model": browseros-ai/BrowserOS#208
        "top_p": (thinks and (top_p or 0) < _LEAST_TOP_P_WHILE_THINKING) or (both and facts.sampling == "one_of"),
        "top_k": thinks,
    }
    lost = []
    for name, value in kept.items():
        if value is None or not (refused[name] or facts.sampling == "refused"):
            continue
        (body.fields if name == "top_k" else body.limits).pop(body.top_p if name == "top_p" else name)
        # One is what the model takes by default, so nothing is lost with it.
        if name == "top_k" or value != 1:
            lost.append(name)
    return lost


def _set(fields: dict[str, Any], name: str, value: Json) -> None:
    if value is None:
        fields.pop(name, None)
    else:
        fields[name] = value


def set_output_limit(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """The output limit where the request has none: Anthropic requires it."""
    if body.get("max_tokens") is None:
        body["max_tokens"] = min(DEFAULT_MAX_TOKENS, facts.max_output or DEFAULT_MAX_TOKENS)
    return []


def ask_for_the_schema(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Structured outputs and strict tools, for models that have neither: the schema becomes an instruction."""
    if facts.json_schema is not False:
        return []
    lost: list[str] = []
    if any(tool.get("strict") is not None for tool in body.get("tools") or ()):
        body["tools"] = [{name: value for name, value in tool.items() if name != "strict"} for tool in body["tools"]]
        lost.append("tools.strict")
    config = dict(body.get("output_config") or {})
    output = config.pop("format", None) or body.pop("output_format", None)
    if output is None:
        return lost
    _set(body, "output_config", config or None)
    text = json_instruction(output.get("schema"))
    system = body.get("system")
    body["system"] = (
        [*system, {"type": "text", "text": text}] if isinstance(system, list) else f"{system}\n\n{text}" if system else text
    )
    return [*lost, "response_format"]


def ask_for_the_schema_in_converse(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """The same in Bedrock's Converse API."""
    if facts.json_schema is not False:
        return []
    lost: list[str] = []
    config = body.get("toolConfig") or {}
    if any("strict" in tool.get("toolSpec", ()) for tool in config.get("tools") or ()):
        body["toolConfig"] = {**config, "tools": [_without_strict(tool) for tool in config["tools"]]}
        lost.append("tools.strict")
    output = body.pop("outputConfig", None)
    if output is None:
        return lost
    written = output["textFormat"]["structure"]["jsonSchema"]
    text = json_instruction(orjson.loads(written["schema"]), written.get("description"))
    body["system"] = [*(body.get("system") or ()), {"text": text}]
    return [*lost, "response_format"]


def _without_strict(tool: dict[str, Json]) -> dict[str, Json]:
    if "toolSpec" not in tool:
        return tool
    return {"toolSpec": {name: value for name, value in tool["toolSpec"].items() if name != "strict"}}


_DOCS = "https://platform.claude.com/docs/en"
_FITS: tuple[tuple[Fit, str, str], ...] = (
    # The first two hold for every model on Bedrock, by its facts.
    (fit_output_limit, f"{_DOCS}/about-claude/models/overview", ""),
    (fit_tool_choice, f"{_DOCS}/models/fable-5-1/migration-guide", ""),
    (fit_thinking, f"{_DOCS}/build-with-claude/adaptive-thinking", ".*claude"),
    (fit_sampling, f"{_DOCS}/about-claude/models/migration-guide", ".*claude"),
    (drop_thoughts, f"{_DOCS}/build-with-claude/preserved-thinking: strip them when you switch models", ".*claude"),
)

MESSAGES_RULES = (
    *(RequestRule(_in(_Messages, fit), source, of_model=True) for fit, source, _ in _FITS),
    RequestRule(set_output_limit, f"{_DOCS}/api/messages"),
    RequestRule(ask_for_the_schema, f"{_DOCS}/build-with-claude/structured-outputs", of_model=True),
)
"""For bodies of Anthropic's Messages API, in this order: what is refused depends on whether the model thinks."""

CONVERSE_RULES = (
    *(RequestRule(_in(_Converse, fit), source, models) for fit, source, models in _FITS),
    RequestRule(ask_for_the_schema_in_converse, "https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html"),
)
"""For bodies of Bedrock's Converse API; the last rule holds for every model there."""
