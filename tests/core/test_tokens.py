"""Every list of token classes, and every sum over them, agrees with the declaration in `core.tokens`."""

from __future__ import annotations

import sqlite3
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from conduit_desktop.actions import repricing
from conduit_desktop.actions.prices import view as price_view
from conduit_desktop.actions.requests import view as request_view
from conduit_desktop.actions.schemas.inputs import NewPrice, NewRates
from conduit_desktop.actions.schemas.reports import RequestView, UsageView
from conduit_desktop.actions.schemas.views import CatalogPriceView, PriceView
from conduit_desktop.actions.usage import as_csv
from conduit_desktop.actions.usage import view as usage_view
from conduit_desktop.cli import prices as price_commands
from conduit_desktop.cli import records as record_commands
from conduit_desktop.core.entities import Price, Rates
from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import UNIT_RATES, Units
from conduit_desktop.core.paths import Home
from conduit_desktop.core.records import RequestRecord, UsageRow
from conduit_desktop.core.tokens import (
    BASE_RATES,
    CLASS_NAMES,
    CLASSES,
    INPUT_CLASSES,
    OUTPUT_CLASSES,
    RATE_NAMES,
    RATES,
    TokenClass,
    TokenRate,
    total_input,
    total_output,
)
from conduit_desktop.gateway.accounting.compiled_price import RateTier, compile_price
from conduit_desktop.gateway.accounting.cost import price_answer
from conduit_desktop.gateway.accounting.meter import Meter
from conduit_desktop.server.metrics import Metrics
from conduit_desktop.store.sqlite.records import TOTALS_OF_REQUEST
from conduit_desktop.store.sqlite.store import SqliteStore

BY_NAME = {one.name: one for one in CLASSES}
USAGE_FIELDS = [rate.usage_field for one in CLASSES for rate in one.rates]
OWNERS = {rate.usage_field: one for one in CLASSES for rate in one.rates}
MILLION = 1_000_000
PRICED = {name: float(number) for number, name in enumerate(RATE_NAMES, start=3)}
"""A price for each rate that no other has."""


def part(names: list[str], first: str, end: str) -> tuple[str, ...]:
    """The names from `first` up to `end`."""
    return tuple(names[names.index(first) : names.index(end)])


def usage_of(field: str, count: int) -> Usage:
    """Usage with tokens of one field; the class that includes them counts them too."""
    whole = OWNERS[field].part_of
    counts: dict[str, Any] = {field: count}
    if whole is not None:
        counts[BY_NAME[whole].rates[0].usage_field] = count
    return Usage(**counts)


def record_with_every_class() -> RequestRecord:
    """1, 2, 4, … tokens: no two sums of classes are equal."""
    counts: dict[str, Any] = {name: 2**place for place, name in enumerate(CLASS_NAMES)}
    return RequestRecord(id="req_1", started_at=1_772_366_400_000, model="m", provider="p", cost_nano=1, **counts)


def test_names_and_labels_are_unique() -> None:
    assert len(set(CLASS_NAMES)) == len({one.label for one in CLASSES}) == len(CLASSES)
    assert len(set(RATE_NAMES)) == len(set(USAGE_FIELDS)) == len(RATES)


def test_every_class_has_a_rate_and_a_part_lies_in_a_whole_of_its_side() -> None:
    for one in CLASSES:
        assert one.rates, one.name
        if one.part_of is not None:
            assert BY_NAME[one.part_of].side == one.side
            assert BY_NAME[one.part_of].part_of is None


def test_a_fallback_comes_before_the_rate_that_uses_it() -> None:
    for place, rate in enumerate(RATES):
        assert rate.fallback is None or rate.fallback in RATE_NAMES[:place], rate.name


def test_usage_has_a_field_for_each_rate() -> None:
    counted = [field.name for field in fields(Usage) if field.type == "int" and field.name != "searches"]
    assert counted == USAGE_FIELDS


@pytest.mark.parametrize("field", USAGE_FIELDS)
def test_a_token_of_any_class_is_in_the_total_of_its_side_once(field: str) -> None:
    usage = usage_of(field, 1)
    expected = (1, 0) if OWNERS[field].side == "input" else (0, 1)
    assert (usage.total_input, usage.total_output) == expected


