"""The counters of the dashboard, the totals of the usage page, and formatting."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from conduit_desktop.actions.schemas.reports import UsageView
from conduit_desktop.core.money import to_nano
from conduit_desktop.gui import formatting, local_time
from conduit_desktop.gui.pages.dashboard.counters import MINUTE_MS, LiveCounters
from conduit_desktop.gui.pages.usage.series import days_between, grouped, stacked, totals_of
from conduit_desktop.gui.request_rows import row_of
from conduit_desktop.gui.widgets.charts.stacked import nice_top
from tests.gui.samples import record

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
NOON = 20_000 * DAY_MS + DAY_MS // 2
COUNTS = {"requests": 0, "errors": 0, "input": 0, "cache_read": 0, "cache_write": 0, "output": 0, "reasoning": 0, "audio_in": 0,
          "audio_out": 0, "cost_usd": 0.0, "unpriced_requests": 0, "estimated_requests": 0}  # fmt: skip


def row(**values: Any) -> UsageView:
    groups = {"day": "2026-11-20", "model": "smart", "key": "k1", "key_name": "laptop", "provider": "openai"}
    return UsageView(**{**groups, **COUNTS, **values})


def test_records_of_the_feed_are_added_to_the_totals_of_the_day():
    counters = LiveCounters()
    counters.load(NOON, [row(requests=10, errors=1, input=100, output=50, cost_usd=1.5)], [])
    counters.add(record(started_at=NOON, input=10, output=5, cost_nano=to_nano("0.5")))
    counters.add(record(started_at=NOON, status="error", input=0, output=0, cost_nano=0))
    assert (counters.requests, counters.errors, counters.tokens) == (12, 2, 165)
    assert counters.spent_nano == to_nano("2.0")


def test_a_request_without_a_price_is_counted_as_unknown():
    counters = LiveCounters()
    counters.load(NOON, [row(requests=2, unpriced_requests=2)], [])
    counters.add(record(started_at=NOON, cost_nano=None, cost_state="unknown"))
    assert counters.unpriced == 3
    assert counters.spent_nano == 0


def test_midnight_resets_the_totals():
    counters = LiveCounters()
    counters.load(NOON, [row(requests=10, cost_usd=3.0)], [])
    counters.add(record(started_at=NOON + DAY_MS, cost_nano=1))
    assert counters.requests == 1
    assert counters.spent_nano == 1


def test_minutes_without_requests_are_zero():
    counters = LiveCounters()
    lines = [row_of(record(started_at=NOON - minutes * MINUTE_MS)) for minutes in (0, 0, 2, 59, 60)]
    counters.load(NOON, [], lines)
    counters.add(record(started_at=NOON, status="broken"))
    series = counters.series(NOON)
    assert len(series) == 60
    assert series[-1] == (2, 1)
    assert series[-2] == (0, 0)
    assert series[-3] == (1, 0)
    assert series[0] == (1, 0)


def test_medians_ignore_requests_that_did_not_succeed():
    counters = LiveCounters()
    counters.load(NOON, [], [])
    assert counters.first_token_ms is None
    for ms in (100, 300, 200):
        counters.add(record(started_at=NOON, first_token_ms=ms, duration_ms=ms * 2))
    counters.add(record(started_at=NOON, status="cancelled", first_token_ms=9000, duration_ms=9000))
    assert counters.first_token_ms == 200
    assert counters.duration_ms == 400


def test_old_minutes_are_removed():
    counters = LiveCounters()
    counters.load(NOON, [], [])
    for minute in range(1000):
        counters.add(record(started_at=NOON + minute * MINUTE_MS))
    assert len(counters._per_minute) <= 121


def test_totals_are_grouped_and_an_unknown_cost_is_never_zero():
    rows = [
        row(requests=2, cost_usd=1.0),
        row(model="new", requests=3, unpriced_requests=3),
        row(requests=1, errors=1, failed=1, cost_usd=0.5),
    ]
    smart, new = grouped(rows, "model")
    assert (smart.name, smart.requests, smart.failed, smart.refused, smart.cost_known) == ("smart", 3, 1, 0, to_nano("1.5"))
    assert new.cost_known is None
    assert totals_of("all", rows).cost_known == to_nano("1.5")
    assert [one.name for one in grouped(rows, "key")] == ["laptop"]


def test_the_chart_has_a_value_for_each_day_and_joins_small_models():
    days = days_between(date(2026, 11, 19), date(2026, 11, 21))
    assert days == ["2026-11-19", "2026-11-20", "2026-11-21"]
    rows = [row(model=f"m{at}", requests=100 - at) for at in range(12)] + [row(model="m0", day="2026-11-21", requests=7)]
    series = stacked(rows, days, "requests", "others")
    assert len(series) == 8
    assert series[0] == ("m0", (0.0, 100.0, 7.0))
    assert series[-1] == ("others", (0.0, float(sum(100 - at for at in range(7, 12))), 0.0))
    assert stacked(rows, days, "cost", "others") == []


def test_a_scale_ends_at_a_round_number():
    assert [nice_top(most) for most in (0, 0.03, 1, 3.9, 4.1, 9, 130)] == [1.0, 0.04, 1, 4, 8, 10, 200]


def test_times_counts_and_costs_are_formatted():
    assert [formatting.duration(ms) for ms in (None, 0.42, 340, 2400, 19_400, 200_000)] == [
        "–", "0.4 ms", "340 ms", "2.4 s", "19 s", "3 min 20 s",
    ]  # fmt: skip
    assert [formatting.count(n) for n in (940, 12_400, 250_000, 1_240_000)] == ["940", "12,400", "250k", "1.2M"]
    assert [formatting.size(n) for n in (512, 2048, 5 * 1024 * 1024)] == ["512 B", "2.0 KB", "5.0 MB"]
    assert formatting.cost(None) == "unknown"
    assert formatting.cost(0.0031) == "$0.0031"
    assert formatting.ago(None) == "never"


def test_the_day_is_that_of_the_viewers_time_zone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(local_time, "zone", lambda: ZoneInfo("Asia/Kathmandu"))
    counters = LiveCounters()
    evening = 20_000 * DAY_MS + 18 * HOUR_MS  # a quarter to midnight there
    counters.load(evening, (), ())
    counters.add(record(started_at=evening, cost_nano=1))
    counters.add(record(started_at=evening + HOUR_MS // 2, cost_nano=5))
    assert (counters.requests, counters.spent_nano) == (1, 5)
