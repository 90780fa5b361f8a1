"""OpenAI's platform."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from conduit_desktop.core.chat import ChatRequest, Json, Media, Message, ToolResult
from conduit_desktop.core.entities import Provider
from conduit_desktop.providers import Endpoint, KindField, Secrets
from conduit_desktop.providers.fields import BASE_URL, key_from
from conduit_desktop.providers.image_limits import OPENAI_IMAGES
from conduit_desktop.providers.model_facts import ModelFacts, facts_of
from conduit_desktop.providers.openai_compatible import OPENAI_HEADERS, OPENAI_REASONING_MODELS, OpenAICompatible
from conduit_desktop.providers.openai_rules import OPENAI_RULES, SEARCHING
from conduit_desktop.providers.request_rules import RequestRule
from conduit_desktop.wire.hosted_search import is_search
from conduit_desktop.wire.openai_chat.request_writer import effort_of


class OpenAI(OpenAICompatible):
    """OpenAI's API: chat completions, responses and media endpoints."""

    kind = "openai"
    label = "OpenAI"
    docs = "https://platform.openai.com/docs/api-reference"
    dialects = ("openai_chat", "openai_responses")
    borrowed = frozenset()
    holds_objects = True
    # https://platform.openai.com/docs/guides/prompt-caching
    cache_keys = frozenset({"openai_chat", "openai_responses"})
    applies_templates = False
    default_base_url = "https://api.openai.com/v1"
    fields = (
        key_from("platform.openai.com/api-keys", "sk-…"),
        BASE_URL,
        KindField("organization", "Organization", placeholder="org-…", help="Only for keys that belong to several organizations."),
        KindField("project", "Project", placeholder="proj_…", help="Only for keys that belong to several projects."),
    )
    media_formats: ClassVar[Mapping[Endpoint, str]] = {"embeddings": "openai_only"}
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
    relayed_headers = OPENAI_HEADERS
    max_tokens_field = "max_completion_tokens"
    developer_role = True
    images = OPENAI_IMAGES
    rules: ClassVar[tuple[RequestRule, ...]] = OPENAI_RULES
    responses_only = r"codex|gpt-[\d.]+-codex|(o\d|gpt-[\d.]+)-pro|o\d(-mini)?-deep-research|computer-use"
    """Models that exist in the Responses API only; `/chat/completions` answers 404. https://platform.openai.com/docs/models"""

    hosted_search: ClassVar[str] = SEARCHING
    """Models with the hosted web search, which the Responses API has."""

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        # Data residency: https://developers.openai.com/api/docs/pricing
        resident = re.match(r"https://(us|eu)\.api\.openai\.com(?![.\w-])", self.base_url)
        self.price_region = resident[1] if resident else ""

    def dialects_for(self, model: str) -> tuple[str, ...]:
        """The Responses API only, for models that exist nowhere else."""
        if self.supports("openai_responses") and re.match(self.responses_only, model):
            return ("openai_responses",)
        return self.dialects

    def dialect_for(self, model: str, request: ChatRequest) -> str:
        """The Responses API where chat refuses what the request uses, or cannot express it."""
        dialects = self.dialects_for(model)
        if "openai_responses" not in dialects or not self.supports("openai_responses"):
            return dialects[0]
        return "openai_responses" if self._beyond_chat(model, facts_of(model, self.kind), request) else dialects[0]

    def takes(self, model: str, request: ChatRequest, dialect: str) -> bool:
        """Chat takes functions and documents of some models only, and the Responses API those of all."""
        if dialect != "openai_chat" or not self.supports("openai_responses"):
            return True
        return not self._beyond_chat(model, facts_of(model, self.kind), request)

    def adapt(self, model: str, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """Also gives the output limit of a passed-through chat the one name that reasoning models take.

        OpenCode, Qwen Code and others that are set up for any server with OpenAI's API always send `max_tokens`.
        """
        if not translated and dialect == "openai_chat" and "max_tokens" in body and re.match(OPENAI_REASONING_MODELS, model):
            self._rename(model, body, translated)
        return super().adapt(model, body, dialect, translated)

    def adapt_to_model(self, model: str, body: dict[str, Json], dialect: str) -> list[str]:
        """Also the output limit and the effort of chats, which differ between reasoning models and all others."""
        dropped: list[str] = []
        if dialect == "openai_chat":
            self._rename(model, body, translated=False)
            dropped = self._adapt_effort(model, body)
        return dropped + super().adapt_to_model(model, body, dialect)

    def _beyond_chat(self, model: str, facts: ModelFacts, request: ChatRequest) -> bool:
        if any(is_search(tool) for tool in request.tools) and re.match(self.hosted_search, model):
            return True
        if facts.tools_only_in_responses is not None and any(tool.kind != "hosted" for tool in request.tools):
            effort = None if request.reasoning is None else effort_of(request.reasoning)
            if facts.tools_only_in_responses == "always" or effort not in (None, "none"):
                return True
        # Chat takes a document as data only.
        return any(part.kind == "document" and self.only_in_responses(part) for part in _media(request.messages))

    def only_in_responses(self, document: Media) -> bool:
        """Whether chat cannot take `document`: a file at a URL."""
        return document.url is not None

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The bearer token, and the organization and project where they are configured."""
        headers = super().headers(secrets, dialect)
        for option in ("organization", "project"):
            if value := self.config.options.get(option):
                headers[f"openai-{option}"] = str(value)
        return headers


def _media(messages: list[Message]) -> Iterator[Media]:
    for message in messages:
        for part in message.parts:
            if isinstance(part, Media):
                yield part
            elif isinstance(part, ToolResult):
                yield from (one for one in part.parts if isinstance(one, Media))
