"""Readers of answers in the dialects of Google, Cohere and Amazon, from JSON to AnswerSummary; independent of `wire`."""

from __future__ import annotations

from collections.abc import Iterable

from tests.conformance.answer_summary import AnswerSummary, Fields, number

GEMINI = {"STOP": "stop", "MAX_TOKENS": "length"} | dict.fromkeys(
    ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "MODEL_ARMOR"), "filtered"
)
COHERE = {"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls", "ERROR": "other"}
BEDROCK = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls",
    "guardrail_intervened": "filtered", "content_filtered": "filtered",
}  # fmt: skip


def gemini(body: Fields) -> AnswerSummary:
    """A whole answer of `generateContent`."""
    return gemini_stream([body])


def gemini_stream(events: Iterable[Fields]) -> AnswerSummary:
    """Chunks of `streamGenerateContent`."""
    summary, indexes, partial = AnswerSummary(), set[int](), list[Fields]()
    for chunk in events:
        for position, candidate in enumerate(chunk.get("candidates") or ()):
            index = candidate.get("index") or position
            indexes.add(index)
            if index == 0:
                _candidate(summary, candidate, partial)
        if (chunk.get("promptFeedback") or {}).get("blockReason"):
            summary.finish = "filtered"
        usage = chunk.get("usageMetadata")
        if usage:
            reasoning = number(usage.get("thoughtsTokenCount"))
            summary.counted(
                number(usage.get("promptTokenCount")) + number(usage.get("toolUsePromptTokenCount")),
                number(usage.get("cachedContentTokenCount")), 0, number(usage.get("candidatesTokenCount")) + reasoning, reasoning,
            )  # fmt: skip
    summary.choices = max(1, len(indexes))
    if summary.calls and summary.finish == "stop":
        summary.finish = "tool_calls"
    return summary


def _candidate(summary: AnswerSummary, candidate: Fields, partial: list[Fields]) -> None:
    for part in (candidate.get("content") or {}).get("parts") or ():
        if "functionCall" in part:
            summary.call(part["functionCall"].get("name", ""), part["functionCall"].get("args") or {})
        elif "inlineData" in part and not part.get("thought"):
            summary.media += 1
        elif part.get("thought"):
            summary.thinking += part.get("text") or ""
        else:
            summary.text += part.get("text") or ""
    for chunk in (candidate.get("groundingMetadata") or {}).get("groundingChunks") or ():
        place = chunk.get("web") or chunk.get("maps") or {}
        if place.get("uri"):
            summary.citations.add(place["uri"])
    for source in (candidate.get("citationMetadata") or {}).get("citations") or ():
        if source.get("uri"):
            summary.citations.add(source["uri"])
    reason = candidate.get("finishReason")
    summary.ended({1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY"}.get(reason, "OTHER") if isinstance(reason, int) else reason, GEMINI)


def cohere(body: Fields) -> AnswerSummary:
    """An answer of Cohere's v2 chat."""
    summary = AnswerSummary()
    message = body.get("message") or {}
    for part in message.get("content") or ():
        summary.text += part.get("text") or ""
        summary.thinking += part.get("thinking") or ""
    summary.thinking += message.get("tool_plan") or ""
    for call in message.get("tool_calls") or ():
        summary.call(call["function"]["name"], call["function"].get("arguments"))
    summary.ended(body.get("finish_reason"), COHERE)
    usage = body.get("usage") or {}
    # Billed units: `tokens` and `cached_tokens` include Cohere's own system prompt, which is not billed.
    counts = {**(usage.get("tokens") or {}), **(usage.get("billed_units") or {})}
    if counts:
        output = number(counts.get("output_tokens"))
        reasoning = min(output, number(counts.get("reasoning_tokens")))
        summary.counted(number(counts.get("input_tokens")), 0, 0, output, reasoning)
    return summary


def cohere_stream(events: Iterable[Fields]) -> AnswerSummary:
    """Events of Cohere's v2 chat."""
    body: Fields = {"message": {"content": [], "tool_plan": "", "tool_calls": []}}
    message_so_far = body["message"]
    for event in events:
        message = (event.get("delta") or {}).get("message") or {}
        match event.get("type"):
            case "content-start" | "content-delta":
                message_so_far["content"].append(message.get("content") or {})
            case "tool-plan-delta":
                message_so_far["tool_plan"] += message.get("tool_plan") or ""
            case "tool-call-start":
                message_so_far["tool_calls"].append(message["tool_calls"])
            case "tool-call-delta":
                message_so_far["tool_calls"][-1]["function"]["arguments"] += message["tool_calls"]["function"]["arguments"]
            case "message-end":
                body |= event["delta"]
                body["message"] = message_so_far
    return cohere(body)


def bedrock(body: Fields) -> AnswerSummary:
    """An answer of Converse."""
    summary = AnswerSummary()
    for block in ((body.get("output") or {}).get("message") or {}).get("content") or ():
        _bedrock_block(summary, block)
    summary.ended(body.get("stopReason"), BEDROCK)
    _bedrock_usage(summary, body.get("usage") or {})
    return summary


def _bedrock_block(summary: AnswerSummary, block: Fields) -> None:
    summary.text += block.get("text") or ""
    summary.thinking += ((block.get("reasoningContent") or {}).get("reasoningText") or {}).get("text") or ""
    if "toolUse" in block and block["toolUse"].get("type") != "server_tool_use":
        summary.call(block["toolUse"]["name"], block["toolUse"].get("input"))
    cited = block.get("citationsContent") or {}
    summary.text += "".join(part.get("text", "") for part in cited.get("content") or ())
    places = [note.get("location") or {} for note in cited.get("citations") or ()]
    summary.citations |= {place["web"]["url"] for place in places if (place.get("web") or {}).get("url")}
    summary.media += "image" in block


def _bedrock_usage(summary: AnswerSummary, usage: Fields) -> None:
    if usage:
        read, written = number(usage.get("cacheReadInputTokens")), number(usage.get("cacheWriteInputTokens"))
        summary.counted(number(usage.get("inputTokens")) + read + written, read, written, number(usage.get("outputTokens")), 0)


def bedrock_stream(events: Iterable[Fields]) -> AnswerSummary:
    """Events of ConverseStream, each an object of one key: the event's type."""
    summary, blocks = AnswerSummary(), dict[int, Fields]()
    for event in events:
        match event:
            case {"contentBlockStart": {"contentBlockIndex": int(index), "start": {"toolUse": dict(call)}}}:
                blocks[index] = {"toolUse": {**call, "input": ""}}
            case {"contentBlockDelta": {"contentBlockIndex": int(index), "delta": {"toolUse": {"input": str(text)}}}}:
                blocks[index]["toolUse"]["input"] += text
            case {"contentBlockDelta": {"contentBlockIndex": int(index), "delta": dict(delta)}}:
                summary.text += delta.get("text") or ""
                summary.thinking += (delta.get("reasoningContent") or {}).get("text") or ""
            case {"messageStop": {"stopReason": str(reason)}}:
                summary.ended(reason, BEDROCK)
            case {"metadata": dict(metadata)}:
                _bedrock_usage(summary, metadata.get("usage") or {})
    for block in blocks.values():
        _bedrock_block(summary, block)
    return summary
