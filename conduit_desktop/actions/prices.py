"""Prices set by the user, which override those of the catalog."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from conduit_desktop.actions import price_csv
from conduit_desktop.actions.changes import check_unlocked, difference
from conduit_desktop.actions.context import Actor, AppContext
from conduit_desktop.actions.dispatch import Edit, apply
from conduit_desktop.actions.schemas.checks import price_pattern
from conduit_desktop.actions.schemas.inputs import NewPrice, epoch_ms
from conduit_desktop.actions.schemas.views import PricesImportedView, PriceView, chosen_time, rfc3339
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.entities import Price, Source
from conduit_desktop.core.errors import Invalid, NotFound
from conduit_desktop.core.heavy_work import for_operator
from conduit_desktop.core.media import UNIT_RATES
from conduit_desktop.core.tokens import BASE_RATES, RATE_NAMES

_MOST_ON_LOOP = 100
_KEPT = (*RATE_NAMES, "pattern", *UNIT_RATES, "min_seconds", "service_tiers", "origin")


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
    """Every price set by the user, also those of the past and the future."""
    found = await context.store.prices.all()
    # An import may have set thousands, at 50 µs each.
    return await for_operator(_views, found) if len(found) > _MOST_ON_LOOP else _views(found)


def _views(prices: Iterable[Price]) -> list[PriceView]:
    return [view(price) for price in prices]


async def get(context: AppContext, pattern: str) -> PriceView:
    """The price of that pattern that is valid now; raises NotFound."""
    if (price := await context.store.prices.get(pattern)) is None:
        raise NotFound(f"There is no price for {pattern!r}.")
    return view(price)


async def put(context: AppContext, pattern: str, new: NewPrice, actor: Actor, source: Source = "user") -> PriceView:
    """Set the price of `pattern`, valid from `valid_from` (always, where it is not given). Raises Conflict, Invalid."""
    return view(await apply(context, actor, lambda edit: put_in(edit, pattern, new, source)))


def check_rates(new: NewPrice) -> None:
    """Raises Invalid for half a price by tokens, for a price without any rate, and for two rates of the same."""
    by_token = [name for name in RATE_NAMES if getattr(new, name) is not None]
    missing = [name for name in BASE_RATES if getattr(new, name) is None]
    # Half a price would have the other half cost nothing, and say that this is final.
    if by_token and missing:
        raise Invalid(f"{missing[0]}: a price for tokens needs input and output; 0 is free", missing[0])
    if not by_token and all(getattr(new, name) in (None, []) for name in UNIT_RATES):
        raise Invalid("input: give a price for input and output, or for a unit; 0 is free", "input")
    images = new.per_image if isinstance(new.per_image, list) else []
    if twice := _repeated((image.size.strip().lower(), image.quality.strip().lower()) for image in images):
        raise Invalid(f"per_image: size {twice[0]!r} and quality {twice[1]!r} have two prices", "per_image")
    if above := _repeated(tier.above_input_tokens for tier in new.tiers):
        raise Invalid(f"tiers: above {above} input tokens there are two tiers", "tiers")


def _repeated(values: Iterable[Any]) -> Any:
    """The first of the values that was there before; None where each is there once."""
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


def put_in(edit: Edit, pattern: str, new: NewPrice, source: Source = "user") -> Price:
    """Set a price inside a transaction; raises Conflict, Invalid."""
    # A body copied from another price would be stored under the wrong name.
    if new.pattern is not None and new.pattern != pattern:
        raise Invalid(f"pattern: is {new.pattern!r} here, and {pattern!r} in the path", "pattern")
    try:
        price_pattern(pattern)
    except ValueError as error:
        raise Invalid(f"pattern: {error}", "pattern") from None
    check_rates(new)
    starts = epoch_ms(new.valid_from) if new.valid_from else 0
    # A price with another `valid_from` is one more version: requests of the past keep the price that held then.
    before = next((one for one in edit.tx.prices.history(pattern) if one.valid_from == starts), None)
    if before is not None and source == "user":
        check_unlocked(before.source, f"The price of {pattern!r}")
    now = now_ms()
    values = new.model_dump(exclude={"pattern", "valid_from"})
    times = {"valid_from": starts, "created_at": before.created_at if before else now, "updated_at": now}
    price = Price.model_validate({**values, **times, "pattern": pattern, "tiers": tuple(values["tiers"]), "source": source})
    edit.tx.prices.replace(price)
    edit.record("price.put", pattern, difference(before, price))
    return price


async def remove(context: AppContext, pattern: str, actor: Actor) -> None:
    """Remove every price of `pattern`; the catalog's is used again. Raises NotFound, Conflict."""

    def delete(edit: Edit) -> None:
        history = edit.tx.prices.history(pattern)
        if not history:
            raise NotFound(f"There is no price for {pattern!r}.")
        # All of them: one pattern may have prices of the file and prices of the user.
        for price in history:
            check_unlocked(price.source, f"The price of {pattern!r}")
        discard(edit, pattern)

    await apply(context, actor, delete)


def discard(edit: Edit, pattern: str) -> None:
    """Remove every price of `pattern` inside a transaction, even where the config file locks it."""
    edit.tx.prices.delete(pattern)
    edit.record("price.remove", pattern)


async def as_csv(context: AppContext) -> str:
    """Every price set by the user, as `price_csv` writes it."""
    prices = sorted(await all_prices(context), key=lambda price: (price.pattern.casefold(), price.valid_from or ""))
    # In a thread: an import may have set thousands.
    return await for_operator(price_csv.write, prices)


async def import_csv(context: AppContext, text: str, actor: Actor) -> PricesImportedView:
    """Set every price of a CSV file, all or none; others stay. Raises Invalid with line and column, Conflict."""
    # In a thread: a large file would hold up the streams on this loop.
    rows = await for_operator(price_csv.parse, text)

    def put_all(edit: Edit) -> PricesImportedView:
        for line, pattern, price in rows:
            try:
                put_in(edit, pattern, price)
            except Invalid as error:
                raise price_csv.at_line(line, error) from error
        return PricesImportedView(imported=len(rows))

    return await apply(context, actor, put_all)
