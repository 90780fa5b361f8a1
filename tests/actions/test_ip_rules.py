"""IP rules: one for each network, whatever its spelling, and in force at once."""

from __future__ import annotations

import pytest

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.errors import Conflict, NotFound
from tests.actions.conftest import Do


async def test_a_network_has_one_rule_whatever_its_spelling_or_action(do: Do) -> None:
    await do("POST", "/ip-rules", {"action": "deny", "network": "10.0.0.0/8"})
    for network in ("10.0.0.0/8", "10.9.9.9/8"):
        with pytest.raises(Conflict) as raised:
            await do("POST", "/ip-rules", {"action": "allow", "network": network})
        assert raised.value.field == "network"
    await do("POST", "/ip-rules", {"action": "allow", "network": "10.0.0.0/9"})
    assert len((await do("GET", "/ip-rules"))["data"]) == 2


async def test_a_removed_rule_is_gone_and_unknown_and_its_network_is_free(context: AppContext, do: Do) -> None:
    rule = await do("POST", "/ip-rules", {"action": "deny", "network": "10.0.0.0/8"})
    await do("DELETE", f"/ip-rules/{rule['id']}")
    assert await context.store.ip_rules.all() == []
    with pytest.raises(NotFound):
        await do("DELETE", f"/ip-rules/{rule['id']}")
    assert (await do("POST", "/ip-rules", {"action": "allow", "network": "10.0.0.0/8"}))["action"] == "allow"


async def test_the_audit_log_names_the_network_and_the_action(do: Do) -> None:
    rule = await do("POST", "/ip-rules", {"action": "deny", "cidr": "10.0.0.0/8"})
    await do("DELETE", f"/ip-rules/{rule['id']}")
    rows = (await do("GET", "/audit"))["data"]
    assert [(row["action"], row["subject"], row["changes"].get("action")) for row in rows] == [
        ("ip-rule.remove", "10.0.0.0/8", "deny"), ("ip-rule.create", "10.0.0.0/8", "deny"),
    ]  # fmt: skip