@pytest.mark.parametrize(
    ("names", "end"),
    [
        ([field.name for field in fields(RequestRecord)], "units"),
        ([field.name for field in fields(UsageRow)], "cost_nano"),
        (list(RequestView.model_fields), "units"),
        (list(UsageView.model_fields), "cost_usd"),
    ],
    ids=["RequestRecord", "UsageRow", "RequestView", "UsageView"],
)
def test_records_totals_and_views_have_a_field_for_each_class(names: list[str], end: str) -> None:
    assert part(names, "input", end) == CLASS_NAMES


@pytest.mark.parametrize("model", [Rates, NewRates])
def test_rates_have_a_field_for_each_rate(model: type[Rates] | type[NewRates]) -> None:
    assert tuple(model.model_fields) == RATE_NAMES


def test_a_compiled_price_has_a_field_for_each_rate() -> None:
    assert {field.name for field in fields(RateTier)} == {"above", "assumed", "unpriced", *RATE_NAMES}


@pytest.mark.parametrize("model", [Price, NewPrice, PriceView, CatalogPriceView])
def test_prices_have_a_field_for_each_rate_and_unit(model: type[BaseModel]) -> None:
    others = {
        "pattern",
        "provider",
        "model",
        "tiers",
        "valid_from",
        "origin",
        "as_of",
        "source",
        "locked",
        "created_at",
        "updated_at",
    }
    others |= {"min_seconds", "service_tiers"}
    assert set(model.model_fields) - others == {*RATE_NAMES, *UNIT_RATES}


def test_a_price_is_shown_with_every_rate() -> None:
    shown = price_view(Price(pattern="p", **PRICED))
    assert {name: getattr(shown, name) for name in RATE_NAMES} == PRICED


def test_the_price_catalog_is_made_with_every_rate() -> None:
    from tools.prices import RATES as made_rates
    from tools.prices import UNITS as made_units

    assert set(made_rates.values()) == set(RATE_NAMES)
    assert {name for name, _ in made_units.values()} <= set(UNIT_RATES)


def test_the_command_line_sets_every_rate() -> None:
    options = {option.name for option in price_commands.add.params}
    assert options - {"home", "json", "pattern", "valid_from", "min_seconds", "service_tiers"} == {*RATE_NAMES, *UNIT_RATES}


@pytest.mark.parametrize("rate", RATES, ids=RATE_NAMES)
def test_tokens_cost_their_own_rate_and_no_other(rate: TokenRate) -> None:
    price = compile_price(Price(pattern="p", **PRICED))
    assert price is not None
    assert price_answer(price, usage_of(rate.usage_field, MILLION)).nano == PRICED[rate.name] * 10**9


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate.fallback], ids=lambda rate: rate.name)
def test_tokens_without_a_rate_cost_the_fallback(rate: TokenRate) -> None:
    assert rate.fallback is not None
    price = compile_price(Price(pattern="p", **{**PRICED, rate.name: None}))
    assert price is not None
    assert price_answer(price, usage_of(rate.usage_field, MILLION)).nano == PRICED[rate.fallback] * 10**9


@pytest.mark.parametrize("name", [*RATE_NAMES, *UNIT_RATES])
def test_a_price_with_any_rate_is_not_free(name: str) -> None:
    rates = {**dict.fromkeys(BASE_RATES, 0.0), name: 1.0}
    price = compile_price(Price(pattern="p", **rates))
    assert price is not None
    assert not price.is_free


@pytest.mark.parametrize("name", [*BASE_RATES, *UNIT_RATES])
def test_one_base_rate_or_unit_makes_a_price(name: str) -> None:
    assert compile_price(Price(pattern="p", **{name: 1.0})) is not None


def test_a_price_with_neither_base_rate_nor_unit_is_none() -> None:
    others = {name: 1.0 for name in RATE_NAMES if name not in BASE_RATES}
    assert compile_price(Price(pattern="p", **others)) is None


class RecordOnly:
    """The part of a Meter that `_take` uses."""

    def __init__(self) -> None:
        self.record = RequestRecord(id="req_1", started_at=1)


