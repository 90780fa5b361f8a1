"""What makes a vendor's prompt cache hit: no line that changes with every request, and a name for the session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from conduit_desktop.core.paths import Home
from tests.fakes.gateway import GatewayFixture, call, open_gateway
from tests.fakes.vendor import Vendor

LINE = "x-anthropic-billing-header: cc_version=2.1.252.0d9; cc_entrypoint=cli; cch={};"


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor() as made:
        yield made


@pytest.fixture
async def gateway(home: Home, vendor: Vendor) -> AsyncIterator[GatewayFixture]:
    async with open_gateway(home) as made:
        for name, url in (
            ("openai", vendor.openai_url), ("openai-compatible", vendor.openai_url), ("llamacpp", vendor.openai_url),
            ("anthropic", vendor.anthropic_url), ("anthropic-compatible", vendor.anthropic_url), ("gemini", vendor.anthropic_url),
        ):  # fmt: skip
            await made.add_provider(name, url, kind=name)
        await made.add_key()
        yield made


def system(cch: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": LINE.format(cch)}, {"type": "text", "text": "You help with code."}]


async def asked(gateway: GatewayFixture, vendor: Vendor, model: str, **fields: Any) -> Any:
    await gateway.answer(call(model, client_dialect="anthropic_messages", **fields))
    return vendor.requests[-1].body


@pytest.mark.parametrize("kind", ["openai", "openai-compatible", "llamacpp", "anthropic-compatible", "gemini"])
async def test_claude_codes_billing_line_reaches_nobody_but_anthropic(gateway: GatewayFixture, vendor: Vendor, kind: str):
    first = await asked(gateway, vendor, f"{kind}/gemini-2.5-flash", system=system("fa690"))
    second = await asked(gateway, vendor, f"{kind}/gemini-2.5-flash", system=system("00000"))
    assert first == second
    assert "You help with code." in str(first)
    assert gateway.records[-1].dropped == ("system.x-anthropic-billing-header",)


async def test_anthropic_gets_the_billing_line_as_it_came(gateway: GatewayFixture, vendor: Vendor):
    assert (await asked(gateway, vendor, "anthropic/claude-x", system=system("fa690")))["system"] == system("fa690")


async def test_a_session_names_its_prompt_cache(gateway: GatewayFixture, vendor: Vendor):
    keys = [
        (await asked(gateway, vendor, "openai/gpt-4o", metadata={"user_id": user})).get("prompt_cache_key")
        for user in ("session 1", "session 1", "session 2")
    ]
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]
    assert "session" not in keys[0]
    assert len(keys[0]) <= 64
    assert "prompt_cache_key" not in await asked(gateway, vendor, "openai/gpt-4o"), "no session is named"


async def test_a_vendor_that_does_not_take_the_key_does_not_get_it(gateway: GatewayFixture, vendor: Vendor):
    assert "prompt_cache_key" not in await asked(gateway, vendor, "openai-compatible/m", metadata={"user_id": "session 1"})
