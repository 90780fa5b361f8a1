"""A request that is longer than the model's context, in the words of the vendor whose API the caller speaks.

Clients shorten the conversation only at their own vendor's words: Claude Code at `prompt is too long`, Codex at the code
`context_length_exceeded`, Gemini CLI at `exceeds the maximum number of tokens`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from conduit_desktop.core.errors import GatewayError, UpstreamError
from conduit_desktop.wire.errors.classify import SEARCHED
from conduit_desktop.wire.errors.error_body import parse_json

_NUMBER = r"(\d[\d,]*)"


@dataclass(frozen=True, slots=True)
class Overflow:
    """The numbers of an overflow, None where the provider gave none: input `tokens`, requested `output`, and the `maximum`."""

    tokens: int | None = None
    output: int | None = None
    maximum: int | None = None

    @property
    def input_fits(self) -> bool:
        """Whether the input alone fits: then the limit is passed only with the output that the request asks for."""
        return bool(self.tokens and self.output and self.maximum and self.tokens <= self.maximum < self.tokens + self.output)


# Each vendor's text with its numbers in the order of the names. The first that matches counts.
_TEXTS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern.replace("NUM", _NUMBER), re.IGNORECASE | re.DOTALL), names)
    for pattern, names in (
        # Anthropic
        (r"exceed context limit: NUM \+ NUM > NUM", ("tokens", "output", "maximum")),
        (r"prompt is too long: NUM tokens > NUM", ("tokens", "maximum")),
        # vLLM; the older text is also that of OpenAI and DeepSeek where the output is counted
        (r"maximum context length is NUM tokens.{0,40}requested NUM output tokens.{0,60}at least NUM input tokens",
         ("maximum", "output", "tokens")),
        (r"maximum context length is NUM tokens.{0,60}requested (?:about )?\d+ tokens \(NUM (?:in the messages|of text input)"
         r".{0,60}?NUM (?:in the completion|in the output)", ("maximum", "tokens", "output")),
        (r"maximum context length is NUM tokens.{0,60}(?:resulted in|requested)(?: about)? NUM tokens", ("maximum", "tokens")),
        (r"is too large: NUM\. This model's maximum context length is NUM tokens and your request has NUM input tokens",
         ("output", "maximum", "tokens")),
        (r"maximum prompt length is NUM but the request contains NUM", ("maximum", "tokens")),  # xAI
        (r"token count \(?NUM\)? exceeds the maximum number of tokens allowed \(?NUM", ("tokens", "maximum")),  # Gemini
        (r"contains NUM tokens.{0,60}model with NUM maximum context", ("tokens", "maximum")),  # Mistral
        (r"request \(NUM tokens\) exceeds the available context size \(NUM", ("tokens", "maximum")),  # llama.cpp
        (r"cannot exceed NUM.{0,20}received NUM", ("maximum", "tokens")),  # Cohere
        (r"`inputs` must have less than NUM tokens\. Given: NUM", ("maximum", "tokens")),  # TGI, Hugging Face
        (r"must be <= NUM\. Given: NUM .{0,20}tokens and NUM", ("maximum", "tokens", "output")),  # TGI, Together
        (r"input \(NUM tokens\) is longer than the model'?s context length \(NUM", ("tokens", "maximum")),  # Together
        (r"prompt is too long: NUM, model maximum context length: NUM", ("tokens", "maximum")),  # Fireworks
        (r"current length is NUM while limit is NUM", ("tokens", "maximum")),  # Cerebras
        (r"keep the first NUM tokens.{0,120}context length of only NUM", ("tokens", "maximum")),  # LM Studio
        (r"prompt has NUM tokens.{0,60}context size is NUM", ("tokens", "maximum")),
        (r"request has about NUM tokens, and the model takes NUM", ("tokens", "maximum")),  # the gateway's own
        # The maximum alone
        (r"maximum (?:context|prompt|input) length (?:is|of) NUM", ("maximum",)),
        (r"maximum number of (?:input )?tokens(?: allowed)?(?: is)? \(?NUM", ("maximum",)),
        (r"exceeded model token limit: NUM", ("maximum",)),  # Moonshot
        (r"context length of this model is NUM", ("maximum",)),  # SambaNova
        (r"input length should be \[\d+, NUM\]", ("maximum",)),  # DashScope
    )
)  # fmt: skip


def context_overflow(error: GatewayError) -> Overflow | None:
    """The numbers of an overflow of the context; None for any other error."""
    if isinstance(error, UpstreamError):
        if error.reason != "context_length":
            return None
    elif error.code != "context_length_exceeded":
        return None
    for pattern, names in _TEXTS:
        if (found := pattern.search(error.message[:SEARCHED])) is not None:
            return Overflow(**{name: int(number.replace(",", "")) for name, number in zip(names, found.groups(), strict=True)})
    return _in_fields(error) if isinstance(error, UpstreamError) else Overflow()


def _in_fields(error: UpstreamError) -> Overflow:
    """The numbers in llama.cpp's fields: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md"""
    body = parse_json(error.body) if error.body else None
    fields = body.get("error") if isinstance(body, dict) else None
    fields = fields if isinstance(fields, dict) else {}
    tokens, maximum = fields.get("n_prompt_tokens"), fields.get("n_ctx")
    return Overflow(tokens if type(tokens) is int else None, None, maximum if type(maximum) is int else None)


