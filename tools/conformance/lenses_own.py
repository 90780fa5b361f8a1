"""Lenses for the vendors with an API of their own: Google's, Cohere's and Amazon's. Knows nothing of `wire`."""

from __future__ import annotations

from collections.abc import Iterable

from tools.conformance.seen import Fields, Seen, number

GEMINI = {"STOP": "stop", "MAX_TOKENS": "length"} | dict.fromkeys(
    ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "MODEL_ARMOR"), "filtered"
)
COHERE = {"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls", "ERROR": "other"}
BEDROCK = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls",
    "guardrail_intervened": "filtered", "content_filtered": "filtered",
}  # fmt: skip


def gemini(body: Fields) -> Seen:
    """A whole answer of `generateContent`."""
    return gemini_stream([body])


def gemini_stream(events: Iterable[Fields]) -> Seen:
    """Chunks of `streamGenerateContent`."""
    seen, indexes, partial = Seen(), set[int](), list[Fields]()
    for chunk in events:
        for position, candidate in enumerate(chunk.get("candidates") or ()):
            index = candidate.get("index") or position
            indexes.add(index)
            if index == 0:
                _candidate(seen, candidate, partial)
        if (chunk.get("promptFeedback") or {}).get("blockReason"):
            seen.finish = "filtered"
        usage = chunk.get("usageMetadata")
        if usage:
            thought = number(usage.get("thoughtsTokenCount"))
            seen.counted(
                number(usage.get("promptTokenCount")) + number(usage.get("toolUsePromptTokenCount")),
                number(usage.get("cachedContentTokenCount")), 0, number(usage.get("candidatesTokenCount")) + thought, thought,
            )  # fmt: skip
    seen.choices = max(1, len(indexes))
    if seen.calls and seen.finish == "stop":
        seen.finish = "tool_calls"
    return seen


def _candidate(seen: Seen, candidate: Fields, partial: list[Fields]) -> None:
    for part in (candidate.get("content") or {}).get("parts") or ():
        if "functionCall" in part:
            seen.call(part["functionCall"].get("name", ""), part["functionCall"].get("args") or {})
        elif "inlineData" in part and not part.get("thought"):
            seen.media += 1
        elif part.get("thought"):
            seen.thinking += part.get("text") or ""
        else:
            seen.text += part.get("text") or ""
    for chunk in (candidate.get("groundingMetadata") or {}).get("groundingChunks") or ():
        place = chunk.get("web") or chunk.get("maps") or {}
        if place.get("uri"):
            seen.citations.add(place["uri"])
    for source in (candidate.get("citationMetadata") or {}).get("citations") or ():
        if source.get("uri"):
            seen.citations.add(source["uri"])
    reason = candidate.get("finishReason")
    seen.ended({1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY"}.get(reason, "OTHER") if isinstance(reason, int) else reason, GEMINI)


def cohere(body: Fields) -> Seen:
    """An answer of Cohere's v2 chat."""
    seen = Seen()
    message = body.get("message") or {}
    for part in message.get("content") or ():
        seen.text += part.get("text") or ""
        seen.thinking += part.get("thinking") or ""
    seen.thinking += message.get("tool_plan") or ""
    for call in message.get("tool_calls") or ():
        seen.call(call["function"]["name"], call["function"].get("arguments"))
    seen.ended(body.get("finish_reason"), COHERE)
    usage = body.get("usage") or {}
    # As billed: `tokens` and `cached_tokens` count Cohere's own prompt too, which costs nothing.
    counts = {**(usage.get("tokens") or {}), **(usage.get("billed_units") or {})}
    if counts:
        output = number(counts.get("output_tokens"))
        thought = min(output, number(counts.get("reasoning_tokens")))
        seen.counted(number(counts.get("input_tokens")), 0, 0, output, thought)
    return seen


def cohere_stream(events: Iterable[Fields]) -> Seen:
    """Events of Cohere's v2 chat."""
    body: Fields = {"message": {"content": [], "tool_plan": "", "tool_calls": []}}
    said = body["message"]
    for event in events:
        message = (event.get("delta") or {}).get("message") or {}
        match event.get("type"):
            case "content-start" | "content-delta":
                said["content"].append(message.get("content") or {})
            case "tool-plan-delta":
                said["tool_plan"] += message.get("tool_plan") or ""
            case "tool-call-start":
                said["tool_calls"].append(message["tool_calls"])
            case "tool-call-delta":
                said["tool_calls"][-1]["function"]["arguments"] += message["tool_calls"]["function"]["arguments"]
            case "message-end":
                body |= event["delta"]
                body["message"] = said
    return cohere(body)


def bedrock(body: Fields) -> Seen:
    """An answer of Converse."""
    seen = Seen()
    for block in ((body.get("output") or {}).get("message") or {}).get("content") or ():
        _bedrock_block(seen, block)
    seen.ended(body.get("stopReason"), BEDROCK)
    _bedrock_usage(seen, body.get("usage") or {})
    return seen


def _bedrock_block(seen: Seen, block: Fields) -> None:
    seen.text += block.get("text") or ""
    seen.thinking += ((block.get("reasoningContent") or {}).get("reasoningText") or {}).get("text") or ""
    if "toolUse" in block and block["toolUse"].get("type") != "server_tool_use":
        seen.call(block["toolUse"]["name"], block["toolUse"].get("input"))
    cited = block.get("citationsContent") or {}
    seen.text += "".join(part.get("text", "") for part in cited.get("content") or ())
    places = [note.get("location") or {} for note in cited.get("citations") or ()]
    seen.citations |= {place["web"]["url"] for place in places if (place.get("web") or {}).get("url")}
    seen.media += "image" in block


def _bedrock_usage(seen: Seen, usage: Fields) -> None:
    if usage:
        read, written = number(usage.get("cacheReadInputTokens")), number(usage.get("cacheWriteInputTokens"))
        seen.counted(number(usage.get("inputTokens")) + read + written, read, written, number(usage.get("outputTokens")), 0)


def bedrock_stream(events: Iterable[Fields]) -> Seen:
    """Events of ConverseStream, each an object of one key: the event's type."""
    seen, blocks = Seen(), dict[int, Fields]()
    for event in events:
        match event:
            case {"contentBlockStart": {"contentBlockIndex": int(index), "start": {"toolUse": dict(call)}}}:
                blocks[index] = {"toolUse": {**call, "input": ""}}
            case {"contentBlockDelta": {"contentBlockIndex": int(index), "delta": {"toolUse": {"input": str(text)}}}}:
                blocks[index]["toolUse"]["input"] += text
            case {"contentBlockDelta": {"contentBlockIndex": int(index), "delta": dict(delta)}}:
                seen.text += delta.get("text") or ""
                seen.thinking += (delta.get("reasoningContent") or {}).get("text") or ""
            case {"messageStop": {"stopReason": str(reason)}}:
                seen.ended(reason, BEDROCK)
            case {"metadata": dict(metadata)}:
                _bedrock_usage(seen, metadata.get("usage") or {})
    for block in blocks.values():
        _bedrock_block(seen, block)
    return seen
