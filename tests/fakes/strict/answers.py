"""The answers of the strict vendors: minimal and valid, whole or streamed, in each dialect.

Thinking where the vendor has it; a call of the tool named `lookup` (two where the last user text says "both"); a text once the
history ends in results.
"""

from __future__ import annotations

import binascii
import json
import random
import re
import string
import struct
import time

from tests.fakes.strict.checks import ENC, GSIG, SIG, tools

THINKERS = frozenset({
    "deepseek", "moonshot", "zai", "qwen", "minimax", "openrouter", "groq", "cerebras", "vllm", "llamacpp",
    "lmstudio", "ollama", "mistral", "xai",
})  # fmt: skip


def rid(length=24, prefix=""):
    """A new id of that many letters and digits."""
    return prefix + "".join(random.choices(string.ascii_letters + string.digits, k=length))


def call_id(vendor):
    """The id of a call in the form that the vendor uses."""
    return {"mistral": rid(9), "moonshot": "functions.lookup:0", "vllm": rid(32, "chatcmpl-tool-")}.get(vendor) or rid(24, "call_")


def want_calls(call):
    """How many calls the answer makes: none once the history ends in results."""
    if "lookup" not in [n for n, *_ in tools(call)]:
        return 0
    seen = (
        call.messages
        if call.dialect != "openai_responses"
        else [x for x in call.body.get("input") or [] if isinstance(x, dict)]
        if isinstance(call.body.get("input"), list)
        else [{"content": call.body.get("input")}]
    )
    last = json.dumps(seen[-1:])
    done = seen and (
        seen[-1].get("role") == "tool"
        or seen[-1].get("type") == "function_call_output"
        or any(k in last for k in ('"tool_result"', '"functionResponse"', '"toolResult"'))
    )
    return 0 if done else 2 if "both" in last else 1


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


def chat(call, n):
    think = (
        "why"
        if call.vendor in THINKERS and call.get("thinking.type") != "disabled" and call.body.get("reasoning_effort") != "none"
        else None
    )
    calls = [
        {
            "index": i,
            "id": call_id(call.vendor)[:-1] + str(i),
            "type": "function",
            "function": {"name": "lookup", "arguments": '{"q":"x"}'},
        }
        for i in range(n)
    ]
    msg = {"role": "assistant", "content": None if n else "ok"}
    if think and call.vendor == "mistral":
        msg["content"] = (
            None if n else [{"type": "thinking", "thinking": [{"type": "text", "text": think}]}, {"type": "text", "text": "ok"}]
        )
    elif think:
        msg["reasoning" if call.vendor in ("groq", "cerebras", "openrouter", "ollama") else "reasoning_content"] = think
        if call.vendor in ("openrouter", "minimax"):
            msg["reasoning_details"] = [{"type": "reasoning.text", "text": think, "format": "unknown", "index": 0}]
    if n:
        msg["tool_calls"] = calls
    use, fin = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}, "tool_calls" if n else "stop"
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
            *(ch({k: v}) for k, v in msg.items() if k != "role" and v),
            ch({}, fin),
            {**base, "object": "chat.completion.chunk", "choices": [], "usage": use},
        ],
        done=True,
    )


def responses(call, n):
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
            "name": "lookup",
            "arguments": '{"q":"x"}',
            "status": "completed",
        }
        for _ in range(n)
    ] or [
        {
            "type": "message",
            "id": rid(20, "msg_"),
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "ok", "annotations": []}],
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
                        if n and o["type"] == "function_call"
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
                {"type": "response.output_text.delta", **at, "content_index": 0, "delta": "ok", "logprobs": []},
                {"type": "response.output_text.done", **at, "content_index": 0, "text": "ok", "logprobs": []},
            ]
        if o["type"] == "function_call":
            ev += [
                {"type": "response.function_call_arguments.delta", **at, "delta": o["arguments"]},
                {"type": "response.function_call_arguments.done", **at, "arguments": o["arguments"], "name": "lookup"},
            ]
        ev.append({"type": "response.output_item.done", "output_index": i, "item": o})
    return sse(
        [{**e, "sequence_number": i} for i, e in enumerate([*ev, {"type": "response.completed", "response": r}])], named=True
    )


