"""Readers of answers in the dialects of OpenAI, Anthropic and Ollama, from JSON to AnswerSummary; independent of `wire`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.conformance.answer_readers_google_cohere_aws import bedrock, bedrock_stream, cohere, cohere_stream, gemini, gemini_stream
from tests.conformance.answer_summary import AnswerSummary, Fields, number

CHAT = {
    "stop": "stop", "length": "length", "tool_calls": "tool_calls", "function_call": "tool_calls",
    "content_filter": "filtered", "model_length": "length", "eos": "stop", "": "stop",
}  # fmt: skip
MESSAGES = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls", "refusal": "filtered",
    "model_context_window_exceeded": "length",
}  # fmt: skip


def chat(body: Fields) -> AnswerSummary:
    """A chat completion."""
    summary = AnswerSummary(choices=len(body.get("choices") or ()))
    first = next((one for one in body.get("choices") or () if one.get("index", 0) == 0), {})
    calls: dict[Any, list[str]] = {}
    refusal: list[str] = []
    _chat_message(summary, first.get("message") or {}, calls, refusal)
    _chat_refusal(summary, refusal)
    for name, arguments in calls.values():
        summary.call(name, arguments)
    summary.ended(first.get("finish_reason"), CHAT)
    _chat_rest(summary, body)
    return summary


def chat_stream(events: Iterable[Fields]) -> AnswerSummary:
    """Chat completion chunks."""
    summary, calls, indexes = AnswerSummary(), dict[Any, list[str]](), set[int]()
    refusal: list[str] = []
    for chunk in events:
        for choice in chunk.get("choices") or ():
            indexes.add(choice.get("index", 0))
            if choice.get("index", 0) == 0:
                _chat_message(summary, choice.get("delta") or choice.get("message") or {}, calls, refusal)
                summary.ended(choice.get("finish_reason"), CHAT)
        _chat_rest(summary, chunk)
    _chat_refusal(summary, refusal)
    for name, arguments in calls.values():
        summary.call(name, arguments)
    summary.choices = max(1, len(indexes))
    if summary.calls and summary.finish == "stop":
        summary.finish = "tool_calls"
    return summary


def _chat_refusal(summary: AnswerSummary, refusal: list[str]) -> None:
    # After the content, whichever came first: clients add up two fields.
    if refusal:
        summary.refused("".join(refusal))


def _chat_message(summary: AnswerSummary, message: Fields, streamed: dict[Any, list[str]], refusal: list[str]) -> None:
    content = message.get("content")
    for part in content if isinstance(content, list) else [{"type": "text", "text": content or ""}]:
        if part.get("type") == "text":
            summary.text += part["text"]
        elif part.get("type") == "thinking":
            inner = part.get("thinking") or ()
            summary.thinking += inner if isinstance(inner, str) else "".join(piece.get("text", "") for piece in inner)
    if message.get("refusal"):
        refusal.append(message["refusal"])
    details = message.get("reasoning_details") or ()
    text = "".join(one.get("text") or one.get("summary") or "" for one in details if isinstance(one, dict))
    summary.thinking += message.get("reasoning_content") or message.get("reasoning") or text
    summary.media += len(message.get("images") or ())
    for note in message.get("annotations") or ():
        if note.get("type") == "url_citation":
            summary.citations.add((note.get("url_citation") or note).get("url", ""))
    older = (
        [{"index": "function_call", "function": message["function_call"]}]
        if (message.get("function_call") or {}).get("name")
        else []
    )
    for call in message.get("tool_calls") or older:
        _chat_call(summary, call, streamed)


def _chat_call(summary: AnswerSummary, call: Fields, streamed: dict[Any, list[str]]) -> None:
    inner = call.get("function") or call.get("custom") or {}
    arguments = inner.get("arguments", inner.get("input")) or ""
    if "index" not in call or not isinstance(arguments, str):
        summary.call(inner["name"], arguments)
        return
    key = call["index"]
    # Some vendors number every call 0: a new id with a name is a new call.
    if call.get("id") and inner.get("name") and key in streamed:
        key = call["id"]
    known = streamed.setdefault(key, ["", ""])
    known[0] = known[0] or inner.get("name") or ""
    known[1] += arguments


def _chat_rest(summary: AnswerSummary, body: Fields) -> None:
    summary.citations |= {url for url in body.get("citations") or () if isinstance(url, str)}
    summary.citations |= {row["url"] for row in body.get("search_results") or () if isinstance(row, dict) and row.get("url")}
    usage = body.get("usage") or (body.get("x_groq") or {}).get("usage")
    if usage:
        prompt_details, completion_details = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
        prompt, completion = number(usage.get("prompt_tokens")), number(usage.get("completion_tokens"))
        cached = number(
            prompt_details.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or usage.get("num_cached_tokens")
        )
        total, audio = number(usage.get("total_tokens")), number(prompt_details.get("audio_tokens"))
        written = number(prompt_details.get("cache_write_tokens"))
        # Mistral counts audio outside the totals; xAI and Gemini's OpenAI-compatible API count reasoning outside.
        prompt += audio if audio and total - prompt - completion == audio else 0
        # Azure's Grok counts cached tokens outside: by a field of its own, and by a price of 0 in streams.
        grok = "text_tokens" in prompt_details and ("audio_prompt_tokens" in usage or usage.get("cost_in_usd_ticks") == 0)
        if cached > prompt or (grok and prompt == number(prompt_details["text_tokens"])):
            total, prompt = total + cached, prompt + cached
        # A token that was written to the cache and read from it in the same call counts as written only.
        cached -= written if prompt - cached < written <= cached else 0
        reasoning = number(completion_details.get("reasoning_tokens")) or max(0, total - prompt - completion)
        summary.counted(prompt, cached, written, max(completion, total - prompt), reasoning)
    if summary.calls and summary.finish == "stop":
        summary.finish = "tool_calls"


def responses(body: Fields) -> AnswerSummary:
    """A response."""
    summary = AnswerSummary()
    for item in body.get("output") or ():
        match item.get("type"):
            case "message":
                for part in item.get("content") or ():
                    summary.text += part.get("text") or ""
                    if part.get("refusal"):
                        summary.refused(part["refusal"])
                    summary.citations |= {
                        note["url"] for note in part.get("annotations") or () if note.get("type") == "url_citation"
                    }
            case "reasoning":
                text = "".join(part.get("text", "") for part in item.get("summary") or ())
                summary.thinking += text or "".join(part.get("text", "") for part in item.get("content") or ())
            case "function_call":
                summary.call(item["name"], item.get("arguments"))
            case "custom_tool_call":
                summary.call(item["name"], item.get("input"))
            case "image_generation_call":
                summary.media += 1
    reason = (body.get("incomplete_details") or {}).get("reason")
    finish = {"max_output_tokens": "length", "content_filter": "filtered"}.get(reason, "stop")
    summary.finish = "tool_calls" if summary.calls and finish == "stop" else finish
    if body.get("status") not in ("completed", "incomplete"):
        summary.finish = "other"
    usage = body.get("usage") or {}
    if usage:
        prompt_details, completion_details = usage.get("input_tokens_details") or {}, usage.get("output_tokens_details") or {}
        summary.counted(
            number(usage.get("input_tokens")), number(prompt_details.get("cached_tokens")),
            number(prompt_details.get("cache_write_tokens")), number(usage.get("output_tokens")),
            number(completion_details.get("reasoning_tokens")),
        )  # fmt: skip
    return summary


def responses_stream(events: Iterable[Fields]) -> AnswerSummary:
    """Events of a response: the last one contains the whole response."""
    last: Fields = {}
    for event in events:
        if event.get("type") in ("response.completed", "response.incomplete", "response.failed"):
            last = event["response"]
    return responses(last)


def messages(body: Fields) -> AnswerSummary:
    """A message of Anthropic's."""
    summary = AnswerSummary()
    for block in body.get("content") or ():
        match block.get("type"):
            case "text":
                summary.text += block["text"]
                summary.citations |= {note["url"] for note in block.get("citations") or () if note.get("url")}
            case "thinking":
                summary.thinking += block["thinking"]
            case "tool_use":
                summary.call(block["name"], block.get("input"))
    summary.ended(body.get("stop_reason"), MESSAGES)
    usage = body.get("usage") or {}
    if usage:
        read, written = number(usage.get("cache_read_input_tokens")), number(usage.get("cache_creation_input_tokens"))
        reasoning = number((usage.get("output_tokens_details") or {}).get("thinking_tokens"))
        fresh = number(usage.get("input_tokens"))
        summary.counted(fresh + read + written, read, written, number(usage.get("output_tokens")), reasoning)
    return summary


