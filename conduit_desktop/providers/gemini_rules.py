"""What Google refuses in a request in Gemini's dialect, by the generation of the model, on AI Studio and Vertex AI."""

from __future__ import annotations

from dataclasses import replace

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.providers.model_facts import ModelFacts, fitted_effort
from conduit_desktop.providers.request_rules import RequestRule
from conduit_desktop.wire.changed_items import change_items, with_items
from conduit_desktop.wire.json_instruction import json_instruction
from conduit_desktop.wire.values import effort_for_budget

Body = dict[str, Json]

_BUDGETS = {"minimal": 512, "low": 2048, "medium": 8192, "high": 24_576}
"""Thinking tokens for a level, at models that take budgets only; the last is the most that a Flash takes."""
_LEVELS = ("low", "medium", "high")
_NO_SIGNATURE = "skip_thought_signature_validator"
"""The signature that Google documents for a call in the history that Gemini did not make: https://ai.google.dev/gemini-api/docs/thought-signatures"""
_JSON = ("responseMimeType", "responseJsonSchema")
_BEFORE_3 = r"(?:.*/)?(?:gemini-[12]\b|gemma)"
_FROM_3 = rf"(?!{_BEFORE_3})"
"""Names without a number count as the newest generation."""
_THINKING = "https://ai.google.dev/gemini-api/docs/thinking"


def fit_thinking(body: Body, facts: ModelFacts) -> list[str]:
    """The thinking as the model takes it: a budget in its range, or one of its levels, never both.

    Where a model cannot stop thinking, it thinks as little as it can, and `reasoning` is reported.
    """
    config = _config(body)
    thinking = config.pop("thinkingConfig", None)
    if not isinstance(thinking, dict):
        return []
    level, budget = thinking.get("thinkingLevel"), thinking.get("thinkingBudget")
    level = None if level is None else level.lower()  # Google's SDKs write the names of their enumeration: `HIGH`
    off = budget == 0
    if facts.thinking == "none":
        _set_config(body, config)
        # Thinking that was switched off is no loss for a model that does not think.
        return [] if off else ["reasoning"]
    if facts.thinking == "budget":
        wanted = _BUDGETS.get(level) if level is not None else budget
        fitted = _fitted_budget(wanted, facts)
        amount: Body = {} if fitted is None else {"thinkingBudget": fitted}
        lost = ["reasoning.budget_tokens"] if level is None and fitted != wanted and not off else []
    else:
        # A level in place of a budget: Google advises against budgets since generation 3, and states no range for them.
        word = "none" if off else level or (effort_for_budget(budget) if budget is not None and budget > 0 else None)
        fitted_word = None if word is None else fitted_effort(word, facts.efforts or _LEVELS)
        amount = {} if fitted_word is None else {"thinkingLevel": fitted_word}
        lost = ["reasoning.budget_tokens"] if level is None and budget is not None and budget > 0 else []
    rest = {name: value for name, value in thinking.items() if name not in ("thinkingLevel", "thinkingBudget")}
    if rest or amount:
        config["thinkingConfig"] = {**rest, **amount}
    _set_config(body, config)
    return ["reasoning"] if off and facts.can_stop_thinking is False else lost


def _fitted_budget(budget: Json, facts: ModelFacts) -> Json:
    """The nearest budget in the model's range; 0 (off) only where it can be switched off, and -1 (dynamic) everywhere."""
    if budget is None or budget < 0 or facts.budget_range is None or (budget == 0 and facts.can_stop_thinking):
        return budget
    least, most = facts.budget_range
    return max(least, min(most, budget))


def drop_penalties(body: Body, facts: ModelFacts) -> list[str]:
    """Removes both penalties where the model refuses them."""
    if facts.penalties is not False:
        return []
    config = _config(body)
    names = {"presencePenalty": "presence_penalty", "frequencyPenalty": "frequency_penalty"}
    lost = [neutral for name, neutral in names.items() if config.pop(name, None)]
    _set_config(body, config)
    return lost


