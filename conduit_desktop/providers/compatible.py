"""Vendors that speak OpenAI's chat dialect, and what is odd about each, as data on a class."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import Endpoint, KindField, OutboundRequest, ProviderKind, Secrets
from conduit_desktop.providers.address import versioned
from conduit_desktop.providers.model_lists import PriceFields, read_list
from conduit_desktop.providers.thinking import ThinkingSwitch

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
}

TEXT_EMBEDDINGS: Mapping[Endpoint, str] = {"embeddings": "text"}
"""The `forms` of vendors whose embeddings take texts, and no token ids."""
EffortWords = tuple[tuple[str, Mapping[str, str]], ...]
OPENAI_THINKERS = r"(?:openai/)?(?:o\d|gpt-[5-9]|codex)(?!.*chat)"
"""OpenAI's reasoning models, at their maker's and behind relays; not `gpt-oss`, which anybody serves."""
THINKERS_REFUSE = (
    "temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias", "stop",
)  # fmt: skip
"""What those refuse while they think, beside `max_tokens`. https://platform.openai.com/docs/guides/latest-model"""
COMPLETIONS = "openai_completions"
"""The dialect of the legacy endpoint."""

OPTIONAL_KEY = KindField("api_key", "API key", secret=True, help="Only if the server asks for one.")
BASE_URL = KindField("base_url", "Base URL")
NEEDED_BASE_URL = KindField("base_url", "Base URL", required=True, placeholder="https://host/v1")


def key_from(page: str, looks: str = "", needs: str = "") -> KindField:
    """The field for a vendor's key: the page where keys are made, how they begin, what they must be allowed to do."""
    help = f"Made at {page}{f', with {needs}' if needs else ''}."
    return KindField("api_key", "API key", required=True, secret=True, placeholder=looks, help=help)


