"""IP rules: which addresses may call the gateway."""

from __future__ import annotations

from conduit_desktop.actions.changes import difference, new_id
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import Edit, apply
from conduit_desktop.actions.schemas.inputs import NewIpRule
from conduit_desktop.actions.schemas.views import IpRuleView, rfc3339
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import IpRule
from conduit_desktop.core.errors import Conflict, NotFound


def view(rule: IpRule) -> IpRuleView:
    """A rule as it is shown."""
    return IpRuleView(id=rule.id, action=rule.action, network=rule.network, created_at=rfc3339(rule.created_at))


async def all_rules(context: AppContext) -> list[IpRuleView]:
    """Every rule."""
    return [view(rule) for rule in await context.store.ip_rules.all()]


async def create(context: AppContext, new: NewIpRule, actor: Actor) -> IpRuleView:
    """Add a rule; raises Conflict for a network that has one."""

    def insert(edit: Edit) -> IpRule:
        # Two rules of one network, one allowing and one denying, would contradict each other.
        if any(rule.network == new.network for rule in edit.tx.ip_rules.all()):
            raise Conflict(f"There is a rule for {new.network} already.", "network")
        rule = IpRule(id=new_id("rule"), action=new.action, network=new.network, created_at=now_ms())
        edit.tx.ip_rules.insert(rule)
        edit.record("ip-rule.create", rule.network, difference(None, rule))
        return rule

    return view(await apply(context, actor, insert))


async def remove(context: AppContext, rule_id: str, actor: Actor) -> None:
    """Remove a rule; raises NotFound."""

    def delete(edit: Edit) -> None:
        rule = edit.tx.ip_rules.get(rule_id)
        if rule is None:
            raise NotFound(f"There is no IP rule {rule_id!r}.")
        edit.tx.ip_rules.delete(rule_id)
        edit.record("ip-rule.remove", rule.network, {"action": rule.action})

    await apply(context, actor, delete)
