"""What OpenAI and Azure refuse in Chat Completions and in the Responses API, where both have the same limits for one model.

Bodies of translated requests only: a client of OpenAI's own dialects knows OpenAI's limits, and its errors are its own to see.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.providers.model_facts import ModelFacts, fitted_effort
from conduit_desktop.providers.request_rules import Mend, RequestRule
from conduit_desktop.wire.function_schemas import function_schema, strict_schema, without_root_union

MAX_TOOLS = 128
MAX_STOPS = 4
MAX_IDENTIFIER = 64
MIN_OUTPUT_TOKENS = 16
"""The least that `max_output_tokens` may be in the Responses API."""
JSON_ONLY = "Answer in JSON."
"""The instruction added where JSON mode is asked for and no message says so."""

_SAMPLING_DEFAULTS: dict[str, Json] = {"temperature": 1, "top_p": 1, "logprobs": False, "top_logprobs": 0, "logit_bias": {}}
_PENALTY_DEFAULTS: dict[str, Json] = {"presence_penalty": 0, "frequency_penalty": 0}
_MAX_METADATA, _MAX_METADATA_KEY, _MAX_METADATA_VALUE = 16, 64, 512


def effort_of(body: dict[str, Json]) -> str | None:
    """The effort that a body asks for, in either of OpenAI's dialects."""
    reasoning = body.get("reasoning")
    found = reasoning.get("effort") if isinstance(reasoning, dict) else body.get("reasoning_effort")
    return found if isinstance(found, str) else None


def thinks(body: dict[str, Json], facts: ModelFacts) -> bool:
    """Whether the model will think about this request, as far as is known."""
    effort = effort_of(body)
    return bool(facts.thinks) if effort is None else effort != "none"