class OpenAICompatible(ProviderKind):
    """Bearer key, OpenAI's paths and OpenAI's list of models; subclasses are rows of data."""

    fields: ClassVar[tuple[KindField, ...]] = ()
    version: ClassVar[str] = "v1"
    """The path segment to add where a base URL has none; empty for vendors without one."""
    models_url: ClassVar[str] = "/models"
    """Where the list of models is: a path below the base, or a whole address; empty where there is none."""
    fuller_models_url: ClassVar[str] = ""
    """A list of the vendor's own beside that one, below the base, which tells more."""
    price_fields: ClassVar[PriceFields | None] = None
    offered: ClassVar[tuple[str, ...]] = ()
    """Model names where there is no list."""

    max_tokens_field: ClassVar[str] = "max_tokens"
    newer_limit: ClassVar[str] = ""
    """A regular expression at the start of the names of models that refuse `max_tokens` for `max_completion_tokens`."""
    developer_role: ClassVar[bool] = False
    """Knows the role `developer`; others get `system`."""
    json_schema: ClassVar[bool] = True
    """Knows `response_format` with a schema; others get plain JSON mode."""
    strict: ClassVar[bool] = False
    """Answers 4xx where it meets `renamed`, `refused` or `message_refused`, so they are mended in the native lane too."""
    renamed: ClassVar[Mapping[str, str]] = {}
    """Fields that have another name here."""
    refused: ClassVar[tuple[str, ...]] = ()
    """Fields that make this vendor refuse a request."""
    message_refused: ClassVar[tuple[str, ...]] = ()
    """The same in messages."""
    unsupported: ClassVar[tuple[str, ...]] = ()
    """Fields this vendor passes over without a word; taken out of translated requests so that they can be named."""
    model_unsupported: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = ()
    """(regular expression at the start of a model's name, fields those models refuse)."""
    model_defaults: ClassVar[tuple[tuple[str, Mapping[str, Json]], ...]] = ()
    """(the same, fields that these models are sent in translated requests)."""
    not_reasoning: ClassVar[str] = ""
    """A regular expression at the start of the names of models that are known to refuse `reasoning_effort`."""
    effort_words: ClassVar[EffortWords] = ()
    """(the same for models that have effort words of their own, OpenAI's word to theirs)."""
    switch: ClassVar[ThinkingSwitch | None] = None
    """How thinking is switched, where an effort does not do it."""
    forces_tools: ClassVar[bool] = True
    """Takes a `tool_choice` other than auto."""
    usage_in_stream: ClassVar[bool] = True
    """Takes `stream_options`. The others report usage unasked and refuse the field."""

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        version = str(config.options.get("version") or self.version)
        self.root = versioned(self.base_url, self.default_base_url, "" if version == "none" else version)

    def speaks(self, dialect: str) -> bool:
        """Legacy completions are a dialect of those that have the endpoint."""
        return super().speaks(dialect) or (dialect == COMPLETIONS and "completions" in self.endpoints)

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """A bearer token, where there is a key."""
        return {"authorization": f"Bearer {secrets.api_key}"} if secrets.api_key else {}

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """Below the base URL; raises ValueError for what OpenAI has no path for."""
        if dialect == "openai_responses" and endpoint == "chat":
            return f"{self.root}/responses"
        if dialect == COMPLETIONS and endpoint == "chat":
            return self.root + PATHS["completions"]
        if endpoint not in PATHS:
            raise ValueError(f"{self.label} has no endpoint {endpoint}")
        return self.root + PATHS[endpoint]

    def adapt(self, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """Mend what this vendor refuses; in translated requests also what it would pass over."""
        if dialect == COMPLETIONS and not self.usage_in_stream:
            body.pop("stream_options", None)
        if dialect != "openai_chat":
            return []
        dropped: list[str] = []
        if not self.usage_in_stream:
            body.pop("stream_options", None)
        if translated or self.strict:
            self._rename(body)
            dropped += _drop(body, self.refused)
            dropped += self._mend_messages(body)
        if translated:
            dropped += _drop(body, self.unsupported)
            dropped += self.drop_refused(body)
            dropped += self._mend_effort(body)
            dropped += self.switch.apply(body) if self.switch is not None else []
            dropped += [] if self.forces_tools else _unforce(body)
            dropped += self._mend_schema(body)
            self._add_defaults(body)
        return dropped

    def _rename(self, body: dict[str, Json]) -> None:
        newer = self.newer_limit and re.match(self.newer_limit, str(body.get("model", "")))
        limit = "max_completion_tokens" if newer else self.max_tokens_field
        other = "max_tokens" if limit == "max_completion_tokens" else "max_completion_tokens"
        for old, new in ((other, limit), *self.renamed.items()):
            if old in body:
                value = body.pop(old)
                body.setdefault(new, value)

    def _mend_messages(self, body: dict[str, Json]) -> list[str]:
        messages = body.get("messages")
        if not isinstance(messages, list):
            return []
        dropped: list[str] = []
        body["messages"] = [self._mend_message(message, dropped) for message in messages]
        return dropped

    def _mend_message(self, message: Any, dropped: list[str]) -> Any:
        if not isinstance(message, dict):
            return message
        mended = message
        if message.get("role") == "developer" and not self.developer_role:
            mended = {**mended, "role": "system"}
        for name in self.message_refused:
            if name in mended:
                mended = {key: value for key, value in mended.items() if key != name}
                if f"messages.{name}" not in dropped:
                    dropped.append(f"messages.{name}")
        return mended

    def drop_refused(self, body: dict[str, Json]) -> list[str]:
        """Take out what the body's model refuses while it thinks; the names of what was there."""
        reasoning = body.get("reasoning")
        effort = reasoning.get("effort") if isinstance(reasoning, dict) else body.get("reasoning_effort")
        model = str(body.get("model", ""))
        refused = [name for pattern, names in self.model_unsupported if re.match(pattern, model) for name in names]
        return [] if effort == "none" else _drop(body, refused)

    def _add_defaults(self, body: dict[str, Json]) -> None:
        for pattern, fields in self.model_defaults:
            if re.match(pattern, str(body.get("model", ""))):
                body.update({name: value for name, value in fields.items() if name not in body})

    def _mend_effort(self, body: dict[str, Json]) -> list[str]:
        effort, model = body.get("reasoning_effort"), str(body.get("model", ""))
        if not isinstance(effort, str):
            return []
        if self.not_reasoning and re.match(self.not_reasoning, model):
            del body["reasoning_effort"]
            return [] if effort == "none" else ["reasoning_effort"]
        for pattern, words in self.effort_words:
            if re.match(pattern, model):
                body["reasoning_effort"] = words.get(effort, effort)
        return []

    def _mend_schema(self, body: dict[str, Json]) -> list[str]:
        wanted = body.get("response_format")
        if self.json_schema or not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
            return []
        body["response_format"] = {"type": "json_object"}
        return ["response_format.json_schema"]

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """A GET for the list of models, where there is one."""
        if not self.models_url:
            return None
        elsewhere = self.models_url.startswith("https://")
        if elsewhere and urlsplit(self.models_url).netloc != urlsplit(self.root).netloc:
            return None  # a key goes to the configured host alone
        url = self.models_url if elsewhere else self.root + self.models_url
        headers = self.all_headers(secrets, self.dialects[0], {})
        del headers["content-type"]
        return OutboundRequest("GET", url, headers)

    def model_lists(self, secrets: Secrets) -> list[OutboundRequest]:
        """The fuller list first, where there is one."""
        plain = super().model_lists(secrets)
        fuller = [replace(one, url=self.root + self.fuller_models_url) for one in plain if self.fuller_models_url]
        return [*fuller, *plain]

    def read_models(self, body: Json) -> list[OfferedModel]:
        """OpenAI's list, with whatever more the vendor tells; raises ValueError for a body that is no list."""
        return read_list(body, self.price_fields)

    def known_models(self) -> list[OfferedModel]:
        """The names on the class, where there is no list to ask for."""
        return [OfferedModel(name) for name in self.offered]


def _drop(body: dict[str, Json], names: Iterable[str]) -> list[str]:
    present = [name for name in names if body.get(name) is not None]
    for name in names:
        body.pop(name, None)
    return present


def _unforce(body: dict[str, Json]) -> list[str]:
    """Tools are offered and never forced; where none shall be called, none is offered."""
    choice = body.pop("tool_choice", None)
    if choice == "none":
        body.pop("tools", None)
    return [] if choice in (None, "auto", "none") else ["tool_choice"]


class AnyOpenAICompatible(OpenAICompatible):
    """Whatever else speaks OpenAI's dialect, at an address of the operator's."""

    kind = "openai-compatible"
    label = "OpenAI-compatible"
    docs = "https://platform.openai.com/docs/api-reference/chat"
    fields = (
        NEEDED_BASE_URL,
        OPTIONAL_KEY,
        KindField("version", "Version segment", placeholder="v1", help="`none` for a server whose addresses have none."),
    )
    endpoints = frozenset(PATHS)
    relayed_headers = ("openai-",)
    # A relay hands these on to OpenAI, which refuses them. https://github.com/continuedev/continue/issues/7052
    newer_limit = OPENAI_THINKERS
    model_unsupported = ((OPENAI_THINKERS, THINKERS_REFUSE),)
