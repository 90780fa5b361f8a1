"""Whole answers cut into the streams that would have made them, by each vendor's grammar and with each vendor's habits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import strategies as st

from conduit_desktop.wire.framing import aws_eventstream, sse
from tests.wire.vendor_chat_stream import chat_stream, interleaved, noised, pieces
from tests.wire.vendor_types import Fields

Draw = st.DrawFn
Events = list[tuple[str, Fields]]


def _named(events: Events, draw: Draw) -> list[bytes]:
    """Frames whose event has the name of their type; a proxy on the way may have lost it."""
    return [
        sse.write(orjson.dumps({"type": kind, **payload}), kind if draw(st.integers(0, 9)) else None) for kind, payload in events
    ]


def _messages_stream(draw: Draw, body: Fields) -> list[bytes]:
    usage = body["usage"]
    late = ("stop_reason", "stop_sequence", "stop_details", "context_management")
    start = {name: value for name, value in body.items() if name not in late}
    start |= {"content": [], "stop_reason": None, "stop_sequence": None, "usage": {**usage, "output_tokens": 0}}
    events: Events = [("message_start", {"message": start})]
    for index, block in enumerate(body["content"]):
        begun, deltas = _messages_block(draw, block)
        events.append(("content_block_start", {"index": index, "content_block": begun}))
        events += [("content_block_delta", {"index": index, "delta": delta}) for delta in deltas]
        events.append(("content_block_stop", {"index": index}))
    if draw(st.booleans()):
        events.append(("message_delta", {"delta": {"stop_reason": None}, "usage": {"output_tokens": 0}}))
    counted = draw(st.sampled_from([{"output_tokens": usage["output_tokens"]}, usage]))
    payload = {name: body[name] for name in ("stop_reason", "stop_sequence", "stop_details") if name in body}
    events += [("message_delta", {"delta": payload, "usage": counted}), ("message_stop", {})]
    ping, new = _named([("ping", {}), ("brand_new", {"index": 0, "delta": None})], draw)
    first, *rest = _named(events, draw)
    return [first, *noised(draw, rest, [ping, new, b": comment\n\n"])]


def _messages_block(draw: Draw, block: Fields) -> tuple[Fields, list[Fields]]:
    match block["type"]:
        case "text":
            cited = block.get("citations")
            deltas = [{"type": "text_delta", "text": text} for text in pieces(draw, block["text"])]
            deltas += [{"type": "citations_delta", "citation": citation} for citation in cited or ()]
            return {**block, "text": "", **({"citations": []} if cited else {})}, deltas
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": text} for text in pieces(draw, block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
            return {**block, "thinking": "", "signature": ""}, deltas
        case _ if isinstance(block.get("input"), dict):
            text = orjson.dumps(block["input"]).decode()
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(draw, text)]]
            return {**block, "input": {}}, deltas if block["input"] or draw(st.booleans()) else []
        case _:
            return block, []


def _responses_stream(draw: Draw, body: Fields) -> list[bytes]:
    begun = {**body, "output": [], "status": "in_progress", "usage": None, "incomplete_details": None}
    events: Events = [("created", {"response": begun}), ("in_progress", {"response": begun})]
    for index, item in enumerate(body["output"]):
        place = {"output_index": index, "item_id": item["id"]}
        begins, steps = _responses_item(draw, item, place)
        events += [("output_item.added", {"output_index": index, "item": begins}), *steps]
        events.append(("output_item.done", {"output_index": index, "item": item}))
    events.append(("incomplete" if body["status"] == "incomplete" else "completed", {"response": body}))
    numbered = [(f"response.{kind}", {"sequence_number": number, **payload}) for number, (kind, payload) in enumerate(events)]
    first, *rest = _named(numbered, draw)
    new = _named([("response.new.delta", {"delta": {"a": 1}}), ("response.new.done", {}), ("keepalive", {})], draw)
    return [first, *noised(draw, rest, [*new, b": comment\n\n"])]


def _responses_item(draw: Draw, item: Fields, place: Fields) -> tuple[Fields, Events]:
    """The item as it begins, and the events until it is done."""
    match item["type"]:
        case "message":
            payload = [_responses_part(draw, part, {**place, "content_index": at}) for at, part in enumerate(item["content"])]
            return {**item, "content": [], "status": "in_progress"}, [step for steps in payload for step in steps]
        case "function_call" | "custom_tool_call" as kind:
            name = "arguments" if kind == "function_call" else "input"
            family = f"{kind}_{name}"
            steps: Events = [(f"{family}.delta", {**place, "delta": text}) for text in pieces(draw, item[name])]
            whole = (f"{family}.done", {**place, name: item[name]})
            return {**item, name: ""}, draw(st.sampled_from([[*steps, whole], steps, [whole], []]))
        case "reasoning":
            name, family, at = ("content", "reasoning_text", "content_index")
            if not item.get("content"):
                name, family, at = ("summary", "reasoning_summary_text", "summary_index")
            steps = []
            for index, part in enumerate(item.get(name) or ()):
                steps += [(f"{family}.delta", {**place, at: index, "delta": text}) for text in pieces(draw, part["text"])]
                steps.append((f"{family}.done", {**place, at: index, "text": part["text"]}))
            return {**item, "summary": [], "content": []}, steps
        case kind:
            return item, [(f"{kind}.in_progress", place), (f"{kind}.completed", place)]


def _responses_part(draw: Draw, part: Fields, place: Fields) -> Events:
    name = "text" if part["type"] == "output_text" else "refusal"
    family = part["type"]
    steps: Events = [("content_part.added", {**place, "part": {**part, name: ""}})]
    steps += [(f"{family}.delta", {**place, "delta": text}) for text in pieces(draw, part[name])]
    if draw(st.booleans()):
        steps += [("output_text.annotation.added", {**place, "annotation": note}) for note in part.get("annotations") or ()]
    return [*steps, (f"{family}.done", {**place, name: part[name]}), ("content_part.done", {**place, "part": part})]


def _gemini_stream(draw: Draw, body: Fields) -> list[bytes]:
    other_fields = {name: value for name, value in body.items() if name not in ("candidates", "usageMetadata")}
    events = interleaved(draw, [_candidate(draw, candidate) for candidate in body["candidates"]])
    chunks: list[Fields] = [{**other_fields, "candidates": [candidate]} for candidate in events]
    if usage := body.get("usageMetadata"):
        match draw(st.sampled_from(["last", "every", "after"])):
            case "after":
                chunks.append({**other_fields, "usageMetadata": usage})
            case "every":
                chunks = [{**chunk, "usageMetadata": {"promptTokenCount": usage["promptTokenCount"]}} for chunk in chunks]
                chunks[-1]["usageMetadata"] = usage
            case _:
                chunks[-1]["usageMetadata"] = usage
    if draw(st.booleans()):
        return [sse.write(orjson.dumps(chunk)) for chunk in chunks]
    return [b"[", b",\r\n".join(orjson.dumps(chunk) for chunk in chunks), b"]"]


def _candidate(draw: Draw, candidate: Fields) -> list[Fields]:
    index = candidate["index"]
    parts = (candidate.get("content") or {}).get("parts") or []
    payload: list[list[Fields]] = []
    for part in parts:
        whole = not isinstance(part.get("text"), str) or part.get("thoughtSignature")
        payload += [[part]] if whole else [[{**part, "text": text}] for text in pieces(draw, part["text"])]
    events: list[Fields] = [{"index": index, "content": {"role": "model", "parts": parts}} for parts in payload]
    last = draw(st.sampled_from([{}, {"content": {}}, {"content": {"role": "model"}}, {"content": {"parts": [{"text": ""}]}}]))
    other_fields = {name: value for name, value in candidate.items() if name != "content"}
    return [*events, {**other_fields, **last}]


def _cohere_stream(draw: Draw, body: Fields) -> list[bytes]:
    message = body["message"]
    events: Events = [("message-start", {"id": body["id"], "delta": {"message": {"role": "assistant", "content": []}}})]
    for index, block in enumerate(message.get("content") or ()):
        kind = block["type"]
        events.append(_cohere_event("content-start", index, content={"type": kind, kind: ""}))
        events += [_cohere_event("content-delta", index, content={kind: text}) for text in pieces(draw, block[kind])]
        events.append(("content-end", {"index": index}))
    events += [_cohere_event("tool-plan-delta", 0, tool_plan=text) for text in pieces(draw, message.get("tool_plan") or "")]
    for index, call in enumerate(message.get("tool_calls") or ()):
        inner = call["function"]
        events.append(_cohere_event("tool-call-start", index, tool_calls={**call, "function": {**inner, "arguments": ""}}))
        deltas = [{"function": {"arguments": text}} for text in pieces(draw, inner["arguments"])]
        events += [_cohere_event("tool-call-delta", index, tool_calls=delta) for delta in deltas]
        events.append(("tool-call-end", {"index": index}))
    for index, citation in enumerate(message.get("citations") or ()):
        events += [_cohere_event("citation-start", index, citations=citation), ("citation-end", {"index": index})]
    events.append(("message-end", {"delta": {"finish_reason": body["finish_reason"], "usage": body.get("usage")}}))
    first, *rest = _named(events, draw)
    new = _named([("debug", {"prompt": "a"}), ("brand-new", {"delta": None})], draw)
    return [first, *noised(draw, rest, new), b"data: [DONE]\n\n"]


def _cohere_event(kind: str, index: int, **message: Any) -> tuple[str, Fields]:
    return kind, {"index": index, "delta": {"message": message}}


def _bedrock_stream(draw: Draw, body: Fields) -> list[bytes]:
    events: Events = [("messageStart", {"role": "assistant"})]
    for index, block in enumerate(body["output"]["message"]["content"]):
        place = {"contentBlockIndex": index}
        begins, deltas = _converse_block(draw, block)
        events += [("contentBlockStart", {**place, "start": begins})] if begins else []  # real streams do not announce text
        events += [("contentBlockDelta", {**place, "delta": delta}) for delta in deltas]
        events.append(("contentBlockStop", place))
    events.append(("messageStop", {"stopReason": body["stopReason"]}))
    # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamMetadataEvent.html
    served = {name: body[name] for name in ("trace", "performanceConfig", "serviceTier") if name in body}
    events.append(("metadata", {"usage": body["usage"], "metrics": {"latencyMs": 1}, **served}))
    first, *rest = [_aws(kind, payload) for kind, payload in events]
    new = [_aws("brandNew", {"a": 1}), _aws("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"brandNew": {}}})]
    return [first, *noised(draw, rest, new)]


def _aws(kind: str, payload: Fields) -> bytes:
    return aws_eventstream.write(orjson.dumps(payload), {":event-type": kind, ":message-type": "event"})


def _converse_block(draw: Draw, block: Fields) -> tuple[Fields, list[Fields]]:
    match block:
        case {"text": str(text)}:
            return {}, [{"text": piece} for piece in pieces(draw, text)]
        case {"toolUse": call}:
            events = pieces(draw, orjson.dumps(call["input"]).decode())
            begins = {name: value for name, value in call.items() if name != "input"}
            return {"toolUse": begins}, [{"toolUse": {"input": piece}} for piece in events]
        case {"reasoningContent": {"reasoningText": thought}}:
            deltas = [{"text": piece} for piece in pieces(draw, thought["text"])]
            deltas += [{"signature": thought["signature"]}] if thought.get("signature") else []
            return {}, [{"reasoningContent": delta} for delta in deltas]
        case {"citationsContent": payload}:
            cited = [{"citation": citation} for citation in payload.get("citations") or ()]
            return {}, [{"text": part.get("text") or ""} for part in payload.get("content") or ()] + cited
        case _:  # nothing else comes in pieces
            return {name: {} for name in block}, []


def _ollama_stream(draw: Draw, body: Fields) -> list[bytes]:
    message = body["message"]
    head = {name: body[name] for name in ("model", "created_at") if name in body}
    payload = [{"thinking": text} for text in pieces(draw, message.get("thinking") or "")]
    payload += [{"content": text} for text in pieces(draw, message.get("content") or "")]
    payload += [{"tool_calls": [call]} for call in message.get("tool_calls") or ()]
    lines = [{**head, "message": {"role": "assistant", "content": "", **more}, "done": False} for more in payload]
    return [orjson.dumps(line) + b"\n" for line in [*lines, {**body, "message": {"role": "assistant", "content": ""}}]]


STREAMS: dict[str, Callable[[Draw, Fields], list[bytes]]] = {
    "openai_chat": chat_stream,
    "anthropic_messages": _messages_stream,
    "openai_responses": _responses_stream,
    "gemini": _gemini_stream,
    "cohere": _cohere_stream,
    "bedrock": _bedrock_stream,
    "ollama": _ollama_stream,
}
