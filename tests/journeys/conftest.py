"""One gateway process and one vendor process for all journeys of a module."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.fakes.vendor import API_KEY
from tests.journeys.processes import RunningGateway, conduit, vendor


@dataclass
class ConfiguredGateway:
    """A gateway with a provider of OpenAI's, Anthropic's and Google's format behind it, and a key."""

    served: RunningGateway
    key: str
    vendor: str

    def refused(self) -> list[Any]:
        """The rules of the strict vendors that were broken since the last script, each with the request's body."""
        with urllib.request.urlopen(f"{self.vendor}/__refused", timeout=10) as answer:
            found: list[Any] = json.loads(answer.read())
        return found


@pytest.fixture(scope="module")
def open_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfiguredGateway]:
    """Aliases `to-openai` and `to-anthropic`, priced, and `to-gemini`; the key `all` may call all three."""
    with vendor() as upstream, conduit(tmp_path_factory.mktemp("home")) as served:
        served.add("providers", name="oa", kind="openai-compatible", base_url=f"{upstream}/v1", api_key=API_KEY)
        served.add("providers", name="an", kind="anthropic-compatible", base_url=upstream, api_key=API_KEY)
        served.add("providers", name="ge", kind="gemini", base_url=upstream, api_key=API_KEY)
        served.add("models", alias="to-gemini", targets=[{"provider": "ge", "model": "gemini-x"}])
        served.add("models", alias="to-openai", targets=[{"provider": "oa", "model": "gpt-x"}])
        served.add("models", alias="to-anthropic", targets=[{"provider": "an", "model": "claude-x"}])
        served.admin("PUT", "/prices/gpt-x", {"input": 1, "output": 2})
        served.admin("PUT", "/prices/claude-x", {"input": 3, "output": 15})
        key = served.add("keys", name="all", budget_usd=5, unpriced="allow")["key"]
        yield ConfiguredGateway(served, key, upstream)


STRICT = {
    "to-openai": ("openai", "/v1", "gpt-5.4"),
    "to-anthropic": ("anthropic", "", "claude-opus-4-8"),
    "to-gemini": ("gemini", "", "gemini-3-pro-preview"),
    "to-deepseek": ("deepseek", "/v1", "deepseek-v4-pro"),
    "to-llamacpp": ("llamacpp", "/v1", "qwen3.5-9b"),
}
"""Alias -> the strict vendor behind it (its name is the provider's kind, too), the path of its base URL, the model."""
EMBEDDING_MODEL = "text-embedding-3-small"


@pytest.fixture(scope="module")
def gateway_of_strict_vendors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfiguredGateway]:
    """An alias for each of `STRICT`, and `to-embeddings`; the key `all` may call them all."""
    with vendor("tests.fakes.strict.vendor") as upstream, conduit(tmp_path_factory.mktemp("home")) as served:
        for alias, (kind, path, model) in STRICT.items():
            served.add("providers", name=kind, kind=kind, base_url=f"{upstream}/{kind}{path}", api_key="sk-strict-key-1234567890")
            served.add("models", alias=alias, targets=[{"provider": kind, "model": model}])
        served.add("models", alias="to-embeddings", targets=[{"provider": "openai", "model": EMBEDDING_MODEL}])
        key = served.add("keys", name="all")["key"]
        yield ConfiguredGateway(served, key, upstream)


@pytest.fixture
def strict_gateway(gateway_of_strict_vendors: ConfiguredGateway) -> Iterator[ConfiguredGateway]:
    """The gateway in front of the strict vendors; fails the test if they refused a request."""
    yield gateway_of_strict_vendors
    refused = gateway_of_strict_vendors.refused()
    assert not refused, "\n".join(f"{one['id']}: {one['says']}\n{json.dumps(one['body'])[:2000]}" for one in refused)
