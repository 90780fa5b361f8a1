"""The answers of the strict vendors: minimal and valid, whole or streamed, in each dialect.

Thinking where the vendor has it; the calls or the text of a `Reply`.
"""

from __future__ import annotations

import binascii
import json
import random
import re
import string
import struct
import time

from tests.fakes.strict.checks import ENC, GSIG, SIG

THINKERS = frozenset({
    "deepseek", "moonshot", "zai", "qwen", "minimax", "openrouter", "groq", "cerebras", "vllm", "llamacpp",
    "lmstudio", "ollama", "mistral", "xai",
})  # fmt: skip


def rid(length=24, prefix=""):
    """A new id of that many letters and digits."""
    return prefix + "".join(random.choices(string.ascii_letters + string.digits, k=length))


def call_id(vendor, name, index):
    """The id of a call in the form that the vendor uses."""
    match vendor:
        case "mistral":
            return rid(9)
        case "moonshot":
            return f"functions.{name}:{index}"
        case "vllm":
            return rid(32, "chatcmpl-tool-")
    return rid(24, "call_")


def arguments_text(arguments):
    """As vendors write it: without spaces."""
    return json.dumps(arguments, separators=(",", ":"), ensure_ascii=False)


def halves(text):
    """The text in two pieces, as streams cut it; one piece where it is short."""
    return [text[: len(text) // 2], text[len(text) // 2 :]] if len(text) > 1 else [text]


def sse(events, named=False, done=False):
    return "".join((f"event: {e['type']}\n" if named else "") + f"data: {json.dumps(e)}\n\n" for e in events) + (
        "data: [DONE]\n\n" if done else ""
    )


def aws(kind, body):
    """One frame of AWS's event stream."""
    head = b"".join(
        bytes([len(k)]) + k.encode() + b"\x07" + struct.pack(">H", len(v)) + v.encode()
        for k, v in ((":event-type", kind), (":content-type", "application/json"), (":message-type", "event"))
    )
    data = json.dumps(body).encode()
    pre = struct.pack(">II", 16 + len(head) + len(data), len(head))
    frame = pre + struct.pack(">I", binascii.crc32(pre)) + head + data
    return frame + struct.pack(">I", binascii.crc32(frame))


def chat_deltas(name, value):
    """Texts in two pieces, then each call with its arguments in two."""
    if name == "tool_calls":
        for one in value:
            first, *rest = halves(one["function"]["arguments"])
            yield {name: [{**one, "function": {**one["function"], "arguments": first}}]}
            yield from ({name: [{"index": one["index"], "function": {"arguments": part}}]} for part in rest)
    else:
        yield from ({name: part} for part in (halves(value) if isinstance(value, str) else [value]))


def chat(call, reply):
    think = (
        reply.thinking
        if call.vendor in THINKERS and call.get("thinking.type") != "disabled" and call.body.get("reasoning_effort") != "none"
        else None
    )
    calls = [
        {
            "index": i,
            "id": call_id(call.vendor, name, i),
            "type": "function",
            "function": {"name": name, "arguments": arguments_text(arguments)},
        }
        for i, (name, arguments) in enumerate(reply.calls)
    ]
    msg = {"role": "assistant", "content": None if calls else reply.text}
    if think and call.vendor == "mistral":
        msg["content"] = (
            None
            if calls
            else [{"type": "thinking", "thinking": [{"type": "text", "text": think}]}, {"type": "text", "text": reply.text}]
        )
    elif think:
        msg["reasoning" if call.vendor in ("groq", "cerebras", "openrouter", "ollama") else "reasoning_content"] = think
        if call.vendor in ("openrouter", "minimax"):
            msg["reasoning_details"] = [{"type": "reasoning.text", "text": think, "format": "unknown", "index": 0}]
    if calls:
        msg["tool_calls"] = calls
    use, fin = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}, "tool_calls" if calls else "stop"
    base = {"id": rid(20, "chatcmpl-"), "created": int(time.time()), "model": call.model}
    if not call.streamed:
        for t in calls:
            t.pop("index")
        return {**base, "object": "chat.completion", "choices": [{"index": 0, "message": msg, "finish_reason": fin}], "usage": use}

    def ch(d, f=None):
        return {**base, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": d, "finish_reason": f}]}

    return sse(
        [
            ch({"role": "assistant", "content": ""}),
            # Thoughts come first.
            *(
                ch(part)
                for k, v in sorted(msg.items(), key=lambda item: not item[0].startswith("reasoning"))
                if k != "role" and v
                for part in chat_deltas(k, v)
            ),
            ch({}, fin),
            {**base, "object": "chat.completion.chunk", "choices": [], "usage": use},
        ],
        done=True,
    )


def responses(call, reply):
    out = []
    if re.match(r"(o\d|gpt-[5-9])", call.model.split("/")[-1]) and "chat" not in call.model:
        out.append(
            {
                "type": "reasoning",
                "id": rid(20, "rs_"),
                "summary": [],
                **(
                    {"encrypted_content": ENC + rid(30)}
                    if "reasoning.encrypted_content" in (call.body.get("include") or [])
                    else {}
                ),
            }
        )
    out += [
        {
            "type": "function_call",
            "id": rid(20, "fc_"),
            "call_id": rid(24, "call_"),
            "name": name,
            "arguments": arguments_text(arguments),
            "status": "completed",
        }
        for name, arguments in reply.calls
    ] or [
        {
            "type": "message",
            "id": rid(20, "msg_"),
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": reply.text, "annotations": []}],
        }
    ]
    r = {
        "id": rid(20, "resp_"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "model": call.model,
        "output": out,
        "usage": {
            "input_tokens": 5,
            "output_tokens": 2,
            "total_tokens": 7,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "temperature": 1,
        "top_p": 1,
    }
    if not call.streamed:
        return r
    ev = [{"type": "response.created", "response": {**r, "status": "in_progress", "output": [], "usage": None}}]
    for i, o in enumerate(out):
        at = {"output_index": i, "item_id": o["id"]}
        ev.append(
            {
                "type": "response.output_item.added",
                "output_index": i,
                "item": {
                    **o,
                    **(
                        {"content": [], "status": "in_progress"}
                        if o["type"] == "message"
                        else {"arguments": ""}
                        if o["type"] == "function_call"
                        else {}
                    ),
                },
            }
        )
        if o["type"] == "message":
            ev += [
                {
                    "type": "response.content_part.added",
                    **at,
                    "content_index": 0,
                    "part": {"type": "output_text", "text": "", "annotations": []},
                },
                {"type": "response.output_text.delta", **at, "content_index": 0, "delta": reply.text, "logprobs": []},
                {"type": "response.output_text.done", **at, "content_index": 0, "text": reply.text, "logprobs": []},
            ]
        if o["type"] == "function_call":
            ev += [
                *({"type": "response.function_call_arguments.delta", **at, "delta": part} for part in halves(o["arguments"])),
                {"type": "response.function_call_arguments.done", **at, "arguments": o["arguments"], "name": o["name"]},
            ]
        ev.append({"type": "response.output_item.done", "output_index": i, "item": o})
    return sse(
        [{**e, "sequence_number": i} for i, e in enumerate([*ev, {"type": "response.completed", "response": r}])], named=True
    )


def messages(call, reply):
    made = message(call, reply)
    return message_stream(made) if call.streamed else made


def message(call, reply):
    think = call.get("thinking.type") in ("enabled", "adaptive") or re.search("fable|mythos", call.model)
    out = [{"type": "thinking", "thinking": reply.thinking, "signature": SIG}] if think else []
    out += [{"type": "tool_use", "id": rid(24, "toolu_"), "name": name, "input": given} for name, given in reply.calls] or [
        {"type": "text", "text": reply.text}
    ]
    return {
        "id": rid(24, "msg_"),
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "content": out,
        "stop_reason": "tool_use" if reply.calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 2},
    }


def message_stream(m):
    ev = [{"type": "message_start", "message": {**m, "content": [], "stop_reason": None}}]
    for i, b in enumerate(m["content"]):
        d = {
            "thinking": [{"type": "thinking_delta", "thinking": b.get("thinking")}, {"type": "signature_delta", "signature": SIG}],
            "text": [{"type": "text_delta", "text": b.get("text")}],
            "tool_use": [{"type": "input_json_delta", "partial_json": part} for part in halves(arguments_text(b.get("input")))],
        }[b["type"]]
        ev += [
            {
                "type": "content_block_start",
                "index": i,
                "content_block": {
                    **b,
                    **{"thinking": {"thinking": "", "signature": ""}, "text": {"text": ""}, "tool_use": {"input": {}}}[b["type"]],
                },
            },
            *({"type": "content_block_delta", "index": i, "delta": x} for x in d),
            {"type": "content_block_stop", "index": i},
        ]
    return sse(
        [
            *ev,
            {
                "type": "message_delta",
                "delta": {"stop_reason": m["stop_reason"], "stop_sequence": None},
                "usage": {"output_tokens": 2},
            },
            {"type": "message_stop"},
        ],
        named=True,
    )


def gemini(call, reply):
    sig = {"thoughtSignature": GSIG} if "gemini-3" in call.model else {}
    ps = [{"functionCall": {"name": name, "args": args}, **({} if i else sig)} for i, (name, args) in enumerate(reply.calls)] or [
        {"text": reply.text, **sig}
    ]
    g = {
        "candidates": [{"content": {"role": "model", "parts": ps}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
        "modelVersion": call.model,
        "responseId": rid(22),
    }
    return sse([g]) if call.streamed else g


def bedrock(call, reply):
    think = "claude" in call.model and call.get("additionalModelRequestFields.thinking.type") in ("enabled", "adaptive")
    out = [{"reasoningContent": {"reasoningText": {"text": reply.thinking, "signature": SIG}}}] if think else []
    out += [{"toolUse": {"toolUseId": rid(22, "tooluse_"), "name": name, "input": given}} for name, given in reply.calls] or [
        {"text": reply.text}
    ]
    stop, use = "tool_use" if reply.calls else "end_turn", {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}
    if not call.streamed:
        return {
            "output": {"message": {"role": "assistant", "content": out}},
            "stopReason": stop,
            "usage": use,
            "metrics": {"latencyMs": 1},
        }
    ev = [aws("messageStart", {"role": "assistant"})]
    for i, b in enumerate(out):
        if "toolUse" in b:
            ev.append(
                aws(
                    "contentBlockStart",
                    {"contentBlockIndex": i, "start": {"toolUse": {k: b["toolUse"][k] for k in ("toolUseId", "name")}}},
                )
            )
        ds = (
            [{"toolUse": {"input": arguments_text(b["toolUse"]["input"])}}]
            if "toolUse" in b
            else [{"text": reply.text}]
            if "text" in b
            else [{"reasoningContent": {"text": reply.thinking}}, {"reasoningContent": {"signature": SIG}}]
        )
        ev += [aws("contentBlockDelta", {"contentBlockIndex": i, "delta": d}) for d in ds] + [
            aws("contentBlockStop", {"contentBlockIndex": i})
        ]
    return b"".join([*ev, aws("messageStop", {"stopReason": stop}), aws("metadata", {"usage": use, "metrics": {"latencyMs": 1}})])


def cohere(call, reply):
    calls = [
        {"id": rid(12, f"{name}_"), "type": "function", "function": {"name": name, "arguments": arguments_text(given)}}
        for name, given in reply.calls
    ]
    fin, use = (
        "TOOL_CALL" if calls else "COMPLETE",
        {"billed_units": {"input_tokens": 5, "output_tokens": 2}, "tokens": {"input_tokens": 5, "output_tokens": 2}},
    )
    if not call.streamed:
        return {
            "id": "c1",
            "finish_reason": fin,
            "message": {
                "role": "assistant",
                **(
                    {"tool_calls": calls, "tool_plan": reply.thinking}
                    if calls
                    else {"content": [{"type": "text", "text": reply.text}]}
                ),
            },
            "usage": use,
        }
    ev = [
        {
            "type": "message-start",
            "id": "c1",
            "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}},
        }
    ]
    for i, t in enumerate(calls):
        ev += [
            {
                "type": "tool-call-start",
                "index": i,
                "delta": {"message": {"tool_calls": {**t, "function": {**t["function"], "arguments": ""}}}},
            },
            {
                "type": "tool-call-delta",
                "index": i,
                "delta": {"message": {"tool_calls": {"function": {"arguments": t["function"]["arguments"]}}}},
            },
            {"type": "tool-call-end", "index": i},
        ]
    if not calls:
        ev += [
            {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
            {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": reply.text}}}},
            {"type": "content-end", "index": 0},
        ]
    return sse([*ev, {"type": "message-end", "delta": {"finish_reason": fin, "usage": use}}], named=True)


def ollama(call, reply):
    m = {
        "role": "assistant",
        "content": "" if reply.calls else reply.text,
        **({"thinking": reply.thinking} if call.body.get("think") else {}),
        **(
            {"tool_calls": [{"function": {"name": name, "arguments": given}} for name, given in reply.calls]} if reply.calls else {}
        ),
    }
    base = {"model": call.model, "created_at": "2026-01-01T00:00:00Z"}
    end = {"done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 2}
    return (
        {**base, "message": m, **end}
        if not call.streamed
        else "".join(
            json.dumps(x) + "\n"
            for x in ({**base, "message": m, "done": False}, {**base, "message": {"role": "assistant", "content": ""}, **end})
        )
    )


ANSWER = {
    "openai_chat": chat,
    "openai_responses": responses,
    "anthropic_messages": messages,
    "gemini": gemini,
    "bedrock": bedrock,
    "cohere": cohere,
    "ollama": ollama,
}
