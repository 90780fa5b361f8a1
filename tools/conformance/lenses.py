"""How each dialect's answers are looked at: bodies and stream events to what a client sees. Knows nothing of `wire`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tools.conformance import ollama
from tools.conformance.lenses_own import bedrock, bedrock_stream, cohere, cohere_stream, gemini, gemini_stream
from tools.conformance.seen import Fields, Seen, number

CHAT = {
    "stop": "stop", "length": "length", "tool_calls": "tool_calls", "function_call": "tool_calls",
    "content_filter": "filtered", "model_length": "length", "eos": "stop", "": "stop",
}  # fmt: skip
MESSAGES = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls", "refusal": "filtered",
    "model_context_window_exceeded": "length",
}  # fmt: skip


def chat(body: Fields) -> Seen:
    """A chat completion."""
    seen = Seen(choices=len(body.get("choices") or ()))
    first = next((one for one in body.get("choices") or () if one.get("index", 0) == 0), {})
    calls: dict[Any, list[str]] = {}
    _chat_message(seen, first.get("message") or {}, calls)
    for name, arguments in calls.values():
        seen.call(name, arguments)
    seen.ended(first.get("finish_reason"), CHAT)
    _chat_rest(seen, body)
    return seen


def chat_stream(events: Iterable[Fields]) -> Seen:
    """Chat completion chunks."""
    seen, calls, indexes = Seen(), dict[Any, list[str]](), set[int]()
    for chunk in events:
        for choice in chunk.get("choices") or ():
            indexes.add(choice.get("index", 0))
            if choice.get("index", 0) == 0:
                _chat_message(seen, choice.get("delta") or choice.get("message") or {}, calls)
                seen.ended(choice.get("finish_reason"), CHAT)
        _chat_rest(seen, chunk)
    for name, arguments in calls.values():
        seen.call(name, arguments)
    seen.choices = max(1, len(indexes))
    if seen.calls and seen.finish == "stop":
        seen.finish = "tool_calls"
    return seen


def _chat_message(seen: Seen, message: Fields, streamed: dict[Any, list[str]]) -> None:
    content = message.get("content")
    for part in content if isinstance(content, list) else [{"type": "text", "text": content or ""}]:
        if part.get("type") == "text":
            seen.text += part["text"]
        elif part.get("type") == "thinking":
            inner = part.get("thinking") or ()
            seen.thinking += inner if isinstance(inner, str) else "".join(piece.get("text", "") for piece in inner)
    if message.get("refusal"):
        seen.refused(message["refusal"])
    details = message.get("reasoning_details") or ()
    said = "".join(one.get("text") or one.get("summary") or "" for one in details if isinstance(one, dict))
    seen.thinking += message.get("reasoning_content") or message.get("reasoning") or said
    seen.media += len(message.get("images") or ())
    for note in message.get("annotations") or ():
        if note.get("type") == "url_citation":
            seen.citations.add((note.get("url_citation") or note).get("url", ""))
    older = (
        [{"index": "function_call", "function": message["function_call"]}]
        if (message.get("function_call") or {}).get("name")
        else []
    )
    for call in message.get("tool_calls") or older:
        _chat_call(seen, call, streamed)


def _chat_call(seen: Seen, call: Fields, streamed: dict[Any, list[str]]) -> None:
    inner = call.get("function") or call.get("custom") or {}
    arguments = inner.get("arguments", inner.get("input")) or ""
    if "index" not in call or not isinstance(arguments, str):
        seen.call(inner["name"], arguments)
        return
    key = call["index"]
    # Some vendors number every call 0: a new id with a name is a new call.
    if call.get("id") and inner.get("name") and key in streamed:
        key = call["id"]
    known = streamed.setdefault(key, ["", ""])
    known[0] = known[0] or inner.get("name") or ""
    known[1] += arguments


def _chat_rest(seen: Seen, body: Fields) -> None:
    seen.citations |= {url for url in body.get("citations") or () if isinstance(url, str)}
    seen.citations |= {row["url"] for row in body.get("search_results") or () if isinstance(row, dict) and row.get("url")}
    usage = body.get("usage") or (body.get("x_groq") or {}).get("usage")
    if usage:
        heard, made = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
        prompt, completion = number(usage.get("prompt_tokens")), number(usage.get("completion_tokens"))
        cached = number(heard.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or usage.get("num_cached_tokens"))
        total, sound = number(usage.get("total_tokens")), number(heard.get("audio_tokens"))
        written = number(heard.get("cache_write_tokens"))
        # What is counted beside the totals: sound (Mistral), thought (xAI, Gemini's compatible).
        prompt += sound if sound and total - prompt - completion == sound else 0
        prompt = max(prompt, cached)
        # A token is counted once: one that was written and then read in the same call was written.
        cached -= written if prompt - cached < written <= cached else 0
        thought = number(made.get("reasoning_tokens")) or max(0, total - prompt - completion)
        seen.counted(prompt, cached, written, max(completion, total - prompt), thought)
    if seen.calls and seen.finish == "stop":
        seen.finish = "tool_calls"


def responses(body: Fields) -> Seen:
    """A response."""
    seen = Seen()
    for item in body.get("output") or ():
        match item.get("type"):
            case "message":
                for part in item.get("content") or ():
                    seen.text += part.get("text") or ""
                    if part.get("refusal"):
                        seen.refused(part["refusal"])
                    seen.citations |= {note["url"] for note in part.get("annotations") or () if note.get("type") == "url_citation"}
            case "reasoning":
                said = "".join(part.get("text", "") for part in item.get("summary") or ())
                seen.thinking += said or "".join(part.get("text", "") for part in item.get("content") or ())
            case "function_call":
                seen.call(item["name"], item.get("arguments"))
            case "custom_tool_call":
                seen.call(item["name"], item.get("input"))
            case "image_generation_call":
                seen.media += 1
    reason = (body.get("incomplete_details") or {}).get("reason")
    ended = {"max_output_tokens": "length", "content_filter": "filtered"}.get(reason, "stop")
    seen.finish = "tool_calls" if seen.calls and ended == "stop" else ended
    if body.get("status") not in ("completed", "incomplete"):
        seen.finish = "other"
    usage = body.get("usage") or {}
    if usage:
        heard, made = usage.get("input_tokens_details") or {}, usage.get("output_tokens_details") or {}
        seen.counted(
            number(usage.get("input_tokens")), number(heard.get("cached_tokens")), number(heard.get("cache_write_tokens")),
            number(usage.get("output_tokens")), number(made.get("reasoning_tokens")),
        )  # fmt: skip
    return seen


def responses_stream(events: Iterable[Fields]) -> Seen:
    """Events of a response: its last one holds it whole."""
    last: Fields = {}
    for event in events:
        if event.get("type") in ("response.completed", "response.incomplete", "response.failed"):
            last = event["response"]
    return responses(last)


def messages(body: Fields) -> Seen:
    """A message of Anthropic's."""
    seen = Seen()
    for block in body.get("content") or ():
        match block.get("type"):
            case "text":
                seen.text += block["text"]
                seen.citations |= {note["url"] for note in block.get("citations") or () if note.get("url")}
            case "thinking":
                seen.thinking += block["thinking"]
            case "tool_use":
                seen.call(block["name"], block.get("input"))
    seen.ended(body.get("stop_reason"), MESSAGES)
    usage = body.get("usage") or {}
    if usage:
        read, written = number(usage.get("cache_read_input_tokens")), number(usage.get("cache_creation_input_tokens"))
        thought = number((usage.get("output_tokens_details") or {}).get("thinking_tokens"))
        fresh = number(usage.get("input_tokens"))
        seen.counted(fresh + read + written, read, written, number(usage.get("output_tokens")), thought)
    return seen