def messages_stream(events: Iterable[Fields]) -> AnswerSummary:
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


OLLAMA = {"stop": "stop", "length": "length"}


def ollama(body: Fields) -> AnswerSummary:
    """A non-streamed answer of Ollama's."""
    return ollama_stream([body])


def ollama_stream(lines: Iterable[Fields]) -> AnswerSummary:
    """The lines of an answer of Ollama's; an answer with tool calls has the done_reason `stop`."""
    summary = AnswerSummary()
    for line in lines:
        message = line.get("message") or {}
        summary.text += message.get("content") or ""
        summary.thinking += message.get("thinking") or ""
        for call in message.get("tool_calls") or ():
            summary.call(call["function"]["name"], call["function"].get("arguments"))
        if line.get("done"):
            summary.ended(line.get("done_reason"), OLLAMA)
            summary.counted(number(line.get("prompt_eval_count")), 0, 0, number(line.get("eval_count")), 0)
    if summary.calls and summary.finish == "stop":
        summary.finish = "tool_calls"
    return summary


READ_WHOLE = {
    "openai_chat": chat, "openai_responses": responses, "anthropic_messages": messages, "gemini": gemini, "cohere": cohere,
    "bedrock": bedrock, "ollama": ollama,
}  # fmt: skip
READ_STREAM = {
    "openai_chat": chat_stream, "openai_responses": responses_stream, "anthropic_messages": messages_stream,
    "gemini": gemini_stream, "cohere": cohere_stream, "bedrock": bedrock_stream,
    "ollama": ollama_stream,
}  # fmt: skip
