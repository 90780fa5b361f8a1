"""Lists of models: rows in OpenAI's format, with the further fields that vendors add to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel
from conduit_desktop.core.media import UNIT_RATES

# The first that is present wins. The size of a loaded model comes before the size that it was trained for or could be loaded
# with, because the server refuses requests over the loaded size.
CONTEXT_FIELDS = (
    "context_length",  # OpenRouter, Together, Fireworks, Moonshot, SambaNova
    "context_window",  # Groq
    "loaded_context_length",  # LM Studio, of a model in memory
    "max_context_length",  # Mistral, LM Studio
    "max_model_len",  # vLLM
    "meta.n_ctx",  # llama.cpp, the loaded size
    "meta.n_ctx_train",
    "metadata.context_length",  # DeepInfra
    "limits.max_input_tokens",  # GitHub Models
    "max_input_tokens",  # Anthropic
    "providers.0.context_length",  # Hugging Face: its first choice
)
OUTPUT_FIELDS = (
    "top_provider.max_completion_tokens",  # OpenRouter
    "max_completion_tokens",  # Groq, SambaNova
    "limits.max_output_tokens",  # GitHub Models
    "metadata.max_tokens",  # DeepInfra
    "max_tokens",  # Anthropic
)
FEATURES: Mapping[str, tuple[str, ...]] = {
    "tools": (
        "capabilities.function_calling",  # Mistral
        "supports_tools",  # Fireworks
        "providers.0.supports_tools",  # Hugging Face
    ),
    "vision": (
        "capabilities.vision",
        "capabilities.image_input.supported",  # Anthropic
        "supports_image_input",  # Fireworks
        "supports_image_in",  # Moonshot
    ),
    "thinking": ("supports_reasoning", "capabilities.reasoning", "capabilities.thinking.supported"),
    "json": ("capabilities.structured_outputs.supported", "providers.0.supports_structured_output"),
}
_TOOL_USE = {"tool-calling", "tool_use"}
"""The names of tool calling in the lists of GitHub Models and LM Studio."""


@dataclass(frozen=True, slots=True)
class PriceFields:
    """Dotted paths of the prices in a row; a value times `per_million` is US dollars per million tokens.

    `more` are the paths of further rates, by the fields of `core.entities.Price`; those for a request or a search are US dollars.
    """

    input: str
    output: str
    per_million: str
    more: tuple[tuple[str, str], ...] = ()


# https://openrouter.ai/docs/api-reference/list-available-models; other gateways copied its form.
OPENROUTER_PRICES = PriceFields(
    "pricing.prompt", "pricing.completion", "1000000",
    (("cache_read", "pricing.input_cache_read"), ("cache_write", "pricing.input_cache_write"), ("audio_in", "pricing.audio"),
     ("per_request", "pricing.request"), ("per_search", "pricing.web_search")),
)  # fmt: skip
_DEAREST = 100_000.0
"""US dollars per million tokens that no model costs: a list in another unit than its form says."""


def rows_of(body: Json, *names: str) -> list[dict[str, Any]]:
    """The objects in a list: `body` itself without `names`, else what it holds under the first name that it has.

    Raises ValueError where that is not a list.
    """
    rows = None if names else body
    if isinstance(body, dict):
        rows = next((body[name] for name in names if name in body), None)
    if not isinstance(rows, list):
        raise ValueError("the answer is not a list of models")
    return [row for row in rows if isinstance(row, dict)]


def read_list(body: Json, prices: PriceFields | None = None) -> list[OfferedModel]:
    """The models in `{"data": […]}`, `{"models": […]}` or a bare list, in the vendor's order; raises ValueError."""
    rows = rows_of(body) if isinstance(body, list) else rows_of(body, "data", "models")
    return [_model(row, prices) for row in rows if _name(row)]


def _name(row: dict[str, Any]) -> str:
    return str(row.get("id") or row.get("model") or row.get("name") or "")