def messages_stream(events: Iterable[Fields]) -> Seen:
    """Events of a message, put together as the SDK does."""
    body: Fields = {"content": [], "usage": {}}
    pieces: dict[int, str] = {}
    for event in events:
        match event.get("type"):
            case "message_start":
                body = {**event["message"], "content": [], "usage": dict(event["message"].get("usage") or {})}
            case "content_block_start":
                body["content"].append(dict(event["content_block"]))
            case "content_block_delta":
                _messages_delta(body["content"][event["index"]], event["delta"], pieces, event["index"])
            case "message_delta":
                body["stop_reason"] = event["delta"].get("stop_reason")
                body["usage"] |= {name: value for name, value in (event.get("usage") or {}).items() if value}
    for index, text in pieces.items():
        body["content"][index]["input"] = text
    return messages(body)


def _messages_delta(block: Fields, delta: Fields, pieces: dict[int, str], index: int) -> None:
    match delta.get("type"):
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] = block.get("thinking", "") + delta["thinking"]
        case "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]
        case "input_json_delta":
            pieces[index] = pieces.get(index, "") + delta["partial_json"]


WHOLE = {
    "openai_chat": chat, "openai_responses": responses, "anthropic_messages": messages, "gemini": gemini, "cohere": cohere,
    "bedrock": bedrock, "ollama": ollama.whole,
}  # fmt: skip
STREAMED = {
    "openai_chat": chat_stream, "openai_responses": responses_stream, "anthropic_messages": messages_stream,
    "gemini": gemini_stream, "cohere": cohere_stream, "bedrock": bedrock_stream,
    "ollama": ollama.stream,
}  # fmt: skip
