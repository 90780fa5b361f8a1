"""Cloudflare Workers AI: OpenAI's dialect at a URL that holds the account, and its own format of model lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.core.errors import Reason
from conduit_desktop.providers import KindField, OutboundRequest, Secrets
from conduit_desktop.providers.chat_mends.messages import with_texts
from conduit_desktop.providers.fields import key_from
from conduit_desktop.providers.model_lists import rows_of
from conduit_desktop.providers.openai_compatible import CHAT_RULES, TEXT_EMBEDDINGS, OpenAICompatible
from conduit_desktop.providers.request_rules import RequestRule

_TASKS: dict[str, tuple[str, ...]] = {"Text Generation": (), "Text Embeddings": ("embeddings",)}
_FEATURES = {"function_calling": "tools", "vision": "vision", "reasoning": "thinking"}


class Cloudflare(OpenAICompatible):
    """Workers AI. https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility"""

    kind = "cloudflare"
    label = "Cloudflare Workers AI"
    docs = "https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/"
    default_base_url = "https://api.cloudflare.com/client/v4"
    fields = (
        key_from("dash.cloudflare.com/profile/api-tokens", needs="the permission Workers AI: Read"),
        KindField(
            "account_id",
            "Account ID",
            required=True,
            placeholder="32 hexadecimal digits",
            help="On the Workers AI page of Cloudflare's dashboard.",
        ),
        KindField("base_url", "Base URL", help="Only for an AI gateway: its whole URL, up to …/workers-ai/v1"),
    )
    endpoints = frozenset({"chat", "embeddings"})
    media_formats = TEXT_EMBEDDINGS
    price_provider = "cloudflare"
    # https://developers.cloudflare.com/workers-ai/platform/errors/; 7003: the account does not exist.
    reasons: ClassVar[Mapping[str, Reason]] = {"3023": "auth", "3040": "overloaded", "5016": "permission", "7003": "auth"}
    unsupported = (
        "n", "logprobs", "top_logprobs", "logit_bias", "user", "metadata", "service_tier", "store", "parallel_tool_calls",
    )  # fmt: skip

    rules: ClassVar[tuple[RequestRule, ...]] = (
        *CHAT_RULES,
        RequestRule(
            with_texts(), "decolua/9router#4180; anomalyco/opencode#30381: Type mismatch of '/messages/0/content'",
            dialect="openai_chat",
        ),
    )  # fmt: skip

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        self.account = str(config.options.get("account_id") or "").strip()
        parts = urlsplit(self.base_url)
        # A URL that names an account, or an AI gateway on another host, is complete and stays as the operator entered it.
        if parts.netloc == urlsplit(self.default_base_url).netloc and "/accounts/" not in parts.path:
            self.root = f"{self.default_base_url}/accounts/{quote(self.account, safe='')}/ai/v1"

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """The account's models on one page; None for an AI gateway, which has no list."""
        if not self.root.endswith("/ai/v1"):
            return None
        return self.get(f"{self.root.removesuffix('/v1')}/models/search?per_page=1000", secrets)

    def read_models(self, body: Json) -> list[OfferedModel]:
        """The models for text and vectors; raises ValueError for another body."""
        return [_model(row) for row in rows_of(body, "result") if row.get("name") and _task(row) in _TASKS]


def _task(row: dict[str, Any]) -> str:
    task = row.get("task")
    return str(task.get("name")) if isinstance(task, dict) else ""


def _model(row: dict[str, Any]) -> OfferedModel:
    facts = {one.get("property_id"): one.get("value") for one in row.get("properties") or () if isinstance(one, dict)}
    # Cloudflare writes the values of properties as text, numbers and booleans included.
    size = str(facts.get("context_window") or "")
    features = [*_TASKS[_task(row)]]
    features += [name for fact, name in _FEATURES.items() if str(facts.get(fact)).lower() == "true"]
    return OfferedModel(
        str(row["name"]),
        context_tokens=int(size) if size.isdecimal() and int(size) else None,
        input_usd=_price(facts.get("price"), "per M input tokens"),
        output_usd=_price(facts.get("price"), "per M output tokens"),
        features=tuple(features),
    )


def _price(rows: Json, unit: str) -> float | None:
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("unit") == unit and isinstance(row.get("price"), int | float):
            return float(row["price"])
    return None