def drop_logprobs(body: Body, facts: ModelFacts) -> list[str]:
    """Removes the request for logprobs where the model has none."""
    if facts.logprobs is not False:
        return []
    config = _config(body)
    names = {"responseLogprobs": "logprobs", "logprobs": "top_logprobs"}
    lost = [neutral for name, neutral in names.items() if config.pop(name, None) is not None]
    _set_config(body, config)
    return lost


def limit_choices(body: Body, facts: ModelFacts) -> list[str]:
    """Lowers the number of answers to the most that the model gives."""
    config = _config(body)
    wanted = config.get("candidateCount")
    if facts.choices is None or not isinstance(wanted, int) or wanted <= facts.choices:
        return []
    config["candidateCount"] = facts.choices
    _set_config(body, config)
    return ["n"]


def cap_output(body: Body, facts: ModelFacts) -> list[str]:
    """Lowers `maxOutputTokens` to the most that the model can generate. Nothing is lost: no answer is longer."""
    config = _config(body)
    wanted = config.get("maxOutputTokens")
    if facts.max_output is not None and isinstance(wanted, int) and wanted > facts.max_output:
        config["maxOutputTokens"] = facts.max_output
        _set_config(body, config)
    return []


def drop_tools(body: Body, facts: ModelFacts) -> list[str]:
    """Removes the functions where the model knows none."""
    if facts.tools is not False or not body.get("tools"):
        return []
    del body["tools"]
    return ["tools"] if body.pop("toolConfig", None) is None else ["tools", "tool_choice"]


_MOST_FUNCTIONS = 512