def anthropic_text(overflow: Overflow) -> str:
    """Anthropic's text. https://platform.claude.com/docs/en/build-with-claude/context-windows"""
    tokens, output, maximum = overflow.tokens, overflow.output, overflow.maximum
    if overflow.input_fits:
        # Claude Code then asks for fewer output tokens; a shorter conversation is not needed.
        return (
            f"input length and `max_tokens` exceed context limit: {tokens} + {output} > {maximum}, "
            "decrease input length or `max_tokens` and try again"
        )
    if tokens and maximum:
        return f"prompt is too long: {tokens} tokens > {maximum} maximum"
    return f"prompt is too long: the maximum is {maximum} tokens" if maximum else "prompt is too long"


def openai_text(overflow: Overflow) -> str:
    """OpenAI's text, which comes with the code `context_length_exceeded`."""
    tokens, output, maximum = overflow.tokens, overflow.output, overflow.maximum
    if not maximum:
        return "Your input exceeds the context window of this model. Please adjust your input and try again."
    limit = f"This model's maximum context length is {maximum} tokens."
    if overflow.input_fits:
        parts = f"{_over(overflow)} tokens ({tokens} in the messages, {output} in the completion)"
        return f"{limit} However, you requested {parts}. Please reduce the length of the messages or completion."
    counted = f" However, your messages resulted in {tokens} tokens." if tokens else ""
    return f"{limit}{counted} Please reduce the length of the messages."


def gemini_text(overflow: Overflow) -> str:
    """Google's text of INVALID_ARGUMENT."""
    counted = f" ({_over(overflow)})" if overflow.tokens else ""
    allowed = f" ({overflow.maximum})" if overflow.maximum else ""
    return f"The input token count{counted} exceeds the maximum number of tokens allowed{allowed}."


def ollama_text(overflow: Overflow) -> str:
    """Ollama's text."""
    if overflow.tokens and overflow.maximum and (over := _over(overflow) - overflow.maximum) > 0:
        return f"prompt too long; exceeded max context length by {over} tokens"
    return "the input length exceeds the context length"


def cohere_text(overflow: Overflow) -> str:
    """Cohere's text."""
    if overflow.tokens and overflow.maximum:
        return (
            f"too many tokens: total number of tokens in the prompt cannot exceed {overflow.maximum} - received {_over(overflow)}."
        )
    return "too many tokens: the prompt is longer than the model's context."


BEDROCK_TEXT = "Input is too long for requested model."
"""AWS's text of a ValidationException; it has no numbers."""


def _over(overflow: Overflow) -> int:
    """The tokens that pass the maximum: the input's, with the output's where the input alone fits."""
    return (overflow.tokens or 0) + ((overflow.output or 0) if overflow.input_fits else 0)
