"""Draws requests as clients of the five chat dialects send them: histories, tools, pictures, limits and sampling of all kinds.

A drawn request is one that the dialect's own vendor takes; what it may lack at another vendor is what these tests show.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]

PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKMSAwIG9iago8PD4+CmVuZG9iagp0cmFpbGVyCjw8Pj4KJSVFT0YK"
LONG_NAME = "mcp__very_long_server_name_for_enterprise_tools__search_documents_by_semantic_similarity_v2"
PLAIN_SCHEMA: Body = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
SCHEMAS: tuple[Body, ...] = (
    PLAIN_SCHEMA,
    {"type": "object"},
    {
        "type": "object",
        "properties": {
            "q": {"type": "string", "enum": ["x", "y"], "minLength": 1, "maxLength": 9},
            "n": {"type": ["integer", "null"], "minimum": 0, "exclusiveMaximum": 10},
            "t": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "l": {"type": "array"},
            "o": {"type": "object", "additionalProperties": True},
        },
        "required": ["q"],
        "additionalProperties": False,
        "$schema": "http://json-schema.org/draft-07/schema#",
    },
    {
        "type": "object",
        "properties": {"k": {"const": "v"}, "d": {"type": "string", "format": "date"}, "e": {"type": "integer", "enum": [1, 2]}},
        "$defs": {"X": {"type": "object", "properties": {}}},
        "patternProperties": {"^x": {"type": "string"}},
    },
    # What MCP servers of today still send: older drafts of JSON Schema, and what single vendors stumble over.
    {
        "type": "object",
        "properties": {
            "pair": {"type": "array", "items": [{"type": "number"}, {"type": "number"}], "additionalItems": False},
            "n": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
            "old": {"type": "string", "required": True},
            "any": True,
            "u": {"type": "string", "format": "uri", "maxLength": 50_000},
            "many": {"type": "array", "items": {"type": "string"}, "maxItems": 5000},
        },
        "required": ["u", "undefined"],
    },
    {
        "properties": {"a": {"$ref": "#/$defs/A", "description": "other"}},
        "$defs": {"A": {"type": "string", "description": "one"}},
    },
)
OUTPUT: Body = {
    "type": "object",
    "properties": {"a": {"type": "integer", "minimum": 1}, "b": {"type": "string", "maxLength": 5}},
    "required": ["a", "b"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class DrawnFeatures:
    """What one request asks for, before it is written in a dialect. None: the field is absent."""

    temperature: float | None
    top_p: float | None
    stop: list[str] | None
    limit: int | None
    effort: str | None
    tools: tuple[tuple[str, str | None, Body], ...]
    choice: str | None
    parallel: bool | None
    output: str | None
    picture: bool
    pdf: bool
    user: str | None
    system: str | None
    system_in_the_middle: bool
    history: str
    ends_in_result: bool
    text: str
    cached: bool
    penalties: bool
    seed: bool
    choices: int | None
    logprobs: bool
    prefill: bool
    stream: bool


def drawn_features(draw: random.Random) -> DrawnFeatures:
    """Draw what a request asks for; most requests ask for little."""
    names = draw.choice(
        [[], ["lookup"], ["lookup"], ["lookup", "other_tool"], ["lookup", LONG_NAME, "third"], ["lookup", "search", "21st_magic"]]
    )
    return DrawnFeatures(
        temperature=draw.choice([None, None, 0, 0.7, 1, 1.7, 2]),
        top_p=draw.choice([None, None, None, 0.9, 0]),
        stop=draw.choice([None, None, [], ["END"], ["a", "b", "c", "d", "e", "f"], ["\n"]]),
        limit=draw.choice([None, 50, 200, 2000, 8000]),
        effort=draw.choice([None, None, None, "none", "minimal", "low", "medium", "high", "xhigh"]),
        tools=tuple((name, draw.choice(["does", "does", None, ""]), _schema(draw, name)) for name in names),
        choice=draw.choice([None, None, "auto", "none", "required", "named"]),
        parallel=draw.choice([None, None, True, False]),
        output=draw.choice([None, None, None, None, "object", "schema", "strict"]),
        picture=draw.random() < 0.12,
        pdf=draw.random() < 0.06,
        user=draw.choice([None, None, "u" * 150, "alice"]),
        system=draw.choice([None, "You help.", ""]),
        system_in_the_middle=draw.random() < 0.15,
        history=draw.choice(["none", "none", "chat", "split", "tools", "foreign"]),
        ends_in_result=draw.random() < 0.2,
        text="look up both" if draw.random() < 0.3 else "hello there",
        cached=draw.random() < 0.2,
        penalties=draw.random() < 0.1,
        seed=draw.random() < 0.1,
        choices=2 if draw.random() < 0.05 else None,
        logprobs=draw.random() < 0.05,
        prefill=draw.random() < 0.05,
        stream=draw.random() < 0.5,
    )


def _schema(draw: random.Random, name: str) -> Body:
    return PLAIN_SCHEMA if name == "lookup" and draw.random() < 0.6 else draw.choice(SCHEMAS)


def _present(**fields: Any) -> Body:
    return {name: value for name, value in fields.items() if value is not None}


def _data_url(kind: str, data: str) -> str:
    return f"data:{kind};base64,{data}"


def chat(draw: random.Random, w: DrawnFeatures, model: str) -> Body:
    """A request of OpenAI's chat completions."""
    messages: list[Body] = []
    if w.system is not None:
        messages.append({"role": draw.choice(["system", "developer"]), "content": w.system})
    if w.history == "chat":
        messages += [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]
    if w.history == "split":
        messages += [{"role": "user", "content": "hi"}, {"role": "user", "content": "again"}]
        messages += [{"role": "assistant", "content": text} for text in ("yo", "", "more")]
    if w.history in ("tools", "foreign") and w.tools:
        call_id = draw.choice(["c:1", "call_abc123def456ghi789jkl012mno345pqr678stu"])
        function = {"name": "lookup", "arguments": draw.choice(['{"q":"x"}', ""])}
        messages += [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": None, "tool_calls": [{"id": call_id, "type": "function", "function": function}]},
        ]
        result: Any = [{"type": "text", "text": "res", "cache_control": {"type": "ephemeral"}}] if w.cached else "res"
        messages.append({"role": "tool", "tool_call_id": call_id, "content": result})
        if not w.ends_in_result:
            messages.append({"role": "assistant", "content": "done"})
    if w.system_in_the_middle:
        messages.append({"role": "system", "content": "reminder"})
    if not (w.ends_in_result and messages and messages[-1]["role"] == "tool"):
        parts: list[Body] = [{"type": "text", "text": w.text + (" as JSON" if w.output == "object" else "")}]
        if w.picture:
            kind = draw.choice(["image/png", "image/jpg"])
            parts.append({"type": "image_url", "image_url": {"url": _data_url(kind, PICTURE)}})
        if w.pdf:
            parts.append({"type": "file", "file": {"filename": "a.pdf", "file_data": _data_url("application/pdf", PDF)}})
        messages.append({"role": "user", "content": parts if len(parts) > 1 or draw.random() < 0.3 else parts[0]["text"]})
    if w.prefill:
        messages.append({"role": "assistant", "content": "So "})
    tools = [
        {"type": "function", "function": _present(name=name, description=text, parameters=schema)} for name, text, schema in w.tools
    ]
    body = _present(
        model=model,
        messages=messages,
        tools=tools or None,
        tool_choice=_choice(w, {"type": "function", "function": {"name": "lookup"}}),
        parallel_tool_calls=w.parallel if tools else None,
        temperature=w.temperature,
        top_p=w.top_p,
        stop=w.stop and w.stop[:4],
        reasoning_effort=w.effort,
        user=w.user and w.user[:64],
        response_format=_format(w),
        seed=7 if w.seed else None,
        n=w.choices,
        stream=w.stream or None,
    )
    if w.limit is not None:
        body[draw.choice(["max_tokens", "max_completion_tokens"])] = w.limit
    if w.penalties:
        body |= {"presence_penalty": 0.5, "frequency_penalty": 0.2}
    if w.logprobs:
        body |= {"logprobs": True, "top_logprobs": 2}
    if w.stream and draw.random() < 0.5:
        body["stream_options"] = {"include_usage": True}
    return body


