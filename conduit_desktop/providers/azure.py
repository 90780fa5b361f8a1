"""Azure OpenAI: OpenAI's models behind a resource of the operator's own, under names of the operator's own."""

from __future__ import annotations

import re
from urllib.parse import quote

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import Endpoint, KindField, OutboundRequest, Secrets
from conduit_desktop.providers.compatible import COMPLETIONS, PATHS
from conduit_desktop.providers.openai import OpenAI

_PASTED = re.compile(r"(/openai(/.*)?|/v1(/.*)?)$")
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_RESPONSES_SINCE = "2025-03-01"
"""The first dated version with the Responses API."""
_ENTRA_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")


class Azure(OpenAI):
    """Azure OpenAI and Foundry resources. https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle

    Without `api_version`, or with `preview`, the v1 API: OpenAI's own paths below `/openai/v1`, and the deployment's name as
    the model. With a dated version the older one, where the deployment stands in the address.
    """

    kind = "azure"
    label = "Azure OpenAI"
    docs = "https://learn.microsoft.com/azure/foundry/openai/latest"
    default_base_url = ""
    fields = (
        KindField("base_url", "Endpoint", required=True, placeholder="https://my-resource.openai.azure.com",
            help="Stands beside the key on the resource's page Keys and Endpoint, in the Azure portal."),
        KindField(
            "api_key", "API key or Entra token", required=True, secret=True,
            help="A token of Microsoft Entra ID begins with eyJ and lasts an hour or so; anything else is the resource's key.",
        ),
        KindField(
            "api_version", "API version", placeholder="2024-10-21",
            help="Empty: the v1 API. A date: the older API, whose addresses name the deployment.",
        ),
        KindField(
            "deployments", "Deployments", placeholder="gpt-5=my-gpt5, gpt-4o=prod-4o",
            help="Names of models, each with the deployment that serves it; a model that is not named is its own deployment.",
        ),
    )  # fmt: skip
    endpoints = frozenset(
        {"chat", "completions", "embeddings", "images", "image_edits", "speech", "transcriptions", "translations"}
    )
    price_provider = "azure"

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        said = str(config.options.get("api_version") or "").strip()
        self.api_version = "" if said in ("v1", "latest") else said
        self.dated = _DATED.fullmatch(self.api_version) is not None
        self.deployments = _deployments(config.options.get("deployments"))
        self.resource = _PASTED.sub("", self.base_url) + "/openai"
        self.root = self.resource if self.dated else f"{self.resource}/v1"

    def named(self, model: str) -> str:
        """The deployment that serves `model`."""
        return self.deployments.get(model.lower(), model)

    def speaks(self, dialect: str) -> bool:
        """The dated versions learned the Responses API late."""
        if dialect == "openai_responses" and self.dated and self.api_version[:10] < _RESPONSES_SINCE:
            return False
        return super().speaks(dialect)

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The resource's key in a header of its own, or a token of Entra ID."""
        if _ENTRA_TOKEN.fullmatch(secrets.api_key):
            return {"authorization": f"Bearer {secrets.api_key}"}
        return {"api-key": secrets.api_key} if secrets.api_key else {}

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """Below `/openai/v1`, or below the deployment; raises ValueError for what Azure has no path for."""
        if endpoint not in self.endpoints:
            raise ValueError(f"{self.label} has no endpoint {endpoint}")
        if self.dated and dialect != "openai_responses":
            path = PATHS["completions" if dialect == COMPLETIONS and endpoint == "chat" else endpoint]
            return self._versioned(f"{self.resource}/deployments/{_segment(self.named(model))}{path}")
        return self._versioned(super().url(endpoint, model, dialect, stream))

    def _versioned(self, url: str) -> str:
        return f"{url}?api-version={_segment(self.api_version)}" if self.api_version else url

    def adapt_for(self, model: str, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """As OpenAI, by the name of the model that the deployment serves."""
        deployment = body.get("model")
        body["model"] = model
        dropped = self.adapt(body, dialect, translated)
        body["model"] = deployment
        return dropped

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """The models that the resource may deploy; None where the operator named the deployments there are."""
        asked = None if self.deployments else super().models_request(secrets)
        if asked is not None:
            asked.url = self._versioned(asked.url)
        return asked

    def known_models(self) -> list[OfferedModel]:
        """The models that the operator named deployments for."""
        return [OfferedModel(model) for model in self.deployments]


def _segment(text: str) -> str:
    return quote(text, safe="")


def _deployments(option: Json) -> dict[str, str]:
    """The mapping, from an object or from `model=deployment, …`; models in lower case."""
    if isinstance(option, dict):
        pairs = [(str(model), str(deployment)) for model, deployment in option.items()]
    else:
        pairs = [(model, deployment) for model, _, deployment in (pair.partition("=") for pair in str(option or "").split(","))]
    return {model.strip().lower(): deployment.strip() for model, deployment in pairs if model.strip() and deployment.strip()}
