"""OpenAI's platform."""

from __future__ import annotations

import re

from conduit_desktop.core.chat import Json
from conduit_desktop.providers import KindField, Secrets
from conduit_desktop.providers.fields import BASE_URL, key_from
from conduit_desktop.providers.openai_compatible import OPENAI_REASONING_MODELS, REASONING_MODELS_REFUSE, OpenAICompatible


class OpenAI(OpenAICompatible):
    """OpenAI's API: chat completions, responses and media endpoints."""

    kind = "openai"
    label = "OpenAI"
    docs = "https://platform.openai.com/docs/api-reference"
    dialects = ("openai_chat", "openai_responses")
    borrowed = frozenset()
    default_base_url = "https://api.openai.com/v1"
    fields = (
        key_from("platform.openai.com/api-keys", "sk-…"),
        BASE_URL,
        KindField("organization", "Organization", placeholder="org-…", help="Only for keys that belong to several organizations."),
        KindField("project", "Project", placeholder="proj_…", help="Only for keys that belong to several projects."),
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
            "compact",
        }
    )
    price_provider = "openai"
    # Not x-stainless-*: it describes the caller's computer, and no answer depends on it.
    relayed_headers = ("openai-",)
    max_tokens_field = "max_completion_tokens"
    developer_role = True
    model_unsupported = ((OPENAI_REASONING_MODELS, REASONING_MODELS_REFUSE),)
    # `gpt-5-chat` and its successors do not reason, unlike the other models of their generation; `ft:` begins a fine-tuned name.
    not_reasoning = r"(ft:)?(gpt-3|gpt-4|chatgpt|gpt-[5-9][^:]*-chat|davinci|babbage)"
    responses_only = r"codex|gpt-[\d.]+-codex|(o\d|gpt-[\d.]+)-pro|o\d(-mini)?-deep-research|computer-use"
    """Models that exist in the Responses API only; `/chat/completions` answers 404. https://platform.openai.com/docs/models"""

    def dialects_for(self, model: str) -> tuple[str, ...]:
        """The Responses API only, for models that exist nowhere else."""
        if self.supports("openai_responses") and re.match(self.responses_only, model):
            return ("openai_responses",)
        return self.dialects

    def adapt(self, model: str, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """As other vendors of this dialect; reasoning models refuse sampling parameters in the Responses API, too."""
        if translated and dialect == "openai_responses":
            return self.drop_refused(model, body) + self.apply_rules(model, body, dialect, translated)
        return super().adapt(model, body, dialect, translated)

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The bearer token, and the organization and project where they are configured."""
        headers = super().headers(secrets, dialect)
        for option in ("organization", "project"):
            if value := self.config.options.get(option):
                headers[f"openai-{option}"] = str(value)
        return headers
