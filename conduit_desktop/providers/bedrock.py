"""Amazon Bedrock: the models of many vendors, through Converse; through InvokeModel what that has no words for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import Endpoint, OutboundRequest, Secrets
from conduit_desktop.providers.aws import DEFAULT_REGION, KEY, PROFILE, REGION, AwsKind
from conduit_desktop.providers.compatible import BASE_URL
from conduit_desktop.wire.token_counts import count

_RUNTIME_HOST = re.compile(r"^https://bedrock-runtime(-fips)?\.")
_PASTED = re.compile(r"/model/.*$")
_GEOGRAPHIES = (
    ("us-gov-", "us-gov"),
    ("us-", "us"),
    ("eu-", "eu"),
    ("ap-northeast-1", "jp"),
    ("ap-southeast-2", "au"),
    ("ap-", "apac"),
)
"""Where a cross-region profile of a region's models reaches, by how the region's name begins; `global` for all others."""
_OFFERED = (
    "global.anthropic.claude-opus-4-6-v1", "global.anthropic.claude-sonnet-4-6",
    "global.anthropic.claude-haiku-4-5-20251001-v1:0", "us.amazon.nova-pro-v1:0", "us.amazon.nova-lite-v1:0",
    "us.amazon.nova-micro-v1:0", "us.amazon.nova-2-lite-v1:0", "openai.gpt-oss-120b-1:0", "openai.gpt-oss-20b-1:0",
)  # fmt: skip

_FAMILIES: Mapping[Endpoint, tuple[tuple[str, str], ...]] = {
    "embeddings": (("cohere.embed", "bedrock_cohere"), ("nova", "bedrock_nova")),
    "images": (("stability.", "bedrock_stability"),),
}
"""Forms by what stands in a model's name, where they are not its kind's."""


class Bedrock(AwsKind):
    """Amazon Bedrock. The key is a Bedrock API key, an access key, or whatever this computer knows of AWS."""

    kind = "bedrock"
    label = "Amazon Bedrock"
    docs = "https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference.html"
    dialects = ("bedrock",)
    default_base_url = f"https://bedrock-runtime.{DEFAULT_REGION}.amazonaws.com"
    fields = (KEY, REGION, PROFILE, BASE_URL)
    endpoints = frozenset({"chat", "embeddings", "images", "rerank"})
    forms: ClassVar[Mapping[Endpoint, str]] = {"rerank": "bedrock", "images": "bedrock_amazon", "embeddings": "bedrock_titan"}
    price_provider: ClassVar[str | None] = "aws"
    service = "bedrock"

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        host = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        self.root = (
            _PASTED.sub("", config.base_url.rstrip("/")) if config.base_url else f"https://bedrock-runtime.{self.region}.{host}"
        )

    def form_for(self, endpoint: Endpoint, model: str) -> str:
        """InvokeModel takes each family's own words; an inference profile that does not name its model counts as Amazon's."""
        return next((form for mark, form in _FAMILIES.get(endpoint, ()) if mark in model), super().form_for(endpoint, model))

    def complete(self, answer: dict[str, Json], headers: Mapping[str, str]) -> None:
        """The tokens, which not every model's answer holds."""
        if tokens := count(headers.get("x-amzn-bedrock-input-token-count")):
            answer.setdefault("inputTextTokenCount", tokens)

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """The model's own address; ids hold colons, and ARNs slashes. Raises ValueError for what Bedrock is not asked for."""
        if endpoint not in self.endpoints:
            raise ValueError(f"{self.label} has no endpoint {endpoint}")
        method = "invoke" if endpoint != "chat" else "converse-stream" if stream else "converse"
        return f"{self.root}/model/{quote(model, safe='')}/{method}"

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """The region's models, from the control plane beside the runtime; None where the address is no one of Amazon's."""
        if not _RUNTIME_HOST.match(self.root):
            return None
        headers = self.all_headers(secrets, self.dialects[0], {})
        del headers["content-type"]
        root = _RUNTIME_HOST.sub("https://bedrock.", self.root)
        return self.signed(OutboundRequest("GET", f"{root}/foundation-models", headers), secrets)

    def read_models(self, body: Json) -> list[OfferedModel]:
        """The models in use; those that answer through a profile alone by the profile's name. ValueError for no list."""
        rows = body.get("modelSummaries") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise ValueError("the answer is not a list of models")
        found = [self._model(row) for row in rows if isinstance(row, dict) and row.get("modelId")]
        return [model for model in found if model is not None]

    def _model(self, row: dict[str, Any]) -> OfferedModel | None:
        ways = row.get("inferenceTypesSupported") or ()
        status = (row.get("modelLifecycle") or {}).get("status")
        makes = row.get("outputModalities") or ("TEXT",)
        asked = {"ON_DEMAND", "INFERENCE_PROFILE"} & {*ways} and {"TEXT", "EMBEDDING"} & {*makes}
        if status not in (None, "ACTIVE") or not asked:
            return None
        name = str(row["modelId"])
        if "ON_DEMAND" not in ways:
            name = f"{next((geo for start, geo in _GEOGRAPHIES if self.region.startswith(start)), 'global')}.{name}"
        if "EMBEDDING" in makes:
            return OfferedModel(name, row.get("modelName"), features=("embeddings",))
        features = ("vision",) if "IMAGE" in (row.get("inputModalities") or ()) else ()
        return OfferedModel(name, row.get("modelName"), features=features)

    def known_models(self) -> list[OfferedModel]:
        """Some that are widely used, where the list cannot be asked for."""
        return [OfferedModel(name) for name in _OFFERED]
