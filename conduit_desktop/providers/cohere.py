"""Cohere: its own chat dialect, embeddings and rerank."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import Endpoint, OutboundRequest, ProviderKind, Secrets
from conduit_desktop.providers.compatible import BASE_URL, key_from

_PATHS: Mapping[Endpoint, str] = {
    "chat": "/v2/chat",
    "rerank": "/v2/rerank",
    "embeddings": "/v2/embed",
}
_PASTED = re.compile(r"(/compatibility)?/v\d+(/(chat|embed|rerank|models))?$")
_FEATURES = {"tools": "tools", "vision": "vision", "reasoning": "thinking", "json_schema": "json"}


class Cohere(ProviderKind):
    """Cohere's platform."""

    kind = "cohere"
    label = "Cohere"
    docs = "https://docs.cohere.com/v2/reference/chat"
    dialects = ("cohere",)
    default_base_url = "https://api.cohere.com"
    fields = (key_from("dashboard.cohere.com/api-keys"), BASE_URL)
    endpoints = frozenset(_PATHS)
    forms: ClassVar[Mapping[Endpoint, str]] = {"embeddings": "cohere", "rerank": "cohere"}
    price_provider: ClassVar[str | None] = "cohere"

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        self.root = _PASTED.sub("", self.base_url)

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """A bearer token, where there is a key."""
        return {"authorization": f"Bearer {secrets.api_key}"} if secrets.api_key else {}

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """Below the base URL, whichever version it names; raises ValueError for what Cohere has no path for."""
        if endpoint not in _PATHS:
            raise ValueError(f"{self.label} has no endpoint {endpoint}")
        return self.root + _PATHS[endpoint]

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """One page holds every model there is. https://docs.cohere.com/reference/list-models"""
        headers = self.all_headers(secrets, self.dialects[0], {})
        del headers["content-type"]
        return OutboundRequest("GET", f"{self.root}/v1/models?page_size=1000", headers)

    def read_models(self, body: Json) -> list[OfferedModel]:
        """The models that are not deprecated; raises ValueError for a body that is no list."""
        rows = body.get("models") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise ValueError("the answer is not a list of models")
        return [_model(row) for row in rows if isinstance(row, dict) and row.get("name") and not row.get("is_deprecated")]


def _model(row: dict[str, Any]) -> OfferedModel:
    size = row.get("context_length")
    said = [str(feature) for feature in row.get("features") or ()]
    features = [name for word, name in _FEATURES.items() if word in said]
    if "embed" in (row.get("endpoints") or ()):
        features.append("embeddings")
    if row.get("supports_vision") and "vision" not in features:
        features.append("vision")
    return OfferedModel(
        str(row["name"]), context_tokens=int(size) if isinstance(size, int | float) and size > 0 else None, features=tuple(features)
    )
