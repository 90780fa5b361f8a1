"""A model of a provider's list, completed from the facts of models."""

from __future__ import annotations

from conduit_desktop.core.entities import OfferedModel
from conduit_desktop.providers.model_details import completed


def test_a_bare_name_gets_sizes_and_features() -> None:
    model = completed(OfferedModel("gpt-4o-mini-2024-07-18"), "openai")
    assert (model.context_tokens, model.max_output_tokens) == (128_000, 16_384)
    assert model.features == ("tools", "vision", "json")
    assert "thinking" in completed(OfferedModel("claude-opus-5"), "anthropic").features


def test_what_the_list_states_wins() -> None:
    listed = OfferedModel("gpt-4o", context_tokens=9, max_output_tokens=5, features=("json",), lacks=("vision",), input_usd=1.0)
    model = completed(listed, "openai")
    assert (model.context_tokens, model.max_output_tokens, model.input_usd) == (9, 5, 1.0)
    assert model.features == ("json", "tools")
    assert listed.features == ("json",)


def test_an_unknown_model_stays_as_it_is() -> None:
    for listed in (OfferedModel("my-own"), OfferedModel("my-own", features=("tools",), context_tokens=7)):
        assert completed(listed, "openai-compatible") == listed


def test_a_model_that_is_not_for_chat_gets_no_features_of_chat() -> None:
    listed = OfferedModel("mistral-large", features=("embeddings",))
    assert completed(listed, "mistral").features == ("embeddings",)


def test_a_model_on_a_local_server_gets_no_size_of_the_hosted_one() -> None:
    assert completed(OfferedModel("gpt-oss:120b"), "ollama").context_tokens is None
