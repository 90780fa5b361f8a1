"""The next request of a tool loop: the answer exactly as the client got it, and a result for each call in it."""

from __future__ import annotations

import copy
import json
from typing import Any

from conduit_desktop.wire.framing import sse

Body = dict[str, Any]


def following(client: str, body: Body, answer: str, streamed: bool) -> Body | None:
    """The request that continues `body` after `answer`; None where the answer calls no tool. A forced choice is not repeated."""
    after = copy.deepcopy(body)
    added = _CLIENTS[client](answer, streamed)
    if added is None:
        return None
    after[{"responses": "input", "gemini": "contents"}.get(client, "messages")] += added
    for name in ("tool_choice", "toolConfig"):
        after.pop(name, None)
    return after


def events(answer: str) -> list[Any]:
    """The JSON events of a stream of SSE."""
    return [
        json.loads(frame.data)
        for frame in sse.SseSplitter.split(answer.encode() + b"\n\n")
        if frame.data and frame.data != b"[DONE]"
    ]


def _chat(answer: str, streamed: bool) -> list[Body] | None:
    message = _chat_message(answer) if streamed else json.loads(answer)["choices"][0]["message"]
    if not message.get("tool_calls"):
        return None
    kept = ("role", "content", "tool_calls", "reasoning_content", "reasoning", "reasoning_details")
    said = {"content": None, **{name: message[name] for name in kept if message.get(name) is not None}}
    return [said, *({"role": "tool", "tool_call_id": call["id"], "content": "res"} for call in message["tool_calls"])]


def _chat_message(answer: str) -> Body:
    message: Body = {"role": "assistant", "content": None}
    calls: dict[int, Body] = {}
    for event in events(answer):
        for choice in event.get("choices", []):
            for name, value in choice.get("delta", {}).items():
                if name == "tool_calls":
                    for part in value:
                        _add_call(calls, part)
                elif name in ("content", "reasoning_content", "reasoning") and value:
                    # Mistral's thinking makes the content a list.
                    message[name] = (message.get(name) or type(value)()) + value
                elif name == "reasoning_details":
                    message[name] = [*message.get(name, []), *value]
    return {**message, "tool_calls": list(calls.values())}


def _add_call(calls: dict[int, Body], part: Body) -> None:
    call = calls.setdefault(part.get("index", 0), {"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
    call["id"] = part.get("id") or call["id"]
    for name in ("name", "arguments"):
        call["function"][name] += (part.get("function") or {}).get(name) or ""


def _responses(answer: str, streamed: bool) -> list[Body] | None:
    if streamed:
        [output] = [event["response"]["output"] for event in events(answer) if event.get("type") == "response.completed"]
    else:
        output = json.loads(answer)["output"]
    calls = [item for item in output if item["type"] == "function_call"]
    results = [{"type": "function_call_output", "call_id": call["call_id"], "output": "res"} for call in calls]
    return [*output, *results] if calls else None


def _messages(answer: str, streamed: bool) -> list[Body] | None:
    content = _content(answer) if streamed else json.loads(answer)["content"]
    calls = [block for block in content if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call["id"], "content": "res"} for call in calls]
    return [{"role": "assistant", "content": content}, {"role": "user", "content": results}] if calls else None


def _content(answer: str) -> list[Body]:
    blocks: dict[int, Body] = {}
    inputs: dict[int, str] = {}
    for event in events(answer):
        if event["type"] == "content_block_start":
            blocks[event["index"]] = dict(event["content_block"])
        elif event["type"] == "content_block_delta":
            block, delta = blocks[event["index"]], event["delta"]
            match delta["type"]:
                case "text_delta":
                    block["text"] += delta["text"]
                case "thinking_delta":
                    block["thinking"] += delta["thinking"]
                case "signature_delta":
                    block["signature"] = delta["signature"]
                case "input_json_delta":
                    inputs[event["index"]] = inputs.get(event["index"], "") + delta["partial_json"]
    for index, block in blocks.items():
        if block["type"] == "tool_use":
            block["input"] = json.loads(inputs.get(index) or "{}")
    return [blocks[index] for index in sorted(blocks)]


def _gemini(answer: str, streamed: bool) -> list[Body] | None:
    # As google-genai does: each chunk of a stream is kept as a turn of its own, and the results of its calls have no ids.
    chunks = events(answer) if streamed else [json.loads(answer)]
    turns = [
        candidate["content"]
        for chunk in chunks
        for candidate in chunk.get("candidates", [])
        if candidate.get("content", {}).get("parts")
    ]
    calls = [part["functionCall"] for turn in turns for part in turn["parts"] if "functionCall" in part]
    results = [
        {
            "functionResponse": {
                "name": call["name"],
                "response": {"output": "res"},
                **({"id": call["id"]} if call.get("id") and not streamed else {}),
            }
        }
        for call in calls
    ]
    return [*turns, {"role": "user", "parts": results}] if calls else None


def _ollama(answer: str, streamed: bool) -> list[Body] | None:
    parts = [json.loads(line)["message"] for line in answer.splitlines() if line.strip()]
    calls = [call for part in parts for call in part.get("tool_calls") or []]
    message = {"role": "assistant", "content": "".join(part.get("content") or "" for part in parts), "tool_calls": calls}
    if thinking := "".join(part.get("thinking") or "" for part in parts):
        message["thinking"] = thinking
    results = [{"role": "tool", "tool_name": call["function"]["name"], "content": "res"} for call in calls]
    return [message, *results] if calls else None


_CLIENTS = {"chat": _chat, "responses": _responses, "messages": _messages, "gemini": _gemini, "ollama": _ollama}
