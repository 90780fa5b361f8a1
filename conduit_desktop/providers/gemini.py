"""Gemini's API, and the differences between generations of its models, on AI Studio and Vertex AI alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import Endpoint, OutboundRequest, ProviderKind, Secrets
from conduit_desktop.providers.address import versioned
from conduit_desktop.providers.fields import BASE_URL, key_from
from conduit_desktop.providers.model_lists import rows_of

METHODS: dict[Endpoint, str] = {
    "chat": "generateContent", "count_tokens": "countTokens", "embeddings": "batchEmbedContents", "embedding": "embedContent",
}  # fmt: skip

_GENERATION = re.compile(r"(?:.*/)?gemini-(\d+)(?:\.(\d+))?")
_FIRST_THINKING = (2, 5)
_BUDGETS = {"minimal": 512, "low": 2048, "medium": 8192, "high": 24_576}
"""Thinking tokens for a level, at models that take budgets only; the last is the most that a Flash takes."""
_NO_SIGNATURE = "skip_thought_signature_validator"
"""The signature that Google documents for a call in the history that Gemini did not make: https://ai.google.dev/gemini-api/docs/thought-signatures"""
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
    relayed_headers = ("x-goog-api-client",)

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

    def adapt(self, model: str, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """In translated requests, what the generation of `model` needs."""
        return adapt_to_generation(model, body) if translated else []

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """All models on one page: 1000 is the most that a page may hold."""
        return self.get(f"{self.root}/models?pageSize=1000", secrets)

    def read_models(self, body: Json) -> list[OfferedModel]:
        """Google's list, with names without `models/`; raises ValueError for another body."""
        return [_model(row) for row in rows_of(body, "models") if isinstance(row.get("name"), str)]


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


def generation(model: str) -> tuple[int, int]:
    """(3, 1) for `gemini-3.1-pro`; names without a number count as the newest."""
    found = _GENERATION.match(model.lower())
    return (int(found[1]), int(found[2] or 0)) if found else (99, 0)


def adapt_to_generation(model: str, body: dict[str, Json]) -> list[str]:
    """Adapt a translated body to the generation of its model, in place; returns the names of what was dropped."""
    config: dict[str, Json] = dict(body.get("generationConfig") or {})
    number = generation(model)
    dropped = _adapt_thinking(config, model.lower(), number)
    if number < (3, 0):
        _spread_results(body)
        if body.get("tools") and config.get("responseMimeType") == "application/json":
            # "Function calling with a response mime type 'application/json' is unsupported"
            for name in ("responseMimeType", "responseJsonSchema"):
                config.pop(name, None)
            dropped.append("response_format")
    else:
        _sign_calls(body)
    if config:
        body["generationConfig"] = config
    else:
        body.pop("generationConfig", None)
    return dropped


def _adapt_thinking(config: dict[str, Json], model: str, number: tuple[int, int]) -> list[str]:
    """Generation 2.5 takes budgets, generation 3 levels; older ones do not think. Thinking of a Pro cannot be switched off.

    https://ai.google.dev/gemini-api/docs/thinking
    """
    thinking = config.get("thinkingConfig")
    if not isinstance(thinking, dict):
        return []
    thinking = config["thinkingConfig"] = dict(thinking)
    off = thinking.get("thinkingBudget") == 0
    if number < _FIRST_THINKING:
        del config["thinkingConfig"]
        # Thinking that was switched off is no loss for a model that does not think.
        return [] if off else ["reasoning"]
    if number < (3, 0):
        level = thinking.pop("thinkingLevel", None)
        if level is not None:
            thinking["thinkingBudget"] = _BUDGETS[level]
        if off and "pro" in model:
            thinking["thinkingBudget"] = 128  # the least it takes
        return []
    if off:
        # Generation 3 has no off switch, so its lowest level comes nearest; a Pro has no `minimal`.
        config["thinkingConfig"] = {"thinkingLevel": "low" if "pro" in model else "minimal"}
    elif thinking.get("thinkingBudget") == -1:
        del thinking["thinkingBudget"]  # dynamic thinking is the default
    elif thinking.get("thinkingLevel") == "minimal" and "pro" in model:
        thinking["thinkingLevel"] = "low"
    return []


def _spread_results(body: dict[str, Json]) -> None:
    """Move files out of function results, into parts after them: before generation 3 a result holds no files."""
    for content in body.get("contents") or ():
        parts: list[Json] = []
        files: list[Json] = []
        for part in content.get("parts") or ():
            inner = part.get("functionResponse")
            if isinstance(inner, dict) and "parts" in inner:
                files += inner["parts"]
                part = {**part, "functionResponse": {key: value for key, value in inner.items() if key != "parts"}}
            parts.append(part)
        if files:
            results = sum("functionResponse" in part for part in parts)
            content["parts"] = [*parts[:results], *files, *parts[results:]]


def _sign_calls(body: dict[str, Json]) -> None:
    """From generation 3 on the first function call of a turn needs a signature; calls of other models have none."""
    for content in body.get("contents") or ():
        first = next((part for part in content.get("parts") or () if "functionCall" in part), None)
        if first is not None and content.get("role") == "model":
            # A signature of Gemini's own, returned with the history, must not be replaced.
            first.setdefault("thoughtSignature", _NO_SIGNATURE)
