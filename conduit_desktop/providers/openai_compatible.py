"""The kind for vendors with OpenAI's chat API; their quirks are data on subclasses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import CLIENT_HEADERS, Endpoint, KindField, OutboundRequest, ProviderKind, Secrets
from conduit_desktop.providers.address import versioned
from conduit_desktop.providers.chat_mends.fields import above_zero, short_id, within, without_empty_stops, without_orphans
from conduit_desktop.providers.chat_mends.media import unread_images
from conduit_desktop.providers.chat_mends.reasoning import fit_effort, fit_sampling, flat_effort
from conduit_desktop.providers.chat_templates import with_template
from conduit_desktop.providers.fields import NEEDED_BASE_URL, OPTIONAL_KEY
from conduit_desktop.providers.model_facts import facts_of
from conduit_desktop.providers.model_lists import OPENROUTER_PRICES, PriceFields, read_list
from conduit_desktop.providers.request_rules import RequestRule
from conduit_desktop.providers.thinking_switch import ThinkingSwitch
from conduit_desktop.wire.openai_chat.reasoning import ReasoningField
from conduit_desktop.wire.turn_rules import TurnRules

PATHS: dict[Endpoint, str] = {
    "chat": "/chat/completions",
    "completions": "/completions",
    "embeddings": "/embeddings",
    "images": "/images/generations",
    "image_edits": "/images/edits",
    "speech": "/audio/speech",
    "transcriptions": "/audio/transcriptions",
    "translations": "/audio/translations",
    "moderations": "/moderations",
    "rerank": "/rerank",
    "compact": "/responses/compact",
}

TEXT_EMBEDDINGS: Mapping[Endpoint, str] = {"embeddings": "text"}
"""`media_formats` of vendors whose embeddings take texts but not token ids."""
EffortNames = tuple[tuple[str, Mapping[str, str]], ...]
"""(regular expression at the start of a model's name, OpenAI's effort to the vendor's)."""
OPENAI_REASONING_MODELS = r"(?:openai/)?(?:o\d|gpt-[5-9]|codex)(?!.*chat)"
"""OpenAI's reasoning models by the start of their names, at OpenAI and behind relays; not the open `gpt-oss` models."""
OPENAI_HEADERS = (*CLIENT_HEADERS, "openai-", "chatgpt-", "x-openai-", "x-oai-", "x-codex-", "x-client-request-id", "version")
"""Those of OpenAI's SDKs and of Codex, which sends `session_id`, `chatgpt-account-id`, `originator` and its `version`."""
COMPLETIONS = "openai_completions"
"""The dialect of the legacy endpoint."""
ORPHANS = RequestRule(
    without_orphans,
    "https://github.com/openai/openai-openapi; vllm-project/vllm, protocol.py: its validators",
    dialect="openai_chat",
)
"""For the vendors that are known to refuse a field without the one it belongs to."""
CHAT_RULES = (
    replace(ORPHANS, translated_only=True),
    RequestRule(unread_images, "the facts of the model", dialect="openai_chat"),
    RequestRule(fit_sampling, "the facts of the model", dialect="openai_chat"),
    # OpenAI's limit, for those of which none is known: many of them are relays to OpenAI.
    RequestRule(short_id("user", 64), "maximhq/bifrost#1000", dialect="openai_chat", translated_only=True),
    *(
        RequestRule(within(name, low, 2), "openai/openai-openapi: the range", dialect="openai_chat", translated_only=True)
        for name, low in (("temperature", 0), ("presence_penalty", -2), ("frequency_penalty", -2))
    ),
    # What engines of open models refuse, where the one behind an address is not known: vLLM and SGLang among them.
    RequestRule(
        above_zero("top_p", 0.01), "sgl-project/sglang, sampling_params.py: top_p must be in (0, 1]", dialect="openai_chat",
        translated_only=True,
    ),
    RequestRule(
        without_empty_stops, "vllm-project/vllm, sampling_params.py: stop cannot contain an empty string", dialect="openai_chat",
        translated_only=True,
    ),
)  # fmt: skip
"""What holds at every vendor that borrows OpenAI's chat dialect."""
BORROWED = frozenset({"openai_chat", "openai_responses", COMPLETIONS, "anthropic_messages"})
"""The dialects of OpenAI and Anthropic that other vendors have, too."""


_OTHER_NAME: Mapping[ReasoningField | None, str] = {"reasoning": "reasoning_content", "reasoning_content": "reasoning"}

DEFAULT_EFFORT = "medium"
"""OpenAI's own default. https://platform.openai.com/docs/guides/reasoning"""


class OpenAICompatible(ProviderKind):
    """Bearer key, OpenAI's paths and OpenAI's list of models. Most subclasses are rows of data."""

    fields: ClassVar[tuple[KindField, ...]] = ()
    borrowed = BORROWED
    holds_objects = False
    rules: ClassVar[tuple[RequestRule, ...]] = CHAT_RULES
    version: ClassVar[str] = "v1"
    """The path segment to add where a base URL has none; empty for vendors without one."""
    models_url: ClassVar[str] = "/models"
    """Path of the list of models below the base URL, or a whole URL; empty where there is none."""
    detailed_models_path: ClassVar[str] = ""
    """Path of a second list of models, in the vendor's own format, that holds more about each."""
    price_fields: ClassVar[PriceFields | None] = None
    list_prices_hold: ClassVar[bool] = True
    """A call costs what `price_fields` of the list of models say."""
    offered: ClassVar[tuple[str, ...]] = ()
    """Names of models, for vendors without a list."""

    max_tokens_field: ClassVar[str] = "max_tokens"
    needs_max_completion_tokens: ClassVar[str] = ""
    """Models that refuse `max_tokens`: a regular expression at the start of their names."""
    takes_both_limits: ClassVar[bool] = False
    """Takes `max_tokens` and `max_completion_tokens`: a passed-through request keeps its own."""
    developer_role: ClassVar[bool] = False
    """Accepts the role `developer`; others get `system`."""
    renamed: ClassVar[Mapping[str, str]] = {}
    """OpenAI's name of a field to the vendor's."""
    refused: ClassVar[tuple[str, ...]] = ()
    """Fields for which the vendor refuses a request."""
    message_refused: ClassVar[tuple[str, ...]] = ()
    """Fields of messages for which it does."""
    unsupported: ClassVar[tuple[str, ...]] = ()
    """Fields that the vendor ignores silently; removed from translated requests so that they are reported as dropped."""
    model_defaults: ClassVar[tuple[tuple[str, Mapping[str, Json]], ...]] = ()
    """(regular expression at the start of a model's name, fields to add to translated requests for those models)."""
    not_reasoning: ClassVar[str] = ""
    """Models known to refuse `reasoning_effort`: a regular expression at the start of their names."""
    effort_names: ClassVar[EffortNames] = ()
    """For models that name their efforts differently."""
    reasoning_object: ClassVar[bool] = True
    """Takes an object `reasoning`, which OpenRouter's clients send. For the others its effort becomes `reasoning_effort`."""
    switch: ClassVar[ThinkingSwitch | None] = None
    """How thinking is switched on and off, where that is not done with `reasoning_effort`."""
    streams_only: ClassVar[str] = ""
    """Models that refuse a request for a whole answer: a regular expression at the start of their names."""
    whole_limit: ClassVar[int | None] = None
    """The highest limit of output tokens with which the vendor answers whole."""
    applies_templates: ClassVar[bool] = True
    """Serves open models by their own chat templates, so the templates' demands hold."""
    returns_reasoning: ClassVar[ReasoningField | None] = None
    """The field of an assistant's message in which the vendor wants its reasoning back in a tool loop; None: in none."""
    reasoning_models: ClassVar[str] = ""
    """The models that take it there: a regular expression at the start of their names. It is left out for the others."""
    usage_in_stream: ClassVar[bool] = True
    """Accepts `stream_options`. The others refuse the field, and report usage without it."""

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        # An empty option means the default, so the absence of a version needs a word: `none`.
        version = str(config.options.get("version") or self.version)
        self.root = versioned(self.base_url, self.default_base_url, "" if version == "none" else version)

    def supports(self, dialect: str) -> bool:
        """Legacy completions are a dialect of the vendors that have the endpoint."""
        return super().supports(dialect) or (dialect == COMPLETIONS and "completions" in self.endpoints)

    def find_turn_rules(self, model: str, dialect: str) -> TurnRules:
        """As the vendor demands, and as the chat template of an open model does."""
        rules = super().find_turn_rules(model, dialect)
        return with_template(rules, model) if self.applies_templates else rules

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """Below the base URL; raises ValueError for an endpoint that OpenAI does not have."""
        if dialect == "openai_responses" and endpoint == "chat":
            return f"{self.root}/responses"
        if dialect == COMPLETIONS and endpoint == "chat":
            return self.root + PATHS["completions"]
        if endpoint not in PATHS:
            raise self.no_endpoint(endpoint)
        return self.root + PATHS[endpoint]

    def with_effort(self, model: str, request: ChatRequest) -> ChatRequest:
        """Anthropic's adaptive thinking, Ollama's `think` and Cohere's switch say no level."""
        reasoning = request.reasoning
        if reasoning is None or reasoning.mode not in ("enabled", "adaptive") or reasoning.effort or reasoning.budget_tokens:
            return request
        facts = facts_of(model, self.kind)
        if facts.thinks is not False or DEFAULT_EFFORT not in (facts.efforts or ()):
            return request
        return replace(request, reasoning=replace(reasoning, effort=DEFAULT_EFFORT))

    def returned_reasoning(self, model: str, dialect: str) -> ReasoningField | None:
        """`returns_reasoning`, in chats with the models that take it."""
        return self.returns_reasoning if dialect == "openai_chat" and re.match(self.reasoning_models, model) else None

    def reasoning_origin(self, model: str, dialect: str) -> str:
        """In chats the vendor: its reasoning is plain text, or belongs to it whatever the key."""
        return f"{self.kind} {dialect}" if dialect == "openai_chat" else super().reasoning_origin(model, dialect)

    def adapt(self, model: str, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """Remove or rename what the vendor refuses; in translated requests also what it would ignore."""
        if dialect in ("openai_chat", COMPLETIONS) and not self.usage_in_stream:
            # Not reported, as these vendors, which refuse the field, send usage without it.
            body.pop("stream_options", None)
        # Nothing of what follows holds for it, which each would find for itself.
        if not translated and dialect not in self.borrowed:
            return []
        dropped = self._adapt_chat(model, body, translated) if dialect == "openai_chat" else []
        return dropped + self.apply_rules(model, body, dialect, translated)

    def _adapt_chat(self, model: str, body: dict[str, Json], translated: bool) -> list[str]:
        self._rename(model, body, translated)
        # Before the efforts are fitted, and before an object is refused as unknown.
        dropped = [] if self.reasoning_object else flat_effort(body)
        dropped += _drop(body, self.refused)
        dropped += self._rename_reasoning(model, body) if self.returns_reasoning in _OTHER_NAME else []
        dropped += self._adapt_messages(body)
        # What the vendor ignores is left in a passed-through request; what it refuses would fail the call.
        dropped += _drop(body, self.unsupported) if translated else []
        # The order matters: the switch replaces the vendor's effort.
        dropped += self._adapt_effort(model, body)
        dropped += self.switch.apply(model, body) if self.switch is not None else []
        if translated:
            self._add_defaults(model, body)
        return dropped

    def whole_needs_stream(self, model: str, body: Mapping[str, Json], dialect: str) -> bool:
        """By the model, unless its thinking is switched off, and by the limit of output tokens."""
        if dialect != "openai_chat" or (self.whole_limit is None and not self.streams_only):
            return False
        limit = body.get(self.max_tokens_field)
        if self.whole_limit is not None and isinstance(limit, int) and limit > self.whole_limit:
            return True
        if not self.streams_only or not re.match(self.streams_only, model):
            return False
        return self.switch is None or not self.switch.is_off(body)

    def _rename(self, model: str, body: dict[str, Json], translated: bool) -> None:
        newer = self.needs_max_completion_tokens and re.match(self.needs_max_completion_tokens, model)
        limit = "max_completion_tokens" if newer else self.max_tokens_field
        other = "max_tokens" if limit == "max_completion_tokens" else "max_completion_tokens"
        limits = () if self.takes_both_limits and not translated else ((other, limit),)
        for old, new in (*limits, *self.renamed.items()):
            if old in body:
                value = body.pop(old)
                # Where a request has both names, the value under the vendor's wins. A null asks for nothing.
                if value is not None:
                    body.setdefault(new, value)

    def _rename_reasoning(self, model: str, body: dict[str, Json]) -> list[str]:
        """Reasoning that a client returns under another vendor's name, which an alias or a failover chose before."""
        wanted, messages = self.returned_reasoning(model, "openai_chat"), body.get("messages")
        other = _OTHER_NAME[self.returns_reasoning]
        names = (other,) if wanted else (other, str(self.returns_reasoning))
        if not isinstance(messages, list) or not any(isinstance(one, dict) and one.get(name) for one in messages for name in names):
            return []
        adapted: list[Json] = []
        for message in messages:
            if isinstance(message, dict) and any(name in message for name in names):
                texts = [message[name] for name in (str(self.returns_reasoning), other) if message.get(name)]
                message = {key: value for key, value in message.items() if key not in (other, self.returns_reasoning)}
                message = {**message, wanted: texts[0]} if wanted and texts else message
            adapted.append(message)
        body["messages"] = adapted
        return [] if wanted else [f"messages.{name}" for name in names if any(name in one for one in messages)]

    def _adapt_messages(self, body: dict[str, Json]) -> list[str]:
        messages = body.get("messages")
        if not isinstance(messages, list):
            return []
        dropped: list[str] = []
        body["messages"] = [self._adapt_message(message, dropped) for message in messages]
        return dropped

    def _adapt_message(self, message: Any, dropped: list[str]) -> Any:
        if not isinstance(message, dict):
            return message
        # Copied before a change: a passed-through body shares its messages with the caller's, which the next target gets.
        adapted = message
        if message.get("role") == "developer" and not self.developer_role:
            adapted = {**adapted, "role": "system"}
        for name in self.message_refused:
            if name in adapted:
                adapted = {key: value for key, value in adapted.items() if key != name}
                if f"messages.{name}" not in dropped:
                    dropped.append(f"messages.{name}")
        return adapted

    def _add_defaults(self, model: str, body: dict[str, Json]) -> None:
        for pattern, fields in self.model_defaults:
            if re.match(pattern, model):
                body.update({name: value for name, value in fields.items() if name not in body})

    def _adapt_effort(self, model: str, body: dict[str, Json]) -> list[str]:
        effort = body.get("reasoning_effort")
        if not isinstance(effort, str):
            return []
        if self.not_reasoning and re.match(self.not_reasoning, model):
            del body["reasoning_effort"]
            # A model that cannot reason already does what `none` asks for, so nothing is lost.
            return [] if effort == "none" else ["reasoning_effort"]
        for pattern, names in self.effort_names:
            if re.match(pattern, model):
                body["reasoning_effort"] = names.get(effort, effort)
                return []
        return fit_effort(body, facts_of(model, self.kind))

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """A GET for the list of models; None where there is none."""
        if not self.models_url:
            return None
        elsewhere = self.models_url.startswith("https://")
        if elsewhere and urlsplit(self.models_url).netloc != urlsplit(self.root).netloc:
            return None  # the key is sent to the configured host only
        url = self.models_url if elsewhere else self.root + self.models_url
        return self.get(url, secrets)

    def model_lists(self, secrets: Secrets) -> list[OutboundRequest]:
        """The detailed list first, where there is one."""
        requests = super().model_lists(secrets)
        return [self.get(self.root + self.detailed_models_path, secrets), *requests] if self.detailed_models_path else requests

    def read_models(self, body: Json) -> list[OfferedModel]:
        """OpenAI's list with the vendor's further fields; raises ValueError for another body."""
        return read_list(body, self.price_fields)

    def lists_prices(self) -> bool:
        """Whether the list of models has prices that hold."""
        return self.price_fields is not None and self.list_prices_hold

    def known_models(self) -> list[OfferedModel]:
        """The names on the class, for vendors without a list."""
        return [OfferedModel(name) for name in self.offered]


def _drop(body: dict[str, Json], names: Iterable[str]) -> list[str]:
    # A null is removed, too, as strict vendors count it as supplied, but it asks for nothing and is not reported.
    present = [name for name in names if body.get(name) is not None]
    for name in names:
        body.pop(name, None)
    return present


class AnyOpenAICompatible(OpenAICompatible):
    """A server with OpenAI's API at a base URL that the operator sets. Nothing is known of it, so passthrough changes nothing."""

    kind = "openai-compatible"
    price_fields = OPENROUTER_PRICES
    borrowed = frozenset()
    holds_objects = True
    # Translated requests only, and only what this very server sent: one that sends the field reads it.
    returns_reasoning = "as_sent"
    label = "OpenAI-compatible"
    docs = "https://platform.openai.com/docs/api-reference/chat"
    fields = (
        NEEDED_BASE_URL,
        OPTIONAL_KEY,
        KindField("version", "Version segment", placeholder="v1", help="`none` for a server whose URLs have none."),
    )
    endpoints = frozenset(PATHS) - {"compact"}
    relayed_headers = OPENAI_HEADERS
    # A relay sends these on to OpenAI, which refuses them. https://github.com/continuedev/continue/issues/7052
    needs_max_completion_tokens = OPENAI_REASONING_MODELS

    def reasoning_origin(self, model: str, dialect: str) -> str:
        """Each server for itself."""
        return ProviderKind.reasoning_origin(self, model, dialect)
