"""Prices of the user's own, over those of the catalog."""

from __future__ import annotations

from conduit_desktop.actions import repricing
from conduit_desktop.actions.changes import check_unlocked, difference, made_known, now_ms
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.schemas.inputs import NewPrice, epoch_ms
from conduit_desktop.actions.schemas.views import PriceView, RepricedView, chosen_time, rfc3339
from conduit_desktop.core.entities import Price, Rates, Source
from conduit_desktop.core.errors import Invalid, NotFound

_UNIT_RATES = ("input", "output", "per_image", "per_minute", "per_1k_chars")
_KEPT = (*Rates.model_fields, "pattern", "per_image", "per_minute", "per_1k_chars", "origin")


def view(price: Price) -> PriceView:
    """A price as it is shown."""
    return PriceView(
        **{name: getattr(price, name) for name in _KEPT},
        tiers=list(price.tiers),
        valid_from=chosen_time(price.valid_from),
        locked=price.source == "file",
        created_at=rfc3339(price.created_at),
        updated_at=rfc3339(price.updated_at),
    )


async def all_prices(context: AppContext) -> list[PriceView]:
    """Every price set by the user, also those that hold no longer or not yet."""
    return [view(price) for price in await context.store.prices.all()]


async def get(context: AppContext, pattern: str) -> PriceView:
    """The price of that pattern that holds now; raises NotFound."""
    if (price := await context.store.prices.get(pattern)) is None:
        raise NotFound(f"There is no price for {pattern!r}.")
    return view(price)


async def put(context: AppContext, pattern: str, new: NewPrice, actor: Actor, source: Source = "user") -> PriceView:
    """Set what `pattern` costs, from `valid_from` on (always, where it is not given). Raises Conflict, Invalid."""
    if new.pattern is not None and new.pattern != pattern:
        raise Invalid(f"pattern: is {new.pattern!r} here, and {pattern!r} in the path", "pattern")
    if all(getattr(new, name) is None for name in _UNIT_RATES):
        raise Invalid("input: give a price for input, output or a unit; 0 is free", "input")
    starts = epoch_ms(new.valid_from) if new.valid_from else 0
    before = next((one for one in await context.store.prices.history(pattern) if one.valid_from == starts), None)
    if before is not None and source == "user":
        check_unlocked(before.source, f"The price of {pattern!r}")
    now = now_ms()
    values = new.model_dump(exclude={"pattern", "valid_from"})
    times = {"valid_from": starts, "created_at": before.created_at if before else now, "updated_at": now}
    price = Price.model_validate({**values, **times, "pattern": pattern, "tiers": tuple(values["tiers"]), "source": source})
    await context.store.prices.replace(price)
    await made_known(context, actor, "price.put", pattern, "prices", difference(before, price))
    return view(price)


async def remove(context: AppContext, pattern: str, actor: Actor) -> None:
    """Forget every price of `pattern`; the catalog's holds again. Raises NotFound, Conflict."""
    history = await context.store.prices.history(pattern)
    if not history:
        raise NotFound(f"There is no price for {pattern!r}.")
    for price in history:
        check_unlocked(price.source, f"The price of {pattern!r}")
    await discard(context, pattern, actor)


async def discard(context: AppContext, pattern: str, actor: Actor) -> None:
    """Forget every price of `pattern`, whoever owns it."""
    await context.store.prices.delete(pattern)
    await made_known(context, actor, "price.remove", pattern, "prices", {})


async def reprice(context: AppContext, actor: Actor) -> RepricedView:
    """Give requests of unknown cost the cost that today's prices make of them."""
    count = await repricing.reprice(context)
    await made_known(context, actor, "price.reprice", "requests", "requests", {"repriced": count})
    return RepricedView(repriced=count)
