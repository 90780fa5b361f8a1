"""Amazon SageMaker as a provider: URLs, the signature, the list of endpoints."""

from __future__ import annotations

import orjson
import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.providers import ProviderKind, Secrets
from conduit_desktop.providers.catalog import bind

KEY = "AKIA" + "X" * 16 + ":" + "s" * 40


def sagemaker(base_url: str | None = None, **options: str) -> ProviderKind:
    return bind(Provider(id="p", name="sm", kind="sagemaker", base_url=base_url, options=options))


def test_a_model_is_an_endpoint() -> None:
    kind = sagemaker(region="eu-west-1")
    root = "https://runtime.sagemaker.eu-west-1.amazonaws.com/endpoints/my-llm"
    assert kind.url("chat", "my-llm", "sagemaker", False) == f"{root}/invocations"
    assert kind.url("chat", "my-llm", "sagemaker", True) == f"{root}/invocations-response-stream"
    body = {"model": "my-llm", "messages": []}
    assert kind.adapt("my-llm", body, "sagemaker", True) == []
    assert body == {"messages": []}


async def test_calls_and_lists_are_signed() -> None:
    kind = sagemaker(region="eu-west-1")
    secrets = await kind.credentials(Secrets(KEY))
    sent = kind.prepare("chat", "my-llm", "sagemaker", False, b"{}", secrets, {})
    assert "/eu-west-1/sagemaker/aws4_request" in sent.headers["authorization"]
    listed = kind.models_request(secrets)
    assert listed is not None
    assert (listed.method, listed.url) == ("POST", "https://api.sagemaker.eu-west-1.amazonaws.com/")
    assert "x-amz-target" in listed.headers["authorization"]
    assert orjson.loads(listed.body)["StatusEquals"] == "InService"
    assert sagemaker("https://proxy.example.net").models_request(secrets) is None


def test_the_endpoints_are_the_models() -> None:
    assert [model.id for model in sagemaker().read_models({"Endpoints": [{"EndpointName": "a"}, {}]})] == ["a"]
    with pytest.raises(ValueError, match="not a list"):
        sagemaker().read_models([])


def test_the_output_cap_has_the_name_that_every_container_knows() -> None:
    body = {"model": "my-llm", "messages": [], "max_completion_tokens": 50}
    assert sagemaker().adapt("my-llm", body, "sagemaker", True) == []
    assert body == {"messages": [], "max_tokens": 50}
