"""Vendors of embeddings and rerankers alone: one row each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from conduit_desktop.providers import Endpoint
from conduit_desktop.providers.compatible import BASE_URL, OpenAICompatible, key_from


class Voyage(OpenAICompatible):
    """Voyage AI. It has no list of models."""

    kind = "voyage"
    label = "Voyage AI"
    docs = "https://docs.voyageai.com/reference/embeddings-api"
    default_base_url = "https://api.voyageai.com/v1"
    fields = (key_from("dashboard.voyageai.com", "pa-…"), BASE_URL)
    endpoints = frozenset({"embeddings", "rerank"})
    forms: ClassVar[Mapping[Endpoint, str]] = {"embeddings": "voyage", "rerank": "voyage"}
    price_provider = "voyageai"
    models_url = ""
    offered = (
        "voyage-4", "voyage-4-large", "voyage-4-lite", "voyage-3.5", "voyage-3.5-lite", "voyage-code-3", "rerank-2.5",
        "rerank-2.5-lite",
    )  # fmt: skip


class Jina(OpenAICompatible):
    """Jina AI."""

    kind = "jina"
    label = "Jina AI"
    docs = "https://jina.ai/embeddings"
    default_base_url = "https://api.jina.ai/v1"
    fields = (key_from("jina.ai/api-dashboard", "jina_…"), BASE_URL)
    endpoints = frozenset({"embeddings", "rerank"})
    forms: ClassVar[Mapping[Endpoint, str]] = {"embeddings": "jina", "rerank": "jina"}
    models_url = ""
    offered = (
        "jina-embeddings-v5-text-small", "jina-embeddings-v5-text-nano", "jina-embeddings-v4", "jina-embeddings-v3",
        "jina-reranker-v3", "jina-reranker-m0",
    )  # fmt: skip
