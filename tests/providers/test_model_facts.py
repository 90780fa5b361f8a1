"""Facts of models: of the generated table and the rows written by hand, by all the names that one model has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.providers.model_facts import ModelFacts, facts_of
from conduit_desktop.providers.model_names import canonical, family_names, model_name
from conduit_desktop.providers.model_table import ModelTable


@pytest.mark.parametrize(
    ("name", "vendor", "same_as"),
    [
        ("gpt-4o-2029-01-31", "openai", "gpt-4o"),
        ("GPT-4o", "openai", "gpt-4o"),
        ("ft:gpt-4o-2024-08-06:acme::a1b2", "openai", "gpt-4o"),
        ("openai/gpt-4o:free", "openrouter", "gpt-4o"),
        ("openai/gpt-5.4:nitro", "openrouter", "gpt-5.4"),
        ("gpt-5-2025-08-07", "", "gpt-5"),
        ("models/gemini-2.5-flash", "gemini", "gemini-2.5-flash"),
        ("gemini-2.5-flash-preview-05-20", "gemini", "gemini-2.5-flash"),
        ("publishers/google/models/gemini-2.5-flash", "gemini", "gemini-2.5-flash"),
        ("claude-sonnet-4-5@20250929", "", "claude-sonnet-4-5"),
        ("anthropic/claude-sonnet-4.5", "", "claude-sonnet-4-5"),
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock", "claude-sonnet-4-5"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock", "claude-sonnet-4-5"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "bedrock",
            "claude-sonnet-4-5",
        ),
        ("us.meta.llama3-3-70b-instruct-v1:0", "bedrock", "llama3-3-70b-instruct"),
        ("accounts/fireworks/models/deepseek-v3p2", "fireworks", "deepseek-v3.2"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "deepinfra", "llama-3.1-8b-instruct"),
        ("mistral-large-latest", "mistral", "mistral-large"),
        ("x-ai/grok-4.5", "", "grok-4.5"),
    ],
)
def test_dates_prefixes_and_variants_do_not_change_what_a_model_takes(name: str, vendor: str, same_as: str) -> None:
    facts = facts_of(name, vendor)
    assert facts == facts_of(same_as, vendor)
    assert facts.context is not None


@pytest.mark.parametrize(
    "name", ["zephyr-9000", "acme/gpt4-killer", "my-deployment", "", "/", "latest", "20250929", "-latest", ":free"]
)
def test_nothing_is_known_of_an_invented_name(name: str) -> None:
    assert facts_of(name, "openai-compatible") == ModelFacts()


@pytest.mark.parametrize("vendor", ["ollama", "lmstudio", "llamacpp", "vllm", "localai", "jan"])
def test_the_table_says_nothing_of_a_model_that_was_loaded_on_a_local_server(vendor: str) -> None:
    assert facts_of("qwen3-32b", "groq").context == 131_072
    assert (facts_of("qwen3-32b", vendor).context, facts_of("qwen3-32b", vendor).max_output) == (None, None)


def test_a_vendors_own_numbers_win_over_those_that_hold_anywhere() -> None:
    assert facts_of("openai/gpt-oss-120b", "groq").max_output == 65_536
    assert facts_of("gpt-oss-120b", "cerebras").max_output == 32_768
    assert facts_of("gpt-oss-120b", "openai-compatible").context is None


def test_a_row_written_by_hand_wins_over_the_table() -> None:
    # The table counts schemas that a relay emulates.
    assert facts_of("us.amazon.nova-pro-v1:0", "bedrock").json_schema is False
    assert facts_of("gpt-5-chat-latest", "openai").files is False


def test_models_that_a_family_of_another_size_begins_like_have_their_own_sizes() -> None:
    sizes = {
        name: (facts_of(name).context, facts_of(name).max_output) for name in ("o1-mini", "gpt-4-1106-preview", "gpt-4o-2024-05-13")
    }
    assert sizes == {"o1-mini": (128_000, 65_536), "gpt-4-1106-preview": (128_000, 4_096), "gpt-4o-2024-05-13": (128_000, 4_096)}
    assert facts_of("claude-2.1").context == 200_000
    assert facts_of("claude-2.0").context == 100_000
    # Qwen 3.8 at Cerebras reads images; a row for Qwen 3 took them away.
    assert facts_of("qwen-3.8-27b", "cerebras").images is True
    assert facts_of("qwen-3-32b", "cerebras").images is False
    assert facts_of("mistral.mistral-large-3-675b-instruct", "bedrock").images is True
    assert facts_of("mistral.mistral-large-2402-v1:0", "bedrock").images is False
    assert facts_of("us.deepseek.r1-v1:0", "bedrock").tools is False


def test_a_month_and_a_day_may_name_another_model_and_are_kept() -> None:
    assert list(family_names("kimi-k2-0905")) == ["kimi-k2-0905"]
    assert "mistral-large" not in family_names("mistral-large-2402")


def test_bedrocks_maker_is_taken_away_and_deepseeks_is_a_part_of_the_name() -> None:
    assert model_name("us-gov.anthropic.claude-3-haiku") == "claude-3-haiku"
    assert model_name("deepseek.v3.2") == model_name("us.deepseek.v3.2") == "deepseek-v3.2"
    assert canonical("qwen2p5-72b") == canonical("Qwen2.5-72B") == "qwen2-5-72b"


@given(st.text(max_size=60))
def test_any_text_is_a_name(text: str) -> None:
    names = list(family_names(text))
    assert len(set(names)) == len(names)
    assert isinstance(ModelTable({"date": "2026-11-30", "source": "", "facts": [], "models": {}, "vendors": {}}).find(text), dict)


def test_a_row_is_found_by_its_vendor_first(tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    rows = [{"context": 9, "tools": True}, {"context": 5}]
    data = {"date": "2026-11-30", "source": "a 1", "facts": rows, "models": {"m": 0}, "vendors": {"groq": {"m": 1, "only": 1}}}
    path.write_bytes(orjson.dumps(data))
    table = ModelTable.load(path)
    assert table.find("m") == table.find("m", "openai") == {"context": 9, "tools": True}
    assert table.find("m-latest", "groq") == {"context": 5, "tools": True}
    assert table.find("only", "groq") == {"context": 5}
    assert table.find("only") == {}
    assert rows[0] == {"context": 9, "tools": True}


def test_the_table_is_read_at_the_first_lookup_and_not_at_the_start() -> None:
    code = (
        "import conduit_desktop.providers.catalog as c, conduit_desktop.providers.model_table as t;"
        "assert t.model_table.cache_info().currsize == 0;"
        "from conduit_desktop.providers.model_facts import facts_of;"
        "assert facts_of('gpt-4o').context and t.model_table.cache_info().currsize == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
