"""Cohere: chat in its own dialect, embeddings and rerank."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from conduit_desktop.core.chat import Json, Media
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import Endpoint, OutboundRequest, ProviderKind, Secrets
from conduit_desktop.providers.fields import BASE_URL, key_from
from conduit_desktop.providers.model_facts import ModelFacts
from conduit_desktop.providers.model_lists import rows_of
from conduit_desktop.providers.request_rules import RequestRule
from conduit_desktop.wire.values import left_out

_PATHS: Mapping[Endpoint, str] = {
    "chat": "/v2/chat",
    "rerank": "/v2/rerank",
    "embeddings": "/v2/embed",
}
# Also the base URL of the OpenAI-compatible API: https://docs.cohere.com/docs/compatibility-api
_PASTED = re.compile(r"(/compatibility)?/v\d+(/(chat|embed|rerank|models))?$")
_FEATURES = {"tools": "tools", "vision": "vision", "reasoning": "thinking", "json_schema": "json"}


def _drop_thinking(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Removes the switch where the model does not think."""
    if facts.thinking != "none" or "thinking" not in body:
        return []
    # Thinking that was switched off is no loss for a model that does not think.
    return ["reasoning"] if body.pop("thinking")["type"] == "enabled" else []


def _drop_choice(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """Removes `tool_choice` where the model has none; `NONE` is expressed by sending no tools."""
    if facts.forced_tools is not False or "tool_choice" not in body:
        return []
    if body.pop("tool_choice") == "NONE":
        del body["tools"]
        return []
    return ["tool_choice"]


def _drop_images(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    """A sentence in place of each image where the model reads text only."""
    if facts.images is not False:
        return []
    lost: list[str] = []
    for message in body["messages"]:
        content = message.get("content")
        for at, part in enumerate(content if isinstance(content, list) else ()):
            if part["type"] == "image_url":
                content[at] = {"type": "text", "text": left_out(Media("image"))}
                lost.append("content.image_url")
    return lost


class Cohere(ProviderKind):
    """Cohere's platform."""

    kind = "cohere"
    label = "Cohere"
    docs = "https://docs.cohere.com/v2/reference/chat"
    dialects = ("cohere",)
    default_base_url = "https://api.cohere.com"
    fields = (key_from("dashboard.cohere.com/api-keys"), BASE_URL)
    endpoints = frozenset(_PATHS)
    media_formats: ClassVar[Mapping[Endpoint, str]] = {"embeddings": "cohere", "rerank": "cohere"}
    passthrough_formats = frozenset({"cohere"})
    price_provider: ClassVar[str | None] = "cohere"
    rules = (
        RequestRule(_drop_thinking, "https://docs.cohere.com/docs/reasoning"),
        RequestRule(_drop_choice, "https://docs.cohere.com/reference/chat: tool_choice"),
        RequestRule(_drop_images, "https://docs.cohere.com/docs/image-inputs"),
    )

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        self.root = _PASTED.sub("", self.base_url)

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """Below the base URL, whichever version that names; raises ValueError for an endpoint that Cohere does not have."""
        if endpoint not in _PATHS:
            raise self.no_endpoint(endpoint)
        return self.root + _PATHS[endpoint]

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """All models on one page: 1000 is the most that a page may hold. https://docs.cohere.com/reference/list-models"""
        # Cohere's list of models is at version 1, unlike the endpoints, which are at version 2.
        return self.get(f"{self.root}/v1/models?page_size=1000", secrets)

    def read_models(self, body: Json) -> list[OfferedModel]:
        """The models that are not deprecated; raises ValueError for another body."""
        return [_model(row) for row in rows_of(body, "models") if row.get("name") and not row.get("is_deprecated")]


def _model(row: dict[str, Any]) -> OfferedModel:
    # Cohere lists sizes as floats, such as 288000.0.
    size = row.get("context_length")
    listed = [str(feature) for feature in row.get("features") or ()]
    features = [name for cohere_name, name in _FEATURES.items() if cohere_name in listed]
    if "embed" in (row.get("endpoints") or ()):
        features.append("embeddings")
    # Cohere reports vision in `features`, or in a field of its own.
    if row.get("supports_vision") and "vision" not in features:
        features.append("vision")
    return OfferedModel(
        str(row["name"]), context_tokens=int(size) if isinstance(size, int | float) and size > 0 else None, features=tuple(features)
    )
