"""Google Cloud's Vertex AI: Gemini and Claude, with the credentials of a Google Cloud project."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.providers import CLIENT_HEADERS, Endpoint, KindField, OutboundRequest, ProviderKind, Secrets
from conduit_desktop.providers.claude import MESSAGES_RULES
from conduit_desktop.providers.gemini import adapt_gemini, method
from conduit_desktop.providers.gemini_rules import VERTEX_RULES
from conduit_desktop.providers.image_limits import CLAUDE_IMAGES_OF_CLOUDS, VERTEX_IMAGES, ImageLimits, claude_images
from conduit_desktop.providers.model_facts import ModelFacts
from conduit_desktop.providers.model_lists import rows_of
from conduit_desktop.providers.request_rules import RequestRule, mend, mend_for_model

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
CLAUDE_VERSION = "vertex-2023-10-16"
_API_KEY = re.compile(r"A(Iza|Q\.)[\w.-]{20,}")
"""A key of Vertex AI's express mode, which needs no project."""
# Multi-regions have hosts of another form: https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations
_MULTI_REGIONS = ("us", "eu")


def _drop_tier(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    return ["service_tier"] if body.pop("serviceTier", None) not in (None, "standard") else []


class Vertex(ProviderKind):
    """Vertex AI. The credential is a service account's JSON; without one, the application default credentials (ADC) are used."""

    kind = "vertex"
    label = "Google Vertex AI"
    docs = "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference"
    dialects = ("gemini", "anthropic_messages")
    default_base_url = "https://aiplatform.googleapis.com"
    fields = (
        KindField(
            "api_key",
            "Service account (JSON) or API key",
            secret=True,
            placeholder='{"type": "service_account", …}',
            help="The key file of a service account (role Vertex AI User): console.cloud.google.com/iam-admin/serviceaccounts. "
            "Empty: the credentials that gcloud stored on this computer.",
        ),
        KindField("project", "Project", placeholder="my-project-123", help="Empty: the service account's own project."),
        KindField("location", "Location", placeholder="global", help="A region such as europe-west4, or global."),
        KindField("base_url", "Base URL", help="Only for a private endpoint."),
    )
    endpoints = frozenset({"chat", "count_tokens", "embeddings"})
    price_provider: ClassVar[str | None] = "vertex"
    relayed_headers = (*CLIENT_HEADERS, "anthropic-beta", "x-goog-api-client", "x-goog-user-project", "x-vertex-ai-")
    renews_credentials = True
    rules = (*VERTEX_RULES, RequestRule(_drop_tier, "a request header on Vertex AI", dialect="gemini"))

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        self.location = str(config.options.get("location") or "global").strip()
        self.price_region = "" if self.location == "global" else self.location
        self._project = str(config.options.get("project") or "").strip()
        self._tokens: dict[str, Any] = {}
        # Without the lock, calls that start together would each request a token.
        self._renewing = asyncio.Lock()

    @property
    def root(self) -> str:
        """The base URL with the API version."""
        base = self.base_url if self.config.base_url else f"https://{_host(self.location)}"
        return base if re.search(r"/v\d\w*$", base) else f"{base}/v1"

    def dialects_for(self, model: str) -> tuple[str, ...]:
        """Anthropic's dialect for Claude, Gemini's for all others."""
        return ("anthropic_messages",) if is_claude(model) else ("gemini",)

    def image_limits(self, model: str) -> ImageLimits | None:
        """Claude's or Gemini's."""
        return claude_images(CLAUDE_IMAGES_OF_CLOUDS, model, self.kind) if is_claude(model) else VERTEX_IMAGES

    def media_format_for(self, endpoint: Endpoint, model: str) -> str:
        """Embeddings of a Gemini are in Gemini's format, those of older models are predictions."""
        if endpoint != "embeddings":
            return super().media_format_for(endpoint, model)
        return "vertex" if is_gemini(model) else "vertex_predict"

    async def credentials(self, secrets: Secrets) -> Secrets:
        """`secrets` with an access token in place of the account; a token is reused until shortly before it expires.

        Raises UpstreamError (reason `auth`, or `connect` where Google cannot be reached).
        """
        if _API_KEY.fullmatch(secrets.api_key):
            return secrets
        held: Any = self._tokens.get(secrets.api_key)
        if held is None or not held.valid:
            async with self._renewing:
                # Another call may have renewed the token while this one waited for the lock.
                held = self._tokens.get(secrets.api_key)
                if held is None or not held.valid:
                    held = await asyncio.to_thread(self._renew, secrets.api_key, held)
                    self._tokens[secrets.api_key] = held
        return replace(secrets, api_key=str(held.token))

    def _renew(self, account: str, held: Any) -> Any:
        """google-auth's credentials with a fresh token. Blocking: it calls Google's token endpoint or the metadata server."""
        try:
            from google.auth.exceptions import GoogleAuthError, TransportError
            from google.auth.transport.requests import Request
        except ImportError as error:
            raise UpstreamError(
                "Vertex AI needs the package google-auth: install conduit-desktop[google].", status=502, reason="auth"
            ) from error
        try:
            # An account that was loaded before only needs a new token; its JSON is not parsed again.
            found = held or self._load(account)
            found.refresh(Request())
        except TransportError as error:
            raise UpstreamError("Google's token endpoint cannot be reached", status=502, reason="connect") from error
        except (GoogleAuthError, ValueError, KeyError) as error:
            # google-auth's message may quote the account, so only the class of the error is shown.
            raise UpstreamError(
                f"Google did not accept the service account ({type(error).__name__})", status=401, reason="auth"
            ) from error
        return found

    def _load(self, account: str) -> Any:
        import google.auth
        from google.oauth2 import service_account

        if account:
            found: Any = service_account.Credentials.from_service_account_info(orjson.loads(account), scopes=[SCOPE])  # type: ignore[no-untyped-call]
            # A configured project wins: a service account may have rights in projects other than its own.
            self._project = self._project or found.project_id or ""
            return found
        found, project = google.auth.default(scopes=[SCOPE])
        self._project = self._project or project or ""
        return found

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The access token as a bearer token, or a key of express mode in `x-goog-api-key`."""
        if _API_KEY.fullmatch(secrets.api_key):
            return {"x-goog-api-key": secrets.api_key}
        return super().headers(secrets, dialect)

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """The URL below project and location; raises ValueError for other endpoints.

        A model may carry its publisher (`publishers/meta/models/…`, `meta/…`); without one it is Google's or Anthropic's.
        """
        end = _claude_method(endpoint, stream) if is_claude(model) else method(endpoint, stream, self.label)
        if endpoint == "embeddings" and not is_gemini(model):
            end = "predict"
        publisher, _, name = model.rpartition("/")
        publisher = publisher.removeprefix("publishers/").removesuffix("/models") or ("anthropic" if is_claude(model) else "google")
        # Vertex AI counts Claude's tokens at a model name of its own, not at the model that is counted for.
        if is_claude(model) and endpoint == "count_tokens":
            name = "count-tokens"
        # Without a project (a key of express mode) Vertex AI takes the path without project and location.
        place = f"projects/{quote(self._project)}/locations/{quote(self.location)}/" if self._project else ""
        return f"{self.root}/{place}publishers/{quote(publisher)}/models/{quote(name, safe='-_.~@')}:{end}"

    def adapt(self, model: str, body: dict[str, Json], dialect: str, translated: bool) -> list[str]:
        """Claude's body holds the API version in place of the model.

        https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai
        """
        if dialect != "anthropic_messages":
            if not translated:
                _set_roles(body)
            return self.apply_rules(model, body, dialect, translated)
        dropped = mend(MESSAGES_RULES, model, self.kind, dialect, body) if translated else []
        body.pop("model", None)
        body.setdefault("anthropic_version", CLAUDE_VERSION)
        return dropped

    def adapt_to_model(self, model: str, body: dict[str, Json], dialect: str) -> list[str]:
        """By Claude's rules or by Gemini's."""
        if dialect != "anthropic_messages":
            return adapt_gemini(self, model, body, dialect)
        return mend_for_model(MESSAGES_RULES, model, self.kind, dialect, body)

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """Google's own models; there is no list with Claude's."""
        root = re.sub(r"/v\d\w*$", "", self.root)
        request = self.get(f"{root}/v1beta1/publishers/google/models?pageSize=200", secrets)
        if self._project:
            request.headers["x-goog-user-project"] = self._project
        return request

    def read_models(self, body: Json) -> list[OfferedModel]:
        """The names of Google's models; raises ValueError for another body."""
        names = [str(row["name"]).rpartition("/")[2] for row in rows_of(body, "publisherModels") if row.get("name")]
        return [OfferedModel(name) for name in names]


def _set_roles(body: dict[str, Json]) -> None:
    """AI Studio takes contents without a role as the user's, and its documentation shows such requests; Vertex AI refuses them.

    "Please use a valid role: user, model."
    """
    contents = body.get("contents")
    if isinstance(contents, dict):  # both take one content in place of a list
        contents = [contents]
    if isinstance(contents, list) and any(isinstance(one, dict) and not one.get("role") for one in contents):
        body["contents"] = [
            {"role": "user", **{name: value for name, value in one.items() if name != "role" or value}}
            if isinstance(one, dict)
            else one
            for one in contents
        ]


def is_claude(model: str) -> bool:
    """Whether a model is Claude, by its name."""
    return model.rpartition("/")[2].startswith("claude")


def is_gemini(model: str) -> bool:
    """Whether a model is Gemini, by its name."""
    return "gemini" in model.rpartition("/")[2]


def _claude_method(endpoint: Endpoint, stream: bool) -> str:
    if endpoint not in ("chat", "count_tokens"):
        raise ValueError(f"Claude on Vertex AI has no endpoint {endpoint}")
    return "streamRawPredict" if stream else "rawPredict"


def _host(location: str) -> str:
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in _MULTI_REGIONS:
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"