@pytest.mark.parametrize("field", USAGE_FIELDS)
def test_the_record_counts_usage_under_its_class(field: str) -> None:
    meter: Any = RecordOnly()
    Meter._take(meter, Usage(**{field: 7}), Units())  # type: ignore[arg-type]
    assert {name: getattr(meter.record, name) for name in CLASS_NAMES} == dict.fromkeys(CLASS_NAMES, 0) | {OWNERS[field].name: 7}


def test_a_record_is_repriced_with_all_its_tokens() -> None:
    record = record_with_every_class()
    meter: Any = RecordOnly()
    usage = repricing._usage(record)
    Meter._take(meter, usage, Units())
    assert {name: getattr(meter.record, name) for name in CLASS_NAMES} == {name: getattr(record, name) for name in CLASS_NAMES}
    assert (usage.total_input, usage.total_output) == (total_input(record), total_output(record))


def test_totals_of_a_record_leave_out_what_is_part_of_another_class() -> None:
    record = record_with_every_class()
    assert total_input(record) == sum(getattr(record, name) for name in INPUT_CLASSES)
    assert total_output(record) == sum(getattr(record, name) for name in OUTPUT_CLASSES)
    parts = {one.name for one in CLASSES if one.part_of}
    assert {*INPUT_CLASSES, *OUTPUT_CLASSES} == {*CLASS_NAMES} - parts


def columns(path: Path, table: str) -> set[str]:
    """The columns of a table."""
    connection = sqlite3.connect(path)
    try:
        return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
    finally:
        connection.close()


async def test_the_tables_have_a_column_for_each_class_and_rate(home: Home) -> None:
    await SqliteStore.open(home).close()
    assert columns(home.database, "requests") >= set(CLASS_NAMES)
    assert columns(home.database, "totals") == set(TOTALS_OF_REQUEST) >= set(CLASS_NAMES)
    assert columns(home.database, "prices") >= {*RATE_NAMES, *UNIT_RATES}


async def test_every_class_is_stored_and_summed(home: Home) -> None:
    store = SqliteStore.open(home)
    try:
        record = record_with_every_class()
        await store.ledger.record(record)
        [row] = await store.ledger.usage([])
        assert await store.ledger.get(record.id) == record
    finally:
        await store.close()
    assert {name: getattr(row, name) for name in CLASS_NAMES} == {name: getattr(record, name) for name in CLASS_NAMES}


def test_every_class_is_shown_in_views_and_csv() -> None:
    record = record_with_every_class()
    counts = {name: getattr(record, name) for name in CLASS_NAMES}
    shown = request_view(record)
    assert {name: getattr(shown, name) for name in CLASS_NAMES} == counts
    row = usage_view(UsageRow(**counts), [])
    assert {name: row[name] for name in CLASS_NAMES} == counts
    assert set(row) <= set(UsageView.model_fields)
    header, line = as_csv([row], "").splitlines()
    assert part(header.split(","), "input", "cost_usd") == CLASS_NAMES
    assert [int(cell) for cell in line.split(",")[2 : 2 + len(CLASSES)]] == list(counts.values())


@pytest.mark.parametrize("one", CLASSES, ids=CLASS_NAMES)
def test_every_class_has_its_label_in_the_metrics(one: TokenClass) -> None:
    metrics = Metrics()
    metrics.count(RequestRecord(id="req_1", started_at=1, model="m", provider="p", **{one.name: 5}))  # type: ignore[arg-type]
    lines = [line for line in metrics.text(0, 0, 0.0, 0.0).splitlines() if line.startswith("conduit_tokens_total{")]
    assert lines == [f'conduit_tokens_total{{model="m",provider="p",class="{one.name}"}} 5']


def test_the_help_of_the_metric_names_the_parts_of_other_classes() -> None:
    [help_line] = [line for line in Metrics().text(0, 0, 0.0, 0.0).splitlines() if line.startswith("# HELP conduit_tokens_total")]
    assert help_line.endswith(
        "Tokens by class; reasoning is a part of output, image_in is a part of input, image_out is a part of output."
    )


def test_the_request_log_of_the_command_line_shows_the_whole_input_and_output() -> None:
    record = record_with_every_class()
    row = request_view(record).model_dump()
    shown = dict(record_commands.COLUMNS)
    assert [shown[name](row) for name in ("in", "out")] == [total_input(record), total_output(record)]  # type: ignore[operator]
