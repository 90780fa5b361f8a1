"""What OpenAI and Azure refuse in Chat Completions and in the Responses API, where both have the same limits for one model.

Bodies of translated requests only: a client of OpenAI's own dialects knows OpenAI's limits, and its errors are its own to see.
"""

from __future__ import annotations

from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.providers.chat_mends.answer_format import mention_json
from conduit_desktop.providers.chat_mends.fields import at_most_stops, cap_output, dropping, short_id, within, without_tool_settings
from conduit_desktop.providers.chat_mends.media import images_of
from conduit_desktop.providers.chat_mends.reasoning import fit_effort, fit_sampling, thinks
from conduit_desktop.providers.chat_mends.tools import at_most_tools
from conduit_desktop.providers.model_facts import ModelFacts
from conduit_desktop.providers.request_rules import RequestRule
from conduit_desktop.wire.function_schemas import current_draft, function_schema, mapped, strict_schema, without_root_union

_ENCRYPTED = "reasoning.encrypted_content"
MIN_OUTPUT_TOKENS = 16
"""The least that `max_output_tokens` may be in the Responses API."""
JSON_ONLY = "Answer in JSON."
"""The instruction added where JSON mode is asked for and no message says so."""

_MAX_METADATA, _MAX_METADATA_KEY, _MAX_METADATA_VALUE = 16, 64, 512