def fit_effort(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Asks for the nearest effort that the model has, and for none where it has none."""
    effort, reasoning = effort_of(body), body.get("reasoning")
    if facts.efforts == ():
        asked = [name for name in ("effort", "summary") if isinstance(reasoning, dict) and name in reasoning]
        for name in ("reasoning_effort", "reasoning", "include"):
            body.pop(name, None)
        # A model that cannot reason already does what `none` asks for.
        lost = [f"reasoning.{name}" for name in asked] if isinstance(reasoning, dict) else ["reasoning_effort"]
        return [] if effort in (None, "none") and "summary" not in asked else lost
    if effort is None or facts.efforts is None:
        return []
    fitted = fitted_effort(effort, facts.efforts)
    if isinstance(reasoning, dict):
        body["reasoning"] = {**reasoning, "effort": fitted}
    else:
        body["reasoning_effort"] = fitted
    # A model that always thinks is asked to think as little as it can.
    return ["reasoning.effort"] if effort == "none" != fitted else []


def leave_default_effort(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Beside tools, not even the effort `none` is taken in chat, where it is the default of these models."""
    if facts.tools_only_in_responses == "with_effort" and body.get("tools") and body.get("reasoning_effort") == "none":
        del body["reasoning_effort"]
    return []


def fit_sampling(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Leaves out what a reasoning model refuses, always or while it thinks; a default value is no loss."""
    thinking = thinks(body, facts)
    refused = dict(_PENALTY_DEFAULTS) if facts.penalties is False else {}
    if facts.sampling == "refused" or (facts.sampling == "not_while_thinking" and thinking):
        refused |= _SAMPLING_DEFAULTS | {"stop": []}
    lost = [name for name, default in refused.items() if body.get(name) not in (None, default)]
    for name in refused:
        body.pop(name, None)
    return lost


def fit_stops(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Sends the first stop sequences, as many as the model takes."""
    stops, most = body.get("stop"), MAX_STOPS if facts.stops is None else facts.stops
    if not isinstance(stops, list) or len(stops) <= most:
        return []
    body["stop"] = stops[:most]
    if not most:
        del body["stop"]
    return ["stop"]


def fit_parallel_calls(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Leaves out the setting for parallel calls where the model has none; true is the default."""
    if facts.parallel_setting is not False:
        return []
    return ["parallel_tool_calls"] if body.pop("parallel_tool_calls", None) is False else []


def fit_top_logprobs(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """At most 20."""
    count = body.get("top_logprobs")
    if not isinstance(count, int) or count <= 20:
        return []
    body["top_logprobs"] = 20
    return ["top_logprobs"]


def fit_temperature(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """At most 2."""
    temperature = body.get("temperature")
    if not isinstance(temperature, (int, float)) or temperature <= 2:
        return []
    body["temperature"] = 2
    return ["temperature"]


def refuse_many_tools(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Raises BadRequest for more tools than OpenAI takes: which of them are needed, only the client knows."""
    count = len(body.get("tools") or ())
    if count > MAX_TOOLS:
        raise BadRequest(f"OpenAI takes at most {MAX_TOOLS} tools, and the request has {count}.", param="tools")
    return []


def refuse_small_limit(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Raises BadRequest for a limit on the output that the Responses API refuses: a client's limit is never raised."""
    limit = body.get("max_output_tokens")
    if isinstance(limit, int) and limit < MIN_OUTPUT_TOKENS:
        text = f"max_tokens: the Responses API, which serves this request, takes no limit under {MIN_OUTPUT_TOKENS}; got {limit}."
        raise BadRequest(text, param="max_tokens")
    return []


def hashed(field: str) -> Mend:
    """Replaces a longer identifier by its SHA-256, the same in every request: 64 characters."""

    def apply(body: dict[str, Json], facts: ModelFacts) -> list[str]:
        value = body.get(field)
        if isinstance(value, str) and len(value) > MAX_IDENTIFIER:
            body[field] = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        return []

    return apply


def fit_metadata(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Leaves out pairs over OpenAI's limits."""
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        return []
    fitting = [
        name for name, value in metadata.items() if len(name) <= _MAX_METADATA_KEY and len(str(value)) <= _MAX_METADATA_VALUE
    ][:_MAX_METADATA]
    if len(fitting) == len(metadata):
        return []
    body["metadata"] = {name: metadata[name] for name in fitting}
    return ["metadata"]


def drop_unstored_metadata(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Chat takes metadata for stored answers only, and a translated request stores none."""
    return ["metadata"] if not body.get("store") and body.pop("metadata", None) else []


def name_json(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Adds an instruction where JSON mode is asked for and no message says JSON; `instructions` do not count."""
    chat = body.get("response_format")
    wanted = chat if isinstance(chat, dict) else (body.get("text") or {}).get("format") or {}
    turns = "messages" if "messages" in body else "input"
    if wanted.get("type") == "json_object" and b"json" not in orjson.dumps(body.get(turns)).lower():
        body[turns] = [{"role": "developer", "content": JSON_ONLY}, *(body.get(turns) or ())]
    return []


def fit_functions(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Flattens alternatives at the root of schemas, and asks for strict calls only where the schema allows them."""
    lost: list[str] = []
    if isinstance(tools := body.get("tools"), list):
        body["tools"] = [_fitted_tool(tool, lost) for tool in tools]
    return lost


def _fitted_tool(tool: Any, lost: list[str]) -> Any:
    if not isinstance(tool, dict) or tool.get("type") != "function":
        return tool
    # Flat in the Responses API, an object of its own in chat.
    function = tool.get("function", tool)
    if not isinstance(function, dict) or not isinstance(function.get("parameters"), dict):
        return tool
    schema, flattened = without_root_union(function_schema(function["parameters"]))
    lost += [f"tools.parameters.{name}" for name in flattened]
    fitted = {**function, "parameters": schema}
    if function.get("strict"):
        strict = strict_schema(schema)
        lost += [] if strict is not None else ["tools.strict"]
        fitted |= {"strict": False} if strict is None else {"parameters": strict}
    return fitted if function is tool else {**tool, "function": fitted}


def fit_answer_schema(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Asks for a strict answer only where the schema allows it."""
    field, name = ("response_format", "json_schema") if "response_format" in body else ("text", "format")
    holder: Any = body.get(field) or {}
    inner = holder.get(name)
    if not isinstance(inner, dict) or not inner.get("strict") or not isinstance(inner.get("schema"), dict):
        return []
    strict = strict_schema(inner["schema"])
    body[field] = {**holder, name: {**inner, "strict": False} if strict is None else {**inner, "schema": strict}}
    return ["response_format.strict"] if strict is None else []


def ask_for_thoughts(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Has the thoughts of a reasoning model sent along, encrypted: nothing is stored, so its next turn needs them back.

    Other models refuse the field.
    """
    if not thinks(body, facts):
        body.pop("include", None)
    elif facts.efforts:
        body["include"] = ["reasoning.encrypted_content"]
    return []


def drop_files(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Azure's chat takes no files."""
    lost = False
    messages = []
    for message in body.get("messages") or ():
        content = message.get("content")
        kept = [part for part in content if part.get("type") != "file"] if isinstance(content, list) else content
        if kept == content:
            messages.append(message)
            continue
        lost = True
        messages.append({**message, "content": kept or "[A document was left out: this API takes none.]"})
    if not lost:
        return []
    body["messages"] = messages
    return ["document"]


_CHAT, _RESPONSES = "openai_chat", "openai_responses"
_GUIDE = "https://developers.openai.com/api/docs/guides/reasoning"
_REASONING = "https://developers.openai.com/api/docs/guides/latest-model; UKGovernmentBEIS/inspect_ai#5242"
_SPEC = "github.com/openai/openai-openapi, openapi.yaml"
_STRICT = "https://platform.openai.com/docs/guides/structured-outputs#supported-schemas"

OPENAI_RULES: tuple[RequestRule, ...] = (
    RequestRule(fit_effort, f"{_GUIDE}; anomalyco/opencode#4451"),
    RequestRule(leave_default_effort, "livekit/agents#5084", dialect=_CHAT),
    RequestRule(fit_sampling, _REASONING),
    RequestRule(fit_stops, f"{_SPEC}: StopConfiguration; huggingface/smolagents#1662, #1868, #1893", dialect=_CHAT),
    RequestRule(fit_parallel_calls, "learn.microsoft.com/azure/foundry/openai/how-to/reasoning"),
    RequestRule(fit_temperature, _SPEC),
    RequestRule(fit_top_logprobs, _SPEC),
    RequestRule(refuse_many_tools, _SPEC),
    RequestRule(refuse_small_limit, "earendil-works/pi#6265", dialect=_RESPONSES),
    RequestRule(hashed("user"), "maximhq/bifrost#1000"),
    RequestRule(hashed("safety_identifier"), _SPEC),
    RequestRule(hashed("prompt_cache_key"), "anomalyco/opencode"),
    RequestRule(drop_unstored_metadata, "spiceai/spiceai#5231; tmc/langchaingo#1484", dialect=_CHAT),
    RequestRule(fit_metadata, _SPEC),
    RequestRule(name_json, "Soju06/codex-lb#731"),
    RequestRule(fit_functions, f"github/copilot-cli#2223; {_STRICT}"),
    RequestRule(fit_answer_schema, _STRICT),
    RequestRule(
        ask_for_thoughts, "https://developers.openai.com/api/docs/guides/reasoning#encrypted-reasoning-items", dialect=_RESPONSES
    ),
)
AZURE_RULES: tuple[RequestRule, ...] = (
    *OPENAI_RULES,
    RequestRule(drop_files, "openai/openai-python#2826; Azure/azure-sdk-for-net#51873", dialect=_CHAT),
)