def _choice(w: DrawnFeatures, named: Any) -> Any:
    if not w.tools or w.choice is None:
        return None
    return named if w.choice == "named" else w.choice


def _format(w: DrawnFeatures) -> Any:
    match w.output:
        case None:
            return None
        case "object":
            return {"type": "json_object"}
        case kind:
            return {"type": "json_schema", "json_schema": {"name": "out", "schema": OUTPUT, "strict": kind == "strict"}}


def responses(draw: random.Random, w: DrawnFeatures, model: str) -> Body:
    """A request of OpenAI's Responses API."""
    items: list[Body] = []
    if draw.random() < 0.3:
        items.append({"role": "developer", "content": [{"type": "input_text", "text": "dev"}]})
    if w.history in ("chat", "split"):
        said = {"type": "output_text", "text": "yo", "annotations": []}
        items += [{"role": "user", "content": "hi"}, {"type": "message", "role": "assistant", "content": [said]}]
    if w.history in ("tools", "foreign") and w.tools:
        items.append({"role": "user", "content": "q"})
        if w.history == "foreign":
            items.append({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "thinking"}]})
        items += [
            {"type": "function_call", "call_id": "call_x1", "name": "lookup", "arguments": '{"q":"x"}'},
            {"type": "function_call_output", "call_id": "call_x1", "output": "res"},
        ]
        if not w.ends_in_result:
            items.append({"role": "assistant", "content": [{"type": "output_text", "text": "done"}]})
    if w.system_in_the_middle:
        items.append({"role": "system", "content": "reminder"})
    if not (w.ends_in_result and items and items[-1].get("type") == "function_call_output"):
        parts: list[Body] = [{"type": "input_text", "text": w.text + (" as json" if w.output == "object" else "")}]
        if w.picture:
            parts.append({"type": "input_image", "image_url": _data_url("image/png", PICTURE)})
        if w.pdf:
            parts.append({"type": "input_file", "filename": "a.pdf", "file_data": _data_url("application/pdf", PDF)})
        items.append({"role": "user", "content": parts})
    tools = [
        _present(type="function", name=name, description=text, parameters=schema, strict=False) for name, text, schema in w.tools
    ]
    output = _format(w)
    if output and "json_schema" in output:
        output = {"type": "json_schema", **output["json_schema"]}
    body = _present(
        model=model,
        input=items,
        instructions=w.system,
        tools=tools or None,
        tool_choice=_choice(w, {"type": "function", "name": "lookup"}),
        parallel_tool_calls=w.parallel if tools else None,
        temperature=w.temperature,
        top_p=w.top_p,
        max_output_tokens=w.limit,
        reasoning=w.effort and {"effort": w.effort},
        text=output and {"format": output},
        prompt_cache_key=w.user and w.user[:64],
        stream=w.stream or None,
    )
    if draw.random() < 0.5:
        body |= {"store": False, "include": ["reasoning.encrypted_content"]}
    return body


