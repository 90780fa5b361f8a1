"""Anthropic, and whoever else speaks its Messages dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import Endpoint, OutboundRequest, ProviderKind, Secrets
from conduit_desktop.providers.address import versioned
from conduit_desktop.providers.compatible import BASE_URL, NEEDED_BASE_URL, OPTIONAL_KEY, key_from
from conduit_desktop.providers.model_lists import read_list
from conduit_desktop.wire.claude_models import takes_sampling

_PATHS: dict[Endpoint, str] = {"chat": "/messages", "count_tokens": "/messages/count_tokens"}
_SAMPLING = ("temperature", "top_p", "top_k")
_EFFORTS = ((4096, "low"), (16_384, "medium"))
"""Thinking budgets in tokens, at most, and the effort that comes nearest; above them `high`."""


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
    relayed_headers = ("anthropic-", "x-claude-code-")
    default_headers: ClassVar[Mapping[str, str]] = {"anthropic-version": "2023-06-01"}
    claude: ClassVar[bool] = True
    """Whether the models are Claude's own, with their rules about sampling."""

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        self.root = versioned(self.base_url, self.default_base_url + "/v1" if self.default_base_url else "", "v1")

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The key in `x-api-key`, where there is one."""
        return {"x-api-key": secrets.api_key} if secrets.api_key else {}

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """Below the base URL; raises ValueError for what Anthropic has no path for."""
        if endpoint not in _PATHS:
            raise ValueError(f"{self.label} has no endpoint {endpoint}")
        return self.root + _PATHS[endpoint]

    def adapt(self, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """In translated requests, take out the sampling parameters that the model at hand refuses."""
        if not translated or not self.claude:
            return []
        thinking, model = body.get("thinking"), str(body.get("model", ""))
        if not takes_sampling(model):
            _use_adaptive(body, thinking)
            return _take(body, _SAMPLING)
        if isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive"):
            return _mend_for_thinking(body)
        if body.get("temperature") is not None and body.get("top_p") is not None:
            return _take(body, ("top_p",))  # from Opus 4.1 on, one of the two
        return []

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """One page holds every model there is."""
        headers = self.all_headers(secrets, self.dialects[0], {})
        del headers["content-type"]
        return OutboundRequest("GET", f"{self.root}/models?limit=1000", headers)

    def read_models(self, body: Json) -> list[OfferedModel]:
        """Anthropic's list, with context sizes and features where it tells them."""
        return read_list(body)


def _take(body: dict[str, Json], names: tuple[str, ...]) -> list[str]:
    return [name for name in names if body.pop(name, None) is not None]


def _mend_for_thinking(body: dict[str, Json]) -> list[str]:
    """A thinking Claude takes no temperature but 1, no top_k, and top_p only from 0.95 on."""
    dropped = _take(body, ("top_k",))
    if body.get("temperature") not in (None, 1):
        dropped += _take(body, ("temperature",))
    if (body.get("top_p") or 1) < 0.95:
        dropped += _take(body, ("top_p",))
    return dropped


def _use_adaptive(body: dict[str, Json], thinking: Any) -> None:
    """A thinking budget becomes the effort that comes nearest, unless an effort was said."""
    if not isinstance(thinking, dict) or thinking.get("type") != "enabled":
        return
    kept = {name: value for name, value in thinking.items() if name not in ("type", "budget_tokens")}
    body["thinking"] = {"type": "adaptive", **kept}
    budget = thinking.get("budget_tokens")
    if isinstance(budget, int):
        effort = next((word for limit, word in _EFFORTS if budget <= limit), "high")
        body["output_config"] = {"effort": effort, **(body.get("output_config") or {})}


class AnthropicCompatible(Anthropic):
    """Whatever else speaks Anthropic's dialect, at an address of the operator's."""

    kind = "anthropic-compatible"
    label = "Anthropic-compatible"
    default_base_url = ""
    fields = (NEEDED_BASE_URL, OPTIONAL_KEY)
    price_provider = None
    claude = False

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The key both ways: such servers look for one or the other."""
        if not secrets.api_key:
            return {}
        return {"x-api-key": secrets.api_key, "authorization": f"Bearer {secrets.api_key}"}
