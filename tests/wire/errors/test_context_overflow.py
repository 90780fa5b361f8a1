"""A context overflow in the words of the caller's own vendor, with the numbers that the provider gave."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.core.errors import BadRequest, GatewayError, UpstreamError
from conduit_desktop.wire import dialect
from conduit_desktop.wire.errors.context_overflow import Overflow, context_overflow

OPENAI = "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens. Please reduce …"
TEXTS: dict[str, tuple[str, Overflow]] = {
    "openai": (OPENAI, Overflow(130001, None, 128000)),
    "openai-responses": ("Your input exceeds the context window of this model. Please adjust your input.", Overflow()),
    "vllm-old": (
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4000 in the messages, 1000 in the "
        "completion). Please reduce the length of the messages or completion.",
        Overflow(4000, 1000, 4096),
    ),
    "vllm": (
        "This model's maximum context length is 4096 tokens. However, you requested 100 output tokens and your prompt contains at "
        "least 3997 input tokens, for a total of at least 4097 tokens. Please reduce the length of the input prompt.",
        Overflow(3997, 100, 4096),
    ),
    "openrouter": (
        "This endpoint's maximum context length is 200000 tokens. However, you requested about 210044 tokens (200044 of text "
        "input, 10000 in the output). Please reduce the length of either one.",
        Overflow(200044, 10000, 200000),
    ),
    "anthropic": ("prompt is too long: 250000 tokens > 200000 maximum", Overflow(250000, None, 200000)),
    "anthropic-output": (
        "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length",
        Overflow(188240, 21333, 200000),
    ),
    "gemini": (
        "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).", Overflow(1048577, None, 1048576),
    ),
    "gemini-old": ("The input token count exceeds the maximum number of tokens allowed 1048576.", Overflow(None, None, 1048576)),
    "xai": (
        "This model's maximum prompt length is 131072 but the request contains 537812 tokens.", Overflow(537812, None, 131072),
    ),
    "mistral": (
        "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
        Overflow(40000, None, 32768),
    ),
    "llama.cpp": (
        "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it", Overflow(5000, None, 4096),
    ),
    "cohere": (
        "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000.", Overflow(5000, None, 4081),
    ),
    "together": (
        "The input (516368 tokens) is longer than the model's context length (262144 tokens).", Overflow(516368, None, 262144),
    ),
    "lm-studio": (
        "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only "
        "4096 tokens, which is not enough.",
        Overflow(5000, None, 4096),
    ),
    "vllm-cap": (
        "'max_tokens' or 'max_completion_tokens' is too large: 1000. This model's maximum context length is 4096 tokens and your "
        "request has 4000 input tokens (1000 > 4096 - 4000).",
        Overflow(4000, 1000, 4096),
    ),
    "tgi": ("Input validation error: `inputs` must have less than 4095 tokens. Given: 5000", Overflow(5000, None, 4095)),
    "fireworks": ("The prompt is too long: 140000, model maximum context length: 131071", Overflow(140000, None, 131071)),
    "cerebras": (
        "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192",
        Overflow(9000, None, 8192),
    ),
    "moonshot": ("Invalid request: Your request exceeded model token limit: 131072", Overflow(None, None, 131072)),
    "sambanova": ("The maximum context length of this model is 4096 tokens.", Overflow(None, None, 4096)),
    "bedrock": ("Input is too long for requested model.", Overflow()),
}  # fmt: skip


def refusal(message: str, source: str = "", **more: Any) -> UpstreamError:
    return UpstreamError(message, status=400, reason="context_length", dialect=source, **more)


@pytest.mark.parametrize("vendor", TEXTS)
def test_the_numbers_of_each_vendors_text_are_read(vendor: str) -> None:
    text, found = TEXTS[vendor]
    assert context_overflow(refusal(text)) == found


def test_the_numbers_in_llama_cpps_fields_are_read() -> None:
    body = b'{"error":{"code":400,"message":"the request exceeds the available context size","n_prompt_tokens":5000,"n_ctx":4096}}'
    error = dialect("openai_chat").read_error(400, {}, body)
    assert context_overflow(error) == Overflow(5000, None, 4096)


@pytest.mark.parametrize("vendor", TEXTS)
def test_each_vendors_text_is_known_as_an_overflow(vendor: str) -> None:
    body = orjson.dumps({"error": {"message": TEXTS[vendor][0], "type": "invalid_request_error"}})
    assert dialect("openai_chat").read_error(400, {}, body).reason == "context_length"


@pytest.mark.parametrize(
    "error",
    [
        {"message": "Invalid 'user': string too long.", "param": "user", "code": "string_above_max_length"},
        {"message": "Invalid: string too long.", "param": "tools[0].function.description", "code": "string_above_max_length"},
        {
            "message": "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the "
            "`context_window` for this model",  # Groq
            "type": "invalid_request_error", "param": "max_tokens",
        },
    ],
)  # fmt: skip
def test_a_limit_that_a_shorter_conversation_does_not_help_is_no_overflow(error: dict[str, str]) -> None:
    found = dialect("openai_chat").read_error(400, {}, orjson.dumps({"error": error}))
    assert found.reason == "bad_request"
    assert context_overflow(found) is None


@pytest.mark.parametrize("param", ["messages[0].content", "input", "messages.[1].content[0].text"])
def test_a_text_of_the_conversation_that_is_too_long_is_an_overflow(param: str) -> None:
    body = orjson.dumps({"error": {"message": "string too long", "param": param, "code": "string_above_max_length"}})
    assert dialect("openai_chat").read_error(400, {}, body).reason == "context_length"


def test_no_other_error_is_an_overflow() -> None:
    assert context_overflow(UpstreamError(OPENAI, status=429, reason="rate_limit")) is None
    assert context_overflow(BadRequest("prompt is too long: 2 tokens > 1 maximum")) is None


WRITTEN = {
    "openai_chat": {
        "message": "This model's maximum context length is 200000 tokens. However, your messages resulted in 250000 tokens. "
        "Please reduce the length of the messages.",
        "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded",
    },
    "anthropic_messages": {"type": "invalid_request_error", "message": "prompt is too long: 250000 tokens > 200000 maximum"},
    "gemini": {
        "code": 400, "status": "INVALID_ARGUMENT",
        "message": "The input token count (250000) exceeds the maximum number of tokens allowed (200000).",
    },
    "ollama": "prompt too long; exceeded max context length by 50000 tokens",
}  # fmt: skip


@pytest.mark.parametrize("caller", WRITTEN)
def test_an_overflow_is_written_in_the_words_of_the_callers_vendor(caller: str) -> None:
    text = "Prompt contains 250000 tokens and 0 draft tokens, too large for model with 200000 maximum context length"
    status, body = dialect(caller).write_error(refusal(text, "openai_chat", kind="3051"))
    assert (status, body["error"]) == (400, WRITTEN[caller])


@pytest.mark.parametrize("status", [413, 500, 422])
@pytest.mark.parametrize("caller", [*WRITTEN, "openai_responses", "cohere", "bedrock"])
def test_its_status_is_400_whatever_the_provider_sent(caller: str, status: int) -> None:
    error = UpstreamError("Input is too long for requested model.", status=status, reason="context_length", dialect="replicate")
    assert dialect(caller).write_error(error)[0] == 400


@pytest.mark.parametrize(
    ("caller", "words"),
    [
        ("anthropic_messages", "prompt is too long"),
        ("openai_chat", "context_length_exceeded"),
        ("openai_responses", "context_length_exceeded"),
        ("gemini", "exceeds the maximum number of tokens allowed"),
        ("ollama", "the input length exceeds the context length"),
    ],
)
def test_without_numbers_the_words_are_the_same(caller: str, words: str) -> None:
    error = refusal("Input is too long for requested model.", "bedrock", kind="ValidationException")
    assert words in orjson.dumps(dialect(caller).write_error(error)[1]).decode()
    writer = dialect(caller).writer(ChatRequest(caller, "m", stream=True))
    assert words in writer.fail(error).decode()


def test_an_overflow_by_the_requested_output_asks_for_less_output() -> None:
    error = refusal(TEXTS["vllm-old"][0], "openai_chat")
    assert message_of("anthropic_messages", error) == (
        "input length and `max_tokens` exceed context limit: 4000 + 1000 > 4096, "
        "decrease input length or `max_tokens` and try again"
    )
    error = refusal("input length and `max_tokens` exceed context limit: 4000 + 1000 > 4096", "anthropic_messages")
    assert "you requested 5000 tokens (4000 in the messages, 1000 in the completion)" in message_of("openai_chat", error)


def test_the_gateways_own_refusal_of_a_long_request_has_the_same_words() -> None:
    error = BadRequest("the request has about 1,200 tokens, and the model takes 500", code="context_length_exceeded", param="x")
    assert message_of("anthropic_messages", error) == "prompt is too long: 1200 tokens > 500 maximum"
    assert dialect("openai_chat").write_error(error)[1]["error"]["code"] == "context_length_exceeded"


def message_of(caller: str, error: GatewayError) -> str:
    return str(dialect(caller).write_error(error)[1]["error"]["message"])


def test_why_earlier_targets_failed_is_kept_after_the_words() -> None:
    error = refusal("Input is too long for requested model.", "bedrock")
    error.note = " (sent to b/m because of a/m: overloaded)"
    error.message += error.note
    assert message_of("anthropic_messages", error) == "prompt is too long" + error.note