def at_most_functions(body: Body, facts: ModelFacts) -> list[str]:
    """Raises BadRequest for more functions than Google takes: which could be left out only the client knows."""
    tools = body.get("tools")
    lists = [tool.get("functionDeclarations") for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    count = sum(len(functions) for functions in lists if isinstance(functions, list))
    if count > _MOST_FUNCTIONS:
        text = f"This model takes at most {_MOST_FUNCTIONS} tools, and the request has {count}."
        raise BadRequest(text, code="invalid_parameter", param="tools")
    return []


def drop_call_ids(body: Body, facts: ModelFacts) -> list[str]:
    """Leaves out the ids of calls and results: before generation 3 Vertex AI answers "Unknown name "id"". Nothing is lost, as
    results follow in the order of their calls.
    """
    change_items(body, "contents", lambda content: with_items(content, "parts", _without_id))
    return []


def _without_id(part: Json) -> Json:
    for name in ("functionCall", "functionResponse"):
        inner = part.get(name)
        if isinstance(inner, dict) and "id" in inner:
            return {**part, name: {key: value for key, value in inner.items() if key != "id"}}
    return part


def words_for_json(body: Body, facts: ModelFacts) -> list[str]:
    """Puts the format into the instructions where the model cannot be held to it, or not together with functions.

    Functions that must not be called anyway are removed instead.
    """
    config = _config(body)
    if config.get("responseMimeType") != "application/json":
        return []
    if facts.json_mode is not False:
        if facts.json_with_tools is not False or not body.get("tools"):
            return []
        if body.get("toolConfig", {}).get("functionCallingConfig", {}).get("mode") == "NONE":
            del body["tools"], body["toolConfig"]
            return []
    instruction: Json = {"text": json_instruction(config.get("responseJsonSchema"))}
    for name in _JSON:
        config.pop(name, None)
    _set_config(body, config)
    system = body.get("systemInstruction") or {"parts": []}
    body["systemInstruction"] = {**system, "parts": [*system["parts"], instruction]}
    return ["response_format"]


def move_instructions(body: Body, facts: ModelFacts) -> list[str]:
    """Puts the instructions before the user's first text where the model has none of its own. Nothing is lost."""
    if facts.system is not False or "systemInstruction" not in body:
        return []
    parts = body.pop("systemInstruction")["parts"]
    first, *others = body["contents"]
    if first["role"] == "user":
        body["contents"] = [{**first, "parts": [*parts, *first["parts"]]}, *others]
    else:
        body["contents"] = [{"role": "user", "parts": parts}, first, *others]
    return []


def spread_results(body: Body, facts: ModelFacts) -> list[str]:
    """Moves files out of function results, into parts after them."""
    change_items(body, "contents", _with_files_after)
    return []


def _with_files_after(content: Json) -> Json:
    parts: list[Json] = []
    files: list[Json] = []
    for part in content.get("parts") or ():
        inner = part.get("functionResponse")
        if isinstance(inner, dict) and "parts" in inner:
            files += inner["parts"]
            part = {**part, "functionResponse": {key: value for key, value in inner.items() if key != "parts"}}
        parts.append(part)
    if not files:
        return content
    results = sum("functionResponse" in part for part in parts)
    return {**content, "parts": [*parts[:results], *files, *parts[results:]]}


def sign_calls(body: Body, facts: ModelFacts) -> list[str]:
    """Signs the first function call of each turn, where it has no signature of Gemini's own."""
    change_items(body, "contents", lambda content: _signed(content) if content.get("role") == "model" else content)
    return []


def _signed(content: Json) -> Json:
    parts = content.get("parts") or ()
    at = next((index for index, part in enumerate(parts) if "functionCall" in part), None)
    # A signature of Gemini's own, returned with the history, must not be replaced.
    if at is None or "thoughtSignature" in parts[at]:
        return content
    return {**content, "parts": [*parts[:at], {**parts[at], "thoughtSignature": _NO_SIGNATURE}, *parts[at + 1 :]]}


def _config(body: Body) -> Body:
    return dict(body.get("generationConfig") or {})


def _set_config(body: Body, config: Body) -> None:
    if config:
        body["generationConfig"] = config
    else:
        body.pop("generationConfig", None)


_RULES: tuple[RequestRule, ...] = (
    RequestRule(fit_thinking, _THINKING),
    RequestRule(drop_penalties, "https://github.com/google-gemini/cookbook/issues/1290: Penalty is not enabled for this model"),
    RequestRule(drop_logprobs, "https://github.com/googleapis/python-genai/issues/1921: Logprobs is not enabled for this model"),
    RequestRule(limit_choices, "https://github.com/googleapis/js-genai/issues/1609: Multiple candidates is not enabled"),
    RequestRule(cap_output, "https://github.com/BerriAI/litellm/pull/10548: the supported range is from 1 to 65536 (exclusive)"),
    RequestRule(
        drop_tools, "https://github.com/agno-agi/agno/issues/3505: Function calling is not enabled for models/gemma-3-12b-it"
    ),
    # After `drop_tools`, since a format is refused together with functions only; before `move_instructions`, as it may add some.
    RequestRule(words_for_json, "Function calling with a response mime type 'application/json' is unsupported"),
    RequestRule(move_instructions, "Developer instruction is not enabled for models/gemma-3-27b-it"),
    RequestRule(
        spread_results, "https://ai.google.dev/gemini-api/docs/function-calling: multimodal responses since Gemini 3", _BEFORE_3
    ),
    RequestRule(sign_calls, "https://ai.google.dev/gemini-api/docs/thought-signatures", _FROM_3),
    RequestRule(at_most_functions, "https://github.com/google-gemini/gemini-cli/issues/25440: at most 512 function declarations"),
)
GEMINI_RULES = tuple(replace(rule, of_model=True) for rule in _RULES)
"""In the order of their application. Each depends on the generation of the model."""
VERTEX_RULES = (
    *GEMINI_RULES,
    RequestRule(drop_call_ids, "charmbracelet/fantasy#265; anomalyco/opencode#50504: since generation 3", _BEFORE_3, of_model=True),
)
