"""Amazon SageMaker: endpoints of one's own whose container speaks OpenAI's chat."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar
from urllib.parse import quote

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import Endpoint, OutboundRequest, Secrets
from conduit_desktop.providers.aws import DEFAULT_REGION, KEY, PROFILE, REGION, AwsKind
from conduit_desktop.providers.compatible import BASE_URL

_RUNTIME_HOST = re.compile(r"^https://runtime\.sagemaker\.")


class SageMaker(AwsKind):
    """SageMaker's endpoints (vLLM, LMI, TGI …). A model's name is its endpoint's."""

    kind = "sagemaker"
    label = "Amazon SageMaker"
    docs = "https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html"
    dialects = ("sagemaker",)
    default_base_url = f"https://runtime.sagemaker.{DEFAULT_REGION}.amazonaws.com"
    fields = (
        replace(
            KEY, label="Access key ID:secret", placeholder="AKIA…:secret[:session token]",
            help="Empty: what the profile or this computer's environment holds.",
        ),
        replace(REGION, help="Where your endpoints are."),
        PROFILE,
        BASE_URL,
    )  # fmt: skip
    endpoints = frozenset({"chat"})
    price_provider: ClassVar[str | None] = None
    service = "sagemaker"

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        given = (config.base_url or "").rstrip("/")
        self.root = given or f"https://runtime.sagemaker.{self.region}.amazonaws.com"

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """The endpoint's address; raises ValueError for anything but chat."""
        if endpoint not in self.endpoints:
            raise ValueError(f"{self.label} has no endpoint {endpoint}")
        return f"{self.root}/endpoints/{quote(model, safe='')}/invocations{'-response-stream' if stream else ''}"

    def adapt(self, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """The container serves one model, and may not know it by the endpoint's name."""
        body.pop("model", None)
        return []

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """The endpoints in service; None where the address is no one of Amazon's."""
        if not _RUNTIME_HOST.match(self.root):
            return None
        wanted = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "SageMaker.ListEndpoints"}
        headers = self.all_headers(secrets, self.dialects[0], wanted)
        body = b'{"StatusEquals":"InService","MaxResults":100}'
        return self.signed(
            OutboundRequest("POST", _RUNTIME_HOST.sub("https://api.sagemaker.", self.root) + "/", headers, body), secrets
        )

    def read_models(self, body: Json) -> list[OfferedModel]:
        """The endpoints' names; raises ValueError for a body that is no list."""
        rows = body.get("Endpoints") if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise ValueError("the answer is not a list of endpoints")
        return [OfferedModel(str(row["EndpointName"])) for row in rows if isinstance(row, dict) and row.get("EndpointName")]
