"""What breaks each rule of `rules.jsonl`: one small check a rule, named by the part of the rule's id after its vendor.

A rule that several vendors have is one check. `broken` finds the rules that a request breaks; the vendor refuses it by the first.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RULES = [json.loads(x) for x in (Path(__file__).parent / "rules.jsonl").read_text().splitlines() if x.strip()]
SIG, GSIG, ENC = "c3RyaWN0LXNpZ25hdHVyZS1hbnRocm9waWM=", "c3RyaWN0LXNpZ25hdHVyZS1nZW1pbmk=", "gAAAAAstrict"
SKIP = {base64.b64encode(w).decode() for w in (b"skip_thought_signature_validator", b"context_engineering_is_the_way_to_go")} | {
    "skip_thought_signature_validator",
    "context_engineering_is_the_way_to_go",
}


class Call:
    """One request to a vendor. `streamed` is read from the body where it is not given (by the path, as at Gemini)."""

    def __init__(
        self,
        vendor: str,
        dialect: str,
        model: str | None,
        body: dict[str, Any],
        headers: Mapping[str, str],
        streamed: bool | None = None,
    ) -> None:
        self.vendor, self.dialect, self.model, self.body = vendor, dialect, model or "", body
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.streamed = bool(body.get("stream")) if streamed is None else streamed
        self.messages = [one for one in (body.get("messages") or body.get("contents") or []) if isinstance(one, dict)]

    def get(self, path: str, default: Any = None) -> Any:
        """The value at a dotted path of the body."""
        at: Any = self.body
        for name in path.split("."):
            at = at.get(name) if isinstance(at, dict) else None
        return default if at is None else at


def as_list(x):
    return x if isinstance(x, list) else []


def as_dict(x):
    return x if isinstance(x, dict) else {}


def parts(m):
    return [p for p in as_list(m.get("content") if "content" in m else m.get("parts")) if isinstance(p, dict)]


def blocks(call, *kinds):
    return [p for m in call.messages for p in parts(m) if p.get("type") in kinds]


def keys(call, *names):
    return any(n in call.body for n in names)


def ids(call, n=64, rx="[a-zA-Z0-9_-]"):
    return f"^{rx}{{1,{n}}}$"


def text_of(call):
    return json.dumps([call.body.get("messages"), call.body.get("input")], ensure_ascii=False).lower()


def tools(call):
    """(name, schema, description, strict) of the functions declared, whatever the dialect"""
    if call.dialect == "gemini":
        return [
            (f.get("name"), f.get("parameters"), f.get("description"), None)
            for t in as_list(call.body.get("tools"))
            for f in as_list(as_dict(t).get("functionDeclarations"))
        ]
    if call.dialect == "bedrock":
        return [
            (
                t["toolSpec"].get("name"),
                as_dict(t["toolSpec"].get("inputSchema")).get("json"),
                t["toolSpec"].get("description"),
                None,
            )
            for t in as_list(call.get("toolConfig.tools"))
            if "toolSpec" in t
        ]
    out = []
    for t in map(as_dict, as_list(call.body.get("tools"))):
        f = as_dict(t.get("function")) if call.dialect in ("openai_chat", "cohere", "ollama") else t
        if (call.dialect == "anthropic_messages" and t.get("type") not in (None, "custom")) or (
            call.dialect.startswith("openai_r") and t.get("type") != "function"
        ):
            continue
        out.append((f.get("name"), f.get("input_schema", f.get("parameters")), f.get("description"), f.get("strict")))
    return out


def walk(s, depth=1):
    """(sub-schema, depth) of a JSON schema"""
    if not isinstance(s, dict):
        return
    yield s, depth
    for k in ("properties", "$defs", "definitions"):
        for x in as_dict(s.get(k)).values():
            yield from walk(x, depth + 1)
    for x in [
        s.get("items"),
        *as_list(s.get("anyOf")),
        *as_list(s.get("oneOf")),
        *as_list(s.get("allOf")),
        s.get("additionalProperties"),
    ]:
        yield from walk(x, depth + (x is s.get("items")))


def any_schema(call, f):
    return any(f(x) for _, s, _, _ in tools(call) for x, _ in walk(s))


def is_object(x):
    return x.get("type") == "object" or (isinstance(x.get("type"), list) and "object" in x["type"])


def strict_schemas(call, tool=None):
    """schemas that are asked for strictly"""
    out = [s for _, s, _, strict in tools(call) if strict and s] if tool is not False else []
    if tool is not True:
        j = as_dict(call.get("response_format.json_schema")) if call.dialect == "openai_chat" else as_dict(call.get("text.format"))
        out += [j["schema"]] if j.get("strict") and j.get("schema") else []
    return out


def loose(s):
    return any(is_object(x) and x.get("additionalProperties") is not False for x, _ in walk(s))


def optional(s):
    return any(is_object(x) and set(as_dict(x.get("properties"))) - set(as_list(x.get("required"))) for x, _ in walk(s))


BADWORDS = ("allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties")


def badword(s):
    return any(w in x for x, _ in walk(s) for w in BADWORDS)


def limited(s):
    return any(
        k in x
        for x, _ in walk(s)
        for k in (
            "minimum",
            "maximum",
            "multipleOf",
            "minLength",
            "maxLength",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "maxItems",
            "uniqueItems",
        )
    )


def chat_pairs(call):
    """(calls left without a result, results without a call, unequal counts) of a chat history"""
    missing = orphan = False
    for i, m in enumerate(call.messages):
        if m.get("role") == "assistant" and m.get("tool_calls"):
            want, got = [t.get("id") for t in m["tool_calls"]], []
            for n in call.messages[i + 1 :]:
                if n.get("role") != "tool":
                    break
                got.append(n.get("tool_call_id"))
            missing |= not set(want) <= set(got)
        if m.get("role") == "tool":
            j = i - 1
            while j >= 0 and call.messages[j].get("role") == "tool":
                j -= 1
            orphan |= j < 0 or m.get("tool_call_id") not in [t.get("id") for t in as_list(call.messages[j].get("tool_calls"))]
    return missing, orphan


def chat_calls(call):
    return [t for m in call.messages for t in as_list(m.get("tool_calls")) if isinstance(t, dict)]


def chat_args(call, bad):
    return any(bad(as_dict(t.get("function")).get("arguments")) for t in chat_calls(call))


def images(call):
    return [
        as_dict(p.get("image_url")).get("url", "") if isinstance(p.get("image_url"), dict) else p.get("image_url") or ""
        for p in blocks(call, "image_url")
    ]


def mid_system(call):
    return any(m.get("role") in ("system", "developer") for m in call.messages[1:])


def alternates(ms):
    return all(a.get("role") != b.get("role") or a.get("role") == "tool" for a, b in itertools.pairwise(ms))


def thinking_off(call):
    return call.get("thinking.type") == "disabled" or call.body.get("enable_thinking") is False


def forced(call):
    return call.body.get("tool_choice") == "required" or (
        isinstance(call.body.get("tool_choice"), dict) and call.get("tool_choice.type") == "function"
    )


def unsent(call, *fields):
    return not thinking_off(call) and any(
        m.get("role") == "assistant" and m.get("tool_calls") and not any(m.get(f) for f in fields) for m in call.messages
    )


def anth_pairs(call):
    """(call without result, result without call, two results for one call)"""
    a = b = d = False
    for i, m in enumerate(call.messages):
        uses = [p.get("id") for p in parts(m) if p.get("type") == "tool_use"]
        nxt = (
            [p.get("tool_use_id") for p in parts(call.messages[i + 1]) if p.get("type") == "tool_result"]
            if i + 1 < len(call.messages)
            else []
        )
        a |= bool(set(uses) - set(nxt))
        res = [p.get("tool_use_id") for p in parts(m) if p.get("type") == "tool_result"]
        prev = [p.get("id") for p in parts(call.messages[i - 1]) if p.get("type") == "tool_use"] if i else []
        b, d = b or bool(set(res) - set(prev)), d or len(res) != len(set(res))
    return a, b, d


def marks(call):
    """cache_control marks in the order of tools, system, messages"""
    top = [*as_list(call.body.get("tools")), *as_list(call.body.get("system"))] + [p for m in call.messages for p in parts(m)]
    return [as_dict(p)["cache_control"] for p in top if as_dict(p).get("cache_control")] + (
        [call.body["cache_control"]] if call.body.get("cache_control") else []
    )


def bare_calls(call, kind, think):
    """a call in the current tool loop whose turn does not begin with thinking"""
    last = max(
        (
            i
            for i, m in enumerate(call.messages)
            if m.get("role") == "user" and not any(kind[1] in (p.get("type"), *p) for p in parts(m))
        ),
        default=-1,
    )
    return any(
        m.get("role") == "assistant"
        and any(kind[0] in (p.get("type"), *p) for p in parts(m))
        and not any(w in (parts(m)[0].get("type"), *parts(m)[0]) for w in think)
        for m in call.messages[last + 1 :]
    )


MAGIC = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8", "image/gif": b"GIF8", "image/webp": b"RIFF"}


def wrong_magic(p):
    s = as_dict(p.get("source"))
    try:
        return (
            s.get("type") == "base64"
            and s.get("media_type") in MAGIC
            and not base64.b64decode(s.get("data", ""))[:4].startswith(MAGIC[s["media_type"]])
        )
    except (binascii.Error, ValueError):
        return True


def g_parts(call, kind):
    return [p[kind] for m in call.messages for p in parts(m) if isinstance(p.get(kind), dict)]


def g_count(ms, kind):
    return sum(kind in p for p in parts(ms))


def g_unsigned(call):
    """a step of the current turn whose first call has no signature"""
    last = max(
        (i for i, m in enumerate(call.messages) if m.get("role") == "user" and not g_count(m, "functionResponse")), default=-1
    )
    firsts = [
        next((p for p in parts(m) if "functionCall" in p), None) for m in call.messages[last + 1 :] if m.get("role") == "model"
    ]
    return any(p and not p.get("thoughtSignature") for p in firsts)


def bed(call, kind):
    return [p[kind] for m in call.messages for p in parts(m) if kind in p]


def bed_pairs(call):
    a = b = False
    for i, m in enumerate(call.messages):
        uses = {p["toolUse"].get("toolUseId") for p in parts(m) if "toolUse" in p}
        nxt = (
            {p["toolResult"].get("toolUseId") for p in parts(call.messages[i + 1]) if "toolResult" in p}
            if i + 1 < len(call.messages)
            else set()
        )
        res = {p["toolResult"].get("toolUseId") for p in parts(m) if "toolResult" in p}
        prev = {p["toolUse"].get("toolUseId") for p in parts(call.messages[i - 1]) if "toolUse" in p} if i else set()
        a, b = a or bool(uses - nxt), b or bool(res - prev)
    return a, b


def items(call):
    return [x for x in as_list(call.body.get("input")) if isinstance(x, dict)]


CALLS = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}


def item_ids(call, kinds):
    return [x.get("call_id") for x in items(call) if x.get("type") in kinds]


PREFIX = {"function_call": "fc", "custom_tool_call": "ctc", "reasoning": "rs", "message": "msg"}


def lonely(call):
    it = items(call)
    return any(
        x.get("type") == "reasoning"
        and (
            i + 1 == len(it)
            or it[i + 1].get("type", "message")
            not in ("reasoning", "message", *CALLS, "web_search_call", "tool_search_call", "mcp_call")
            or it[i + 1].get("role", "assistant") != "assistant"
        )
        for i, x in enumerate(it)
    )


CHAT_FIELDS = {
    "model", "messages", "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs",
    "max_completion_tokens", "max_tokens", "metadata", "modalities", "n", "parallel_tool_calls", "prediction", "presence_penalty",
    "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "reasoning_effort", "response_format",
    "safety_identifier", "seed", "service_tier", "stop", "store", "stream", "stream_options", "temperature", "tool_choice",
    "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options", "moderation",
}  # fmt: skip
MSG_FIELDS = {"role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal", "audio", "annotations"}
RESP_BAD = {
    "stop", "n", "seed", "presence_penalty", "frequency_penalty", "max_tokens", "max_completion_tokens", "messages", "logit_bias",
    "logprobs", "reasoning_effort", "top_k", "verbosity", "stream_usage",
}  # fmt: skip
ANT_FIELDS = {
    "model", "max_tokens", "messages", "system", "metadata", "stop_sequences", "stream", "temperature", "top_p", "top_k",
    "thinking", "tools", "tool_choice", "service_tier", "container", "context_management", "mcp_servers", "output_config",
    "output_format", "cache_control", "thread", "inference_geo", "speed", "fallbacks", "diagnostics", "user_profile_id",
}  # fmt: skip
BLOCK_FIELDS = {
    "text": {"type", "text", "cache_control", "citations"},
    "tool_use": {"type", "id", "name", "input", "cache_control", "caller"},
    "tool_result": {"type", "tool_use_id", "content", "is_error", "cache_control"},
    "thinking": {"type", "thinking", "signature", "cache_control"},
    "image": {"type", "source", "cache_control"},
}
GEM_FIELDS = {
    "model", "contents", "tools", "toolConfig", "safetySettings", "systemInstruction", "generationConfig", "cachedContent",
    "labels", "store", "serviceTier",
}  # fmt: skip
GCONF = {
    "candidateCount", "stopSequences", "maxOutputTokens", "temperature", "topP", "topK", "responseMimeType", "responseSchema",
    "responseJsonSchema", "_responseJsonSchema", "presencePenalty", "frequencyPenalty", "seed", "responseLogprobs", "logprobs",
    "enableEnhancedCivicAnswers", "speechConfig", "thinkingConfig", "imageConfig", "mediaResolution", "responseModalities",
    "audioTimestamp", "responseFormat",
}  # fmt: skip
COH_FIELDS = {
    "model", "messages", "tools", "documents", "citation_options", "response_format", "safety_mode", "max_tokens",
    "stop_sequences", "temperature", "seed", "frequency_penalty", "presence_penalty", "k", "p", "logprobs", "tool_choice",
    "strict_tools", "thinking", "stream", "raw_prompting", "priority", "return_prompt",
}  # fmt: skip
OUT_MAX = (
    (r"^deepseek-chat$", 8192),
    (r"^deepseek-reasoner$", 65_536),
    (r"gpt-4o-2024-05-13|gpt-4-turbo|gpt-3\.5-turbo", 4096),
    (r"gpt-4o|gpt-5(\.\d)?-chat", 16_384),
    (r"gpt-4\.1", 32_768),
    (r"gpt-5-pro", 272_000),
    (r"gpt-[56]", 128_000),
    (r"gpt-oss", 65_536),
    (r"^o[134](?!-mini-2024|-preview)", 100_000),
    (r"claude-3-(opus|haiku|sonnet)", 4096),
    (r"claude-3-5", 8192),
    (r"claude-opus-4(-[01]|-2025)", 32000),
    (r"claude-(sonnet-4(?!-6)|haiku-4|opus-4-5)", 64000),
    (r"claude", 128000),
)


def EFFORT(call):
    return call.body.get("reasoning_effort", call.get("reasoning.effort"))


def TC(call, k):
    return call.get("generationConfig.thinkingConfig." + k)


def AT(call):
    return call.get("thinking.type")


def BT(call):
    return call.get("additionalModelRequestFields.thinking.type")


def IC(call, k):
    return call.get("inferenceConfig." + k)


def has(f, bad=lambda x: x is not None):
    return lambda call: f in call.body and bad(call.body[f])


def longer(f, n):
    return lambda call: isinstance(call.body.get(f), str) and len(call.body[f]) > n


def name_bad(rx):
    return lambda call: any(not re.match(rx, str(n)) for n, *_ in tools(call))


def schema_has(*w):
    return lambda call: any_schema(call, lambda x: any(k in x for k in w))


def two_sampling(call):
    return (
        keys(call, "temperature") and keys(call, "top_p")
        if call.dialect != "bedrock"
        else IC(call, "temperature") is not None and IC(call, "topP") is not None
    )


def not_default(call):
    return call.body.get("temperature", 1) != 1 or call.body.get("top_p", 1) != 1 or bool(call.body.get("logprobs"))


def non_obj(s):
    return s is not None and as_dict(s).get("type") != "object"


def JSON_OBJ(call):
    return (call.get("response_format.type") or call.get("text.format.type")) == "json_object"


def draft_4(x):
    """keywords in the form that they had before draft 6 of JSON Schema"""
    return any(isinstance(x.get(k), bool) for k in ("exclusiveMinimum", "exclusiveMaximum", "required"))


def undefined_required(x):
    return isinstance(x.get("required"), list) and bool(set(x["required"]) - set(as_dict(x.get("properties"))))


def ref_conflict(schema):
    """a keyword next to a $ref that the schema it names has, too"""
    for x, _ in walk(schema):
        if isinstance(x.get("$ref"), str) and len(x) > 1:
            found = schema
            for step in x["$ref"].removeprefix("#/").split("/"):
                found = as_dict(as_dict(found).get(step))
            if set(found) & (set(x) - {"$ref"}):
                return True
    return False


def sub_schemas(call):
    return [x for _, s, _, _ in tools(call) for x, _ in walk(s)]


def texts_only(content):
    return isinstance(content, list) and all(as_dict(p).get("type") == "text" for p in content)


def max_items(schema):
    return sum(x.get("maxItems") or 0 for x, _ in walk(schema) if isinstance(x.get("maxItems"), int))


def gem_schemas(call):
    declared = [f for t in as_list(call.body.get("tools")) for f in as_list(as_dict(t).get("functionDeclarations"))]
    return [f.get("parametersJsonSchema") or f.get("parameters") for f in declared]


def enum_values(schema):
    return sum(len(as_list(x.get("enum"))) for x, _ in walk(schema))


def documents(call):
    return [as_dict(p.get("citations")).get("enabled") is True for p in blocks(call, "document")]


def json_object(text):
    try:
        return isinstance(json.loads(text), dict)
    except (TypeError, ValueError):
        return False


STRICT_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
GROQ_MESSAGE = {"role", "content", "tool_calls", "tool_call_id", "name", "reasoning", "function_call"}
FIREWORKS_FIELDS = CHAT_FIELDS | {
    "top_k", "min_p", "repetition_penalty", "mirostat_lr", "mirostat_target", "typical_p", "reasoning_history", "thinking",
    "prompt_truncate_len", "context_length_exceeded_behavior", "ignore_eos", "raw_output", "perf_metrics_in_response", "echo",
    "echo_last", "prompt_cache_isolation_key", "return_token_ids", "speculation", "prompt_cache_max_len",
}  # fmt: skip


CHECKS = {  # what breaks each rule
    "stream_options-without-stream": lambda call: call.body.get("stream_options") is not None and not call.streamed,
    "max_tokens-on-reasoning-model": has("max_tokens"),
    **{f + "-on-reasoning-model": has(f, lambda x: x is not None and x != 1) for f in ("temperature", "top_p")},
    **{f + "-on-reasoning-model": has(f, bool) for f in ("presence_penalty", "frequency_penalty", "logprobs", "logit_bias")},
    "stop-on-reasoning-model": has("stop"),
    "sampling-while-thinking": lambda call: EFFORT(call) not in (None, "none") and not_default(call),
    "sampling-without-effort": lambda call: EFFORT(call) is None and not_default(call),
    "sampling-newest": lambda call: not_default(call),
    "metadata-without-store": lambda call: bool(call.body.get("metadata")) and not call.body.get("store"),
    "stop-over-4": has("stop", lambda x: len(as_list(x)) > 4),
    "stop-empty-list": has("stop", lambda x: x == []),
    "stop-over-1": has("stop", lambda x: len(as_list(x)) > 1),
    "top_logprobs-without-logprobs": lambda call: call.body.get("top_logprobs") and not call.body.get("logprobs"),
    "top_logprobs-over-20": has("top_logprobs", lambda x: (x or 0) > 20),
    "n-over-128": has("n", lambda x: not 1 <= (x or 1) <= 128),
    "tool_choice-without-tools": lambda call: (
        call.body.get("tool_choice") is not None
        and not call.body.get("tools")
        and not (call.vendor == "vllm" and call.body["tool_choice"] == "none")
    ),
    "parallel_tool_calls-without-tools": lambda call: (
        call.body.get("parallel_tool_calls") is not None and not call.body.get("tools")
    ),
    "parallel_tool_calls-on-o-series": has("parallel_tool_calls"),
    "tools-empty-list": has("tools", lambda x: x == []),
    "tool_calls-empty-list": lambda call: any(m.get("tool_calls") == [] for m in call.messages),
    "tools-over-128": lambda call: len(as_list(call.body.get("tools"))) > 128,
    "tool-name-over-64": name_bad(r"^.{0,64}$"),
    "tool-name-characters": name_bad(r"^[a-zA-Z0-9_-]*$"),
    "tool-call-name-characters": lambda call: any(
        not re.match(r"^[a-zA-Z0-9_-]{1,64}$", str(as_dict(t.get("function")).get("name"))) for t in chat_calls(call)
    ),
    "tool-schema-without-properties": lambda call: any(
        isinstance(s, dict) and s.get("type") == "object" and "properties" not in s for _, s, _, _ in tools(call)
    ),
    "tool-schema-root-not-object": lambda call: any(non_obj(s) for _, s, _, _ in tools(call)),
    "tool-schema-root-union": lambda call: any(
        k in as_dict(s)
        for _, s, _, _ in tools(call)
        for k in ("oneOf", "anyOf", "allOf", *(("enum", "not") if call.vendor in ("openai", "azure") else ()))
    ),
    "tool-schema-array-without-items": lambda call: any_schema(call, lambda x: x.get("type") == "array" and "items" not in x),
    "strict-schema-additionalProperties": lambda call: any(map(loose, strict_schemas(call, False))),
    "strict-schema-required-all": lambda call: any(map(optional, strict_schemas(call, False))),
    "strict-schema-keyword": lambda call: any(map(badword, strict_schemas(call, False))),
    "strict-schema-root-anyOf": lambda call: any("anyOf" in s or not is_object(s) for s in strict_schemas(call, False)),
    "strict-schema-depth": lambda call: any(d > 10 for s in strict_schemas(call) for _, d in walk(s)),
    "strict-schema-ref-siblings": lambda call: any(
        "$ref" in x and len(x) > 1 for s in strict_schemas(call) for x, _ in walk(s) if x is not s
    ),
    "strict-tool-schema": lambda call: any(
        loose(s) or (limited(s) if call.dialect == "anthropic_messages" else optional(s) or badword(s))
        for s in strict_schemas(call, True)
    ),
    "gemma-thinking-budget": lambda call: TC(call, "thinkingBudget") is not None,
    "strict-text-schema": lambda call: any(loose(s) or optional(s) or badword(s) for s in strict_schemas(call, False)),
    "json_schema-name-pattern": lambda call: (
        call.get("response_format.json_schema") is not None
        and not re.match(r"^[a-zA-Z0-9_-]{1,64}$", call.get("response_format.json_schema.name", ""))
    ),
    "json_object-needs-word-json": lambda call: JSON_OBJ(call) and "json" not in text_of(call),
    "call-without-result": lambda call: {
        "anthropic_messages": lambda: anth_pairs(call)[0],
        "bedrock": lambda: bed_pairs(call)[0],
    }.get(call.dialect, lambda: chat_pairs(call)[0])(),
    "result-without-call": lambda call: {
        "anthropic_messages": lambda: anth_pairs(call)[1],
        "bedrock": lambda: bed_pairs(call)[1],
    }.get(call.dialect, lambda: chat_pairs(call)[1])(),
    "tool_call-id-over-40": lambda call: (
        any(len(str(t.get("id"))) > 40 for t in chat_calls(call))
        or any(len(m.get("tool_call_id") or "") > 40 for m in call.messages)
    ),
    "tool_call-arguments-not-string": lambda call: chat_args(call, lambda a: not isinstance(a, str)),
    "user-over-64": longer("user", 64),
    "user-over-128": longer("user", 128),
    "safety_identifier-over-64": longer("safety_identifier", 64),
    "prompt_cache_key-over-64": longer("prompt_cache_key", 64),
    "metadata-limits": lambda call: (
        len(as_dict(call.body.get("metadata"))) > 16
        or any(len(k) > 64 or not isinstance(v, str) or len(v) > 512 for k, v in as_dict(call.body.get("metadata")).items())
    ),
    "message-name-pattern": lambda call: any(
        m.get("name") is not None and not re.match(r"^[^\s<|\\/>]{1,64}$", m["name"]) for m in call.messages
    ),
    "content-null": lambda call: any(
        m.get("content") is None
        and not m.get("tool_calls")
        and not m.get("function_call")
        and not m.get("refusal")
        and not m.get("audio")
        for m in call.messages
    ),
    "content-empty-list": lambda call: any(m.get("content") == [] for m in call.messages),
    "messages-empty": lambda call: call.body.get("messages") == [] and call.get("thread.type") != "continue",
    "image-outside-user-message": lambda call: any(
        p.get("type") == "image_url" for m in call.messages if m.get("role") != "user" for p in parts(m)
    ),
    "image-media-type": lambda call: (
        any(
            as_dict(p.get("source")).get("type") == "base64" and as_dict(p.get("source")).get("media_type") not in MAGIC
            for p in blocks(call, "image")
        )
        if call.dialect == "anthropic_messages"
        else any(
            u.startswith("data:")
            and not re.match(r"data:image/(png|jpeg|jpg)" if call.vendor == "xai" else r"data:image/(png|jpeg|jpg|gif|webp)[;,]", u)
            for u in images(call)
            + [p.get("image_url") or "" for x in items(call) for p in parts(x) if p.get("type") == "input_image"]
        )
    ),
    "file-needs-name": lambda call: any(
        f.get("file_data") and (not f.get("filename") or not f["file_data"].startswith("data:"))
        for f in [as_dict(p.get("file")) for p in blocks(call, "file")]
        + [p for x in items(call) for p in parts(x) if p.get("type") == "input_file"]
    ),
    "effort-none-unsupported": lambda call: EFFORT(call) == "none",
    "effort-minimal-unsupported": lambda call: EFFORT(call) == "minimal",
    "effort-xhigh-unsupported": lambda call: (EFFORT(call) or call.get("output_config.effort")) == "xhigh",
    "effort-max-unsupported": lambda call: (EFFORT(call) or call.get("output_config.effort")) == "max",
    "effort-on-plain-model": has("reasoning_effort"),
    "tools-with-effort-in-chat": lambda call: call.body.get("tools") and EFFORT(call) not in (None, "none"),
    "tools-without-effort-none-in-chat": lambda call: call.body.get("tools") and EFFORT(call) is None,
    "responses-only-model": lambda call: True,
    "verbosity-on-plain-model": has("verbosity", lambda x: x not in (None, "medium")),
    "unknown-field": lambda call: bool(
        set(call.body)
        - {
            "openai_chat": FIREWORKS_FIELDS if call.vendor == "fireworks" else CHAT_FIELDS,
            "anthropic_messages": ANT_FIELDS,
            "gemini": GEM_FIELDS,
            "cohere": COH_FIELDS,
            "openai_embeddings": {"model", "input", "encoding_format", "dimensions", "user"},
        }[call.dialect]
    ),
    "part-cache_control": lambda call: any("cache_control" in p for m in call.messages for p in parts(m)),
    # Responses
    "max_output_tokens-under-16": has("max_output_tokens", lambda x: x is not None and x < 16),
    "item-id-prefix": lambda call: any(
        x.get("id") and x.get("type", "message") in PREFIX and not x["id"].startswith(PREFIX[x.get("type", "message")])
        for x in items(call)
    ),
    "item-id-characters": lambda call: any(
        x.get("id") is not None and not re.match(r"^[a-zA-Z0-9_-]{1,64}$", x["id"]) for x in items(call)
    ),
    "call_id-over-64": lambda call: any(not 1 <= len(x) <= 64 for x in item_ids(call, {*CALLS, *CALLS.values()}) if x is not None),
    "output-without-call": lambda call: (
        not call.body.get("previous_response_id")
        and not call.body.get("conversation")
        and any(set(item_ids(call, {o})) - set(item_ids(call, {k})) for k, o in CALLS.items())
    ),
    "call-without-output": lambda call: any(set(item_ids(call, {k})) - set(item_ids(call, {o})) for k, o in CALLS.items()),
    "reasoning-without-following-item": lonely,
    "reasoning-unsaved": lambda call: (
        call.body.get("store") is False
        and any(x.get("type") == "reasoning" and not x.get("encrypted_content") for x in items(call))
    ),
    "encrypted_content-foreign": lambda call: any(
        x.get("type") == "reasoning" and x.get("encrypted_content") and not x["encrypted_content"].startswith("gAAAA")
        for x in items(call)
    ),
    "previous_response_id-with-conversation": lambda call: call.body.get("previous_response_id") and call.body.get("conversation"),
    "input-part-by-role": lambda call: any(
        (p.get("type") or "").startswith("input_") if x.get("role") == "assistant" else p.get("type") in ("output_text", "refusal")
        for x in items(call)
        if x.get("role")
        for p in parts(x)
    ),
    "input-role": lambda call: any(
        x.get("role") and x["role"] not in ("user", "assistant", "system", "developer") for x in items(call)
    ),
    "encrypted-include-on-plain-model": lambda call: "reasoning.encrypted_content" in as_list(call.body.get("include")),
    "reasoning-on-plain-model": lambda call: bool(call.get("reasoning.effort") or call.get("reasoning.summary")),
    "chat-field": lambda call: bool(set(call.body) & RESP_BAD),
    "response_format-moved": has("response_format"),
    "tool-shape": lambda call: any(
        t.get("type") == "function" and "name" not in t for t in map(as_dict, as_list(call.body.get("tools")))
    ),
    "tool-name-over-128": name_bad(r"^[a-zA-Z0-9_-]{1,128}$"),
    "arguments-not-string": lambda call: any(
        x.get("type") == "function_call" and not isinstance(x.get("arguments"), str) for x in items(call)
    ),
    "background-needs-store": lambda call: call.body.get("background") and call.body.get("store") is False,
    # Anthropic
    "version-header": lambda call: not call.headers.get("anthropic-version"),
    "max_tokens-missing": lambda call: not call.body.get("max_tokens"),
    "max_tokens-over-model": lambda call: (
        max(call.body.get(name) or 0 for name in ("max_tokens", "max_completion_tokens"))
        > next((n for rx, n in OUT_MAX if re.search(rx, call.model)), 10**9)
    ),
    "temperature-and-top_p": two_sampling,
    "sampling-removed": lambda call: (
        call.body.get("temperature", 1) != 1 or call.body.get("top_p", 1) < 0.99 or keys(call, "top_k")
        if call.dialect != "bedrock"
        else IC(call, "temperature") is not None or IC(call, "topP") is not None
    ),
    "temperature-over-1": has("temperature", lambda x: (x or 0) > 1),
    "thinking-temperature": lambda call: (
        (AT(call) == "enabled" and call.body.get("temperature", 1) != 1)
        or (BT(call) == "enabled" and IC(call, "temperature") not in (None, 1))
    ),
    "adaptive-temperature": lambda call: AT(call) == "adaptive" and call.body.get("temperature", 1) != 1,
    "thinking-top_k": lambda call: AT(call) == "enabled" and keys(call, "top_k"),
    "thinking-top_p": lambda call: AT(call) == "enabled" and call.body.get("top_p", 1) < 0.95,
    "thinking-budget-under-1024": lambda call: AT(call) == "enabled" and call.get("thinking.budget_tokens", 0) < 1024,
    "thinking-budget-over-max_tokens": lambda call: (
        AT(call) == "enabled" and call.get("thinking.budget_tokens", 0) >= (call.body.get("max_tokens") or 0)
    ),
    "thinking-forced-tool_choice": lambda call: (
        AT(call) in ("enabled", "adaptive") and call.get("tool_choice.type") in ("any", "tool")
    ),
    "thinking-enabled-removed": lambda call: "enabled" in (AT(call), BT(call)),
    "thinking-adaptive-unsupported": lambda call: AT(call) == "adaptive",
    "thinking-disabled-refused": lambda call: AT(call) == "disabled",
    "forced-tool_choice-refused": lambda call: call.get("tool_choice.type") in ("any", "tool"),
    "prefill-refused": lambda call: bool(call.messages) and call.messages[-1].get("role") == "assistant",
    "prefill-with-thinking": lambda call: (
        AT(call) == "enabled" and bool(call.messages) and call.messages[-1].get("role") == "assistant"
    ),
    "thinking-block-missing": lambda call: (
        "enabled" in (AT(call), BT(call))
        and bare_calls(
            call,
            *(
                (("tool_use", "tool_result"), ("thinking", "redacted_thinking"))
                if call.dialect != "bedrock"
                else (("toolUse", "toolResult"), ("reasoningContent",))
            ),
        )
    ),
    "thinking-signature-invalid": lambda call: (
        any(p.get("signature") != SIG for p in blocks(call, "thinking"))
        or any(
            as_dict(p.get("reasoningText")).get("signature") != SIG for p in bed(call, "reasoningContent") if "reasoningText" in p
        )
    ),
    "text-empty": lambda call: (
        any(p.get("text") == "" for p in blocks(call, "text"))
        if call.dialect != "gemini"
        else any(p.get("text") == "" and len(p) == 1 for m in call.messages for p in parts(m))
    ),
    "text-blank": lambda call: (
        any(p.get("text") and not p["text"].strip() for p in blocks(call, "text"))
        if call.dialect != "bedrock"
        else any(not (t or "").strip() for t in bed(call, "text"))
        or any("text" in s and not s["text"].strip() for s in as_list(call.body.get("system")))
    ),
    "system-text-empty": lambda call: any(as_dict(p).get("text") == "" for p in as_list(call.body.get("system"))),
    "cache_control-on-empty-text": lambda call: any(p.get("text") == "" and p.get("cache_control") for p in blocks(call, "text")),
    "cache_control-over-4": lambda call: len(marks(call)) > 4,
    "cache_control-ttl-order": lambda call: (lambda t: any(a == "5m" and b == "1h" for a, b in itertools.pairwise(t)))(
        [as_dict(x).get("ttl", "5m") for x in marks(call)]
    ),
    "cache_control-ttl-value": lambda call: any(as_dict(x).get("ttl", "5m") not in ("5m", "1h") for x in marks(call)),
    "cache_control-inside-tool_result": lambda call: any(
        "cache_control" in as_dict(q) for p in blocks(call, "tool_result") for q in as_list(p.get("content"))
    ),
    "cache_control-on-thinking": lambda call: any("cache_control" in p for p in blocks(call, "thinking", "redacted_thinking")),
    "first-message-user": lambda call: bool(call.messages) and call.messages[0].get("role") == "assistant",
    "system-role-in-messages": lambda call: any(m.get("role") == "system" for m in call.messages),
    "content-empty": lambda call: any(
        m.get("content") in ("", [], None)
        for i, m in enumerate(call.messages)
        if call.dialect == "bedrock" or m.get("role") == "user" or i + 1 < len(call.messages)
    ),
    "final-whitespace": lambda call: (
        bool(call.messages)
        and call.messages[-1].get("role") == "assistant"
        and (lambda t: isinstance(t, str) and t != t.rstrip())(
            call.messages[-1]["content"]
            if isinstance(call.messages[-1].get("content"), str)
            else (parts(call.messages[-1]) or [{}])[-1].get("text")
        )
    ),
    "tool_use-id-unique": lambda call: (lambda i: len(i) != len(set(i)))([p.get("id") for p in blocks(call, "tool_use")]),
    "tool_result-id-unique": lambda call: anth_pairs(call)[2],
    "tool_use-input-object": lambda call: any(not isinstance(p.get("input"), dict) for p in blocks(call, "tool_use")),
    "tool_result-first": lambda call: any(
        a.get("type") != "tool_result" and b.get("type") == "tool_result"
        for m in call.messages
        for a, b in zip(parts(m), parts(m)[1:], strict=False)
    ),
    "tool_use-id-pattern": lambda call: any(
        not re.match(r"^[a-zA-Z0-9_-]+$", str(p.get("id", p.get("tool_use_id")))) for p in blocks(call, "tool_use", "tool_result")
    ),
    "tool-name-pattern": lambda call: name_bad(
        r"^[a-zA-Z0-9_-]{1,64}$" if call.dialect == "bedrock" else r"^[a-zA-Z0-9_-]{1,128}$"
    )(call),
    "tool-name-unique": lambda call: (lambda n: len(n) != len(set(n)))([n for n, *_ in tools(call)]),
    "tool-schema-type": lambda call: any(as_dict(s).get("type") != "object" for _, s, _, _ in tools(call)),
    "tool-schema-property-key": lambda call: any_schema(
        call, lambda x: any(not re.match(r"^[a-zA-Z0-9_.-]{1,64}$", k) for k in as_dict(x.get("properties")))
    ),
    "tools-missing-with-tool-blocks": lambda call: bool(blocks(call, "tool_use", "tool_result")) and not call.body.get("tools"),
    "stop-blank": lambda call: any(
        x and not x.strip() for x in as_list(call.body.get("stop_sequences")) + as_list(IC(call, "stopSequences"))
    ),
    "stop-empty": has("stop_sequences", lambda x: "" in as_list(x)),
    "user_id-over-256": lambda call: len(str(call.get("metadata.user_id", ""))) > 256,
    "user_id-personal": lambda call: bool(
        re.fullmatch(r"[^@\s]+@[^@\s]+\.\w+|\+?[\d ()-]{9,}", str(call.get("metadata.user_id", "")))
    ),
    "image-media-type-wrong": lambda call: any(map(wrong_magic, blocks(call, "image"))),
    "document-source": lambda call: any(
        (s.get("type"), s.get("media_type")) not in (("base64", "application/pdf"), ("text", "text/plain"))
        and s.get("type") in ("base64", "text")
        for s in (as_dict(p.get("source")) for p in blocks(call, "document"))
    ),
    "effort-unsupported": lambda call: (
        (call.get("output_config.effort") or (EFFORT(call) if call.vendor == "xai" else None)) is not None
    ),
    "effort-word": lambda call: call.get("output_config.effort", "low") not in ("low", "medium", "high", "xhigh", "max"),
    "format-additionalProperties": lambda call: loose(call.get("output_config.format.schema", {})),
    "format-keyword": lambda call: limited(call.get("output_config.format.schema", {})),
    "format-unsupported": lambda call: call.get("output_config.format") is not None,
    "unknown-block-field": lambda call: any(set(p) - BLOCK_FIELDS[p["type"]] for p in blocks(call, *BLOCK_FIELDS)),
    "beta-context_management": lambda call: (
        keys(call, "context_management")
        and not re.search("context-management|compact-|claude-code", call.headers.get("anthropic-beta", ""))
    ),
    "beta-thread": lambda call: keys(call, "thread") and "message-threads" not in call.headers.get("anthropic-beta", ""),
    "thread-continue-repeats": lambda call: call.get("thread.type") == "continue" and keys(call, "system", "tools"),
    "beta-mcp_servers": lambda call: keys(call, "mcp_servers") and "mcp-client" not in call.headers.get("anthropic-beta", ""),
    "error-result-empty": lambda call: any(p.get("is_error") and not p.get("content") for p in blocks(call, "tool_result")),
    "error-result-picture": lambda call: any(
        p.get("is_error") and any(as_dict(q).get("type") != "text" for q in as_list(p.get("content")))
        for p in blocks(call, "tool_result")
    ),
    # Gemini
    "role": lambda call: any(m.get("role", "user") not in ("user", "model", "function") for m in call.messages),
    "role-missing": lambda call: any(not m.get("role") for m in call.messages),
    "contents-empty": lambda call: not call.messages,
    "parts-empty": lambda call: any(not parts(m) for m in call.messages),
    "part-without-data": lambda call: any(
        not set(p) - {"thought", "thoughtSignature", "videoMetadata", "mediaResolution"} and "thoughtSignature" not in p
        for m in call.messages
        for p in parts(m)
    ),
    "call-after-user": lambda call: any(
        g_count(m, "functionCall") and (i == 0 or call.messages[i - 1].get("role") == "model") for i, m in enumerate(call.messages)
    ),
    "response-after-call": lambda call: any(
        g_count(m, "functionResponse") and (i == 0 or not g_count(call.messages[i - 1], "functionCall"))
        for i, m in enumerate(call.messages)
    ),
    "response-count": lambda call: any(
        g_count(a, "functionCall") != g_count(b, "functionResponse")
        for a, b in zip(call.messages, call.messages[1:], strict=False)
        if g_count(a, "functionCall")
    ),
    "response-name": lambda call: any(
        sorted(str(p["functionCall"].get("name")) for p in parts(a) if "functionCall" in p)
        != sorted(str(p["functionResponse"].get("name")) for p in parts(b) if "functionResponse" in p)
        for a, b in zip(call.messages, call.messages[1:], strict=False)
        if g_count(a, "functionCall") and g_count(b, "functionResponse")
    ),
    "response-object": lambda call: any(not isinstance(x.get("response"), dict) for x in g_parts(call, "functionResponse")),
    "thought-signature-missing": g_unsigned,
    "thought-signature-invalid": lambda call: any(
        p.get("thoughtSignature") and p["thoughtSignature"] not in {GSIG, *SKIP} for m in call.messages for p in parts(m)
    ),
    "schema-additionalProperties": schema_has("additionalProperties"),
    "schema-$schema": schema_has("$schema", "$id", "$comment"),
    "schema-const": schema_has("const"),
    "schema-exclusive": schema_has("exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "schema-propertyNames": schema_has(
        "propertyNames",
        "patternProperties",
        "if",
        "then",
        "not",
        "dependentRequired",
        "allOf",
        "oneOf",
        "examples",
        "uniqueItems",
        "contentEncoding",
    ),
    "schema-type-list": lambda call: any_schema(call, lambda x: isinstance(x.get("type"), list)),
    "schema-required-unknown": lambda call: any_schema(
        call, lambda x: bool(set(as_list(x.get("required"))) - set(as_dict(x.get("properties"))))
    ),
    "schema-array-items": lambda call: any_schema(
        call, lambda x: str(x.get("type")).upper() == "ARRAY" and not isinstance(x.get("items"), dict)
    ),
    "schema-object-empty": lambda call: any_schema(
        call, lambda x: str(x.get("type")).upper() == "OBJECT" and not x.get("properties")
    ),
    "schema-enum-type": lambda call: any_schema(
        call, lambda x: "enum" in x and (str(x.get("type")).upper() != "STRING" or "" in x["enum"])
    ),
    "schema-format": lambda call: any_schema(
        call, lambda x: str(x.get("type")).upper() == "STRING" and x.get("format", "enum") not in ("enum", "date-time")
    ),
    "function-name": name_bad(r"^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$"),
    "function-unique": lambda call: (lambda n: len(n) != len(set(n)))([n for n, *_ in tools(call)]),
    "json-with-functions": lambda call: bool(tools(call)) and call.get("generationConfig.responseMimeType") == "application/json",
    "builtin-with-functions": lambda call: (
        bool(tools(call)) and any(set(t) & {"googleSearch", "codeExecution", "urlContext"} for t in as_list(call.body.get("tools")))
    ),
    "budget-pro": lambda call: (
        TC(call, "thinkingBudget") is not None
        and TC(call, "thinkingBudget") != -1
        and not 128 <= TC(call, "thinkingBudget") <= 32768
    ),
    "budget-flash": lambda call: TC(call, "thinkingBudget") is not None and not -1 <= TC(call, "thinkingBudget") <= 24576,
    "budget-flash-lite": lambda call: (
        TC(call, "thinkingBudget") not in (None, 0, -1) and not 512 <= TC(call, "thinkingBudget") <= 24576
    ),
    "level-unsupported": lambda call: TC(call, "thinkingLevel") is not None,
    "level-and-budget": lambda call: TC(call, "thinkingLevel") is not None and TC(call, "thinkingBudget") is not None,
    "level-pro": lambda call: (
        str(TC(call, "thinkingLevel")).lower() == "minimal"
        or (str(TC(call, "thinkingLevel")).lower() == "medium" and "gemini-3-" in call.model)
    ),
    "thinking-unsupported": lambda call: bool(call.get("generationConfig.thinkingConfig")),
    "stop-over-5": lambda call: (
        max(len(as_list(call.get("generationConfig.stopSequences"))), len(as_list(call.body.get("stop_sequences")))) > 5
    ),
    "temperature-over-2": lambda call: call.get("generationConfig.temperature", 0) > 2,
    "media-type": lambda call: any(
        not re.match(
            r"(image/(png|jpe?g|webp|heic|heif|gif)|audio/|video/|application/pdf|text/|application/(json|xml|x-javascript|x-python|rtf))",
            x.get("mimeType", ""),
        )
        for x in g_parts(call, "inlineData")
    ),
    "config-without-functions": lambda call: call.get("toolConfig.functionCallingConfig") is not None and not tools(call),
    "allowed-names-mode": lambda call: (
        bool(call.get("toolConfig.functionCallingConfig.allowedFunctionNames"))
        and call.get("toolConfig.functionCallingConfig.mode") not in ("ANY", "VALIDATED")
    ),
    "allowed-names-known": lambda call: bool(
        set(call.get("toolConfig.functionCallingConfig.allowedFunctionNames", [])) - {n for n, *_ in tools(call)}
    ),
    "unknown-config-field": lambda call: bool(set(call.get("generationConfig", {})) - GCONF),
    "penalty-unsupported": lambda call: bool(
        call.get("generationConfig.presencePenalty") or call.get("generationConfig.frequencyPenalty")
    ),
    "gemma-system": has("systemInstruction"),
    "cached-with-system": lambda call: keys(call, "cachedContent") and keys(call, "systemInstruction", "tools", "toolConfig"),
    # Bedrock
    "tool-use-name-pattern": lambda call: any(
        not re.match(r"^[a-zA-Z0-9_-]{1,64}$", p.get("name", "")) for p in bed(call, "toolUse")
    ),
    "toolUseId-pattern": lambda call: any(
        not re.match(r"^[a-zA-Z0-9_.:-]{1,64}$", str(p.get("toolUseId"))) for p in bed(call, "toolUse") + bed(call, "toolResult")
    ),
    "toolConfig-missing": lambda call: bool(bed(call, "toolUse") or bed(call, "toolResult")) and not tools(call),
    "tools-empty": lambda call: call.get("toolConfig.tools") == [],
    "tool-description-empty": lambda call: any(d == "" for _, _, d, _ in tools(call)),
    "toolChoice-forced": lambda call: bool(set(call.get("toolConfig.toolChoice", {})) & {"any", "tool"}),
    "stop-unsupported": lambda call: bool(IC(call, "stopSequences")),
    "tools-while-streaming": lambda call: call.streamed and "toolConfig" in call.body,
    "system-unsupported": lambda call: bool(call.body.get("system")),
    "thinking-off-over-high": lambda call: (
        AT(call) in ("disabled", "between_tools") and call.get("output_config.effort") in ("xhigh", "max")
    ),
    "cachePoint-unsupported": lambda call: '"cachePoint"' in json.dumps(call.body),
    "toolChoice-none": lambda call: bool(set(call.get("toolConfig.toolChoice", {})) - {"auto", "any", "tool"}),
    "document-name": lambda call: any(
        not re.match(r"^(?!.*\s\s)[a-zA-Z0-9_ ()\[\]-]{1,200}$", d.get("name", "")) for d in bed(call, "document")
    ),
    "document-name-unique": lambda call: (lambda n: len(n) != len(set(n)))([d.get("name") for d in bed(call, "document")]),
    "document-needs-text": lambda call: any(
        any("document" in p for p in parts(m)) and not any("text" in p for p in parts(m)) for m in call.messages
    ),
    "documents-over-5": lambda call: len(bed(call, "document")) > 5,
    "images-over-20": lambda call: any(sum("image" in p for p in parts(m)) > 20 for m in call.messages),
    "image-format": lambda call: any(i.get("format") not in ("png", "jpeg", "gif", "webp") for i in bed(call, "image")),
    "first-user": lambda call: bool(call.messages) and call.messages[0].get("role") != "user",
    "alternate": lambda call: not alternates([m for m in call.messages if m.get("role") not in ("system", "developer")]),
    "thinking-forced-tool": lambda call: (
        BT(call) in ("enabled", "adaptive") and bool(set(call.get("toolConfig.toolChoice", {})) & {"any", "tool"})
    ),
    "cachePoint-over-4": lambda call: (
        sum(
            "cachePoint" in p
            for p in [
                *as_list(call.body.get("system")),
                *as_list(call.get("toolConfig.tools")),
                *(p for m in call.messages for p in parts(m)),
            ]
        )
        > 4
    ),
    # others in OpenAI's dialect
    "reasoning-missing": lambda call: unsent(call, "reasoning_content"),
    "reasoning_details-missing": lambda call: unsent(call, "reasoning_details", "reasoning", "reasoning_content"),
    "forced-tool_choice-while-thinking": lambda call: (
        forced(call) and not thinking_off(call) and (call.vendor != "qwen" or call.body.get("enable_thinking") is True)
    ),
    "image-part": lambda call: bool(images(call)),
    "role-developer": lambda call: any(m.get("role") == "developer" for m in call.messages),
    "json_schema": lambda call: call.get("response_format.type") == "json_schema",
    "sampling-ignored": lambda call: (
        not thinking_off(call) and keys(call, "temperature", "top_p", "presence_penalty", "frequency_penalty")
    ),
    "tool-call-id": lambda call: any(
        not re.match(r"^[a-zA-Z0-9]{9}$", str(i))
        for i in [t.get("id") for t in chat_calls(call)] + [m.get("tool_call_id") for m in call.messages if m.get("role") == "tool"]
    ),
    "role-after-tool": lambda call: any(
        a.get("role") == "tool" and b.get("role") not in ("tool", "assistant")
        for a, b in zip(call.messages, call.messages[1:], strict=False)
    ),
    "system-after-assistant": lambda call: any(
        a.get("role") in ("assistant", "tool") and b.get("role") == "system"
        for a, b in zip(call.messages, call.messages[1:], strict=False)
    ),
    "last-message": lambda call: (
        len(call.messages) > 1 and call.messages[-1].get("role") == "assistant" and not call.messages[-1].get("prefix")
    ),
    "call-count": lambda call: chat_pairs(call)[0],
    "assistant-empty": lambda call: any(
        m.get("role") == "assistant" and not m.get("content") and not m.get("tool_calls") for m in call.messages
    ),
    **{
        "extra-" + f: has(f)
        for f in ["max_completion_tokens", "user", "logprobs", "logit_bias", "seed", "store", "service_tier", "stream_options"]
    },
    "extra-message-field": lambda call: any(
        set(m) - {"role", "content", "name", "tool_calls", "tool_call_id", "prefix"} for m in call.messages
    ),
    "message-reasoning_content": lambda call: any("reasoning_content" in m for m in call.messages),
    **{
        "field-" + f: has(f, (lambda x: (x or 1) > 1) if f == "n" else (lambda x: bool(x)))
        for f in ["logprobs", "top_logprobs", "logit_bias", "n", "frequency_penalty", "presence_penalty"]
    },
    "message-name": lambda call: any(m.get("name") for m in call.messages if m.get("role") != "tool"),
    "json-with-tools": lambda call: (
        bool(call.body.get("tools")) and call.get("response_format.type") in ("json_object", "json_schema")
    ),
    "effort-qwen": lambda call: EFFORT(call) not in (None, "none", "default"),
    "effort-gpt-oss": lambda call: EFFORT(call) not in (None, "low", "medium", "high"),
    "effort-plain": has("reasoning_effort"),
    "reasoning_format-raw": lambda call: (
        call.body.get("reasoning_format") == "raw" and (call.body.get("tools") or call.body.get("response_format"))
    ),
    "json_schema-model": lambda call: call.get("response_format.type") == "json_schema",
    "images-over-5": lambda call: len(images(call)) > 5,
    "file-part": lambda call: bool(blocks(call, "file")),
    **{"reasoning-" + f: has(f) for f in ("presence_penalty", "frequency_penalty", "stop")},
    "presence_penalty-newest": has("presence_penalty"),
    "effort-words": lambda call: (
        EFFORT(call) is not None
        and EFFORT(call) not in (("low", "high") if call.vendor == "xai" else ("none", "low", "medium", "high", "max"))
    ),
    "tools-strict-mixed": lambda call: len({bool(s) for *_, s in tools(call)}) > 1,
    "temperature": lambda call: keys(call, "temperature") and call.body["temperature"] != (0.6 if thinking_off(call) else 1),
    "top_p": lambda call: call.body.get("top_p", 0.95) != 0.95,
    "thinking-and-effort": lambda call: keys(call, "thinking") and keys(call, "reasoning_effort"),
    "schema-anyOf-type": lambda call: any_schema(call, lambda x: "anyOf" in x and "type" in x),
    "image-url-remote": lambda call: any(u.startswith("http") for u in images(call)),
    "tool_choice": lambda call: call.body.get("tool_choice") not in (None, "auto"),
    "user_id-length": lambda call: "user_id" in call.body and not 6 <= len(call.body["user_id"] or "") <= 128,
    "only-system": lambda call: bool(call.messages) and all(m.get("role") == "system" for m in call.messages),
    "thinking-needs-stream": lambda call: not call.streamed and call.body.get("enable_thinking") is not False,
    "json-while-thinking": lambda call: JSON_OBJ(call) and call.body.get("enable_thinking") is True,
    "system-once": lambda call: any(m.get("role") == "system" for m in call.messages[1:]),
    "temperature-zero": has("temperature", lambda x: x == 0),
    "system-first": lambda call: any(
        a.get("role") != "system" and b.get("role") == "system" for a, b in zip(call.messages, call.messages[1:], strict=False)
    ),
    "last-user": lambda call: bool(call.messages) and call.messages[-1].get("role") not in ("user", "tool"),
    "effort-and-max_tokens": lambda call: call.get("reasoning.effort") is not None and call.get("reasoning.max_tokens") is not None,
    "max_tokens-needs-stream": lambda call: (
        not call.streamed and (call.body.get("max_tokens") or call.body.get("max_completion_tokens") or 0) > 4096
    ),
    "system-not-first": mid_system,
    "mistral-alternate": lambda call: not alternates([m for m in call.messages if m.get("role") != "system"]),
    "arguments-not-json": lambda call: chat_args(call, lambda a: not valid_json(a)),
    "logprobs-in-streams-with-tools": lambda call: call.streamed and call.body.get("tools") and call.body.get("logprobs"),
    "format-with-prefill": lambda call: (
        as_dict(call.body.get("response_format")).get("type") in ("json_object", "json_schema")
        and bool(call.messages)
        and call.messages[-1].get("role") == "assistant"
    ),
    "tools-functions": lambda call: any(t.get("type") != "function" for t in as_list(call.body.get("tools"))),
    "calls-last": lambda call: bool(call.messages) and bool(call.messages[-1].get("tool_calls")),
    "schema-boolean": lambda call: any_schema(
        call,
        lambda x: (
            isinstance(x.get("items"), bool)
            or any(isinstance(y, bool) for y in as_dict(x.get("properties")).values())
            or any(isinstance(y, bool) for k in ("anyOf", "oneOf", "allOf") for y in as_list(x.get(k)))
        ),
    ),
    "two-assistants-last": lambda call: [m.get("role") for m in call.messages[-2:]] == ["assistant", "assistant"],
    "content-missing": lambda call: any("content" not in m and not m.get("tool_calls") for m in call.messages),
    "response_format-json_object": JSON_OBJ,
    "tool_choice-object": lambda call: isinstance(call.body.get("tool_choice"), dict),
    "forced-without-tools": lambda call: call.body.get("tool_choice") == "required" and not call.body.get("tools"),
    "content-not-string": lambda call: any(not isinstance(m.get("content", ""), str) for m in call.messages),
    "image-data-url": lambda call: any(i.startswith(("data:", "http")) for m in call.messages for i in as_list(m.get("images"))),
    "arguments-object": lambda call: chat_args(call, lambda a: not isinstance(a, dict)),
    "think-unsupported": lambda call: call.body.get("think") not in (None, False),
    "tools-unsupported": lambda call: bool(call.body.get("tools")) or "toolConfig" in call.body,
    "think-value": lambda call: call.body.get("think") not in (None, True, False, "low", "medium", "high", "max"),
    "option-type": lambda call: (
        not isinstance(call.get("options.stop", []), list) or not isinstance(call.get("options.num_predict", 0), int)
    ),
    # Cohere, embeddings
    "p-range": lambda call: "p" in call.body and not 0.01 <= call.body["p"] <= 0.99,
    "k-range": lambda call: "k" in call.body and not 0 <= call.body["k"] <= 500,
    "penalty-range": lambda call: any(not 0 <= (call.body.get(k) or 0) <= 1 for k in ("frequency_penalty", "presence_penalty")),
    "tool_choice-words": lambda call: call.body.get("tool_choice") not in (None, "REQUIRED", "NONE"),
    "message-empty": lambda call: any(not m.get("content") and not m.get("tool_calls") for m in call.messages),
    "strict-tools-required": lambda call: (
        call.body.get("strict_tools") and any(not as_dict(s).get("required") for _, s, _, _ in tools(call))
    ),
    "dimensions-unsupported": has("dimensions"),
    "dimensions": has("dimensions"),
    "input-empty": lambda call: call.body.get("input") in ("", []) or "" in as_list(call.body.get("input")),
    "input-over-2048": lambda call: len(as_list(call.body.get("input"))) > 2048,
    "encoding_format": has("encoding_format", lambda x: x != "base64"),
    # JSON Schema drafts, and what single vendors add to them
    **dict.fromkeys(
        ("tool-schema-tuple", "schema-tuple"),
        lambda call: any(isinstance(x.get("items"), list) for x in sub_schemas(call)),
    ),
    "tool-schema-draft-4": lambda call: any(map(draft_4, sub_schemas(call))),
    "schema-items-boolean": lambda call: any(isinstance(x.get("items"), bool) for x in sub_schemas(call)),
    "schema-required-undefined": lambda call: any(map(undefined_required, sub_schemas(call))),
    "schema-required-list": lambda call: any("required" in x and not isinstance(x["required"], list) for x in sub_schemas(call)),
    "schema-ref-siblings": lambda call: any(ref_conflict(s) for _, s, _, _ in tools(call)),
    "schema-root-type": lambda call: any(as_dict(s).get("type") != "object" for _, s, _, _ in tools(call) if s is not None),
    "tool-parameters-missing": lambda call: any(not s for _, s, _, _ in tools(call)),
    "tool-parameters-type": lambda call: any(
        as_dict(s).get("type") != "object" or "properties" not in s for _, s, _, _ in tools(call) if s is not None
    ),
    **dict.fromkeys(
        ("tool-schema-boolean", "native-tool-schema-boolean"),
        lambda call: any(not isinstance(y, dict) for x in sub_schemas(call) for y in as_dict(x.get("properties")).values()),
    ),
    "schema-repetitions": lambda call: any(
        isinstance(x.get(k), int) and x[k] > 2000
        for s in [*(s for _, s, _, _ in tools(call)), as_dict(call.get("response_format.json_schema.schema"))]
        for x, _ in walk(s)
        for k in ("minLength", "maxLength", "minItems", "maxItems")
    ),
    "functions-over-512": lambda call: len(gem_schemas(call)) > 512,
    "maxItems-budget": lambda call: any(max_items(s) > 960 for s in gem_schemas(call)),
    "json_schema-keyword": lambda call: (
        call.get("response_format.json_schema.strict") is True
        and any(k in x for x, _ in walk(call.get("response_format.json_schema.schema")) for k in ("minItems", "maxItems"))
    ),
    "strict-schema-format": lambda call: any(
        x.get("format") not in (None, *STRICT_FORMATS) for s in strict_schemas(call) for x, _ in walk(s)
    ),
    "strict-schema-enum-size": lambda call: any(enum_values(s) > 1000 for s in strict_schemas(call)),
    "strict-schema-fine-tuned": lambda call: any(
        k in x
        for s in strict_schemas(call)
        for x, _ in walk(s)
        for k in ("minLength", "maxLength", "pattern", "format", "minimum", "maximum", "multipleOf", "minItems", "maxItems")
    ),
    # fields and values
    "tool-name-begins-with-letter": name_bad(r"^[a-zA-Z]"),
    "tool-name-search": lambda call: any(n == "search" for n, *_ in tools(call)),
    "thinking-type": lambda call: call.get("thinking.type") not in (None, "adaptive", "disabled"),
    "message-without-content": lambda call: any(m.get("content") is None or m.get("content") == [] for m in call.messages),
    "call-without-content": lambda call: any(m.get("content") is None for m in call.messages),
    "content-key-missing": lambda call: any("content" not in m for m in call.messages),
    "content-missing-without-calls": lambda call: any(m.get("content") is None and not m.get("tool_calls") for m in call.messages),
    "content-list": lambda call: any(texts_only(m.get("content")) for m in call.messages),
    "tool-content-list": lambda call: any(isinstance(m.get("content"), list) for m in call.messages if m.get("role") == "tool"),
    "system-content-list": lambda call: any(isinstance(m.get("content"), list) for m in call.messages if m.get("role") == "system"),
    "arguments-not-object": lambda call: chat_args(call, lambda a: not json_object(a)),
    "unknown-message-field": lambda call: any(
        set(m) - (GROQ_MESSAGE if call.vendor == "groq" else MSG_FIELDS) for m in call.messages
    ),
    "field-metadata": has("metadata"),
    "field-store": has("store"),
    "field-chat_template_kwargs": has("chat_template_kwargs"),
    "greedy-top_p": lambda call: call.body.get("temperature") == 0 and call.body.get("top_p", 1) not in (None, 1),
    "greedy-n": lambda call: call.body.get("temperature") == 0 and (call.body.get("n") or 1) > 1,
    "extra-tool-list-empty": has("tools", lambda x: x == []),
    "logprobs-boolean": has("logprobs", lambda x: isinstance(x, bool)),
    "frequency_penalty-zero": has("frequency_penalty", lambda x: x is not None and x <= 0),
    "top_p-range": has("top_p", lambda x: x is not None and not 0 < x <= 1),
    "temperature-range": has("temperature", lambda x: x is not None and not 0 <= x < 2),
    "temperature-over-2-chat": has("temperature", lambda x: (x or 0) > 2),
    "converse-temperature-over-1": lambda call: (IC(call, "temperature") or 0) > 1,
    "penalties-range": lambda call: any(abs(call.body.get(k) or 0) > 2 for k in ("presence_penalty", "frequency_penalty")),
    "tool_choice-required": lambda call: forced(call),
    "tool-web_search-null": lambda call: any(
        as_dict(t).get("type") == "web_search" and not as_dict(t).get("web_search") for t in as_list(call.body.get("tools"))
    ),
    "stop-empty-text": has("stop", lambda x: x == "" or "" in as_list(x)),
    **{"extra-" + f: has(f) for f in ("prompt_cache_key", "reasoning", "enable_thinking")},
    "prompt_cache_retention": has("prompt_cache_retention"),
    "prompt_cache_key-foreign-model": has("prompt_cache_key"),
    "nova-top_k": lambda call: call.get("additionalModelRequestFields.top_k") is not None,
    "tool-strict": lambda call: any("strict" in as_dict(as_dict(t).get("function")) for t in as_list(call.body.get("tools"))),
    "call-id-unknown": lambda call: any("id" in x for x in g_parts(call, "functionCall") + g_parts(call, "functionResponse")),
    "reasoning-status": lambda call: any(x.get("type") == "reasoning" and "status" in x for x in items(call)),
    "citations-with-format": lambda call: any(documents(call)) and call.get("output_config.format") is not None,
    "citations-mixed": lambda call: len(set(documents(call))) > 1,
    "models-over-3": lambda call: len(as_list(call.body.get("models"))) > 3,
    "input-over-10": lambda call: len(as_list(call.body.get("input"))) > 10,
    "input-over-1000": lambda call: len(as_list(call.body.get("input"))) > 1000,
    "input_type-required": lambda call: not call.body.get("input_type"),
}


def valid_json(a):
    try:
        json.loads(a)
        return True
    except (TypeError, ValueError):
        return False


def check_of(rule: dict[str, Any]) -> str:
    """The name of the rule's check: its id without the vendor, and without a dialect after a dot."""
    return re.sub(r"^[^.-]*(\.[a-z_]+)?-", "", rule["id"], count=1)


_NAMED_BARE = frozenset({"openai", "azure", "openai_responses", "gemini", "vertex"})
"""Vendors whose rules name models without a relay's prefix."""


def broken(call: Call, also_silent: bool = False) -> list[dict[str, Any]]:
    """The rules that a request breaks. `also_silent`: those too that the vendor does not refuse but mishandles."""
    model = call.model.split("/")[-1] if call.vendor in _NAMED_BARE else call.model
    return [
        rule
        for rule in RULES
        if rule["vendor"] == call.vendor
        and rule["dialect"] == call.dialect
        and rule.get("check") != "manual"
        and (also_silent or rule.get("check") != "silent")
        and (rule["models"] == "*" or re.search(rule["models"], model))
        and CHECKS[check_of(rule)](call)
    ]
