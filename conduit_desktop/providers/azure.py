"""Azure OpenAI: OpenAI's models at the endpoint of the operator's resource, under the operator's deployment names."""

from __future__ import annotations

import re
from urllib.parse import quote

from conduit_desktop.core.chat import Media
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import Endpoint, KindField, OutboundRequest, Secrets
from conduit_desktop.providers.fields import read_mapping
from conduit_desktop.providers.openai import OpenAI
from conduit_desktop.providers.openai_compatible import COMPLETIONS, PATHS
from conduit_desktop.providers.openai_rules import AZURE_RULES

# People paste the endpoint, the target URI of a deployment, or the base URL of the v1 API.
_PASTED = re.compile(r"(/openai(/.*)?|/v1(/.*)?)$")
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_RESPONSES_SINCE = "2025-03-01"
"""The first dated version with the Responses API."""
# A JSON Web Token: its first part is base64 of text that begins with `{"`, which is `eyJ`.
_ENTRA_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")


class Azure(OpenAI):
    """Azure OpenAI and Foundry resources. https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle

    Without `api_version`, or with `preview`, the v1 API: OpenAI's own paths below `/openai/v1`, and the deployment's name as
    the model. With a dated version the older API, where the deployment is a part of the path.
    """

    kind = "azure"
    label = "Azure OpenAI"
    docs = "https://learn.microsoft.com/azure/foundry/openai/latest"
    default_base_url = ""
    fields = (
        KindField("base_url", "Endpoint", required=True, placeholder="https://my-resource.openai.azure.com",
            help="Next to the key on the resource's page Keys and Endpoint, in the Azure portal."),
        KindField(
            "api_key", "API key or Entra token", required=True, secret=True,
            help="A token of Microsoft Entra ID begins with eyJ and lasts an hour or so; anything else is the resource's key.",
        ),
        KindField(
            "api_version", "API version", placeholder="2024-10-21",
            help="Empty: the v1 API. A date: the older API, with the deployment in its URLs.",
        ),
        KindField(
            "deployments", "Deployments", placeholder="gpt-5=my-gpt5, gpt-4o=prod-4o",
            help="Models, each with the deployment that serves it; any other model's name is that of its deployment.",
        ),
    )  # fmt: skip
    endpoints = frozenset(
        {"chat", "completions", "embeddings", "images", "image_edits", "speech", "transcriptions", "translations", "compact"}
    )
    price_provider = "azure"
    rules = AZURE_RULES
    hosted_search = r"(?!)"

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        version = str(config.options.get("api_version") or "").strip()
        # Names of the v1 API, which has its version in the path and needs no `api-version`.
        self.api_version = "" if version in ("v1", "latest") else version
        self.dated = _DATED.fullmatch(self.api_version) is not None
        self.deployments = read_mapping(config.options.get("deployments"))
        self.resource = _PASTED.sub("", self.base_url) + "/openai"
        self.root = self.resource if self.dated else f"{self.resource}/v1"

    def upstream_model(self, model: str) -> str:
        """The deployment that serves `model`."""
        # `read_mapping` keeps its keys in lower case.
        return self.deployments.get(model.lower(), model)

    def supports(self, dialect: str) -> bool:
        """As OpenAI, but for the Responses API in dated versions before 2025-03-01."""
        # Cut to the date, without `-preview`: ISO dates can be compared as text.
        if dialect == "openai_responses" and self.dated and self.api_version[:10] < _RESPONSES_SINCE:
            return False
        return super().supports(dialect)

    def only_in_responses(self, document: Media) -> bool:
        """Azure's chat takes no file at all. https://github.com/openai/openai-python/issues/2826"""
        return document.url is not None or document.data is not None

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The resource's key in `api-key`, or a token of Entra ID as a bearer token."""
        if _ENTRA_TOKEN.fullmatch(secrets.api_key):
            return {"authorization": f"Bearer {secrets.api_key}"}
        return {"api-key": secrets.api_key} if secrets.api_key else {}

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """Below `/openai/v1`, or below the deployment; raises ValueError for an endpoint that Azure does not have."""
        if endpoint not in self.endpoints:
            raise self.no_endpoint(endpoint)
        # The Responses API has no deployment in its path, in dated versions neither.
        if self.dated and dialect != "openai_responses":
            path = PATHS["completions" if dialect == COMPLETIONS and endpoint == "chat" else endpoint]
            return self._versioned(f"{self.resource}/deployments/{_segment(self.upstream_model(model))}{path}")
        return self._versioned(super().url(endpoint, model, dialect, stream))

    def _versioned(self, url: str) -> str:
        return f"{url}?api-version={_segment(self.api_version)}" if self.api_version else url

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """The models that the resource may deploy; None where the operator listed its deployments."""
        # Azure's list names all that could be deployed, so most of it cannot be called: an operator's own list is better.
        request = None if self.deployments else super().models_request(secrets)
        if request is not None:
            request.url = self._versioned(request.url)
        return request

    def known_models(self) -> list[OfferedModel]:
        """The models that the operator listed with their deployments."""
        return [OfferedModel(model) for model in self.deployments]


def _segment(text: str) -> str:
    return quote(text, safe="")