def _model(row: dict[str, Any], prices: PriceFields | None) -> OfferedModel:
    name = row.get("display_name") or row.get("name")
    return OfferedModel(
        id=_name(row),
        name=name if isinstance(name, str) else None,
        context_tokens=_first_int(row, CONTEXT_FIELDS),
        max_output_tokens=_first_int(row, OUTPUT_FIELDS),
        input_usd=_price(row, prices.input, prices.per_million) if prices else None,
        output_usd=_price(row, prices.output, prices.per_million) if prices else None,
        features=(has := tuple(_features(row))),
        lacks=tuple(feature for feature in _lacks(row) if feature not in has),
        rates=dict(_more_rates(row, prices)) if prices and prices.more else {},
    )


def at(row: Json, path: str) -> Json:
    """The value in `row` at a dotted path, where numbers are positions in lists; None where there is none."""
    for step in path.split("."):
        if isinstance(row, dict):
            row = row.get(step)
        elif isinstance(row, list) and step.isdecimal() and int(step) < len(row):
            row = row[int(step)]
        else:
            return None
    return row


def _first_int(row: dict[str, Any], paths: Iterable[str]) -> int | None:
    for path in paths:
        value = at(row, path)
        # A bool is an int in Python, and would be read as a size of one token.
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return int(value)
    return None


def _price(row: dict[str, Any], path: str, per_million: str) -> float | None:
    value = at(row, path)
    if value is None or isinstance(value, bool):
        return None
    try:
        # Decimal, because a price per token times a million would not be exact as a float; vendors send text or numbers.
        usd = Decimal(str(value)) * Decimal(per_million)
    except InvalidOperation:
        return None
    # OpenRouter lists -1 for its routers, whose price is that of the model they choose.
    return float(usd) if usd.is_finite() and 0 <= usd < _DEAREST else None


def _more_rates(row: dict[str, Any], prices: PriceFields) -> Iterator[tuple[str, float]]:
    """The further rates that the row has. A zero says as often that a list has no price as that there is nothing to pay."""
    for name, path in prices.more:
        usd = _price(row, path, "1" if name in UNIT_RATES else prices.per_million)
        if usd:
            yield name, usd


def _inputs(row: dict[str, Any]) -> frozenset[str]:
    """The modalities of a model's input, where OpenRouter and Hugging Face, GitHub, or xAI list them."""
    places = ("architecture.input_modalities", "supported_input_modalities", "input_modalities")
    return frozenset(one for place in places for one in _strings(at(row, place)))


def _features(row: dict[str, Any]) -> Iterator[str]:
    parameters = _strings(row.get("supported_parameters"))  # OpenRouter
    inputs = _inputs(row)
    found = {
        "tools": "tools" in parameters or bool(_strings(row.get("capabilities")) & _TOOL_USE),
        "vision": "image" in inputs or row.get("type") == "vlm",  # LM Studio
        "audio": "audio" in inputs,
        "thinking": "reasoning" in parameters,
        "json": "structured_outputs" in parameters,
        "embeddings": row.get("type") in ("embedding", "embeddings"),  # LM Studio, Together
        "images": row.get("type") == "image",
    }
    for feature, is_found in found.items():
        if is_found or any(at(row, path) is True for path in FEATURES.get(feature, ())):
            yield feature


def _lacks(row: dict[str, Any]) -> Iterator[str]:
    """Features that the row denies. A feature that it does not mention is unknown, not denied."""
    parameters, inputs = _strings(row.get("supported_parameters")), _inputs(row)
    found = {
        "tools": bool(parameters) and "tools" not in parameters,
        "vision": bool(inputs) and "image" not in inputs,
        "json": bool(parameters) and not parameters & {"structured_outputs", "response_format"},
    }
    for feature, is_found in found.items():
        if is_found or any(at(row, path) is False for path in FEATURES[feature]):
            yield feature


def _strings(value: Json) -> frozenset[str]:
    return frozenset(item for item in value if isinstance(item, str)) if isinstance(value, list) else frozenset()
