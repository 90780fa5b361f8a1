"""The usage of an answer that broke off before its final report."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from conduit_desktop.core.events import Usage
from conduit_desktop.gateway.accounting.meter import Meter


class Interrupted:
    """The part of a Meter that `_estimate` uses: 40 output tokens were counted, nothing was reserved."""

    class _call:
        input_tokens = 0

    output_tokens = 40


def estimate(reported: Usage | None) -> Usage:
    meter: Any = Interrupted()
    return Meter._estimate(meter, reported)


def test_an_estimate_keeps_the_reported_classes_and_raises_the_output_to_what_was_counted() -> None:
    counts: dict[str, Any] = {field.name: number for number, field in enumerate(fields(Usage), start=1) if field.type == "int"}
    assert estimate(Usage(**counts)) == Usage(**{**counts, "output": 40}, source="estimated")


def test_an_estimate_keeps_a_reported_output_that_is_higher_than_what_was_counted() -> None:
    assert estimate(Usage(output=50)) == Usage(output=50, source="estimated")


def test_an_estimate_has_no_cost_of_the_provider_whose_report_was_not_final() -> None:
    assert estimate(Usage(output=1, cost_nano=5, extra={"searches": 1})) == Usage(output=40, source="estimated")
