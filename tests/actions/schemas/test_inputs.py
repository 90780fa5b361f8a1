"""The bounds of every input field: the last value accepted and the first one refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from conduit_desktop.actions.schemas import inputs
from conduit_desktop.actions.schemas.validation import Body, Query, read
from conduit_desktop.core.errors import Invalid

TARGET = {"provider": "p", "model": "m"}
MODEL = {"alias": "a", "targets": [TARGET]}
COUNT_MAX = 2**53
NAMES = [f"n{number}" for number in range(1001)]


def _models() -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    for value in vars(inputs).values():
        if isinstance(value, type) and issubclass(value, (Body, Query)) and value not in (Body, Query):
            found.append(value)
    return found


@pytest.mark.parametrize("model", _models(), ids=lambda model: model.__name__)
def test_every_input_refuses_a_field_it_does_not_have(model: type[BaseModel]) -> None:
    with pytest.raises(Invalid, match="no such field") as raised:
        read(model, {"surplus": 1})
    assert raised.value.field == "surplus"


def key(**fields: Any) -> dict[str, Any]:
    return {"name": "k", **fields}


RANGES: list[tuple[type[BaseModel], dict[str, Any], str, Any, Any]] = [
    # model, the rest of the body, field, accepted, refused
    (inputs.NewCredential, {"label": "a"}, "weight", 1, 0),
    (inputs.NewCredential, {"label": "a"}, "weight", 1_000_000, 1_000_001),
    (inputs.NewTarget, {"provider": "p"}, "model", "m" * 500, "m" * 501),
    (inputs.NewTarget, {"provider": "p"}, "model", "m", ""),
    (inputs.NewTarget, {"model": "m"}, "provider", "p", ""),
    (inputs.NewTarget, TARGET, "weight", 1, 0),
    (inputs.NewTarget, TARGET, "weight", 1_000_000, 1_000_001),
    (inputs.NewModel, {"alias": "a"}, "targets", [TARGET], []),
    (inputs.NewModel, {"alias": "a"}, "targets", [TARGET] * 100, [TARGET] * 101),
    (inputs.NewModel, MODEL, "fallbacks", NAMES[:100], NAMES[:101]),
    (inputs.NewModel, MODEL, "context_fallbacks", NAMES[:100], NAMES[:101]),
    (inputs.NewModel, MODEL, "content_filter_fallbacks", NAMES[:100], NAMES[:101]),
    (inputs.NewModel, MODEL, "retries", 0, -1),
    (inputs.NewModel, MODEL, "retries", 10, 11),
    (inputs.NewModel, MODEL, "max_context_tokens", 1, 0),
    (inputs.NewModel, MODEL, "max_context_tokens", COUNT_MAX, COUNT_MAX + 1),
    (inputs.NewModel, MODEL, "sticky", "prefix", "sometimes"),
    (inputs.NewModel, MODEL, "strategy", "cheapest", "magic"),
    (inputs.ModelPatch, {}, "targets", [TARGET], []),
    (inputs.ModelPatch, {}, "targets", [TARGET] * 100, [TARGET] * 101),
    (inputs.ModelPatch, {}, "fallbacks", NAMES[:100], NAMES[:101]),
    (inputs.ModelPatch, {}, "context_fallbacks", NAMES[:100], NAMES[:101]),
    (inputs.ModelPatch, {}, "content_filter_fallbacks", NAMES[:100], NAMES[:101]),
    (inputs.ModelPatch, {}, "retries", 0, -1),
    (inputs.ModelPatch, {}, "retries", 10, 11),
    (inputs.ModelPatch, {}, "max_context_tokens", 1, 0),
    (inputs.ModelPatch, {}, "alias", "a", "a\nb"),
    (inputs.KeyPatch, {}, "name", "k", ""),
    (inputs.KeyPatch, {}, "description", "d" * 2000, "d" * 2001),
    (inputs.KeyPatch, {}, "models", NAMES[:1000], NAMES),
    (inputs.KeyPatch, {}, "models", ["a"], [""]),
    (inputs.KeyPatch, {}, "budget_usd", 0, -0.01),
    (inputs.KeyPatch, {}, "budget_usd", 1e9, 1.1e9),
    (inputs.KeyPatch, {}, "budget_period", "weekly", "yearly"),
    (inputs.KeyPatch, {}, "unpriced", "block", "maybe"),
    (inputs.KeyPatch, {}, "allowed_ips", ["::1"] * 1000, ["::1"] * 1001),
    *((inputs.KeyPatch, {}, name, 1, 0) for name in ("rpm", "rpd", "tpm", "max_parallel")),
    *((inputs.KeyPatch, {}, name, COUNT_MAX, COUNT_MAX + 1) for name in ("rpm", "rpd", "tpm", "max_parallel")),
    *((inputs.NewPrice, {}, name, 0, -0.01) for name in (*inputs.NewRates.model_fields, "per_image", "per_minute", "per_1k_chars")),
    *((inputs.NewPrice, {}, name, 1e9, 1.1e9) for name in ("input", "output", "per_image")),
    (inputs.NewPrice, {}, "pattern", "x" * 300, "x" * 301),
    (inputs.NewPrice, {}, "tiers", [{"above_input_tokens": 1}] * 20, [{"above_input_tokens": 1}] * 21),
    (inputs.NewTier, {}, "above_input_tokens", 1, 0),
    (inputs.NewIpRule, {"network": "::1"}, "action", "allow", "maybe"),
    (inputs.BackupRequest, {}, "path", "/x", ""),
    (inputs.UsageQuery, {}, "format", "csv", "xml"),
    (inputs.RequestQuery, {}, "status", "broken", "odd"),
    (inputs.PublishRequest, {}, "models", NAMES[:1000], NAMES),
    (inputs.ReplayRequest, {}, "request_id", "r", ""),
    (inputs.ReplayRequest, {}, "request_id", "r" * 100, "r" * 101),
    (inputs.ReplayRequest, {"request_id": "r"}, "target", "t" * 512, "t" * 513),
    (inputs.ReplayRequest, {"request_id": "r"}, "overrides", dict.fromkeys(NAMES[:100], 1), dict.fromkeys(NAMES[:101], 1)),
    (inputs.NewImageRate, {"usd": 1}, "size", "s" * 100, "s" * 101),
    (inputs.NewImageRate, {"usd": 1}, "quality", "q" * 100, "q" * 101),
    (inputs.BudgetPatch, {}, "thresholds", [0.01], [0]),
    (inputs.RequestQuery, {}, "min_cost_usd", 0, -0.01),
    (inputs.PageQuery, {}, "limit", 1, 0),
    (inputs.PageQuery, {}, "limit", 500, 501),
]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "rest", "field", "accepted", "refused"),
    RANGES,
    ids=[f"{m.__name__}-{f}-{i}" for i, (m, _, f, _, _) in enumerate(RANGES)],
)
def test_a_value_is_accepted_up_to_its_bound_and_refused_beyond(
    model: type[BaseModel], rest: dict[str, Any], field: str, accepted: Any, refused: Any
) -> None:
    read(model, {**rest, field: accepted})
    with pytest.raises(Invalid) as raised:
        read(model, {**rest, field: refused})
    assert (raised.value.field or "").startswith(field)


@pytest.mark.parametrize("name", ["network", "address", "cidr"])
def test_the_address_of_an_ip_rule_has_three_names(name: str) -> None:
    assert read(inputs.NewIpRule, {"action": "deny", name: "10.1.2.3/8"}).network == "10.0.0.0/8"


def test_a_key_needs_a_name_and_a_change_of_it_does_not() -> None:
    with pytest.raises(Invalid) as raised:
        read(inputs.NewKey, {})
    assert raised.value.field == "name"
    assert read(inputs.KeyPatch, {}).model_fields_set == set()


def test_a_null_header_is_kept_in_a_patch_and_refused_in_a_new_provider() -> None:
    assert read(inputs.ProviderPatch, {"headers": {"X-A": None}}).headers == {"X-A": None}
    with pytest.raises(Invalid):
        read(inputs.NewProvider, {"name": "a", "kind": "demo", "headers": {"X-A": None}})


def test_a_time_is_read_as_epoch_milliseconds() -> None:
    assert inputs.epoch_ms("1970-01-01T00:00:01.500Z") == 1500
    assert inputs.epoch_ms("1970-01-01T01:00:00+01:00") == 0


def test_a_credential_and_a_target_weigh_one_where_nothing_is_given() -> None:
    assert read(inputs.NewCredential, {"label": "a"}).weight == 1
    assert read(inputs.NewTarget, TARGET).weight == 1
