"""Cohere as a provider: URLs, the key, the list of models, and what its models refuse."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.providers import Secrets
from conduit_desktop.providers.catalog import bind


@pytest.mark.parametrize(
    "base",
    [None, "https://api.cohere.com", "https://api.cohere.com/v2/", "https://api.cohere.com/v1", "https://api.cohere.com/v2/chat",
     "https://api.cohere.com/compatibility/v1"],
)  # fmt: skip
def test_any_version_in_the_base_url_leads_to_the_same_url(base: str | None) -> None:
    kind = bind(Provider(id="p", name="co", kind="cohere", base_url=base))
    assert kind.url("chat", "m", "cohere", True) == "https://api.cohere.com/v2/chat"
    assert kind.url("rerank", "m", "cohere", False) == "https://api.cohere.com/v2/rerank"
    assert kind.url("embeddings", "m", "openai_chat", False) == "https://api.cohere.com/v2/embed"
    with pytest.raises(ValueError, match="no endpoint speech"):
        kind.url("speech", "m", "openai_chat", False)


def test_the_key_is_a_bearer_token() -> None:
    kind = bind(Provider(id="p", name="co", kind="cohere"))
    sent = kind.prepare("chat", "m", "cohere", False, b"{}", Secrets("co-key"), {})
    assert sent.headers["authorization"] == "Bearer co-key"
    listed = kind.models_request(Secrets("co-key"))
    assert listed is not None
    assert listed.url == "https://api.cohere.com/v1/models?page_size=1000"


def test_the_list_of_models_has_sizes_and_features() -> None:
    kind = bind(Provider(id="p", name="co", kind="cohere"))
    rows = [
        {"name": "command-a", "context_length": 288000.0, "endpoints": ["chat"], "features": ["tools", "json_schema", "vision"]},
        {"name": "embed-v4", "context_length": 128000, "endpoints": ["embed"], "features": None},
        {"name": "old", "is_deprecated": True},
    ]
    found = kind.read_models({"models": rows})
    assert [(model.id, model.context_tokens, model.features) for model in found] == [
        ("command-a", 288000, ("tools", "vision", "json")),
        ("embed-v4", 128000, ("embeddings",)),
    ]
    with pytest.raises(ValueError, match="not a list"):
        kind.read_models({"data": 1})


COHERE = Provider(id="p", name="co", kind="cohere")
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}


@pytest.mark.parametrize(
    ("model", "field", "value", "kept", "lost"),
    [
        ("command-a-03-2025", "thinking", {"type": "enabled"}, None, ["reasoning"]),
        ("command-a-03-2025", "thinking", {"type": "disabled"}, None, []),
        ("command-a-reasoning-08-2025", "thinking", {"type": "enabled"}, {"type": "enabled"}, []),
        ("command-r-08-2024", "tool_choice", "REQUIRED", None, ["tool_choice"]),
        ("command-r-08-2024", "tool_choice", "NONE", None, []),
        ("command-r7b-12-2024", "tool_choice", "REQUIRED", "REQUIRED", []),
        ("a-model-of-tomorrow", "thinking", {"type": "enabled"}, {"type": "enabled"}, []),
    ],
)
def test_what_a_model_refuses_is_left_out(model: str, field: str, value: Any, kept: Any, lost: list[str]) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], "tools": [{}], field: value}
    assert bind(COHERE).adapt(model, body, "cohere", translated=True) == lost
    assert body.get(field) == kept
    assert ("tools" in body) == (value != "NONE")


def test_an_image_is_replaced_by_a_sentence_for_a_model_that_reads_text_only() -> None:
    body: dict[str, Any] = {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "see"}, IMAGE]}, {"role": "user", "content": [IMAGE]}]
    }
    assert bind(COHERE).adapt("command-a-vision-07-2025", body, "cohere", translated=True) == []
    assert bind(COHERE).adapt("command-a-03-2025", body, "cohere", translated=True) == ["content.image_url"]
    words = {"type": "text", "text": "[An image was left out: the model does not take it]"}
    assert [message["content"] for message in body["messages"]] == [[{"type": "text", "text": "see"}, words], [words]]
