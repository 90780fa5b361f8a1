"""Amazon SageMaker: the operator's own endpoints, whose containers have OpenAI's chat API."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar
from urllib.parse import quote

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import Endpoint, OutboundRequest, Secrets
from conduit_desktop.providers.aws import DEFAULT_REGION, KEY, PROFILE, REGION, AwsKind
from conduit_desktop.providers.fields import BASE_URL
from conduit_desktop.providers.model_lists import rows_of

_RUNTIME_HOST = re.compile(r"^https://runtime\.sagemaker\.")


class SageMaker(AwsKind):
    """SageMaker endpoints (vLLM, LMI, TGI …). The model's name is that of its endpoint."""

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
        """The endpoint's URL; raises ValueError for anything but chat."""
        if endpoint not in self.endpoints:
            raise self.no_endpoint(endpoint)
        return f"{self.root}/endpoints/{quote(model, safe='')}/invocations{'-response-stream' if stream else ''}"

    def adapt(self, model: str, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """Removes `model`: the container serves one model, and may refuse the endpoint's name.

        TGI and LMI know the output cap as `max_tokens` only, and vLLM knows both names.
        """
        body.pop("model", None)
        if (cap := body.pop("max_completion_tokens", None)) is not None:
            body.setdefault("max_tokens", cap)
        return self.apply_rules(model, body, dialect, translated)

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """The endpoints in service, by a POST to the control plane; None where the base URL is not Amazon's."""
        if not _RUNTIME_HOST.match(self.root):
            return None
        # SageMaker's control plane has a JSON protocol in which the operation is a header.
        wanted = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "SageMaker.ListEndpoints"}
        headers = self.all_headers(secrets, self.dialects[0], wanted)
        body = b'{"StatusEquals":"InService","MaxResults":100}'
        return self.signed(
            OutboundRequest("POST", _RUNTIME_HOST.sub("https://api.sagemaker.", self.root) + "/", headers, body), secrets
        )

    def read_models(self, body: Json) -> list[OfferedModel]:
        """The names of the endpoints; raises ValueError for another body."""
        return [OfferedModel(str(row["EndpointName"])) for row in rows_of(body, "Endpoints") if row.get("EndpointName")]
