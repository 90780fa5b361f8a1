"""Anthropic, and servers that are compatible with its Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import CLIENT_HEADERS, Endpoint, OutboundRequest, ProviderKind, Secrets
from conduit_desktop.providers.address import versioned
from conduit_desktop.providers.claude import BINDING_BETA, MESSAGES_RULES, drop_unbound_thoughts
from conduit_desktop.providers.fields import BASE_URL, NEEDED_BASE_URL, OPTIONAL_KEY, key_from
from conduit_desktop.providers.image_limits import CLAUDE_IMAGES, ImageLimits, claude_images
from conduit_desktop.providers.model_facts import facts_of
from conduit_desktop.providers.model_lists import read_list
from conduit_desktop.providers.request_rules import RequestRule
from conduit_desktop.wire.turn_rules import BORROWED_MESSAGES, TurnRules, rules_of

_PATHS: dict[Endpoint, str] = {"chat": "/messages", "count_tokens": "/messages/count_tokens"}
ANTHROPIC_HEADERS = (*CLIENT_HEADERS, "anthropic-", "x-anthropic-", "x-claude-")


class Anthropic(ProviderKind):
    """Anthropic's Messages API."""

    kind = "anthropic"
    label = "Anthropic"
    docs = "https://platform.claude.com/docs/en/api/messages"
    dialects = ("anthropic_messages",)
    default_base_url = "https://api.anthropic.com"
    fields = (key_from("platform.claude.com/settings/keys", "sk-ant-…"), BASE_URL)
    endpoints = frozenset({"chat", "count_tokens"})
    price_provider: ClassVar[str | None] = "anthropic"
    relayed_headers = ANTHROPIC_HEADERS
    keeps_threads = True
    images: ClassVar[ImageLimits | None] = CLAUDE_IMAGES
    default_headers: ClassVar[Mapping[str, str]] = {"anthropic-version": "2023-06-01"}
    rules: ClassVar[tuple[RequestRule, ...]] = (
        *MESSAGES_RULES,
        RequestRule(drop_unbound_thoughts, "https://platform.claude.com/docs/en/build-with-claude/preserved-thinking"),
    )

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        self.root = versioned(self.base_url, self.default_base_url + "/v1" if self.default_base_url else "", "v1")

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The key in `x-api-key`; empty without a key."""
        return {"x-api-key": secrets.api_key} if secrets.api_key else {}

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """Below the base URL; raises ValueError for other endpoints than chat and token counts."""
        if endpoint not in _PATHS:
            raise self.no_endpoint(endpoint)
        return self.root + _PATHS[endpoint]

    def image_limits(self, model: str) -> ImageLimits | None:
        """Fewer for models with the smaller window."""
        return None if self.images is None else claude_images(self.images, model, self.kind)

    def added_headers(self, body: Mapping[str, Json]) -> dict[str, str]:
        """The beta that `drop_unbound_thoughts` needs."""
        return {"anthropic-beta": BINDING_BETA} if "block_binding" in (body.get("thinking") or ()) else {}

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """All models on one page: 1000 is the most that a page may hold."""
        return self.get(f"{self.root}/models?limit=1000", secrets)

    def read_models(self, body: Json) -> list[OfferedModel]:
        """Anthropic's list, with context sizes and features where it has them; raises ValueError for another body."""
        return read_list(body)


class AnthropicCompatible(Anthropic):
    """A server with Anthropic's Messages API at a base URL that the operator sets."""

    kind = "anthropic-compatible"
    label = "Anthropic-compatible"
    default_base_url = ""
    fields = (NEEDED_BASE_URL, OPTIONAL_KEY)
    price_provider = None
    keeps_threads = False
    images = None
    borrowed = frozenset({"anthropic_messages"})
    rules: ClassVar[tuple[RequestRule, ...]] = MESSAGES_RULES
    turns: ClassVar[Mapping[str, TurnRules]] = {"anthropic_messages": BORROWED_MESSAGES}

    def find_turn_rules(self, model: str, dialect: str) -> TurnRules:
        """A relay to Claude takes what Anthropic takes; other models do not know all of it."""
        if "claude" not in model.lower():
            return super().find_turn_rules(model, dialect)
        rules = rules_of(dialect)
        return replace(rules, assistant_last=False) if facts_of(model, self.kind).prefill is False else rules

    def adapt(self, model: str, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """A request for a model that is not known goes as its client sent it: nobody can say what the server refuses."""
        if not translated and facts_of(model, self.kind).thinking is None:
            return []
        return super().adapt(model, body, dialect, translated)

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The key in both headers: some servers read `x-api-key`, others `authorization`."""
        if not secrets.api_key:
            return {}
        return {"x-api-key": secrets.api_key, "authorization": f"Bearer {secrets.api_key}"}
