"""Amazon Bedrock: chats with the models of many vendors through Converse; embeddings, images and rerank through InvokeModel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import Endpoint, OutboundRequest, Secrets
from conduit_desktop.providers.aws import DEFAULT_REGION, KEY, PROFILE, REGION, AwsKind
from conduit_desktop.providers.converse import RULES
from conduit_desktop.providers.fields import BASE_URL
from conduit_desktop.providers.image_limits import CLAUDE_IMAGES_OF_CLOUDS, ImageLimits, claude_images
from conduit_desktop.providers.model_facts import facts_of
from conduit_desktop.providers.model_lists import rows_of
from conduit_desktop.wire.values import count

_RUNTIME_HOST = re.compile(r"^https://bedrock-runtime(-fips)?\.")
# People paste the URL of a model.
_PASTED = re.compile(r"/model/.*$")
# The first match is taken, so longer prefixes come first: `us-gov-` before `us-`, Tokyo and Sydney before `ap-`.
_GEOGRAPHIES = (
    ("us-gov-", "us-gov"),
    ("us-", "us"),
    ("eu-", "eu"),
    ("ap-northeast-1", "jp"),
    ("ap-southeast-2", "au"),
    ("ap-", "apac"),
)
"""Prefix of a region's name, and the prefix of its cross-region inference profiles; all others use `global`.

https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
"""
_OFFERED = (
    "global.anthropic.claude-opus-4-6-v1", "global.anthropic.claude-sonnet-4-6",
    "global.anthropic.claude-haiku-4-5-20251001-v1:0", "us.amazon.nova-pro-v1:0", "us.amazon.nova-lite-v1:0",
    "us.amazon.nova-micro-v1:0", "us.amazon.nova-2-lite-v1:0", "openai.gpt-oss-120b-1:0", "openai.gpt-oss-20b-1:0",
)  # fmt: skip

_FORMATS_BY_FAMILY: Mapping[Endpoint, tuple[tuple[str, str], ...]] = {
    "embeddings": (("cohere.embed", "bedrock_cohere"), ("nova", "bedrock_nova")),
    "images": (("stability.", "bedrock_stability"),),
}
"""(part of a model's name, its media format), for families whose format is not that of `Bedrock.media_formats`."""


class Bedrock(AwsKind):
    """Amazon Bedrock. Authentication: a Bedrock API key, an access key, or the AWS credentials of this computer."""

    kind = "bedrock"
    label = "Amazon Bedrock"
    docs = "https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference.html"
    dialects = ("bedrock",)
    default_base_url = f"https://bedrock-runtime.{DEFAULT_REGION}.amazonaws.com"
    fields = (KEY, REGION, PROFILE, BASE_URL)
    endpoints = frozenset({"chat", "embeddings", "images", "rerank"})
    media_formats: ClassVar[Mapping[Endpoint, str]] = {
        "rerank": "bedrock",
        "images": "bedrock_amazon",
        "embeddings": "bedrock_titan",
    }
    price_provider: ClassVar[str | None] = "aws"
    # Claude's answers have Anthropic's own name of the model, which does not tell the global price from a region's.
    answers_name_price = False
    service = "bedrock"
    rules = RULES

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        # AWS in China is separate from the rest of AWS, under a domain of its own.
        host = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        self.root = (
            _PASTED.sub("", config.base_url.rstrip("/")) if config.base_url else f"https://bedrock-runtime.{self.region}.{host}"
        )

    def image_limits(self, model: str) -> ImageLimits | None:
        """Claude's; of the other models' no limits but Converse's own are known."""
        return claude_images(CLAUDE_IMAGES_OF_CLOUDS, model, self.kind) if "claude" in model else None

    def stream_needs_whole(self, model: str, body: Mapping[str, Json], dialect: str) -> bool:
        """With tools, at the models whose tool use Converse does not stream."""
        return "toolConfig" in body and facts_of(model, self.kind).streams_tools is False

    def media_format_for(self, endpoint: Endpoint, model: str) -> str:
        """InvokeModel has a format for each family; an inference profile whose name holds no family counts as Amazon's."""
        found = (name for part, name in _FORMATS_BY_FAMILY.get(endpoint, ()) if part in model)
        return next(found, super().media_format_for(endpoint, model))

    def add_header_usage(self, answer: dict[str, Json], headers: Mapping[str, str]) -> None:
        """Adds the input tokens, which some models' responses report in a header only."""
        if tokens := count(headers.get("x-amzn-bedrock-input-token-count")):
            answer.setdefault("inputTextTokenCount", tokens)

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """The URL of the model, quoted because ids hold colons and ARNs slashes; raises ValueError for other endpoints."""
        if endpoint not in self.endpoints:
            raise self.no_endpoint(endpoint)
        method = "invoke" if endpoint != "chat" else "converse-stream" if stream else "converse"
        return f"{self.root}/model/{quote(model, safe='')}/{method}"

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """The region's models, from the control plane's host; None where the base URL is not Amazon's runtime."""
        # Of a proxy only the runtime's address is known; the address of a control plane cannot be derived from it.
        if not _RUNTIME_HOST.match(self.root):
            return None
        root = _RUNTIME_HOST.sub("https://bedrock.", self.root)
        return self.signed(self.get(f"{root}/foundation-models", secrets), secrets)

    def read_models(self, body: Json) -> list[OfferedModel]:
        """The active models for text and vectors; raises ValueError for another body.

        A model without on-demand throughput is listed by its inference profile, the only name that can be called.
        """
        found = [self._model(row) for row in rows_of(body, "modelSummaries") if row.get("modelId")]
        return [model for model in found if model is not None]

    def _model(self, row: dict[str, Any]) -> OfferedModel | None:
        throughput = row.get("inferenceTypesSupported") or ()
        status = (row.get("modelLifecycle") or {}).get("status")
        # A model without listed modalities is offered as one for text rather than hidden.
        outputs = row.get("outputModalities") or ("TEXT",)
        usable = {"ON_DEMAND", "INFERENCE_PROFILE"} & {*throughput} and {"TEXT", "EMBEDDING"} & {*outputs}
        if status not in (None, "ACTIVE") or not usable:
            return None
        name = str(row["modelId"])
        if "ON_DEMAND" not in throughput:
            name = f"{next((geo for start, geo in _GEOGRAPHIES if self.region.startswith(start)), 'global')}.{name}"
        if "EMBEDDING" in outputs:
            return OfferedModel(name, row.get("modelName"), features=("embeddings",))
        features = ("vision",) if "IMAGE" in (row.get("inputModalities") or ()) else ()
        return OfferedModel(name, row.get("modelName"), features=features)

    def known_models(self) -> list[OfferedModel]:
        """Widely used models, where the list cannot be requested."""
        return [OfferedModel(name) for name in _OFFERED]