def messages(draw: random.Random, w: DrawnFeatures, model: str) -> Body:
    """A request of Anthropic's Messages API."""
    mark = {"cache_control": {"type": "ephemeral"}} if w.cached else {}
    turns: list[Body] = []
    if w.history == "chat":
        turns += [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [{"type": "text", "text": "yo"}]}]
    if w.history == "split":
        turns += [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]
        turns += [{"role": "assistant", "content": "more"}, {"role": "user", "content": "ok"}]
    last: list[Body] = [{"type": "text", "text": w.text, **mark}]
    if w.history in ("tools", "foreign") and w.tools:
        foreign = [{"type": "thinking", "thinking": "t", "signature": "abc"}] if w.history == "foreign" else []
        call = {"type": "tool_use", "id": "toolu_1", "name": "lookup", "input": {"q": "x"}}
        turns += [{"role": "user", "content": "q"}, {"role": "assistant", "content": [*foreign, call]}]
        picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}}
        content = draw.choice(["res", [{"type": "text", "text": "res"}], [picture], ""])
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": content, **mark}
        last = [result, *([] if w.ends_in_result else last)]
    else:
        if w.picture:
            last.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}})
        if w.pdf:
            source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
            last.append({"type": "document", "title": "my doc.pdf", "source": source})
        if w.system_in_the_middle and turns:
            turns.append({"role": "system", "content": "reminder"})
    turns.append({"role": "user", "content": last})
    thinks = w.effort not in (None, "none") and draw.random() < 0.7
    choice = None if thinks and w.choice in ("required", "named") else _choice(w, {"type": "tool", "name": "lookup"})
    if isinstance(choice, str):
        choice = {"type": {"required": "any"}.get(choice, choice)}
    if choice and w.parallel is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    system: Any = w.system
    if w.cached and w.system is not None:
        system = [{"type": "text", "text": w.system or "x", **mark}]
    body = _present(
        model=model,
        max_tokens=max(w.limit or 1000, 4000) if thinks else w.limit or 1000,
        messages=turns,
        system=system,
        tools=[_present(name=name, description=text, input_schema=schema) for name, text, schema in w.tools] or None,
        tool_choice=choice,
        stop_sequences=None if w.stop is None else [text for text in w.stop if text.strip()],
        metadata=w.user and {"user_id": w.user},
        stream=w.stream or None,
    )
    output: Body = {}
    if thinks:
        body["thinking"] = draw.choice([{"type": "enabled", "budget_tokens": 2000}, {"type": "adaptive"}])
        if draw.random() < 0.5:
            output["effort"] = draw.choice(["low", "medium", "high", "xhigh", "max"])
    elif w.effort == "none":
        body["thinking"] = {"type": "disabled"}
    if not thinks and w.temperature is not None:
        body["temperature"] = min(w.temperature, 1)
    elif not thinks and w.top_p is not None:
        body["top_p"] = w.top_p
    if w.output in ("schema", "strict"):
        schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
        output["format"] = {"type": "json_schema", "schema": schema}
    if output:
        body["output_config"] = output
    return body