def drop_reasoning(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """A model that does not reason refuses every setting of it."""
    if facts.efforts != ():
        return []
    if isinstance(include := body.get("include"), list) and _ENCRYPTED in include:
        body["include"] = [name for name in include if name != _ENCRYPTED]
        if not body["include"]:
            del body["include"]
    return [f"reasoning.{name}" for name in body.pop("reasoning", None) or ()]


def drop_thoughts(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Leaves out the thoughts of another model: "Reasoning input items can only be provided to a reasoning … model"."""
    items = body.get("input")
    if facts.efforts != () or not isinstance(items, list):
        return []
    kept = [item for item in items if not (isinstance(item, dict) and item.get("type") == "reasoning")]
    if len(kept) == len(items):
        return []
    body["input"] = kept
    return ["reasoning"]


def fit_verbosity(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Models before GPT-5 know the verbosity `medium` only."""
    if facts.verbosity is not False:
        return []
    lost = []
    if body.get("verbosity") not in (None, "medium"):
        del body["verbosity"]
        lost = ["verbosity"]
    text = body.get("text")
    if isinstance(text, dict) and text.get("verbosity") not in (None, "medium"):
        body["text"] = {name: value for name, value in text.items() if name != "verbosity"}
        if not body["text"]:
            del body["text"]
        lost = ["verbosity"]
    return lost


def leave_default_effort(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """With tools, not even the effort `none` is taken in chat, where it is the default of these models."""
    if facts.tools_only_in_responses == "with_effort" and body.get("tools") and body.get("reasoning_effort") == "none":
        del body["reasoning_effort"]
    return []


def fit_parallel_calls(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Leaves out the setting for parallel calls where the model has none; true is the default."""
    if facts.parallel_setting is not False:
        return []
    return ["parallel_tool_calls"] if body.pop("parallel_tool_calls", None) is False else []


def refuse_small_limit(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Raises BadRequest for a limit on the output that the Responses API refuses: a client's limit is never raised."""
    limit = body.get("max_output_tokens")
    if isinstance(limit, int) and limit < MIN_OUTPUT_TOKENS:
        text = f"max_tokens: the Responses API, which serves this request, takes no limit under {MIN_OUTPUT_TOKENS}; got {limit}."
        raise BadRequest(text, param="max_tokens")
    return []


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


def mention_json_in_input(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Adds an instruction where JSON mode is asked for and no message says JSON; the field `instructions` does not count."""
    wanted = (body.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_object" and b"json" not in orjson.dumps(body.get("input")).lower():
        body["input"] = [{"role": "developer", "content": JSON_ONLY}, *(body.get("input") or ())]
    return []


def fit_functions(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Flattens alternatives at the root of schemas, and asks for strict calls only where the schema allows them.

    Raises BadRequest for arguments that are no object.
    """
    lost: list[str] = []
    if isinstance(tools := body.get("tools"), list):
        fine_tuned = _is_fine_tuned(body)
        body["tools"] = [_fitted_tool(tool, fine_tuned, lost) for tool in tools]
    return lost


def _is_fine_tuned(body: dict[str, Json]) -> bool:
    return str(body.get("model")).startswith("ft:")


def _fitted_tool(tool: Any, fine_tuned: bool, lost: list[str]) -> Any:
    if not isinstance(tool, dict) or tool.get("type") != "function":
        return tool
    # Flat in the Responses API, an object of its own in chat.
    function = tool.get("function", tool)
    if not isinstance(function, dict) or not isinstance(function.get("parameters"), dict):
        return tool
    schema, flattened = without_root_union(function_schema(function["parameters"]))
    if schema.get("type") != "object":
        raise BadRequest(f"tools: the parameters of {function.get('name')} are no object, which OpenAI requires.", param="tools")
    lost += [f"tools.parameters.{name}" for name in flattened]
    fitted = {**function, "parameters": schema}
    if function.get("strict"):
        strict = strict_schema(schema, fine_tuned)
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
    strict = strict_schema(mapped(inner["schema"], current_draft), _is_fine_tuned(body))
    body[field] = {**holder, name: {**inner, "strict": False} if strict is None else {**inner, "schema": strict}}
    return ["response_format.strict"] if strict is None else []


def ask_for_thoughts(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Has the thoughts of a reasoning model sent along, encrypted: nothing is stored, so its next turn needs them back.

    Other models refuse the field.
    """
    if not thinks(body, facts):
        body.pop("include", None)
    elif facts.efforts:
        body["include"] = [_ENCRYPTED]
    return []


def drop_search(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Leaves out the hosted web search for models without it."""
    tools = body.get("tools")
    if not isinstance(tools, list):
        return []
    kept = [tool for tool in tools if not isinstance(tool, dict) or tool.get("type") != "web_search"]
    if len(kept) == len(tools):
        return []
    body["tools"] = kept
    return ["tools[web_search]", *without_tool_settings(body)]


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
_SEARCH = "https://developers.openai.com/api/docs/guides/tools-web-search"
_IMAGES = "https://developers.openai.com/api/docs/guides/images-vision"
_ITEMS = "400 Reasoning input items can only be provided to a reasoning or computer use model"
_VERBOSITY = "google-deepmind/concordia#164; enricoros/big-AGI#947: every model with each word"
_TOO_LARGE = "tailcallhq/forgecode#1185; opencode-ai/opencode#140: max_tokens is too large"
_OPENAIS = r"(?:ft:)?(?:gpt-(?!oss)|chatgpt|o\d|codex)"
"""OpenAI's own models. Azure serves others, too, whose limits are those of a host."""
_STRICT = "https://platform.openai.com/docs/guides/structured-outputs#supported-schemas"

SEARCHING = r"gpt-4o(?!.*(audio|realtime|transcribe|tts|search))|gpt-4\.1(?!-nano)|o3(?!-mini)|o4-mini|gpt-[5-9](?!.*(codex|chat))"
"""The models with the hosted web search. https://developers.openai.com/api/docs/guides/tools-web-search#limitations"""

OPENAI_RULES: tuple[RequestRule, ...] = (
    RequestRule(drop_search, f"{_SEARCH}#limitations", f"(?!{SEARCHING})", _RESPONSES, of_model=True),
    # Before what depends on the effort. In chat it is fitted already.
    RequestRule(fit_effort, f"{_GUIDE}; anomalyco/opencode#4451", dialect=_RESPONSES, of_model=True),
    RequestRule(drop_reasoning, "Laisky/one-api#120", dialect=_RESPONSES, of_model=True),
    RequestRule(drop_thoughts, _ITEMS, dialect=_RESPONSES, of_model=True),
    RequestRule(leave_default_effort, "livekit/agents#5084", dialect=_CHAT, of_model=True),
    RequestRule(fit_sampling, _REASONING, of_model=True),
    RequestRule(fit_verbosity, _VERBOSITY, of_model=True),
    RequestRule(cap_output, _TOO_LARGE, _OPENAIS, of_model=True),
    RequestRule(
        at_most_stops(4), f"{_SPEC}: StopConfiguration; huggingface/smolagents#1662, #1868, #1893", dialect=_CHAT, of_model=True
    ),
    RequestRule(fit_parallel_calls, "learn.microsoft.com/azure/foundry/openai/how-to/reasoning", of_model=True),
    RequestRule(within("temperature", 0, 2), _SPEC),
    RequestRule(within("top_logprobs", 0, 20), _SPEC),
    RequestRule(at_most_tools(128), _SPEC),
    RequestRule(refuse_small_limit, "earendil-works/pi#6265", dialect=_RESPONSES),
    RequestRule(short_id("user", 64), "maximhq/bifrost#1000"),
    RequestRule(short_id("safety_identifier", 64), _SPEC),
    RequestRule(short_id("prompt_cache_key", 64), "anomalyco/opencode"),
    RequestRule(drop_unstored_metadata, "spiceai/spiceai#5231; tmc/langchaingo#1484", dialect=_CHAT),
    RequestRule(fit_metadata, _SPEC),
    RequestRule(mention_json, "https://platform.openai.com/docs/guides/structured-outputs#json-mode", dialect=_CHAT),
    RequestRule(mention_json_in_input, "Soju06/codex-lb#731", dialect=_RESPONSES),
    RequestRule(
        images_of("png", "jpeg", "gif", "webp"), "https://developers.openai.com/api/docs/guides/images-vision", dialect=_CHAT
    ),
    RequestRule(fit_functions, f"github/copilot-cli#2223; {_STRICT}"),
    RequestRule(fit_answer_schema, _STRICT),
    RequestRule(
        ask_for_thoughts, "https://developers.openai.com/api/docs/guides/reasoning#encrypted-reasoning-items", dialect=_RESPONSES
    ),
)
AZURE_RULES: tuple[RequestRule, ...] = (
    RequestRule(
        dropping("prompt_cache_retention"), "OpenHands/software-agent-sdk#2295, #2311: not supported on this model", of_model=True
    ),
    RequestRule(
        dropping("prompt_cache_key"), "vectorize-io/hindsight#3518: unrecognized request argument", f"(?!{_OPENAIS})", of_model=True
    ),
    # Its search is Bing's, which has to be connected to the resource, and whose results leave Azure's compliance boundary.
    RequestRule(drop_search, "https://learn.microsoft.com/azure/foundry/openai/how-to/web-search", dialect=_RESPONSES),
    *OPENAI_RULES,
    RequestRule(drop_files, "openai/openai-python#2826; Azure/azure-sdk-for-net#51873", dialect=_CHAT),
)
