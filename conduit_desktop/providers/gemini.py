"""Gemini's API, and what is odd about its models, in whatever cloud they run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import Endpoint, OutboundRequest, ProviderKind, Secrets
from conduit_desktop.providers.address import versioned
from conduit_desktop.providers.compatible import BASE_URL, key_from

METHODS: dict[Endpoint, str] = {
    "chat": "generateContent", "count_tokens": "countTokens", "embeddings": "batchEmbedContents", "embedding": "embedContent",
}  # fmt: skip

_GENERATION = re.compile(r"(?:.*/)?gemini-(\d+)(?:\.(\d+))?")
_OLDEST_THINKER = (2, 5)
_BUDGETS = {"minimal": 512, "low": 2048, "medium": 8192, "high": 24_576}
"""Thinking tokens for a level, for the models that know budgets only; the last is the most a Flash takes."""
_NO_SIGNATURE = "skip_thought_signature_validator"
"""What Google documents for a call in the history that no Gemini made: https://ai.google.dev/gemini-api/docs/thought-signatures"""
_FEATURES = {"generateContent": (), "embedContent": ("embeddings",)}


class Gemini(ProviderKind):
    """Google's Gemini API, with a key of AI Studio."""

    kind = "gemini"
    label = "Google Gemini"
    docs = "https://ai.google.dev/api/generate-content"
    dialects = ("gemini",)
    default_base_url = "https://generativelanguage.googleapis.com"
    fields = (key_from("aistudio.google.com/apikey", "AIza…"), BASE_URL)
    endpoints = frozenset({"chat", "count_tokens", "embeddings"})
    forms: ClassVar[Mapping[Endpoint, str]] = {"embeddings": "gemini"}
    own_words = frozenset({"gemini"})
    price_provider: ClassVar[str | None] = "google"
    relayed_headers = ("x-goog-api-client",)

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        self.root = versioned(self.base_url, self.default_base_url + "/v1beta", "v1beta").removesuffix("/openai")

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The key in `x-goog-api-key`."""
        return {"x-goog-api-key": secrets.api_key} if secrets.api_key else {}

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """The model stands in the path; streams are always asked for as events."""
        return f"{self.root}/{_path(model)}:{method(endpoint, stream, self.label)}"

    def adapt(self, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """Nothing here: what is odd depends on the model, which the body does not name (see `adapt_for`)."""
        return []

    def adapt_for(self, model: str, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """In translated requests, what the model at hand wants otherwise."""
        return mend(model, body) if translated else []

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """One page holds every model there is: 1000 is the most a page may have."""
        headers = self.all_headers(secrets, self.dialects[0], {})
        del headers["content-type"]
        return OutboundRequest("GET", f"{self.root}/models?pageSize=1000", headers)

    def read_models(self, body: Json) -> list[OfferedModel]:
        """Google's list without `models/` before the names; raises ValueError for a body that is no list."""
        rows = body.get("models") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise ValueError("the answer is not a list of models")
        return [_model(row) for row in rows if isinstance(row, dict) and isinstance(row.get("name"), str)]


def method(endpoint: Endpoint, stream: bool, label: str) -> str:
    """The end of an address, with `alt=sse` for streams; raises ValueError for what Gemini has no method for."""
    if endpoint not in METHODS:
        raise ValueError(f"{label} has no endpoint {endpoint}")
    return "streamGenerateContent?alt=sse" if endpoint == "chat" and stream else METHODS[endpoint]


def _path(model: str) -> str:
    name = model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"
    # A segment of dots alone would lead elsewhere.
    return "/".join("%2E" * len(part) if part in (".", "..") else quote(part, safe="-_.~@") for part in name.split("/"))


def _model(row: dict[str, Any]) -> OfferedModel:
    said = row.get("supportedGenerationMethods") or ()
    features = [feature for name in said for feature in _FEATURES.get(str(name), ())]
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


def mend(model: str, body: dict[str, Json]) -> list[str]:
    """Fit a translated body to the generation of its model, in place; the names of what had to go."""
    config: dict[str, Json] = dict(body.get("generationConfig") or {})
    age = generation(model)
    dropped = _mend_thinking(config, model.lower(), age)
    if age < (3, 0):
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


def _mend_thinking(config: dict[str, Json], model: str, age: tuple[int, int]) -> list[str]:
    """Generation 2.5 knows budgets, generation 3 levels; the ones before do not think, and a Pro cannot stop to."""
    thinking = config.get("thinkingConfig")
    if not isinstance(thinking, dict):
        return []
    thinking = config["thinkingConfig"] = dict(thinking)
    off = thinking.get("thinkingBudget") == 0
    if age < _OLDEST_THINKER:
        del config["thinkingConfig"]
        return [] if off else ["reasoning"]
    if age < (3, 0):
        level = thinking.pop("thinkingLevel", None)
        if level is not None:
            thinking["thinkingBudget"] = _BUDGETS[level]
        if off and "pro" in model:
            thinking["thinkingBudget"] = 128  # the least it takes
        return []
    if off:
        config["thinkingConfig"] = {"thinkingLevel": "low" if "pro" in model else "minimal"}
    elif thinking.get("thinkingBudget") == -1:
        del thinking["thinkingBudget"]  # what it does anyway
    elif thinking.get("thinkingLevel") == "minimal" and "pro" in model:
        thinking["thinkingLevel"] = "low"
    return []


def _spread_results(body: dict[str, Json]) -> None:
    """Before generation 3 a function's result had no files in it: they stand beside it."""
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
    """From generation 3 on the first call of a turn needs a signature; calls that others made have none."""
    for content in body.get("contents") or ():
        first = next((part for part in content.get("parts") or () if "functionCall" in part), None)
        if first is not None and content.get("role") == "model":
            first.setdefault("thoughtSignature", _NO_SIGNATURE)
