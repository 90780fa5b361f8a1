"""The name that was probably meant."""

from __future__ import annotations

import pytest

from conduit_desktop.actions.schemas import inputs
from conduit_desktop.core.settings import Settings
from conduit_desktop.core.suggestions import hint, likely


@pytest.mark.parametrize(
    ("model", "name", "meant"),
    [
        (inputs.NewKey, "budgt_usd", "budget_usd"),
        (inputs.NewKey, "budget", "budget_usd"),
        (inputs.NewKey, "budgetUsd", "budget_usd"),
        (inputs.NewKey, "max_budget", "budget_usd"),
        (inputs.NewKey, "period", "budget_period"),
        (inputs.NewKey, "rpm_limit", "rpm"),
        (inputs.NewKey, "ips", "allowed_ips"),
        (inputs.NewProvider, "api-key", "api_key"),
        (inputs.NewProvider, "apiKey", "api_key"),
        (inputs.NewProvider, "api_base", "base_url"),
        (inputs.NewProvider, "type", "kind"),
        (inputs.NewModel, "name", "alias"),
        (inputs.NewModel, "model_name", "alias"),
        (inputs.NewModel, "target", "targets"),
        (inputs.NewModel, "fallback", "fallbacks"),
        (inputs.NewBudget, "budget_usd", "limit_usd"),
        (Settings, "prot", "port"),
        (Settings, "cors", "cors_origins"),
    ],
)
def test_an_unknown_field_names_the_likely_one(model: type, name: str, meant: str) -> None:
    assert likely(name, model.model_fields) == meant  # type: ignore[attr-defined]


def test_without_a_likely_name_a_short_list_of_all_is_shown_and_no_long_one() -> None:
    assert hint("zzz", ["host", "port"]) == "; there are host, port"
    assert hint("zzz", [f"field{number}" for number in range(50)]) == ""
    assert hint("zzz", []) == ""