def messages(call, n):
    think = call.get("thinking.type") in ("enabled", "adaptive") or re.search("fable|mythos", call.model)
    out = [{"type": "thinking", "thinking": "why", "signature": SIG}] if think else []
    out += [{"type": "tool_use", "id": rid(24, "toolu_"), "name": "lookup", "input": {"q": "x"}} for _ in range(n)] or [
        {"type": "text", "text": "ok"}
    ]
    m = {
        "id": rid(24, "msg_"),
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "content": out,
        "stop_reason": "tool_use" if n else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 2},
    }
    if not call.streamed:
        return m
    ev = [{"type": "message_start", "message": {**m, "content": [], "stop_reason": None}}]
    for i, b in enumerate(out):
        d = {
            "thinking": [{"type": "thinking_delta", "thinking": "why"}, {"type": "signature_delta", "signature": SIG}],
            "text": [{"type": "text_delta", "text": "ok"}],
            "tool_use": [{"type": "input_json_delta", "partial_json": '{"q":"x"}'}],
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


def gemini(call, n):
    sig = {"thoughtSignature": GSIG} if "gemini-3" in call.model else {}
    ps = [{"functionCall": {"name": "lookup", "args": {"q": "x"}}, **(sig if i == 0 else {})} for i in range(n)] or [
        {"text": "ok", **sig}
    ]
    g = {
        "candidates": [{"content": {"role": "model", "parts": ps}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
        "modelVersion": call.model,
        "responseId": "r1",
    }
    return sse([g]) if call.streamed else g


def bedrock(call, n):
    think = "claude" in call.model and call.get("additionalModelRequestFields.thinking.type") in ("enabled", "adaptive")
    out = [{"reasoningContent": {"reasoningText": {"text": "why", "signature": SIG}}}] if think else []
    out += [{"toolUse": {"toolUseId": rid(22, "tooluse_"), "name": "lookup", "input": {"q": "x"}}} for _ in range(n)] or [
        {"text": "ok"}
    ]
    stop, use = "tool_use" if n else "end_turn", {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}
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
            [{"toolUse": {"input": '{"q":"x"}'}}]
            if "toolUse" in b
            else [{"text": "ok"}]
            if "text" in b
            else [{"reasoningContent": {"text": "why"}}, {"reasoningContent": {"signature": SIG}}]
        )
        ev += [aws("contentBlockDelta", {"contentBlockIndex": i, "delta": d}) for d in ds] + [
            aws("contentBlockStop", {"contentBlockIndex": i})
        ]
    return b"".join([*ev, aws("messageStop", {"stopReason": stop}), aws("metadata", {"usage": use, "metrics": {"latencyMs": 1}})])


def cohere(call, n):
    calls = [
        {"id": rid(12, "lookup_"), "type": "function", "function": {"name": "lookup", "arguments": '{"q":"x"}'}} for _ in range(n)
    ]
    fin, use = (
        "TOOL_CALL" if n else "COMPLETE",
        {"billed_units": {"input_tokens": 5, "output_tokens": 2}, "tokens": {"input_tokens": 5, "output_tokens": 2}},
    )
    if not call.streamed:
        return {
            "id": "c1",
            "finish_reason": fin,
            "message": {
                "role": "assistant",
                **({"tool_calls": calls, "tool_plan": "why"} if n else {"content": [{"type": "text", "text": "ok"}]}),
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
                "delta": {"message": {"tool_calls": {**t, "function": {"name": "lookup", "arguments": ""}}}},
            },
            {"type": "tool-call-delta", "index": i, "delta": {"message": {"tool_calls": {"function": {"arguments": '{"q":"x"}'}}}}},
            {"type": "tool-call-end", "index": i},
        ]
    if not n:
        ev += [
            {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
            {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "ok"}}}},
            {"type": "content-end", "index": 0},
        ]
    return sse([*ev, {"type": "message-end", "delta": {"finish_reason": fin, "usage": use}}], named=True)


def ollama(call, n):
    m = {
        "role": "assistant",
        "content": "" if n else "ok",
        **({"thinking": "why"} if call.body.get("think") else {}),
        **({"tool_calls": [{"function": {"name": "lookup", "arguments": {"q": "x"}}} for _ in range(n)]} if n else {}),
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
