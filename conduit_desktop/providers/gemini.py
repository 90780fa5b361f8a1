"""Gemini's API with a key from AI Studio. What its models refuse is in `gemini_rules.py`, for Vertex AI, too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import CLIENT_HEADERS, Endpoint, OutboundRequest, ProviderKind, Secrets
from conduit_desktop.providers.address import versioned
from conduit_desktop.providers.fields import BASE_URL, key_from
from conduit_desktop.providers.gemini_rules import GEMINI_RULES
from conduit_desktop.providers.image_limits import GEMINI_IMAGES
from conduit_desktop.providers.model_lists import rows_of
from conduit_desktop.providers.request_rules import mend_for_model
from conduit_desktop.wire.gemini.field_names import NAME, normalise

METHODS: dict[Endpoint, str] = {
    "chat": "generateContent", "count_tokens": "countTokens", "embeddings": "batchEmbedContents", "embedding": "embedContent",
}  # fmt: skip

_FEATURES = {"generateContent": (), "embedContent": ("embeddings",)}


class Gemini(ProviderKind):
    """Google's Gemini API, with a key from AI Studio."""

    kind = "gemini"
    label = "Google Gemini"
    docs = "https://ai.google.dev/api/generate-content"
    dialects = ("gemini",)
    default_base_url = "https://generativelanguage.googleapis.com"
    fields = (key_from("aistudio.google.com/apikey", "AIza…"), BASE_URL)
    endpoints = frozenset({"chat", "count_tokens", "embeddings"})
    media_formats: ClassVar[Mapping[Endpoint, str]] = {"embeddings": "gemini"}
    passthrough_formats = frozenset({"gemini"})
    price_provider: ClassVar[str | None] = "google"
    relayed_headers = (*CLIENT_HEADERS, "x-goog-api-client", "x-goog-request-", "x-gemini-", "x-server-timeout")
    rules = GEMINI_RULES
    images = GEMINI_IMAGES

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        # Google's OpenAI-compatible API is below the same version, and people paste its base URL.
        self.root = versioned(self.base_url, self.default_base_url + "/v1beta", "v1beta").removesuffix("/openai")

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The key in `x-goog-api-key`; empty without a key."""
        return {"x-goog-api-key": secrets.api_key} if secrets.api_key else {}

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """The URL of a method of `model`; streams are always requested as SSE. Raises ValueError for other endpoints."""
        return f"{self.root}/{_path(model)}:{method(endpoint, stream, self.label)}"

    def adapt_to_model(self, model: str, body: dict[str, Json], dialect: str) -> list[str]:
        """Thinking in a level or in tokens, signatures of calls, and what else differs between the generations."""
        return adapt_gemini(self, model, body, dialect)

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """All models on one page: 1000 is the most that a page may hold."""
        return self.get(f"{self.root}/models?pageSize=1000", secrets)

    def read_models(self, body: Json) -> list[OfferedModel]:
        """Google's list, with names without `models/`; raises ValueError for another body."""
        return [_model(row) for row in rows_of(body, "models") if isinstance(row.get("name"), str)]


def adapt_gemini(kind: ProviderKind, model: str, body: dict[str, Json], dialect: str) -> list[str]:
    """`ProviderKind.adapt_to_model` for Gemini's own dialect, on AI Studio and Vertex AI."""
    # The rules know one form of the names, and Google takes two.
    one_form = normalise(body, {})
    body.clear()
    body.update(one_form)
    # Streams as one array are the same requests.
    return mend_for_model(kind.rules, model, kind.kind, NAME, body)


def method(endpoint: Endpoint, stream: bool, label: str) -> str:
    """The method at the end of a URL, with `alt=sse` for streams; raises ValueError for an endpoint without one."""
    if endpoint not in METHODS:
        raise ValueError(f"{label} has no endpoint {endpoint}")
    # Without `alt=sse` Gemini streams one JSON array instead of events.
    return "streamGenerateContent?alt=sse" if endpoint == "chat" and stream else METHODS[endpoint]


def _path(model: str) -> str:
    name = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
    # HTTP clients resolve `.` and `..`: a model of that name would lead to another URL.
    return "/".join("%2E" * len(part) if part in (".", "..") else quote(part, safe="-_.~@") for part in name.split("/"))


def _model(row: dict[str, Any]) -> OfferedModel:
    methods = row.get("supportedGenerationMethods") or ()
    features = [feature for name in methods for feature in _FEATURES.get(str(name), ())]
    if row.get("thinking") is True:
        features.append("thinking")
    name = row.get("displayName")
    return OfferedModel(
        id=row["name"].removeprefix("models/"),
        name=name if isinstance(name, str) else None,
        context_tokens=_positive(row.get("inputTokenLimit")),
        max_output_tokens=_positive(row.get("outputTokenLimit")),
        features=tuple(dict.fromkeys(features)),
    )


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
