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
def test_however_the_endpoint_was_pasted(base: str) -> None:
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
def test_addresses(endpoint: Endpoint, dialect: str, options: dict[str, str], wanted: str) -> None:
    assert azure(**options).url(endpoint, "m", dialect, False) == HOST + wanted


def test_a_deployment_serves_a_model_under_a_name_of_its_own() -> None:
    one = azure(deployments="gpt-5=prod five, GPT-4o = prod-4o", api_version="2024-10-21")
    assert one.named("gpt-4o") == "prod-4o"
    assert one.named("other") == "other"
    assert "/deployments/prod%20five/" in one.url("chat", "GPT-5", "openai_chat", False)
    assert azure(deployments={"m": "d"}).named("M") == "d"
    assert one.models_request(Secrets("k")) is None
    assert one.known_models() == [OfferedModel("gpt-5"), OfferedModel("gpt-4o")]


def test_a_key_has_a_header_of_its_own_and_a_token_is_a_bearers() -> None:
    assert azure().headers(Secrets("0123"), "openai_chat") == {"api-key": "0123"}
    token = "eyJhbGciOi.eyJhdWQi.c2ln"
    assert azure().headers(Secrets(token), "openai_chat") == {"authorization": f"Bearer {token}"}
    assert azure().headers(Secrets(), "openai_chat") == {}


def test_the_older_versions_do_not_know_responses() -> None:
    assert azure().speaks("openai_responses")
    assert azure(api_version="2025-03-01-preview").speaks("openai_responses")
    assert not azure(api_version="2024-10-21").speaks("openai_responses")


def test_what_a_model_refuses_goes_by_the_model_and_not_by_its_deployment() -> None:
    one = azure(deployments="o4-mini=prod")
    body: dict[str, Any] = {"model": "prod", "max_tokens": 5, "temperature": 0.5}
    assert one.adapt_for("o4-mini", body, "openai_chat", True) == ["temperature"]
    assert body == {"model": "prod", "max_completion_tokens": 5}
    plain: dict[str, Any] = {"model": "prod", "reasoning_effort": "low"}
    assert one.adapt_for("gpt-4o", plain, "openai_chat", True) == ["reasoning_effort"]
    assert plain == {"model": "prod"}


def test_models_are_asked_for_in_the_version_at_hand() -> None:
    asked = azure(api_version="2024-10-21").models_request(Secrets("k"))
    assert asked is not None
    assert asked.url == f"{HOST}/openai/models?api-version=2024-10-21"
    plain = azure().models_request(Secrets("k"))
    assert plain is not None
    assert plain.url == f"{HOST}/openai/v1/models"
