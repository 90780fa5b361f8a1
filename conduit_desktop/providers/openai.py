"""OpenAI itself."""

from __future__ import annotations

from conduit_desktop.providers import Field, Secrets
from conduit_desktop.providers.compatible import API_KEY, BASE_URL, OpenAICompatible

_REASONING_REFUSES = (
    "temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias", "stop",
)  # fmt: skip


class OpenAI(OpenAICompatible):
    """OpenAI's platform API."""

    kind = "openai"
    label = "OpenAI"
    docs = "https://platform.openai.com/docs/api-reference"
    dialects = ("openai_chat", "openai_responses")
    default_base_url = "https://api.openai.com/v1"
    fields = (
        API_KEY,
        BASE_URL,
        Field("organization", "Organization", placeholder="org-…", help="Only for keys of several organizations."),
        Field("project", "Project", placeholder="proj_…", help="Only for keys of several projects."),
    )
    endpoints = frozenset(
        {
            "chat",
            "completions",
            "embeddings",
            "images",
            "image_edits",
            "speech",
            "transcriptions",
            "translations",
            "moderations",
        }
    )
    price_provider = "openai"
    # Not x-stainless-*: it tells of the caller's computer, and no answer depends on it.
    relayed_headers = ("openai-",)
    max_tokens_field = "max_completion_tokens"
    developer_role = True
    # The reasoning models refuse max_tokens and, while they think, everything that steers sampling.
    model_unsupported = ((r"(o\d|gpt-5|codex)(?!.*chat)", _REASONING_REFUSES),)
    not_reasoning = r"(ft:)?(gpt-3|gpt-4|chatgpt|gpt-5[^:]*-chat|davinci|babbage)"

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The bearer token, and the organization and project where they are set."""
        headers = super().headers(secrets, dialect)
        for option in ("organization", "project"):
            if value := self.config.options.get(option):
                headers[f"openai-{option}"] = str(value)
        return headers
