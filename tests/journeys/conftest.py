"""One gateway process and one vendor process for all journeys of a module."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.fakes.vendor import API_KEY
from tests.journeys.processes import RunningGateway, conduit, vendor


@dataclass
class ConfiguredGateway:
    """A gateway with a provider of OpenAI's, Anthropic's and Google's format behind it, and a key."""

    served: RunningGateway
    key: str
    vendor: str


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
        key = served.add("keys", name="all", budget_usd=5)["key"]
        yield ConfiguredGateway(served, key, upstream)
