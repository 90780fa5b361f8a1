"""Which source is right where the contexts or output limits of a model disagree by more than rounding, and why."""

from __future__ import annotations

DECISIONS: dict[str, tuple[str, str]] = {
    r"cerebras llama-3-1-8b": ("genai-prices", "32k on the paid tier: https://inference-docs.cerebras.ai/models/llama-31-8b"),
    r"mistral codestral-latest": ("genai-prices", "it is Codestral 25.08 with 256k: https://docs.mistral.ai/models/codestral-25-08"),
    r"deepseek deepseek-(chat|reasoner)": ("litellm", "64k ended with V3: https://api-docs.deepseek.com/news/news250821"),
    r"deepseek deepseek-v3-2": ("lesser", "the API serves 128k, the weights have 160k: https://api-docs.deepseek.com/quick_start/pricing"),
    r"fireworks llama-4-maverick-instruct-basic": ("lesser", "no third source: the cautious one"),
    r"vertex gemini-2-5-pro-preview-tts": ("genai-prices", "speech models read 8,192 tokens: https://ai.google.dev/gemini-api/docs/models"),
    r"openai gpt-3-5-turbo-instruct(-0914)?": ("lesser", "genai-prices has the chat model's: https://developers.openai.com/api/docs/models"),
    r"openai gpt-5(-[12])?-chat(-latest)?": ("litellm", "genai-prices has GPT-5's: https://developers.openai.com/api/docs/models/gpt-5-chat-latest"),
    r"minimax minimax-m2-[15]": ("lesser", "204,800: https://platform.minimax.io/docs/api-reference/text-openai-api"),
    r"bedrock qwen3-coder-480b-a35b-v1:0": ("lesser", "no third source: the cautious one"),
}  # fmt: skip
"""`kind name` (a regular expression) to the table that holds (`litellm`, `genai-prices`, `lesser`, `greater`) and the reason."""

_EMULATED = "litellm counts schemas that it emulates by a tool; the vendor has none"

HAND_ROWS: dict[str, str] = {
    r"\S+ claude-(3|opus-4(?= |-1|-2025)|sonnet-4(?= |-2025))\S* json_schema": _EMULATED,
    r"bedrock nova-\S+ json_schema": _EMULATED,
    r"bedrock claude-3-7-sonnet\S* max_output": "64,000: https://platform.claude.com/docs/en/about-claude/models/overview",
    r"bedrock claude-3-5-sonnet-20240620\S* max_output": "8,192 since August 2024: the same page",
    r"bedrock claude-(instant|v[12])\S* max_output": "4,096: https://platform.claude.com/docs/en/about-claude/models/overview",
    r"bedrock claude-v2:1 context": "litellm has one row for 2.0 and 2.1; 2.1 reads 200,000",
    r"any claude-2 context": "the table has 2.1's; 2.0 read 100,000",
    r"bedrock claude context": "a name without a version is not Claude 1",
    r"\S+ claude-(fable|haiku|mythos|opus|sonnet)(-latest)? context": "a name without a version: the cautious size",
    r"openrouter claude-sonnet-4-5\S* context": "at Anthropic, the million needs a beta header",
    r"any gpt-4(-0613)? max_output": "8,192: https://developers.openai.com/api/docs/models/gpt-4",
    r"any gpt-5(\.\d)?-chat(-latest)? files": "text and images: https://developers.openai.com/api/docs/models/gpt-5-chat-latest",
    r"any gpt-3\.5-turbo-instruct\S* context": "4,096: https://developers.openai.com/api/docs/models/gpt-3.5-turbo-instruct",
    r"azure gpt-3\.5-turbo context": "the versions that remain read 16,385 tokens",
    r"openrouter gpt-5\.4-image-2 context": "litellm and genai-prices have the input alone",
}
"""`vendor model fact` (a regular expression) where a row of `providers/model_facts.py` holds against the table, and why."""
