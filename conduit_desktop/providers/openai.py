"""OpenAI itself."""

from __future__ import annotations

import re

from conduit_desktop.core.chat import Json
from conduit_desktop.providers import KindField, Secrets
from conduit_desktop.providers.compatible import BASE_URL, OPENAI_THINKERS, THINKERS_REFUSE, OpenAICompatible, key_from


class OpenAI(OpenAICompatible):
    """OpenAI's platform API."""

    kind = "openai"
    label = "OpenAI"
    docs = "https://platform.openai.com/docs/api-reference"
    dialects = ("openai_chat", "openai_responses")
    default_base_url = "https://api.openai.com/v1"
    fields = (
        key_from("platform.openai.com/api-keys", "sk-…"),
        BASE_URL,
        KindField("organization", "Organization", placeholder="org-…", help="Only for keys of several organizations."),
        KindField("project", "Project", placeholder="proj_…", help="Only for keys of several projects."),
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
    model_unsupported = ((OPENAI_THINKERS, THINKERS_REFUSE),)
    not_reasoning = r"(ft:)?(gpt-3|gpt-4|chatgpt|gpt-[5-9][^:]*-chat|davinci|babbage)"
    responses_only = r"codex|gpt-[\d.]+-codex|(o\d|gpt-[\d.]+)-pro|o\d(-mini)?-deep-research|computer-use"
    """The beginnings of models that `/chat/completions` answers with 404: https://platform.openai.com/docs/models"""

    def dialects_for(self, model: str) -> tuple[str, ...]:
        """Some models are behind the Responses API alone."""
        if self.speaks("openai_responses") and re.match(self.responses_only, model):
            return ("openai_responses",)
        return self.dialects

    def adapt(self, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """As every vendor of this dialect; the reasoning models refuse sampling in the Responses API, too."""
        if translated and dialect == "openai_responses":
            return self.drop_refused(body)
        return super().adapt(body, dialect, translated)

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The bearer token, and the organization and project where they are set."""
        headers = super().headers(secrets, dialect)
        for option in ("organization", "project"):
            if value := self.config.options.get(option):
                headers[f"openai-{option}"] = str(value)
        return headers
