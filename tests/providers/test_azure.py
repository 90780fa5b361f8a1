"""Azure OpenAI: two APIs, two credentials, and deployments."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.providers import Endpoint, Secrets
from conduit_desktop.providers.azure import Azure

HOST = "https://res.openai.azure.com"


def azure(base_url: str = HOST, **options: Any) -> Azure:
    return Azure(Provider(id="p", name="az", kind="azure", base_url=base_url, options=options))


@pytest.mark.parametrize(
    "base",
    [
        HOST, f"{HOST}/", f"{HOST}/openai", f"{HOST}/openai/v1", f"{HOST}/openai/v1/", f"{HOST}/v1",
        f"{HOST}/openai/deployments/gpt/chat/completions", f"{HOST}/openai/v1/chat/completions",
    ],
)  # fmt: skip
def test_a_pasted_endpoint_is_reduced_to_the_resource(base: str) -> None:
    assert azure(base).url("chat", "d", "openai_chat", False) == f"{HOST}/openai/v1/chat/completions"


@pytest.mark.parametrize(
    ("endpoint", "dialect", "options", "wanted"),
    [
        ("chat", "openai_chat", {}, "/openai/v1/chat/completions"),
        ("chat", "openai_responses", {}, "/openai/v1/responses"),
        ("embeddings", "openai_chat", {}, "/openai/v1/embeddings"),
        ("images", "openai_chat", {}, "/openai/v1/images/generations"),
        ("speech", "openai_chat", {}, "/openai/v1/audio/speech"),
        ("chat", "openai_chat", {"api_version": "preview"}, "/openai/v1/chat/completions?api-version=preview"),
        ("chat", "openai_chat", {"api_version": "v1"}, "/openai/v1/chat/completions"),
        ("chat", "openai_chat", {"api_version": "2024-10-21"}, "/openai/deployments/m/chat/completions?api-version=2024-10-21"),
        ("chat", "openai_completions", {"api_version": "2024-10-21"}, "/openai/deployments/m/completions?api-version=2024-10-21"),
        ("transcriptions", "openai_chat", {"api_version": "2024-10-21"},
         "/openai/deployments/m/audio/transcriptions?api-version=2024-10-21"),
        ("chat", "openai_responses", {"api_version": "2025-04-01-preview"}, "/openai/responses?api-version=2025-04-01-preview"),
    ],
)  # fmt: skip
def test_urls(endpoint: Endpoint, dialect: str, options: dict[str, str], wanted: str) -> None:
    assert azure(**options).url(endpoint, "m", dialect, False) == HOST + wanted


def test_a_deployment_serves_a_model_under_a_name_of_its_own() -> None:
    one = azure(deployments="gpt-5=prod five, GPT-4o = prod-4o", api_version="2024-10-21")
    assert one.upstream_model("gpt-4o") == "prod-4o"
    assert one.upstream_model("other") == "other"
    assert "/deployments/prod%20five/" in one.url("chat", "GPT-5", "openai_chat", False)
    assert azure(deployments={"m": "d"}).upstream_model("M") == "d"
    assert one.models_request(Secrets("k")) is None
    assert one.known_models() == [OfferedModel("gpt-5"), OfferedModel("gpt-4o")]


def test_a_key_goes_into_api_key_and_an_entra_token_is_a_bearer_token() -> None:
    assert azure().headers(Secrets("0123"), "openai_chat") == {"api-key": "0123"}
    token = "eyJhbGciOi.eyJhdWQi.c2ln"
    assert azure().headers(Secrets(token), "openai_chat") == {"authorization": f"Bearer {token}"}
    assert azure().headers(Secrets(), "openai_chat") == {}


def test_api_versions_before_the_responses_api_do_not_support_it() -> None:
    assert azure().supports("openai_responses")
    assert azure(api_version="2025-03-01-preview").supports("openai_responses")
    assert not azure(api_version="2024-10-21").supports("openai_responses")


def test_a_request_is_adapted_to_the_model_and_not_to_the_deployments_name() -> None:
    one = azure(deployments="o4-mini=prod")
    body: dict[str, Any] = {"model": "prod", "max_tokens": 5, "temperature": 0.5}
    assert one.adapt("o4-mini", body, "openai_chat", True) == ["temperature"]
    assert body == {"model": "prod", "max_completion_tokens": 5}
    plain: dict[str, Any] = {"model": "prod", "reasoning_effort": "low"}
    assert one.adapt("gpt-4o", plain, "openai_chat", True) == ["reasoning_effort"]
    assert plain == {"model": "prod"}


def test_the_list_of_models_is_requested_with_the_configured_version() -> None:
    list_request = azure(api_version="2024-10-21").models_request(Secrets("k"))
    assert list_request is not None
    assert list_request.url == f"{HOST}/openai/models?api-version=2024-10-21"
    plain = azure().models_request(Secrets("k"))
    assert plain is not None
    assert plain.url == f"{HOST}/openai/v1/models"
