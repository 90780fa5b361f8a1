"""What embeddings are for, and how long they are, at vendors that name or allow it differently."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.providers.openai import OpenAI
from conduit_desktop.wire.media.endpoints import MediaRequest, format_for, media_format
from conduit_desktop.wire.media.gemini_embeddings import GeminiEmbeddingsCaller
from conduit_desktop.wire.media.ollama_embeddings import OllamaEmbeddingsCaller
from tests.fakes.strict.checks import Call, broken


def of_gemini(vendor_format: str, model: str, **fields: Any) -> tuple[dict[str, Any], list[str]]:
    """The body that a vendor gets for a request of Gemini's API, and what was dropped."""
    asked = {"content": {"parts": [{"text": "a"}]}, **fields}
    request = MediaRequest("embeddings", asked, caller_format=GeminiEmbeddingsCaller(batch=False))
    converted, chosen = format_for(request, vendor_format, frozenset(), model, {})
    dropped: list[str] = []
    return orjson.loads(chosen.write(converted, model, dropped)[0].body), dropped


def of_openai(vendor_format: str, model: str, **fields: Any) -> dict[str, Any]:
    """The body that a vendor gets for a request of OpenAI's API."""
    (sent,) = media_format("embeddings", vendor_format).write(MediaRequest("embeddings", {"input": "a", **fields}), model, [])
    body: dict[str, Any] = orjson.loads(sent.body)
    return body


def test_geminis_task_does_not_reach_openai() -> None:
    body, dropped = of_gemini("openai", "text-embedding-3-small", taskType="RETRIEVAL_QUERY", title="t")
    assert body == {"model": "text-embedding-3-small", "input": ["a"]}
    assert dropped == ["task_type", "title"]
    assert broken(Call("openai", "openai_embeddings", body["model"], body, {})) == []


@pytest.mark.parametrize(
    ("vendor_format", "field", "query", "document"),
    [
        ("nvidia", "input_type", "query", "passage"),
        ("voyage", "input_type", "query", "document"),
        ("jina", "task", "retrieval.query", "retrieval.passage"),
        ("cohere", "input_type", "search_query", "search_document"),
    ],
)
def test_geminis_task_becomes_the_vendors(vendor_format: str, field: str, query: str, document: str) -> None:
    for task, word in (("RETRIEVAL_QUERY", query), ("RETRIEVAL_DOCUMENT", document)):
        body, dropped = of_gemini(vendor_format, "m", taskType=task)
        assert body[field] == word
        assert "task_type" not in body
        assert dropped == []


def test_a_task_that_the_vendor_does_not_have_is_named() -> None:
    body, dropped = of_gemini("voyage", "m", taskType="CLUSTERING")
    assert "input_type" not in body
    assert dropped == ["task_type"]


def test_a_clients_own_further_fields_reach_a_server_with_openais_api() -> None:
    assert of_openai("openai", "m", task_type="x")["task_type"] == "x"


@pytest.mark.parametrize("model", ["nvidia/nv-embedqa-e5-v5", "nvidia/llama-3.2-nv-embedqa-1b-v2", "nvidia/nemotron-3-embed-1b"])
def test_nvidias_retrieval_models_embed_passages_unless_a_query_is_asked_for(model: str) -> None:
    body = of_openai("nvidia", model)
    assert body["input_type"] == "passage"
    assert broken(Call("nvidia", "openai_embeddings", model, body, {})) == []
    assert of_openai("nvidia", model, input_type="query")["input_type"] == "query"


@pytest.mark.parametrize("model", ["baai/bge-m3", "nvidia/nv-embedqa-e5-v5-query"])
def test_other_models_get_no_type_of_input(model: str) -> None:
    assert "input_type" not in of_openai("nvidia", model)


def test_voyage_gets_no_name_for_floats() -> None:
    body = of_openai("voyage", "voyage-4", encoding_format="float")
    assert broken(Call("voyage", "openai_embeddings", "voyage-4", body, {})) == []


def test_vectors_of_one_size_only_are_not_asked_for_in_another() -> None:
    body = of_openai("mistral", "mistral-embed", dimensions=1024)
    assert not {"dimensions", "output_dimension"} & body.keys()
    with pytest.raises(BadRequest, match="1024") as refused:
        of_openai("mistral", "mistral-embed", dimensions=256)
    assert refused.value.param == "dimensions"
    assert of_openai("mistral", "codestral-embed", dimensions=256)["output_dimension"] == 256


@pytest.mark.parametrize(
    ("vendor_format", "given", "expected"),
    [
        ("cohere", {"input_type": "document"}, {"input_type": "search_document"}),
        ("cohere", {"task": "retrieval.query"}, {"input_type": "search_query"}),
        ("voyage", {"input_type": "search_query"}, {"input_type": "query"}),
        ("jina", {"input_type": "query"}, {"task": "retrieval.query"}),
        ("nvidia", {"task_type": "RETRIEVAL_DOCUMENT"}, {"input_type": "passage"}),
        ("jina", {"task": "a-word-of-tomorrow"}, {"task": "a-word-of-tomorrow"}),
        ("jina", {"task": "code.query"}, {"task": "code.query"}),
    ],
)
def test_a_task_in_another_vendors_words_becomes_the_vendors(
    vendor_format: str, given: dict[str, str], expected: dict[str, str]
) -> None:
    """An alias may have targets at several vendors, and the client knows one of them."""
    body = of_openai(vendor_format, "m", **given)
    assert {name: body[name] for name in ("task", "task_type", "input_type") if name in body} == expected


def test_gemini_gets_its_own_task_for_another_vendors() -> None:
    words = {"query": "RETRIEVAL_QUERY", "QUESTION_ANSWERING": "QUESTION_ANSWERING", "code.query": "RETRIEVAL_QUERY"}
    for given, made in words.items():
        asked = MediaRequest("embeddings", {"input": "a", "input_type": given})
        (sent,) = media_format("embeddings", "gemini").write(asked, "m", [])
        assert orjson.loads(sent.body)["requests"][0]["taskType"] == made
    (sent,) = media_format("embeddings", "gemini").write(MediaRequest("embeddings", {"input": "a", "task_type": "NEW"}), "m", [])
    assert orjson.loads(sent.body)["requests"][0]["taskType"] == "NEW"


def test_openai_gets_no_field_and_no_size_that_it_refuses() -> None:
    assert OpenAI(Provider(id="p", name="p", kind="openai")).media_format_for("embeddings", "m") == "openai_only"
    dropped: list[str] = []
    asked = MediaRequest("embeddings", {"input": "a", "input_type": "query"})
    with pytest.raises(BadRequest, match="1536"):
        of_openai("openai_only", "text-embedding-ada-002", dimensions=256)
    (sent,) = media_format("embeddings", "openai_only").write(asked, "m", dropped)
    assert orjson.loads(sent.body) == {"input": "a", "model": "m"}
    assert dropped == ["input_type"]


def test_what_only_ollama_has_is_named() -> None:
    asked = {"model": "m", "input": "a", "truncate": False, "options": {"num_ctx": 9}, "keep_alive": "5m"}
    request = MediaRequest("embeddings", asked, caller_format=OllamaEmbeddingsCaller("m", older=False))
    for name, lost, more in (("openai", ["options", "truncate"], {}), ("cohere", ["options"], {"truncate": "NONE"})):
        converted, chosen = format_for(request, name, frozenset(), "m", {})
        dropped: list[str] = []
        body = orjson.loads(chosen.write(converted, "m", dropped)[0].body)
        assert {key: body[key] for key in ("truncate", "options", "keep_alive") if key in body} == more
        assert sorted(dropped) == lost
