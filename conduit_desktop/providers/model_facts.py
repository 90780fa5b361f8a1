"""What models accept: limits, words for the reasoning effort, sampling, modalities. One row a model family, each with its source.

A family is found by the model's own name, so that it has the same facts at every vendor that serves it; a row may be limited to
some vendors. Sizes and abilities of single models come from a generated table (`model_table.py`); a row here wins over it. What
neither states is unknown (None), and then a request is sent with the fewest assumptions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Literal

from conduit_desktop.providers.model_names import model_name
from conduit_desktop.providers.model_table import model_table

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Every word for a reasoning effort, from the least to the most. A word is fitted to a model along this order, never through a
budget in tokens: that way back is another word."""

_VARIANT = re.compile(r":(?:free|nitro|floor|thinking|extended|beta|online|exacto|batch)$")
_SIZED_WHEN_LOADED = frozenset({"ollama", "lmstudio", "llamacpp", "vllm", "localai", "jan", "demo"})
"""Kinds whose servers run a model in the size and the build that was loaded: a table of hosted models says nothing about it."""

Sampling = Literal["free", "one_of", "not_while_thinking", "refused"]
"""`free`: temperature and top_p; `one_of`: not both; `not_while_thinking`: only with the effort `none` or without thinking;
`refused`: the default only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """The facts of one model; None: unknown.

    `context` and `max_output` in tokens. `efforts`: the words it takes; empty: it refuses an effort. `thinks`: by default, where
    the request says nothing. `thinking`: how its dialect asks for it (`effort`, `budget` in tokens, `adaptive`, `switch`).
    `can_stop_thinking`: whether thinking can be switched off; `thinking_off`: the value for it where that is not the dialect's
    usual one.
    `budget_range`: the thinking budgets that it takes in tokens; with `thinking` of another kind it takes both.
    `stops`: the most stop sequences (0: none).
    """

    context: int | None = None
    max_output: int | None = None
    efforts: tuple[str, ...] | None = None
    thinks: bool | None = None
    thinking: Literal["effort", "budget", "adaptive", "switch", "none"] | None = None
    can_stop_thinking: bool | None = None
    thinking_off: str | None = None
    budget_range: tuple[int, int] | None = None
    sampling: Sampling | None = None
    stops: int | None = None
    penalties: bool | None = None
    forced_tools: bool | None = None
    parallel_setting: bool | None = None
    tools: bool | None = None
    streams_tools: bool | None = None
    """Whether an answer to a request with tools can be streamed."""
    images: bool | None = None
    files: bool | None = None
    audio: bool | None = None
    reasoning: bool | None = None
    """Whether it can think at all."""
    prefill: bool | None = None
    system: bool | None = None
    system_in_messages: bool | None = None
    """Claude: whether a conversation may hold messages of the role `system`."""
    json_schema: bool | None = None
    json_with_tools: bool | None = None
    json_mode: bool | None = None
    """Whether it can be held to JSON at all."""
    logprobs: bool | None = None
    binds_thoughts: bool | None = None
    """Whether its signed thoughts are refused after a change of anything before them in the conversation."""
    verbosity: bool | None = None
    """Whether it takes another verbosity than `medium`."""
    choices: int | None = None
    """The most answers to one request (`n`)."""
    tools_only_in_responses: Literal["always", "with_effort"] | None = None
    """OpenAI: function tools go to the Responses API: whatever the effort, or only where one is asked for."""


@dataclass(frozen=True, slots=True)
class Family:
    """The facts of the models whose names match. `vendors` empty: wherever the model is served; `source`: where it is stated."""

    pattern: str
    facts: ModelFacts
    source: str
    vendors: tuple[str, ...] = ()


_LOW_TO_HIGH = ("low", "medium", "high")

# OpenAI. Names of fine-tuned models begin with `ft:`. The open `gpt-oss` models are not among these.
_MODELS = "https://developers.openai.com/api/docs/models"
_EFFORTS_OF_MODELS = "https://developers.openai.com/api/docs/guides/reasoning"
_WITHOUT_REASONING = ModelFacts(
    efforts=(), thinks=False, thinking="none", sampling="free", stops=4, penalties=True, parallel_setting=True, forced_tools=True,
    verbosity=False,
)  # fmt: skip
_ALWAYS_REASONING = ModelFacts(
    thinks=True, thinking="effort", can_stop_thinking=False, sampling="refused", stops=0, penalties=False, forced_tools=True,
)  # fmt: skip
_OPENAI: tuple[Family, ...] = (
    Family(r"(ft:)?(gpt-3|gpt-4|chatgpt|davinci|babbage)", _WITHOUT_REASONING, _MODELS),
    Family(r"(ft:)?gpt-3\.5-turbo", ModelFacts(context=16_385, max_output=4_096, images=False, files=False), _MODELS),
    Family(r"gpt-3\.5-turbo-(0613|instruct)", ModelFacts(context=4_096), f"{_MODELS}/gpt-3.5-turbo-instruct"),
    Family(r"(ft:)?gpt-4", ModelFacts(context=8_192, max_output=8_192), _MODELS),
    Family(r"(ft:)?gpt-4-turbo", ModelFacts(context=128_000, max_output=4_096, images=True), _MODELS),
    Family(r"gpt-4-(1106|0125|vision)", ModelFacts(context=128_000, max_output=4_096), _MODELS),
    Family(r"gpt-4-32k", ModelFacts(context=32_768), _MODELS),
    Family(r"(ft:)?(gpt-4o|chatgpt-4o)", ModelFacts(context=128_000, max_output=16_384, images=True, files=True), _MODELS),
    Family(r"gpt-4o-2024-05-13", ModelFacts(max_output=4_096), _MODELS),
    Family(r"gpt-4o(-mini)?-(realtime|transcribe)", ModelFacts(context=16_000), f"{_MODELS}: the least of these models"),
    Family(r"gpt-4o-realtime", ModelFacts(context=32_000), _MODELS),
    Family(r"(ft:)?gpt-4\.1", ModelFacts(context=1_047_576, max_output=32_768, images=True, files=True), _MODELS),
    Family(r"(ft:)?(o\d|codex)", replace(_ALWAYS_REASONING, efforts=_LOW_TO_HIGH, context=200_000, max_output=100_000), _MODELS),
    Family(
        r"(ft:)?(o1|o3|o3-mini|o4-mini)(-\d{4}.*)?$",
        ModelFacts(parallel_setting=False),
        "learn.microsoft.com/azure/foundry/openai/how-to/reasoning, parameters that are not supported",
    ),
    Family(r"o\d", ModelFacts(images=True, files=True, verbosity=False), _MODELS),
    Family(r"(o1|o3)-mini", ModelFacts(images=False, files=False), _MODELS),
    Family(r"o1-mini", ModelFacts(context=128_000, max_output=65_536), f"{_MODELS}/o1-mini"),
    Family(r"o1-preview", ModelFacts(context=128_000, max_output=32_768), f"{_MODELS}/o1-preview"),
    Family(
        r"(ft:)?gpt-5",
        replace(
            _ALWAYS_REASONING,
            efforts=("minimal", *_LOW_TO_HIGH),
            context=400_000,
            max_output=128_000,
            images=True,
            files=True,
        ),
        _EFFORTS_OF_MODELS,
    ),
    # Without an effort, 5.1 to 5.4 do not think, and later ones do: https://github.com/UKGovernmentBEIS/inspect_ai/pull/5242
    Family(
        r"(ft:)?gpt-5\.\d",
        ModelFacts(efforts=("none", *_LOW_TO_HIGH), thinks=False, can_stop_thinking=True, sampling="not_while_thinking"),
        _EFFORTS_OF_MODELS,
    ),
    Family(r"(ft:)?gpt-5\.[2-9]", ModelFacts(efforts=("none", *_LOW_TO_HIGH, "xhigh")), _EFFORTS_OF_MODELS),
    # 400 "Function tools with reasoning_effort are not supported … in /v1/chat/completions", `none` included; 5.5 and later refuse
    # tools without an effort, too. https://github.com/livekit/agents/issues/5084 https://github.com/BerriAI/litellm/pull/34569
    Family(r"(ft:)?gpt-5\.[2-4]", ModelFacts(tools_only_in_responses="with_effort"), "livekit/agents#5084, #5088"),
    Family(
        r"(ft:)?gpt-5\.[5-9]",
        ModelFacts(thinks=True, stops=4, tools_only_in_responses="always"),
        "BerriAI/litellm#34569, #28650; jeffdafoe/llm-memory-api#178",
    ),
    Family(r"(ft:)?gpt-5\.(4$|4-2|4-pro|[5-9])", ModelFacts(context=1_050_000), _MODELS),
    Family(r"(ft:)?gpt-5\.[6-9]", ModelFacts(efforts=("none", *_LOW_TO_HIGH, "xhigh", "max")), "anomalyco/opencode#36141"),
    # "GPT-6 Astra does not support the `none` reasoning effort level", nor sampling; "tool calling requires the Responses API".
    Family(
        r"(ft:)?gpt-[6-9]",
        replace(
            _ALWAYS_REASONING,
            efforts=(*_LOW_TO_HIGH, "xhigh", "max"),
            context=1_050_000,
            max_output=128_000,
            images=True,
            files=True,
            tools_only_in_responses="always",
        ),
        f"{_MODELS}/gpt-6-astra; https://developers.openai.com/api/docs/changelog",
    ),
    Family(
        r"(ft:)?gpt-5(\.\d)?-codex",
        ModelFacts(efforts=_LOW_TO_HIGH, thinks=True, can_stop_thinking=False, sampling="refused", context=400_000),
        _MODELS,
    ),
    Family(r"(ft:)?gpt-5\.([2-9]-codex|1-codex-max)", ModelFacts(efforts=(*_LOW_TO_HIGH, "xhigh")), _EFFORTS_OF_MODELS),
    Family(r"gpt-5-pro", ModelFacts(efforts=("high",), max_output=272_000), _MODELS),
    Family(
        r"gpt-5-pro",
        ModelFacts(max_output=128_000),
        "learn.microsoft.com/azure/foundry/openai/concepts/models: 128,000 tokens of output",
        ("azure",),
    ),
    Family(r"gpt-5\.6-cyber", ModelFacts(context=400_000), f"{_MODELS}: 272,000 for the input"),
    Family(
        r"gpt-5\.\d-pro",
        ModelFacts(efforts=("medium", "high", "xhigh"), thinks=True, can_stop_thinking=False, sampling="refused"),
        _MODELS,
    ),
    # The models of ChatGPT. The first does not reason; the later ones choose for themselves and take the default sampling only.
    Family(
        r"gpt-5(\.\d)?-chat",
        replace(_WITHOUT_REASONING, context=128_000, max_output=16_384, files=False),
        f"{_MODELS}/gpt-5-chat-latest",
    ),
    Family(r"gpt-5\.\d-chat", ModelFacts(sampling="refused", penalties=False), "anomalyco/models.dev gpt-5.2-chat-latest.toml"),
    Family(r"gpt-5\.3$", ModelFacts(context=128_000, max_output=16_384), f"{_MODELS}/gpt-5.3-chat-latest, which it stands for"),
)

_CEREBRAS = "https://inference-docs.cerebras.ai/models/overview"
_XAI = "https://docs.x.ai/developers/model-capabilities/text/reasoning; NousResearch/hermes-agent#23435"

# xAI, and models of several vendors that serve open weights
_GROK = (
    Family("grok-", ModelFacts(efforts=()), _XAI),
    Family("grok-3-mini", ModelFacts(efforts=("low", "high")), _XAI),
    Family(r"grok-4[.-]3", ModelFacts(efforts=("none", *_LOW_TO_HIGH)), _XAI),
    Family(r"grok-4\.5", ModelFacts(efforts=_LOW_TO_HIGH), _XAI),
    Family(r"grok-(4\.([6-9]|20-multi-agent)|[5-9])", ModelFacts(efforts=(*_LOW_TO_HIGH, "xhigh")), "chenyme/grok2api#901"),
    Family(r"grok-.*non-reasoning", ModelFacts(efforts=()), _XAI),
)
_OPEN_WEIGHTS = (
    Family(
        "", ModelFacts(efforts=("none", *_LOW_TO_HIGH)), "mnfst/modelparams.dev#115", ("cerebras",)
    ),
    Family("gpt-oss", ModelFacts(efforts=_LOW_TO_HIGH, images=False), "https://github.com/openai/gpt-oss"),
    Family(
        "deepseek-(chat|reasoner|v4)(?!.*vision)", ModelFacts(images=False),
        "OpenHands/software-agent-sdk#2979: unknown variant image_url, expected text", ("deepseek",),
    ),
    Family(
        "minimax-m2", ModelFacts(images=False), "https://platform.minimax.io/docs/api-reference/text-openai-api: text only"
    ),
    Family(
        r"llama|qwen-3(?!\.)|zai-glm", ModelFacts(images=False), _CEREBRAS, ("cerebras",),
    ),
    # Last, as it holds for every model there: `openai/openai.go` answers 400 "invalid reasoning value".
    Family(
        "", ModelFacts(efforts=("none", *_LOW_TO_HIGH, "max")), "https://github.com/ollama/ollama/blob/main/openai/openai.go",
        ("ollama",),
    ),
)  # fmt: skip

_GOOGLE = ("gemini", "vertex")
_THINKING = "https://ai.google.dev/gemini-api/docs/thinking"

# Gemini and Gemma at Google.
_GEMINI = (
    # A name without a number, such as gemini-flash-latest, is of the newest generation. Every Gemini since 3 takes these levels,
    # and none has an off switch.
    Family("gemini", ModelFacts(thinking="effort", efforts=_LOW_TO_HIGH, can_stop_thinking=False, thinks=True), _THINKING, _GOOGLE),
    Family(
        r"gemini(?!-[12]\b)", ModelFacts(penalties=False),
        "https://github.com/google-gemini/cookbook/issues/1290; https://github.com/Ikalus1988/MisakaNet/issues/1473", _GOOGLE,
    ),
    Family(
        r"gemini(?!-(?:1\b|2\.0))", ModelFacts(logprobs=False),
        "https://github.com/googleapis/python-genai/issues/1921: Logprobs is not enabled", ("gemini",),
    ),
    Family(
        r"gemini-3\.[5-9]", ModelFacts(logprobs=False),
        "https://github.com/GoogleCloudPlatform/generative-ai/issues/2947: Logprobs is not supported", ("vertex",),
    ),
    Family(
        r"gemini(?!-[12]\b)", ModelFacts(choices=1),
        "https://github.com/googleapis/js-genai/issues/1609: Multiple candidates is not enabled for this model", ("gemini",),
    ),
    # Tried on 25 September 2026: 3.1 Pro, 3.7 Flash and 3.8 Flash refuse `minimal`, which the docs list for every Flash.
    Family(r"gemini-3-flash|gemini-3\.1-flash-lite|gemini-3\.[56]-flash", ModelFacts(efforts=("minimal", *_LOW_TO_HIGH)),
           "https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/guides/gemini-3-5-flash", _GOOGLE),
    Family(r"gemini-3-pro", ModelFacts(efforts=("low", "high")), _THINKING, _GOOGLE),
    Family(r"gemini-3(?!.*image)", ModelFacts(max_output=65_536), "https://ai.google.dev/gemini-api/docs/models", _GOOGLE),
    Family(
        r"gemini-[12]\b", ModelFacts(json_with_tools=False),
        "Function calling with a response mime type 'application/json' is unsupported", _GOOGLE,
    ),
    Family(
        r"gemini-2\.5", ModelFacts(thinking="budget", budget_range=(0, 24_576), can_stop_thinking=True, max_output=65_536),
        _THINKING, _GOOGLE,
    ),
    Family(r"gemini-2\.5-pro", ModelFacts(budget_range=(128, 32_768), can_stop_thinking=False), _THINKING, _GOOGLE),
    Family(r"gemini-2\.5-flash-lite", ModelFacts(budget_range=(512, 24_576), thinks=False), _THINKING, _GOOGLE),
    Family(r"gemini-2\.5", ModelFacts(penalties=False), "https://github.com/vercel/ai/issues/8943", ("gemini",)),
    Family(r"gemini-2\.5", ModelFacts(max_output=65_535), "https://github.com/BerriAI/litellm/pull/10548", ("vertex",)),
    Family(
        r"gemini-(?:1\b|2\.0)", ModelFacts(thinking="none", thinks=False, max_output=8192),
        "https://github.com/googleapis/js-genai/issues/681; https://ai.google.dev/gemini-api/docs/models", _GOOGLE,
    ),
    Family(
        r"gemini-.*image", ModelFacts(thinking="none"),
        "https://github.com/anomalyco/models.dev/issues/576: Thinking is not enabled for this model", _GOOGLE,
    ),
    Family(
        "gemma", ModelFacts(thinking="none"),
        "https://github.com/aduermael/herm/issues/23: Thinking budget is not supported for this model", _GOOGLE,
    ),
    Family(
        r"gemma-[123]", ModelFacts(system=False, tools=False, json_mode=False),
        "https://github.com/agno-agi/agno/issues/3505; https://github.com/vercel/ai/issues/8080", ("gemini",),
    ),
)  # fmt: skip

# Models at Ollama that have no tools, by the labels of its library. https://ollama.com/search?c=tools
_OLLAMA = (
    Family(
        r"(?:gemma[23]?|llama[23]|codellama|llava|bakllava|llama3\.2-vision|phi3)(?::|$)", ModelFacts(tools=False),
        "https://github.com/sigoden/aichat/issues/1375: does not support tools", ("ollama",),
    ),
    Family(
        r"(?:gemma[23]?|llama[23]|llama3\.[123]|llama3\.2-vision|codellama|llava|bakllava|phi3|mistral|mistral-nemo|qwen2|qwen2\.5)"
        r"(?::|$)",
        ModelFacts(efforts=(), thinking="none"), "https://docs.ollama.com/capabilities/thinking: does not support thinking",
        ("ollama",),
    ),
)  # fmt: skip

# Cohere's Command and Aya.
_COHERE = (
    Family(
        r"command-r|command-light|command-nightly|command$|command-a-(?:03-2025|vision|translate)|c4ai|aya",
        ModelFacts(thinking="none"), "https://docs.cohere.com/docs/reasoning: Command A Reasoning and later", ("cohere",),
    ),
    Family(
        r"command-r(?!7b)", ModelFacts(forced_tools=False),
        "https://docs.cohere.com/reference/chat: tool_choice since Command R7B", ("cohere",),
    ),
    Family(
        r"command-r|command-a-(?:03-2025|reasoning-08-2025|translate)|c4ai-aya-expanse", ModelFacts(images=False),
        "https://docs.cohere.com/docs/models: modalities", ("cohere",),
    ),
)  # fmt: skip

# Claude, wherever it is served.
_CLAUDES = "https://platform.claude.com/docs/en/about-claude/models/overview"
_CLAUDE_THINKING = "https://platform.claude.com/docs/en/build-with-claude/extended-thinking"
_CLAUDE_EFFORT = "https://platform.claude.com/docs/en/build-with-claude/effort"
_BUDGETS = (1024, 10**9)
_CLAUDE_EFFORTS = ("low", "medium", "high", "xhigh", "max")
# The end of a version without a minor number: a date may follow.
_MAJOR = r"(?![-.]\d{1,2}(?!\d))"

_CLAUDE: tuple[Family, ...] = (
    # An unknown Claude has the facts of the newest: what is left out is named, what is refused fails the call.
    Family(
        "claude",
        ModelFacts(
            context=200_000, efforts=_CLAUDE_EFFORTS, thinks=True, thinking="adaptive", can_stop_thinking=False, sampling="refused",
            forced_tools=False, images=True, files=True, tools=True, prefill=False, json_schema=True, binds_thoughts=True,
        ),
        "https://platform.claude.com/docs/en/models/opus-5-5/migration-guide",
    ),
    Family(r"claude-(opus|sonnet|haiku|fable|mythos)-([5-9]|preview)", ModelFacts(context=1_000_000, max_output=128_000), _CLAUDES),
    Family(
        "claude-sonnet-5[-.]5",
        # The lowest setting: no thinking up front. https://platform.claude.com/docs/en/models/sonnet-5-5/whats-new-sonnet-5-5
        ModelFacts(can_stop_thinking=True, thinking_off="between_tools"),
        "https://platform.claude.com/docs/en/models/sonnet-5-5/migration-guide",
    ),
    Family(
        "claude-haiku-5[-.]5",
        ModelFacts(can_stop_thinking=True),
        "https://openrouter.ai/docs/cookbook/evaluate-and-optimize/model-migrations/claude-5-5",
    ),
    # 5.1 refuses forced tools, 5 does not. https://platform.claude.com/docs/en/models/fable-5-1/migration-guide
    Family(rf"claude-(fable|mythos)-(5{_MAJOR}|preview)", ModelFacts(forced_tools=True, binds_thoughts=False), _CLAUDES),
    Family(
        rf"claude-(opus|sonnet)-5{_MAJOR}",
        ModelFacts(can_stop_thinking=True, forced_tools=True, binds_thoughts=False),
        "https://platform.claude.com/docs/en/models/opus-5/migration-guide",
    ),
    Family(
        r"claude-(opus|sonnet)-4[-.][6-9]",
        ModelFacts(
            context=1_000_000,
            max_output=128_000,
            thinks=False,
            can_stop_thinking=True,
            forced_tools=True,
            binds_thoughts=False,
        ),
        _CLAUDES,
    ),
    Family(
        r"claude-(opus|sonnet)-4[-.][67]",
        ModelFacts(system_in_messages=False),
        "https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages",
    ),
    Family(
        r"claude-(opus|sonnet)-4[-.]6",
        # Budgets are deprecated, not refused: https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking
        ModelFacts(efforts=("low", "medium", "high", "max"), budget_range=_BUDGETS, sampling="one_of"),
        _CLAUDE_EFFORT,
    ),
    Family(
        rf"claude-(3|instant|v?[12]|(opus|sonnet|haiku)-(3|4(?:[-.@](?:[0-5](?!\d)|\d{{8}})|$)))|claude-(opus|sonnet|haiku)-4{_MAJOR}",
        ModelFacts(
            context=200_000, max_output=64_000, efforts=(), thinks=False, thinking="budget", can_stop_thinking=True,
            budget_range=_BUDGETS, sampling="one_of", forced_tools=True, prefill=True, binds_thoughts=False,
            system_in_messages=False,
        ),
        _CLAUDE_THINKING,
    ),
    Family(
        "claude-sonnet-4[-.]6", ModelFacts(max_output=64_000),
        "https://docs.aws.amazon.com/bedrock/latest/userguide/model-cards.html", ("bedrock", "vertex"),
    ),
    Family(r"claude-(instant|v?[12](?![.:]1))", ModelFacts(context=100_000), _CLAUDES),
    Family(r"claude-opus-4[-.]5", ModelFacts(efforts=("low", "medium", "high")), _CLAUDE_EFFORT),
    # OpenRouter makes a budget of an effort: "for models that only support reasoning.max_tokens, effort is converted".
    Family(
        r"claude-(3[-.]7|(opus|sonnet|haiku)-4(?![-.][6-9]))",
        ModelFacts(efforts=("none", "minimal", "low", "medium", "high", "xhigh")),
        "https://openrouter.ai/docs/use-cases/reasoning-tokens",
        ("openrouter",),
    ),
    Family(rf"claude-opus-4([-.][01](?!\d)|{_MAJOR})", ModelFacts(max_output=32_000), _CLAUDES),
    # Before Opus 4.1 temperature and top_p go together, and there are no structured outputs.
    # https://platform.claude.com/docs/en/build-with-claude/structured-outputs
    Family(
        rf"claude-(3|instant|v?[12]|(opus|sonnet)-4([-.]0(?!\d)|{_MAJOR}))", ModelFacts(sampling="free", json_schema=False),
        _CLAUDES,
    ),
    Family(
        "claude-opus-4[-.]1",
        ModelFacts(json_schema=False),
        "https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html",
        ("bedrock", "vertex"),
    ),
    Family(r"claude-(3[-.]5|3-(opus|sonnet|haiku)|instant|v?[12])", ModelFacts(thinking="none"), _CLAUDE_THINKING),
    Family(r"claude-3[-.]5", ModelFacts(max_output=8192), _CLAUDES),
    Family(r"claude-(3-(opus|sonnet|haiku)|instant|v?[12])", ModelFacts(max_output=4096), _CLAUDES),
)  # fmt: skip

# Other models on Bedrock.
_CONVERSE = "https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html"
_NOVA = "https://docs.aws.amazon.com/nova/latest/userguide/what-is-nova.html"

_BEDROCK: tuple[Family, ...] = (
    Family("nova", ModelFacts(thinking="none", json_schema=False), _NOVA, ("bedrock",)),
    Family("nova-micro", ModelFacts(images=False, files=False), _NOVA, ("bedrock",)),
    Family(
        "nova-2",
        ModelFacts(thinking="effort", efforts=("none", "low", "medium", "high"), thinks=False, can_stop_thinking=True),
        "https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html",
        ("bedrock",),
    ),
    # "This model doesn't support the toolConfig.toolChoice.tool field." maximhq/bifrost#3196
    Family(
        "llama", ModelFacts(thinking="none", forced_tools=False, json_schema=False, streams_tools=False), _CONVERSE, ("bedrock",)
    ),
    Family(r"llama3-(1|3|2-[13]b)", ModelFacts(images=False), _CONVERSE, ("bedrock",)),
    # 1B, 3B and 11B: epam/ai-dial-adapter-bedrock#181
    Family(r"llama(2|3-\d+b|3-2-(1|3|11)b)", ModelFacts(tools=False), _CONVERSE, ("bedrock",)),
    # "This model doesn't support tool use in streaming mode": earendil-works/pi#3739, langchain-ai/langchain-aws#466.
    Family(
        "pixtral|palmyra|jamba|deepseek-r1|mistral-(7b|(large|small)-24)|mixtral", ModelFacts(streams_tools=False), _CONVERSE,
        ("bedrock",),
    ),
    Family(
        r"palmyra(?!-vision)|jamba|deepseek-r1|mistral(?!-large-3)|mixtral|titan", ModelFacts(images=False), _CONVERSE,
        ("bedrock",),
    ),
    Family("deepseek-r1|jamba-instruct|mistral-7b|mixtral|titan", ModelFacts(tools=False), _CONVERSE, ("bedrock",)),
    # "This model doesn't support system messages."
    Family("mistral-7b|mixtral|titan", ModelFacts(system=False), _CONVERSE, ("bedrock",)),
    # "This model doesn't support the stopSequences field." crewAIInc/crewAI#3317
    Family("gpt-oss", ModelFacts(stops=0, thinking="effort", can_stop_thinking=False), _CONVERSE, ("bedrock",)),
)  # fmt: skip

FAMILIES: tuple[Family, ...] = (*_OPENAI, *_GROK, *_OPEN_WEIGHTS, *_GEMINI, *_OLLAMA, *_COHERE, *_CLAUDE, *_BEDROCK)
"""A later row adds to the earlier ones that match too, and wins where both state a fact."""


@lru_cache(maxsize=4096)
def facts_of(model: str, vendor: str = "") -> ModelFacts:
    """The facts of `model`, the name that is sent to the vendor; prefixes of relays (`openai/`, `anthropic.`) are ignored.

    `vendor` is the provider kind. The first call reads the generated table (blocking, milliseconds).
    """
    generated = {} if vendor in _SIZED_WHEN_LOADED else model_table().find(model, vendor)
    return replace(ModelFacts(**generated), **family_facts(model, vendor))


def family_facts(model: str, vendor: str = "") -> dict[str, Any]:
    """What the rows of FAMILIES alone state of a model."""
    # Without OpenRouter's `:free`; a label of Ollama's (`:8b`) stays.
    name = _VARIANT.sub("", model_name(model))
    found: dict[str, Any] = {}
    for family in FAMILIES:
        if (not family.vendors or vendor in family.vendors) and re.match(family.pattern, name):
            found |= _stated(family.facts)
    return found


def _stated(facts: ModelFacts) -> dict[str, Any]:
    return {one.name: value for one in fields(facts) if (value := getattr(facts, one.name)) is not None}


def fitted_effort(effort: str, efforts: Iterable[str]) -> str | None:
    """The word of `efforts` that is nearest to `effort`, the lesser of two equally near; None where there is none to choose.

    `none` becomes the least that the model takes. An unknown word is left to the vendor.
    """
    taken = [word for word in EFFORTS if word in set(efforts)]
    if not taken or effort not in EFFORTS:
        return effort if taken else None
    at = EFFORTS.index(effort)
    # Thinking is not switched off for somebody who asked for a little of it.
    choices = taken if effort == "none" or taken == ["none"] else [word for word in taken if word != "none"]
    return min(choices, key=lambda word: (abs(EFFORTS.index(word) - at), EFFORTS.index(word)))
