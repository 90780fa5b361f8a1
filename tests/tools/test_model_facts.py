"""The generated table of models: how it is made, and where its sources and the hand-written rows disagree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import orjson
import pytest

from conduit_desktop.core.paths import resource
from conduit_desktop.providers.model_facts import ModelFacts, family_facts
from tools import model_facts
from tools.model_facts_decisions import DECISIONS, HAND_ROWS

GPT = {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 128_000, "max_output_tokens": 16_384}


def made(**rows: dict[str, Any]) -> dict[str, Any]:
    return model_facts.catalog(date(2026, 11, 30), "1.0", {name.replace("__", "/"): row for name, row in rows.items()})


def facts(catalog: dict[str, Any], name: str, vendor: str = "") -> dict[str, Any] | None:
    names = catalog["vendors"].get(vendor, {}) if vendor else catalog["models"]
    return catalog["facts"][names[name]] if name in names else None


@pytest.fixture(scope="module")
def shipped() -> dict[str, Any]:
    return orjson.loads(resource("models.json").read_bytes())


def test_a_row_becomes_sizes_and_abilities() -> None:
    row = {
        **GPT,
        "supports_vision": True,
        "supports_function_calling": True,
        "supports_audio_input": False,
        "input_cost_per_token": 1,
    }
    catalog = made(zzz={**row, "litellm_provider": "azure"})
    assert facts(catalog, "zzz", "azure") == {"context": 128_000, "max_output": 16_384, "tools": True, "images": True}
    assert catalog["date"] == "2026-11-30"
    assert catalog["source"].startswith("litellm 1.0, genai-prices ")


def test_media_models_and_foreign_vendors_are_left_out() -> None:
    catalog = made(zzz={**GPT, "mode": "image_generation"}, yyy={**GPT, "litellm_provider": "novita"})
    assert facts(catalog, "zzz") is None
    assert facts(catalog, "yyy") is None


def test_the_maker_states_what_holds_anywhere_and_a_vendor_what_differs() -> None:
    here, there = {**GPT, "max_output_tokens": 9}, {**GPT, "litellm_provider": "azure", "max_output_tokens": 5}
    catalog = made(**{"gpt-zzz": here, "azure/eu/gpt-zzz": there})
    assert facts(catalog, "gpt-zzz") == {"context": 128_000, "max_output": 9}
    assert facts(catalog, "gpt-zzz", "azure") == {"max_output": 5}


def test_of_open_models_only_what_all_vendors_state_alike_holds_anywhere() -> None:
    row = {"mode": "chat", "max_input_tokens": 4096, "supports_function_calling": True}
    larger = {**row, "litellm_provider": "deepinfra", "max_input_tokens": 8192}
    catalog = made(groq__zzz={**row, "litellm_provider": "groq"}, deepinfra__zzz=larger)
    assert facts(catalog, "zzz") == {"tools": True}
    assert facts(catalog, "zzz", "groq") == {"context": 4096}
    assert facts(catalog, "zzz", "deepinfra") == {"context": 8192}


def test_images_are_denied_only_where_two_vendors_deny_them_and_none_has_them() -> None:
    def row(vendor: str, vision: bool | None) -> dict[str, Any]:
        return {"mode": "chat", "litellm_provider": vendor, "max_input_tokens": 9, "supports_vision": vision}

    one = made(groq__zzz=row("groq", False), deepinfra__zzz=row("deepinfra", None))
    two = made(groq__zzz=row("groq", False), deepinfra__zzz=row("deepinfra", False))
    disputed = made(groq__zzz=row("groq", False), deepinfra__zzz=row("deepinfra", False), xai__zzz=row("xai", True))
    assert facts(one, "zzz") == {"context": 9}
    assert facts(two, "zzz") == {"context": 9, "images": False}
    assert facts(disputed, "zzz") == {"context": 9}


def test_a_name_without_its_date_has_the_facts_of_the_newest_date() -> None:
    rows = {f"gpt-zzz-{day}": {**GPT, "max_output_tokens": limit} for day, limit in (("2031-01-02", 7), ("2030-01-01", 5))}
    catalog = made(**rows)
    assert facts(catalog, "gpt-zzz") == {"context": 128_000, "max_output": 7}


def test_the_rows_of_several_regions_become_the_least_of_them() -> None:
    row = {"litellm_provider": "bedrock_converse", "mode": "chat", "max_input_tokens": 9000}
    catalog = made(**{"us.amazon.zzz": row, "eu.amazon.zzz": {**row, "max_input_tokens": 8000}})
    assert facts(catalog, "zzz", "bedrock") == {"context": 8000}


def test_an_undecided_disagreement_of_the_tables_ends_the_program() -> None:
    with pytest.raises(model_facts.Undecided, match=r"'openai', 'gpt-4o', 5000, 128000"):
        made(**{"gpt-4o": {**GPT, "max_input_tokens": 5000}})


def test_every_disagreement_in_the_file_is_decided_with_a_reason(shipped: dict[str, Any]) -> None:
    used = set()
    for kind, name, given, other, held, why in shipped["disagreements"]:
        pattern = next((pattern for pattern in DECISIONS if re.fullmatch(pattern, f"{kind} {name}")), None)
        used.add(pattern)
        if pattern is None:
            assert "rounded" in why, (kind, name)
        else:
            assert why == DECISIONS[pattern][1]
            assert held in (given, other)
    assert used - {None} == DECISIONS.keys(), "a decision that decides nothing"


def test_the_rows_written_by_hand_agree_with_the_table_or_say_why_not(shipped: dict[str, Any]) -> None:
    undecided, used = [], set()
    for vendor, name, fact, theirs, ours in _against_hand_rows(shipped):
        pattern = next((pattern for pattern in HAND_ROWS if re.fullmatch(pattern, f"{vendor} {name} {fact}")), None)
        used.add(pattern)
        if pattern is None:
            undecided.append(f"{vendor} {name} {fact}: the table has {theirs}, the row {ours}")
    assert not undecided, "\n".join(undecided)
    assert used == HAND_ROWS.keys(), "a decision that decides nothing"


def _against_hand_rows(shipped: dict[str, Any]) -> Iterator[tuple[str, str, str, Any, Any]]:
    # The table has one spelling for all; the rows have the vendors' own.
    version = re.compile(r"^((?:gpt|grok|gemini|qwen|glm|kimi-k|minimax-m|deepseek-v)-?\d)-(\d{1,2})(?=-|:|$)")
    for vendor, names in {"any": shipped["models"], **shipped["vendors"]}.items():
        for key, index in names.items():
            name = version.sub(r"\1.\2", key)
            ours = family_facts(name, vendor)
            for fact, theirs in shipped["facts"][index].items():
                mine = ours.get(fact)
                # Rounding: 1,000,000 for 1,048,576.
                if mine is not None and mine != theirs and (mine is False or theirs is False or abs(mine - theirs) > 0.06 * mine):
                    yield vendor, name, fact, theirs, mine


def test_the_file_holds_facts_by_the_names_that_model_facts_have(shipped: dict[str, Any]) -> None:
    known = set(ModelFacts.__slots__)
    assert date.fromisoformat(shipped["date"]) >= date(2026, 11, 30)
    assert len(shipped["models"]) > 500
    for row in shipped["facts"]:
        assert row.keys() <= known, row
        assert row.get("max_output", 0) <= row.get("context", 10**9), row
