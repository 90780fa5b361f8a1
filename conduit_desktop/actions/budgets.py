"""Budgets: limits on what everybody, a provider, an alias, a team or a key may spend in a period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from conduit_desktop.actions.changes import check_unlocked, difference, new_id, replaced, sent
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import Edit, apply
from conduit_desktop.actions.schemas.inputs import BudgetPatch, NewBudget, PageQuery
from conduit_desktop.actions.schemas.views import BudgetPeriodView, BudgetView, rfc3339
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.cursor import page, read_cursor
from conduit_desktop.core.entities import Budget, BudgetPeriod, BudgetScope, Source
from conduit_desktop.core.errors import Invalid, NotFound
from conduit_desktop.core.money import to_nano, to_usd
from conduit_desktop.gateway.admission.budgets import BudgetAccount, period
from conduit_desktop.store.interface import Spending


def view(budget: Budget, account: BudgetAccount) -> BudgetView:
    """A budget with what was spent and is reserved in its running period."""
    return BudgetView(
        id=budget.id,
        name=budget.name,
        scope=budget.scope,
        target=budget.target or None,
        limit_usd=to_usd(budget.limit_nano),
        period=budget.period,
        thresholds=list(budget.thresholds),
        action=budget.action,
        spend_usd=to_usd(account.spend_nano),
        reserved_usd=to_usd(account.reserved_nano),
        period_start=rfc3339(account.period_start),
        next_reset=rfc3339(account.next_reset),
        locked=budget.source == "file",
        created_at=rfc3339(budget.created_at),
        updated_at=rfc3339(budget.updated_at),
    )


def _shown(context: AppContext, budget: Budget) -> BudgetView:
    return view(budget, context.gateway.budget_account(budget))


async def all_budgets(context: AppContext) -> list[BudgetView]:
    """Every budget."""
    return [_shown(context, budget) for budget in await context.store.budgets.all()]


async def get(context: AppContext, budget_id: str) -> BudgetView:
    """One budget, by id or name; raises NotFound."""
    return _shown(context, _pick(await context.store.budgets.all(), budget_id))


async def history(context: AppContext, budget_id: str, query: PageQuery) -> tuple[list[BudgetPeriodView], str | None]:
    """What was spent in the periods before the running one, the newest first, back to the first request of the log's totals.

    A budget that holds for ever (`total`) has no past periods. Raises NotFound, Invalid for a cursor.
    """
    budget = _pick(await context.store.budgets.all(), budget_id)
    return await past_periods(context, budget.period, Spending(budget.scope, budget.target, former=budget.former), query)


async def past_periods(
    context: AppContext, length: BudgetPeriod, account: Spending, query: PageQuery
) -> tuple[list[BudgetPeriodView], str | None]:
    """What `account` spent in the periods of that length before the running one; see `history`."""
    [end] = read_cursor(query.cursor, int) if query.cursor else [period(length, now_ms())[0]]
    began = await context.store.ledger.began()
    periods: list[tuple[int, int]] = []
    while end is not None and began is not None and end > began and len(periods) <= query.limit:
        start, _ = period(length, end - 1)
        assert start is not None
        periods.append((start, end))
        end = start
    spent = await context.store.ledger.spent([replace(account, since_ms=start, until_ms=end) for start, end in periods])
    rows = [
        (start, BudgetPeriodView(period_start=rfc3339(start), period_end=rfc3339(end), spend_usd=to_usd(nano)))
        for (start, end), nano in zip(periods, spent, strict=True)
    ]
    shown, cursor = page(rows, query.limit, lambda row: (row[0],))
    return [row for _, row in shown], cursor


async def create(context: AppContext, new: NewBudget, actor: Actor) -> BudgetView:
    """Add a budget. Raises Conflict for a name that is taken, Invalid for a target that does not exist."""
    return _shown(context, await apply(context, actor, lambda edit: insert(edit, new)))


def insert(edit: Edit, new: NewBudget, source: Source = "user") -> Budget:
    """Add a budget inside a transaction; raises Conflict, Invalid."""
    now = now_ms()
    fixed = {"id": new_id("budget"), "source": source, "created_at": now, "updated_at": now}
    values = {**_fields(new), "target": target_in(edit, new.scope, new.target)}
    values["name"] = new.name or _name(edit, new)
    budget = Budget.model_validate({**values, **fixed})
    edit.tx.budgets.insert(budget)
    edit.record("budget.create", budget.name, difference(None, budget))
    return budget


async def edit(context: AppContext, budget_id: str, patch: BudgetPatch, actor: Actor) -> BudgetView:
    """Change the fields sent. Raises NotFound, Conflict, Invalid."""

    def replace(edit: Edit) -> Budget:
        before = _pick(edit.tx.budgets.all(), budget_id)
        check_unlocked(before.source, f"The budget {before.name!r}")
        return update(edit, before, patch)

    return _shown(context, await apply(context, actor, replace))


def update(edit: Edit, before: Budget, patch: BudgetPatch, source: Source = "user") -> Budget:
    """Apply `patch` to a budget inside a transaction, even where the config file locks it; raises Conflict, Invalid."""
    values = {**_fields(patch), "source": source}
    scope = values.get("scope", before.scope)
    if "scope" in values or "target" in values:
        given = patch.target if "target" in values else before.target if scope == before.scope else None
        values["target"] = target_in(edit, scope, given)
        if (scope, values["target"]) != (before.scope, before.target):
            values["former"] = ()
    after = replaced(before, values)
    edit.tx.budgets.replace(after)
    edit.record("budget.edit", after.name, difference(before, after))
    return after


async def remove(context: AppContext, budget_id: str, actor: Actor) -> None:
    """Remove a budget: it limits nothing any more. Raises NotFound, Conflict."""

    def delete(edit: Edit) -> None:
        budget = _pick(edit.tx.budgets.all(), budget_id)
        check_unlocked(budget.source, f"The budget {budget.name!r}")
        discard(edit, budget)

    await apply(context, actor, delete)


def discard(edit: Edit, budget: Budget) -> None:
    """Remove a budget inside a transaction, even where the config file locks it."""
    edit.tx.budgets.delete(budget.id)
    edit.record("budget.remove", budget.name)


def renamed(edit: Edit, scope: BudgetScope, old: str, new: str) -> None:
    """Carry the new name of a provider or an alias into the budgets on it, inside the transaction that renames it."""
    for budget in edit.tx.budgets.all():
        if budget.scope == scope and budget.target.casefold() == old.casefold():
            # The config file would bring the old name back: the rename is refused rather than undone later.
            check_unlocked(budget.source, f"The budget {budget.name!r}, which is on {old!r},")
            # Its spend so far is recorded under the old name.
            former = [name for name in dict.fromkeys((*budget.former, budget.target)) if name.casefold() != new.casefold()]
            edit.tx.budgets.replace(replaced(budget, {"target": new, "former": former}))
            edit.announce("budget.edit", budget.name)


def target_in(edit: Edit, scope: BudgetScope, target: str | None) -> str:
    """The target as it is stored: names in their own spelling, keys by id. Raises Invalid for one that does not exist."""
    tx = edit.tx
    wanted = target or ""
    match scope:
        case "global":
            if wanted:
                raise Invalid("target: a global budget has none", "target")
            return ""
        case "provider":
            found = next((one.name for one in tx.providers.all() if one.name.casefold() == wanted.casefold()), None)
        case "alias":
            found = next((one.alias for one in tx.models.all() if one.alias.casefold() == wanted.casefold()), None)
        case "key":
            keys = tx.keys.all()
            # An id goes before a name: a name may be anything, also another key's id.
            exact = (one.id for one in keys if one.id == wanted)
            found = next(exact, next((one.id for one in keys if one.name.casefold() == wanted.casefold()), None))
        case "team":
            # A team is only a word that keys share: a budget may be there before its first key.
            found = wanted or None
    if found is None:
        raise Invalid(f"target: there is no {scope} {wanted!r}" if wanted else f"target: name the {scope}", "target")
    return found


def changed_fields(before: Budget, new: NewBudget, keys_by_name: Mapping[str, str]) -> set[str]:
    """The fields in which `new`, complete, differs from a budget; `keys_by_name` has the ids of keys by case-folded name."""
    target = new.target or ""
    if new.scope == "key":
        target = keys_by_name.get(target.casefold(), target)
    wanted = {
        "name": new.name,
        "scope": new.scope,
        "target": target.casefold(),
        "limit_usd": to_nano(new.limit_usd),
        "period": new.period,
        "thresholds": tuple(new.thresholds) if new.thresholds is not None else Budget.model_fields["thresholds"].default,
        "action": new.action or Budget.model_fields["action"].default,
    }
    there = {name: getattr(before, name) for name in wanted if name not in ("target", "limit_usd")}
    there |= {"target": before.target.casefold(), "limit_usd": before.limit_nano}
    return {name for name, value in wanted.items() if there[name] != value}


def _pick(rows: list[Budget], wanted: str) -> Budget:
    for budget in (*(row for row in rows if row.id == wanted), *(row for row in rows if row.name.casefold() == wanted.casefold())):
        return budget
    raise NotFound(f"There is no budget {wanted!r}.")


def _name(edit: Edit, new: NewBudget) -> str:
    """A name for a budget that was given none: `monthly budget of provider openai`."""
    of = f" of {new.scope} {new.target}" if new.target else ""
    base = f"{new.period} budget{of}"
    taken = {one.name.casefold() for one in edit.tx.budgets.all()}
    return next(
        name for name in (base, *(f"{base} {number}" for number in range(2, len(taken) + 3))) if name.casefold() not in taken
    )


def _fields(body: BudgetPatch | NewBudget) -> dict[str, Any]:
    """The fields sent, with the entity's names and units."""
    values = sent(body, Budget)
    if "limit_usd" in values:
        if body.limit_usd is None:
            raise Invalid("limit_usd: must not be empty", "limit_usd")
        values["limit_nano"] = to_nano(values.pop("limit_usd"))
    return values
