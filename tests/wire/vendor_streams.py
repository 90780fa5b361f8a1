"""Whole answers cut into the streams that would have made them, by each vendor's grammar and with each vendor's habits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import strategies as st

from conduit_desktop.wire.framing import aws_eventstream as eventstream
from conduit_desktop.wire.framing import sse
from tests.wire.vendor_chat_stream import chat_stream, interleaved, noised, pieces
from tests.wire.vendor_types import Fields

Draw = st.DrawFn
Told = list[tuple[str, Fields]]


def _named(told: Told, draw: Draw) -> list[bytes]:
    """Frames whose event has the name of their type; a proxy on the way may have lost it."""
    return [sse.write(orjson.dumps({"type": kind, **said}), kind if draw(st.integers(0, 9)) else None) for kind, said in told]


def _messages_stream(draw: Draw, body: Fields) -> list[bytes]:
    usage = body["usage"]
    late = ("stop_reason", "stop_sequence", "stop_details", "context_management")
    start = {name: value for name, value in body.items() if name not in late}
    start |= {"content": [], "stop_reason": None, "stop_sequence": None, "usage": {**usage, "output_tokens": 0}}
    told: Told = [("message_start", {"message": start})]
    for index, block in enumerate(body["content"]):
        begun, deltas = _messages_block(draw, block)
        told.append(("content_block_start", {"index": index, "content_block": begun}))
        told += [("content_block_delta", {"index": index, "delta": delta}) for delta in deltas]
        told.append(("content_block_stop", {"index": index}))
    if draw(st.booleans()):
        told.append(("message_delta", {"delta": {"stop_reason": None}, "usage": {"output_tokens": 0}}))
    counted = draw(st.sampled_from([{"output_tokens": usage["output_tokens"]}, usage]))
    said = {name: body[name] for name in ("stop_reason", "stop_sequence", "stop_details") if name in body}
    told += [("message_delta", {"delta": said, "usage": counted}), ("message_stop", {})]
    ping, new = _named([("ping", {}), ("brand_new", {"index": 0, "delta": None})], draw)
    first, *rest = _named(told, draw)
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
    told: Told = [("created", {"response": begun}), ("in_progress", {"response": begun})]
    for index, item in enumerate(body["output"]):
        place = {"output_index": index, "item_id": item["id"]}
        begins, steps = _responses_item(draw, item, place)
        told += [("output_item.added", {"output_index": index, "item": begins}), *steps]
        told.append(("output_item.done", {"output_index": index, "item": item}))
    told.append(("incomplete" if body["status"] == "incomplete" else "completed", {"response": body}))
    numbered = [(f"response.{kind}", {"sequence_number": number, **said}) for number, (kind, said) in enumerate(told)]
    first, *rest = _named(numbered, draw)
    new = _named([("response.new.delta", {"delta": {"a": 1}}), ("response.new.done", {}), ("keepalive", {})], draw)
    return [first, *noised(draw, rest, [*new, b": comment\n\n"])]


def _responses_item(draw: Draw, item: Fields, place: Fields) -> tuple[Fields, Told]:
    """The item as it begins, and what is said until it is done."""
    match item["type"]:
        case "message":
            said = [_responses_part(draw, part, {**place, "content_index": at}) for at, part in enumerate(item["content"])]
            return {**item, "content": [], "status": "in_progress"}, [step for steps in said for step in steps]
        case "function_call" | "custom_tool_call" as kind:
            name = "arguments" if kind == "function_call" else "input"
            family = f"{kind}_{name}"
            steps: Told = [(f"{family}.delta", {**place, "delta": text}) for text in pieces(draw, item[name])]
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


def _responses_part(draw: Draw, part: Fields, place: Fields) -> Told:
    name = "text" if part["type"] == "output_text" else "refusal"
    family = part["type"]
    steps: Told = [("content_part.added", {**place, "part": {**part, name: ""}})]
    steps += [(f"{family}.delta", {**place, "delta": text}) for text in pieces(draw, part[name])]
    if draw(st.booleans()):
        steps += [("output_text.annotation.added", {**place, "annotation": note}) for note in part.get("annotations") or ()]
    return [*steps, (f"{family}.done", {**place, name: part[name]}), ("content_part.done", {**place, "part": part})]


def _gemini_stream(draw: Draw, body: Fields) -> list[bytes]:
    beside = {name: value for name, value in body.items() if name not in ("candidates", "usageMetadata")}
    told = interleaved(draw, [_candidate(draw, candidate) for candidate in body["candidates"]])
    chunks: list[Fields] = [{**beside, "candidates": [candidate]} for candidate in told]
    if usage := body.get("usageMetadata"):
        match draw(st.sampled_from(["last", "every", "after"])):
            case "after":
                chunks.append({**beside, "usageMetadata": usage})
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
    said: list[list[Fields]] = []
    for part in parts:
        whole = not isinstance(part.get("text"), str) or part.get("thoughtSignature")
        said += [[part]] if whole else [[{**part, "text": text}] for text in pieces(draw, part["text"])]
    told: list[Fields] = [{"index": index, "content": {"role": "model", "parts": parts}} for parts in said]
    last = draw(st.sampled_from([{}, {"content": {}}, {"content": {"role": "model"}}, {"content": {"parts": [{"text": ""}]}}]))
    beside = {name: value for name, value in candidate.items() if name != "content"}
    return [*told, {**beside, **last}]


def _cohere_stream(draw: Draw, body: Fields) -> list[bytes]:
    message = body["message"]
    told: Told = [("message-start", {"id": body["id"], "delta": {"message": {"role": "assistant", "content": []}}})]
    for index, block in enumerate(message.get("content") or ()):
        kind = block["type"]
        told.append(_said("content-start", index, content={"type": kind, kind: ""}))
        told += [_said("content-delta", index, content={kind: text}) for text in pieces(draw, block[kind])]
        told.append(("content-end", {"index": index}))
    told += [_said("tool-plan-delta", 0, tool_plan=text) for text in pieces(draw, message.get("tool_plan") or "")]
    for index, call in enumerate(message.get("tool_calls") or ()):
        inner = call["function"]
        told.append(_said("tool-call-start", index, tool_calls={**call, "function": {**inner, "arguments": ""}}))
        deltas = [{"function": {"arguments": text}} for text in pieces(draw, inner["arguments"])]
        told += [_said("tool-call-delta", index, tool_calls=delta) for delta in deltas]
        told.append(("tool-call-end", {"index": index}))
    for index, citation in enumerate(message.get("citations") or ()):
        told += [_said("citation-start", index, citations=citation), ("citation-end", {"index": index})]
    told.append(("message-end", {"delta": {"finish_reason": body["finish_reason"], "usage": body.get("usage")}}))
    first, *rest = _named(told, draw)
    new = _named([("debug", {"prompt": "a"}), ("brand-new", {"delta": None})], draw)
    return [first, *noised(draw, rest, new), b"data: [DONE]\n\n"]


def _said(kind: str, index: int, **message: Any) -> tuple[str, Fields]:
    return kind, {"index": index, "delta": {"message": message}}


def _bedrock_stream(draw: Draw, body: Fields) -> list[bytes]:
    told: Told = [("messageStart", {"role": "assistant"})]
    for index, block in enumerate(body["output"]["message"]["content"]):
        place = {"contentBlockIndex": index}
        begins, deltas = _converse_block(draw, block)
        told += [("contentBlockStart", {**place, "start": begins})] if begins else []  # real streams do not announce text
        told += [("contentBlockDelta", {**place, "delta": delta}) for delta in deltas]
        told.append(("contentBlockStop", place))
    told.append(("messageStop", {"stopReason": body["stopReason"]}))
    told.append(("metadata", {"usage": body["usage"], "metrics": {"latencyMs": 1}}))
    first, *rest = [_aws(kind, said) for kind, said in told]
    new = [_aws("brandNew", {"a": 1}), _aws("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"brandNew": {}}})]
    return [first, *noised(draw, rest, new)]


def _aws(kind: str, said: Fields) -> bytes:
    return eventstream.write(orjson.dumps(said), {":event-type": kind, ":message-type": "event"})


def _converse_block(draw: Draw, block: Fields) -> tuple[Fields, list[Fields]]:
    match block:
        case {"text": str(text)}:
            return {}, [{"text": piece} for piece in pieces(draw, text)]
        case {"toolUse": call}:
            told = pieces(draw, orjson.dumps(call["input"]).decode())
            begins = {name: value for name, value in call.items() if name != "input"}
            return {"toolUse": begins}, [{"toolUse": {"input": piece}} for piece in told]
        case {"reasoningContent": {"reasoningText": thought}}:
            deltas = [{"text": piece} for piece in pieces(draw, thought["text"])]
            deltas += [{"signature": thought["signature"]}] if thought.get("signature") else []
            return {}, [{"reasoningContent": delta} for delta in deltas]
        case {"citationsContent": said}:
            cited = [{"citation": citation} for citation in said.get("citations") or ()]
            return {}, [{"text": part.get("text") or ""} for part in said.get("content") or ()] + cited
        case _:  # nothing else comes in pieces
            return {name: {} for name in block}, []


def _ollama_stream(draw: Draw, body: Fields) -> list[bytes]:
    message = body["message"]
    head = {name: body[name] for name in ("model", "created_at") if name in body}
    said = [{"thinking": text} for text in pieces(draw, message.get("thinking") or "")]
    said += [{"content": text} for text in pieces(draw, message.get("content") or "")]
    said += [{"tool_calls": [call]} for call in message.get("tool_calls") or ()]
    lines = [{**head, "message": {"role": "assistant", "content": "", **more}, "done": False} for more in said]
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