def gemini(draw: random.Random, w: DrawnFeatures, model: str) -> Body:
    """A request of Gemini's API; the model and whether it is streamed are in its path."""
    contents: list[Body] = []
    if w.history == "chat":
        contents += [_turn("user", {"text": "hi"}), _turn("model", {"text": "yo"})]
    if w.history == "split":
        contents += [_turn("user", {"text": "hi"}), *(_turn("model", {"text": text}) for text in ("Hel", "lo", ""))]
    results = 0
    if w.history in ("tools", "foreign") and w.tools:
        signature = {"thoughtSignature": "Zm9v"} if w.history == "foreign" else {}
        contents += [
            _turn("user", {"text": "q"}),
            _turn("model", {"functionCall": {"name": "lookup", "args": {"q": "x"}}, **signature}),
        ]
        results = 1
        if w.text == "look up both":
            contents.append(_turn("model", {"functionCall": {"name": "lookup", "args": {"q": "y"}}}))
            results = 2
        answer = {"functionResponse": {"name": "lookup", "response": {"output": "res"}}}
        contents.append(_turn("user", *[answer] * results))
        if not w.ends_in_result:
            contents.append(_turn("model", {"text": "done"}))
    if not (w.ends_in_result and results):
        parts: list[Body] = [{"text": w.text}]
        if w.picture:
            parts.append({"inlineData": {"mimeType": "image/png", "data": PICTURE}})
        if w.pdf:
            parts.append({"inlineData": {"mimeType": "application/pdf", "data": PDF}})
        contents.append(_turn("user", *parts))
    config = _present(
        temperature=w.temperature,
        topP=w.top_p,
        stopSequences=w.stop and w.stop[:5],
        maxOutputTokens=w.limit,
        presencePenalty=0.3 if w.penalties else None,
        seed=5 if w.seed else None,
    )
    if w.effort is not None:
        level = "low" if w.effort in ("none", "minimal", "low") else "high"
        budget = {"none": 0, "minimal": 512}.get(w.effort, 8000)
        config["thinkingConfig"] = draw.choice([{"thinkingBudget": budget}, {"thinkingLevel": level}, {"includeThoughts": True}])
    if w.output and not w.tools:
        config["responseMimeType"] = "application/json"
        if w.output != "object":
            config["responseJsonSchema"] = OUTPUT
    modes = {
        "auto": {"mode": "AUTO"},
        "none": {"mode": "NONE"},
        "required": {"mode": "ANY"},
        "named": {"mode": "ANY", "allowedFunctionNames": ["lookup"]},
    }
    functions = [_present(name=name, description=text, parametersJsonSchema=schema) for name, text, schema in w.tools]
    return _present(
        contents=contents,
        systemInstruction={"parts": [{"text": w.system}]} if w.system else None,
        tools=[{"functionDeclarations": functions}] if functions else None,
        toolConfig={"functionCallingConfig": modes[w.choice]} if functions and w.choice else None,
        generationConfig=config or None,
    )


def _turn(role: str, *parts: Body) -> Body:
    return {"role": role, "parts": list(parts)}


def ollama(draw: random.Random, w: DrawnFeatures, model: str) -> Body:
    """A request of Ollama's chat API."""
    turns: list[Body] = []
    if w.system is not None:
        turns.append({"role": "system", "content": w.system})
    if w.history in ("chat", "split"):
        turns += [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]
    if w.history in ("tools", "foreign") and w.tools:
        call = {"function": {"name": "lookup", "arguments": {"q": "x"}}}
        turns += [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_name": "lookup", "content": "res"},
        ]
    if w.system_in_the_middle:
        turns.append({"role": "system", "content": "reminder"})
    if not (w.ends_in_result and turns and turns[-1]["role"] == "tool"):
        turns.append({"role": "user", "content": w.text, **({"images": [PICTURE]} if w.picture else {})})
    options = _present(temperature=w.temperature, stop=w.stop, num_predict=w.limit)
    tools = [
        {"type": "function", "function": _present(name=name, description=text, parameters=schema)} for name, text, schema in w.tools
    ]
    return _present(
        model=model,
        messages=turns,
        stream=w.stream,
        tools=tools or None,
        options=options or None,
        think=draw.choice([True, False, "low", "medium", "high"]) if w.effort else None,
        format=None if w.output is None else "json" if w.output == "object" else OUTPUT,
    )


CLIENTS: dict[str, Callable[[random.Random, DrawnFeatures, str], Body]] = {
    "chat": chat,
    "responses": responses,
    "messages": messages,
    "gemini": gemini,
    "ollama": ollama,
}


def path_of(client: str, model: str, stream: bool) -> str:
    """The path of a client's request."""
    if client == "gemini":
        return f"/v1beta/models/{model}:" + ("streamGenerateContent?alt=sse" if stream else "generateContent")
    return {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages", "ollama": "/api/chat"}[client]
