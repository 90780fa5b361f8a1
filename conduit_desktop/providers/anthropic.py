"""Anthropic, and servers that are compatible with its Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import CLIENT_HEADERS, Endpoint, OutboundRequest, ProviderKind, Secrets
from conduit_desktop.providers.address import versioned
from conduit_desktop.providers.fields import BASE_URL, NEEDED_BASE_URL, OPTIONAL_KEY, key_from
from conduit_desktop.providers.model_lists import read_list
from conduit_desktop.wire.claude_models import drop_while_thinking, takes_sampling
from conduit_desktop.wire.turns import BORROWED_MESSAGES, TurnRules, rules_of
from conduit_desktop.wire.values import effort_for_budget

_PATHS: dict[Endpoint, str] = {"chat": "/messages", "count_tokens": "/messages/count_tokens"}
ANTHROPIC_HEADERS = (*CLIENT_HEADERS, "anthropic-", "x-anthropic-", "x-claude-")
_SAMPLING = ("temperature", "top_p", "top_k")


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
    default_headers: ClassVar[Mapping[str, str]] = {"anthropic-version": "2023-06-01"}
    claude: ClassVar[bool] = True
    """Whether the models are Claude, whose newer generations refuse sampling parameters."""

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

    def adapt(self, model: str, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """In translated requests, drop the sampling parameters that `model` refuses."""
        if not translated or not self.claude:
            return []
        thinking = body.get("thinking")
        if not takes_sampling(model):
            _use_adaptive(body, thinking)
            return _drop(body, _SAMPLING)
        if isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive"):
            return drop_while_thinking(body)
        # From Opus 4.1 on: "temperature and top_p cannot both be specified for this model".
        # https://github.com/browseros-ai/BrowserOS/issues/208
        if body.get("temperature") is not None and body.get("top_p") is not None:
            return _drop(body, ("top_p",))
        return []

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """All models on one page: 1000 is the most that a page may hold."""
        return self.get(f"{self.root}/models?limit=1000", secrets)

    def read_models(self, body: Json) -> list[OfferedModel]:
        """Anthropic's list, with context sizes and features where it has them; raises ValueError for another body."""
        return read_list(body)


def _drop(body: dict[str, Json], names: tuple[str, ...]) -> list[str]:
    return [name for name in names if body.pop(name, None) is not None]


def _use_adaptive(body: dict[str, Json], thinking: Any) -> None:
    """Replace a thinking budget, which these models refuse, by adaptive thinking with the nearest effort."""
    if not isinstance(thinking, dict) or thinking.get("type") != "enabled":
        return
    kept = {name: value for name, value in thinking.items() if name not in ("type", "budget_tokens")}
    body["thinking"] = {"type": "adaptive", **kept}
    budget = thinking.get("budget_tokens")
    if isinstance(budget, int):
        # An effort that the request names itself wins over the one derived from its budget.
        body["output_config"] = {"effort": effort_for_budget(budget), **(body.get("output_config") or {})}


class AnthropicCompatible(Anthropic):
    """A server with Anthropic's Messages API at a base URL that the operator sets."""

    kind = "anthropic-compatible"
    label = "Anthropic-compatible"
    default_base_url = ""
    fields = (NEEDED_BASE_URL, OPTIONAL_KEY)
    price_provider = None
    claude = False
    keeps_threads = False
    turns: ClassVar[Mapping[str, TurnRules]] = {"anthropic_messages": BORROWED_MESSAGES}

    def turn_rules(self, model: str, dialect: str) -> TurnRules:
        """A relay to Claude takes what Anthropic takes; other models do not know all of it."""
        return rules_of(dialect) if "claude" in model.lower() else super().turn_rules(model, dialect)

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The key in both headers: some servers read `x-api-key`, others `authorization`."""
        if not secrets.api_key:
            return {}
        return {"x-api-key": secrets.api_key, "authorization": f"Bearer {secrets.api_key}"}
