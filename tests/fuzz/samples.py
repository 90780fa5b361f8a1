"""Valid requests for every path, which the fuzzers mutate."""

from __future__ import annotations

from typing import Any

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

CHAT: dict[str, Any] = {
    "model": "to-openai",
    "messages": [
        {"role": "system", "content": "be short"},
        {"role": "user", "content": [
            {"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        ]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Bern"}'}},
        ]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "user", "content": "and now?", "name": "me"},
    ],
    "tools": [{"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}],
    "tool_choice": "auto", "temperature": 0.5, "top_p": 0.9, "max_tokens": 50, "stop": ["x"], "n": 1, "seed": 7,
    "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}},
    "stream_options": {"include_usage": True}, "reasoning_effort": "low", "user": "u", "metadata": {"a": "b"}, "stream": False,
}  # fmt: skip
MESSAGES: dict[str, Any] = {
    "model": "to-anthropic", "max_tokens": 50,
    "system": [{"type": "text", "text": "be short", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "look"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        ]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bern"}},
        ]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}]},
    ],
    "tools": [{"name": "weather", "description": "d", "input_schema": SCHEMA}], "tool_choice": {"type": "auto"},
    "thinking": {"type": "enabled", "budget_tokens": 1024}, "temperature": 1.0, "stop_sequences": ["x"],
    "metadata": {"user_id": "u"}, "stream": False,
}  # fmt: skip
RESPONSES: dict[str, Any] = {
    "model": "to-openai", "instructions": "be short",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
    ],
    "tools": [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}],
    "max_output_tokens": 50, "store": False, "reasoning": {"effort": "low"}, "text": {"format": {"type": "text"}}, "stream": False,
}  # fmt: skip
GEMINI: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "be short"}]},
    "contents": [
        {"role": "user", "parts": [{"text": "look"}, {"inlineData": {"mimeType": "image/png", "data": PIXEL}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {"city": "Bern"}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "weather", "response": {"result": "sunny"}}}]},
    ],
    "tools": [{"functionDeclarations": [{"name": "weather", "description": "d", "parameters": SCHEMA}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
    "generationConfig": {"temperature": 0.5, "maxOutputTokens": 50,
                         "stopSequences": ["x"], "thinkingConfig": {"thinkingBudget": 0}},
}  # fmt: skip
OLLAMA: dict[str, Any] = {
    "model": "to-openai",
    "messages": [{"role": "system", "content": "be short"}, {"role": "user", "content": "look", "images": [PIXEL]}],
    "tools": [{"type": "function", "function": {"name": "weather", "description": "d", "parameters": SCHEMA}}],
    "options": {"temperature": 0.5, "num_predict": 50, "stop": ["x"]}, "format": "json", "think": False, "stream": False,
}  # fmt: skip
COMPLETION: dict[str, Any] = {
    "model": "to-openai",
    "prompt": "once",
    "max_tokens": 5,
    "stop": ["x"],
    "stream": False,
    "logprobs": 1,
}
EMBEDDING: dict[str, Any] = {"model": "to-openai", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 8}
RERANK: dict[str, Any] = {
    "model": "to-openai",
    "query": "q",
    "documents": ["a", {"text": "b"}],
    "top_n": 1,
    "return_documents": True,
}

REQUESTS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": MESSAGES,
    "/v1/responses": RESPONSES,
    "/v1beta/models/to-openai:generateContent": GEMINI,
    "/v1beta/models/to-anthropic:streamGenerateContent": GEMINI,
    "/api/chat": OLLAMA,
    "/v1/completions": COMPLETION,
    "/v1/embeddings": EMBEDDING,
    "/v1/rerank": RERANK,
}
