"""A translated request for each kind with OpenAI's dialect, at a scripted vendor in its place."""

from __future__ import annotations

import pytest

from conduit_desktop.providers.catalog import CATALOG
from tests.fakes.gateway import GatewayFixture
from tests.fakes.vendor import API_KEY, Vendor

COMPATIBLE = [
    name for name, kind in CATALOG.items() if "openai_chat" in kind.dialects and not kind.local and "chat" in kind.endpoints
]
TWOFOLD = [name for name in COMPATIBLE if "anthropic_messages" in CATALOG[name].dialects]
CLIENT_DIALECTS = ("openai_chat", "anthropic_messages")


async def furnish(gateway: GatewayFixture, vendor: Vendor, kind: str) -> None:
    base = f"{vendor.anthropic_url}/api/paas/v4" if kind == "zai" else vendor.openai_url
    await gateway.add_provider("v", base, kind=kind, options={"account_id": "acc-1"} if kind == "cloudflare" else {})
    await gateway.add_alias("m", "v/some-model")
    await gateway.add_price("some-model", 1.0, 2.0)
    await gateway.add_key()


@pytest.mark.parametrize("kind", COMPATIBLE)
async def test_it_answers_whole_and_streamed_in_its_own_dialect_and_in_another(
    gateway: GatewayFixture, vendor: Vendor, kind: str
) -> None:
    await furnish(gateway, vendor, kind)
    for client_dialect in CLIENT_DIALECTS:
        whole = await gateway.ask("m", client_dialect=client_dialect, max_tokens=50)
        assert (
            whole["choices"][0]["message"]["content"] if client_dialect == "openai_chat" else whole["content"][0]["text"]
        ).strip()
        answer = await gateway.stream("m", client_dialect=client_dialect, max_tokens=50)
        assert (b"[DONE]" if client_dialect == "openai_chat" else b"message_stop") in answer
    assert [record.status for record in gateway.records] == ["success"] * 4
    # The scripted vendor reports usage in streams only on request; Mistral refuses the field that requests it.
    counted = [record for record in gateway.records if not record.streamed or kind != "mistral"]
    assert all(record.input and record.output and record.cost_state == "final" for record in counted)
    assert all(call.key == API_KEY for call in vendor.requests)


@pytest.mark.parametrize("kind", TWOFOLD)
async def test_a_client_of_anthropics_dialect_is_passed_through_where_the_vendor_has_it(
    gateway: GatewayFixture, vendor: Vendor, kind: str
) -> None:
    await furnish(gateway, vendor, kind)
    await gateway.ask("m", client_dialect="anthropic_messages", unknown_field=1)
    await gateway.ask("m", client_dialect="openai_chat")
    passthrough, plain = vendor.requests
    assert passthrough.path.endswith("/anthropic/v1/messages")
    assert passthrough.body["unknown_field"] == 1
    assert plain.path.endswith("/chat/completions")
