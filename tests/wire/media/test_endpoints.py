"""Embeddings, rerank and speech in the formats of other vendors, against hand-made and recorded responses."""

import base64
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.core.errors import BadRequest, MalformedStream
from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import Units
from conduit_desktop.wire.framing import multipart
from conduit_desktop.wire.media.embeddings import base64_to_floats, floats_to_base64
from conduit_desktop.wire.media.endpoints import MediaRequest, media_format
from conduit_desktop.wire.media.gemini_embeddings import GeminiPassthrough
from conduit_desktop.wire.media.usage import read_media_usage, read_units, requested_units
from tests.fakes.replay import interactions

FLOATS = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20)


def written(endpoint: str, name: str, **body: Any) -> tuple[list[Any], list[str]]:
    dropped: list[str] = []
    bodies = media_format(endpoint, name).write(MediaRequest(endpoint, {"model": "alias", **body}), "up", dropped)
    return [orjson.loads(outgoing.body) for outgoing in bodies], dropped


def read_back(endpoint: str, name: str, answers: list[Any], **body: Any) -> tuple[Any, Any]:
    raw = orjson.dumps(answers[-1])
    made = media_format(endpoint, name).read(answers, raw, MediaRequest(endpoint, body), "alias")
    return orjson.loads(made.body), made


@given(FLOATS)
def test_a_vector_is_the_same_in_either_encoding(vector: list[float]) -> None:
    assert base64_to_floats(floats_to_base64(vector)) == vector
    assert base64.b64decode(floats_to_base64(vector)) == struct.pack(f"<{len(vector)}f", *vector)


@given(st.lists(FLOATS, min_size=1, max_size=3), st.booleans(), st.booleans())
def test_vectors_have_the_requested_encoding_whichever_the_vendor_sends(
    vectors: list[list[float]], wants_base64: bool, given_base64: bool
) -> None:
    rows = [
        {"object": "embedding", "index": n, "embedding": floats_to_base64(v) if given_base64 else v} for n, v in enumerate(vectors)
    ]
    answer = {"object": "list", "data": rows, "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    body, made = read_back(
        "embeddings", "openai", [answer], input=["x"] * len(vectors), encoding_format="base64" if wants_base64 else "float"
    )
    got = [row["embedding"] for row in body["data"]]
    assert [base64_to_floats(value) if wants_base64 else value for value in got] == vectors
    assert made.usage.input == 3


def test_vectors_are_in_the_order_of_their_inputs() -> None:
    rows = [{"index": 1, "embedding": floats_to_base64([2.0])}, {"index": 0, "embedding": floats_to_base64([1.0])}]
    body, _ = read_back("embeddings", "openai", [{"data": rows}], input=["a", "b"])
    assert [(row["index"], row["embedding"]) for row in body["data"]] == [(0, [1.0]), (1, [2.0])]


def test_a_missing_vector_is_malformed() -> None:
    with pytest.raises(MalformedStream):
        read_back("embeddings", "openai", [{"data": [{"index": 0, "embedding": [1.0]}]}], input=["a", "b"])


@pytest.mark.parametrize("vendor", ["text", "mistral", "voyage", "jina", "cohere", "gemini"])
@pytest.mark.parametrize("tokens", [[1, 2, 3], [[1, 2], [3]]])
def test_token_ids_are_refused_where_only_text_is_accepted(vendor: str, tokens: Any) -> None:
    with pytest.raises(BadRequest) as refused:
        written("embeddings", vendor, input=tokens)
    assert refused.value.param == "input"
    assert "token" in refused.value.message


def test_token_ids_are_sent_where_they_are_accepted() -> None:
    assert written("embeddings", "openai", input=[[1, 2], [3]])[0] == [{"model": "up", "input": [[1, 2], [3]]}]


def test_dimensions_have_each_vendors_field_name() -> None:
    for vendor, word in (("openai", "dimensions"), ("mistral", "output_dimension"), ("voyage", "output_dimension"),
                         ("jina", "dimensions"), ("cohere", "output_dimension")):  # fmt: skip
        (body,), _ = written("embeddings", vendor, input="a", dimensions=64)
        assert body[word] == 64, vendor
    (body,), dropped = written("embeddings", "gemini", input="a", dimensions=64, user="u")
    assert body["requests"] == [{"model": "models/up", "outputDimensionality": 64, "content": {"parts": [{"text": "a"}]}}]
    assert dropped == ["user"]


@pytest.mark.parametrize(
    ("vendor", "size", "key"),
    [("cohere", 96, "texts"), ("gemini", 100, "requests"), ("voyage", 1000, "input"), ("qwen", 10, "input")],
)
def test_more_inputs_than_a_vendor_accepts_are_sent_in_batches(vendor: str, size: int, key: str) -> None:
    bodies, _ = written("embeddings", vendor, input=[f"t{n}" for n in range(size + 1)])
    assert [len(body[key]) for body in bodies] == [size, 1]


def test_the_responses_to_batches_become_one() -> None:
    answers = [{"embeddings": {"float": [[float(n)]]}, "meta": {"billed_units": {"input_tokens": 5}}} for n in range(2)]
    body, made = read_back("embeddings", "cohere", answers, input=["a", "b"])
    assert [(row["index"], row["embedding"]) for row in body["data"]] == [(0, [0.0]), (1, [1.0])]
    assert made.usage.input == 10
    assert body["usage"] == {"prompt_tokens": 10, "total_tokens": 10}


def test_voyage_gets_an_encoding_format_for_base64_only() -> None:
    ask = {"input": ["a"], "output_dtype": None, "truncation": True}
    (body,), _ = written("embeddings", "voyage", encoding_format="base64", **ask)
    assert body == {"model": "up", "encoding_format": "base64", **ask}
    (body,), dropped = written("embeddings", "voyage", encoding_format="float", **ask)
    assert (body, dropped) == ({"model": "up", **ask}, [])


def test_each_family_on_bedrock_has_its_own_format() -> None:
    bodies, _ = written("embeddings", "bedrock_titan", input=["a", "b"], dimensions=256, normalize=True)
    assert bodies == [{"inputText": text, "dimensions": 256, "normalize": True} for text in "ab"]
    (nova,), dropped = written("embeddings", "bedrock_nova", input="a", dimensions=256, embeddingPurpose="CLUSTERING", user="u")
    params = {"embeddingPurpose": "CLUSTERING", "embeddingDimension": 256, "text": {"truncationMode": "END", "value": "a"}}
    assert (nova, dropped) == ({"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": params}, ["user"])
    (cohere,), _ = written("embeddings", "bedrock_cohere", input=["a", "b"], dimensions=512)
    assert cohere == {"input_type": "search_document", "output_dimension": 512, "texts": ["a", "b"]}


@pytest.mark.parametrize(
    ("model", "expected", "lost"),
    [
        ("amazon.titan-embed-text-v1", {}, ["dimensions"]),
        ("amazon.titan-embed-image-v1", {"embeddingConfig": {"outputEmbeddingLength": 256}}, []),
    ],
)
def test_older_titan_models_have_fewer_settings(model: str, expected: Any, lost: list[str]) -> None:
    dropped: list[str] = []
    media_request = MediaRequest("embeddings", {"model": "alias", "input": "a", "dimensions": 256})
    (outgoing,) = media_format("embeddings", "bedrock_titan").write(media_request, model, dropped)
    assert (orjson.loads(outgoing.body), dropped) == ({"inputText": "a", **expected}, lost)


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("bedrock_titan", [{"embedding": [0.5], "inputTextTokenCount": 2}, {"embedding": [1.5], "inputTextTokenCount": 2}]),
        ("bedrock_nova", [{"embeddings": [{"embedding": [value]}], "inputTextTokenCount": 2} for value in (0.5, 1.5)]),
        ("bedrock_cohere", [{"embeddings": [[0.5], [1.5]], "inputTextTokenCount": 4}]),
        ("bedrock_cohere", [{"embeddings": {"float": [[0.5], [1.5]]}, "inputTextTokenCount": 4}]),
        ("vertex", [{"embeddings": [{"values": [0.5]}, {"values": [1.5]}], "usageMetadata": {"promptTokenCount": 4}}]),
        ("vertex_predict", [
            {"predictions": [{"embeddings": {"values": [v], "statistics": {"token_count": 2.0}}} for v in (0.5, 1.5)]}
        ]),
    ],
)  # fmt: skip
def test_vectors_of_every_cloud_become_openais_list(name: str, answers: list[Any]) -> None:
    body, made = read_back("embeddings", name, answers, input=["a", "b"])
    assert [(row["index"], row["embedding"]) for row in body["data"]] == [(0, [0.5]), (1, [1.5])]
    assert (made.usage.input, body["usage"]["prompt_tokens"]) == (4, 4)


def test_vertex_gets_settings_in_embed_content_config() -> None:
    dropped: list[str] = []
    media_request = MediaRequest("embeddings", {"model": "alias", "input": "a", "dimensions": 64, "task_type": "CLUSTERING"})
    (single,) = media_format("embeddings", "vertex").write(media_request, "gemini-embedding-2", dropped)
    config = {"taskType": "CLUSTERING", "outputDimensionality": 64}
    assert single.single
    assert orjson.loads(single.body) == {"embedContentConfig": config, "content": {"parts": [{"text": "a"}]}}
    (body,), _ = written("embeddings", "vertex", input=["a", "b"], dimensions=64, task_type="CLUSTERING")
    assert [one["embedContentConfig"] for one in body["requests"]] == [config, config]
    assert dropped == []


def test_vertex_models_before_gemini_use_predict() -> None:
    (body,), dropped = written("embeddings", "vertex_predict", input=["a"], dimensions=64, task_type="CLUSTERING", user="u")
    assert body == {"instances": [{"content": "a", "task_type": "CLUSTERING"}], "parameters": {"outputDimensionality": 64}}
    assert dropped == ["user"]


def test_openrouter_gets_images_as_input_references() -> None:
    ask = {"prompt": "p", "images": [{"image_url": "https://x/a.png"}], "n": 1, "response_format": "b64_json", "user": "u"}
    (body,), dropped = written("image_edits", "openrouter", **ask)
    references = [{"type": "image_url", "image_url": {"url": "https://x/a.png"}}]
    assert body == {"model": "up", "prompt": "p", "n": 1, "input_references": references}
    assert dropped == ["user"]
    with pytest.raises(BadRequest):
        written("image_edits", "openrouter", prompt="p", images=[{"file_id": "file-1"}])


def test_a_form_field_with_too_many_digits_stays_text() -> None:
    raw = '--b\r\nContent-Disposition: form-data; name="n"\r\n\r\n' + "9" * 5000 + "\r\n--b--\r\n"
    parsed = multipart.parse(raw.encode(), "multipart/form-data; boundary=b")
    (outgoing,) = media_format("image_edits", "openrouter").write(MediaRequest("image_edits", parsed.fields(), parsed), "up", [])
    assert orjson.loads(outgoing.body)["n"] == "9" * 5000


def test_openrouter_gets_the_files_of_a_form_as_data_urls() -> None:
    parts = [('name="prompt"', "p"), ('name="n"', "2"), ('name="mask"; filename="m.png"', "M")]
    raw = "".join(f"--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n" for head, value in parts)
    picture = 'name="image[]"; filename="a.webp"\r\nContent-Type: image/webp'
    raw += f"--b\r\nContent-Disposition: form-data; {picture}\r\n\r\nRIFF\r\n--b--\r\n"
    parsed = multipart.parse(raw.encode(), "multipart/form-data; boundary=b")
    dropped: list[str] = []
    (outgoing,) = media_format("image_edits", "openrouter").write(
        MediaRequest("image_edits", parsed.fields(), parsed), "up", dropped
    )
    body = orjson.loads(outgoing.body)
    assert (body["prompt"], body["n"], dropped) == ("p", 2, ["mask"])
    assert [one["image_url"]["url"] for one in body["input_references"]] == ["data:image/webp;base64,UklGRg=="]


def test_an_unknown_encoding_is_refused_by_name() -> None:
    with pytest.raises(BadRequest) as refused:
        written("embeddings", "cohere", input="a", encoding_format="hex")
    assert refused.value.param == "encoding_format"


def test_rerank_in_every_vendors_format() -> None:
    ask: dict[str, Any] = {"query": "q", "documents": ["a", {"text": "b"}], "top_n": 1, "return_documents": True}
    (cohere,), _ = written("rerank", "cohere", **ask)
    assert cohere == {"model": "up", "query": "q", "documents": ["a", "b"], "top_n": 1}
    (voyage,), _ = written("rerank", "voyage", **ask)
    assert voyage == {"model": "up", "query": "q", "documents": ["a", "b"], "top_k": 1}
    (bedrock,), _ = written("rerank", "bedrock", **ask)
    assert bedrock == {"query": "q", "documents": ["a", "b"], "top_n": 1}
    (outgoing,) = media_format("rerank", "bedrock").write(
        MediaRequest("rerank", {"model": "alias", **ask}), "cohere.rerank-v3-5:0", []
    )
    assert orjson.loads(outgoing.body)["api_version"] == 2
    (jina,), _ = written("rerank", "jina", **ask)
    assert jina["top_n"] == 1
    assert jina["return_documents"] is True
    answer = {"object": "list", "data": [{"index": 1, "relevance_score": 0.5}], "usage": {"total_tokens": 9}}
    body, made = read_back("rerank", "voyage", [answer], **ask)
    assert body["results"] == [{"index": 1, "relevance_score": 0.5, "document": {"text": "b"}}]
    assert made.usage.input == 9


def test_speech_in_elevenlabs_format() -> None:
    (body,), dropped = written(
        "speech", "elevenlabs", input="hi", voice="alloy", response_format="pcm", speed=1.1, instructions="x"
    )
    assert body == {
        "text": "hi",
        "model_id": "up",
        "voice": "alloy",
        "output_format": "pcm_24000",
        "voice_settings": {"speed": 1.1},
    }
    assert dropped == ["instructions"]
    with pytest.raises(BadRequest):
        written("speech", "elevenlabs", input="hi", voice="alloy", response_format="aac")


def test_usage_is_read_from_every_kind_of_response() -> None:
    assert read_units("images", {"data": [{}, {}]}, Units(images=1)) == Units(images=2)
    assert read_units("transcriptions", {"text": "", "usage": {"type": "duration", "seconds": 9}}, Units(seconds=None)).seconds == 9
    assert read_units("transcriptions", {"text": "", "duration": "8.47"}, Units(seconds=None)).seconds == 8.47
    assert read_units("transcriptions", {"text": ""}, Units(seconds=None)).seconds is None
    assert requested_units("images", {"n": "3"}).images == 3
    assert requested_units("speech", {"input": "zwölf"}).characters == 5
    usage = read_media_usage(
        "transcriptions", {"usage": {"input_tokens": 40, "input_token_details": {"audio_tokens": 30}, "output_tokens": 5}}
    )
    assert usage is not None
    assert (usage.input, usage.audio_in, usage.output) == (10, 30, 5)
    assert read_media_usage("transcriptions", {"usage": {"type": "duration", "seconds": 9}}) is None


@pytest.mark.parametrize(
    ("endpoint", "answer", "expected"),
    [
        # GPT Image: pictures in the input and in the output, with the split or without one.
        (
            "images",
            {"usage": {"input_tokens": 50, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}, "output_tokens": 900,
                       "total_tokens": 950}},
            Usage(input=50, image_in=40, output=900, image_out=900),
        ),
        (
            "image_edits",
            {"usage": {"input_tokens": 50, "input_tokens_details": {"image_tokens": 40, "cached_tokens": 10,
                       "cached_tokens_details": {"image_tokens": 10}}, "output_tokens": 900,
                       "output_tokens_details": {"image_tokens": 800, "text_tokens": 100}, "total_tokens": 950}},
            Usage(input=40, cache_read=10, image_in=30, output=900, image_out=800),
        ),
        ("speech", {"usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}}, Usage(input=14, audio_out=101)),
        (
            "transcriptions",
            {"usage": {"type": "tokens", "input_tokens": 14, "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
                       "output_tokens": 45, "total_tokens": 59}},
            Usage(input=4, audio_in=10, output=45),
        ),
        (
            "transcriptions",
            {"usage": {"prompt_audio_seconds": 203, "prompt_tokens": 4, "completion_tokens": 635, "total_tokens": 639}},
            Usage(input=4, output=635),
        ),
        ("embeddings", {"usage": {"total_tokens": 18}}, Usage(input=18)),
        ("embeddings", {"usage": {"text_tokens": 5, "image_pixels": 2000000, "total_tokens": 3576}}, Usage(input=3576)),
        (
            "embeddings",
            {"usage": {"prompt_tokens": 9, "total_tokens": 9, "prompt_tokens_details": {"image_tokens": 6}}},
            Usage(input=9, image_in=6),
        ),
        ("rerank", {"usage": {"total_tokens": 9, "sniffs": 3}}, Usage(input=9, unclear=("sniffs",))),
        ("images", {"usage": {"total_tokens": 0, "cost": 0.04, "prompt_tokens": 0}}, Usage(cost_nano=40_000_000)),
    ],
)  # fmt: skip
def test_media_tokens_are_read_into_their_classes(endpoint: str, answer: dict[str, Any], expected: Usage) -> None:
    found = read_media_usage(endpoint, answer)
    assert found is not None
    assert replace(found, extra={}) == expected


def test_pictures_have_the_size_and_quality_that_were_asked_for_or_that_the_answer_names() -> None:
    asked = requested_units("images", {"n": 2, "size": "auto", "quality": "high"})
    assert asked == Units(images=2, image_size="auto", image_quality="high")
    answer = {"data": [{}], "size": "1536x1024", "quality": "medium"}
    assert read_units("images", answer, asked) == Units(images=1, image_size="1536x1024", image_quality="medium")
    assert read_units("images", {"data": [{}]}, asked) == Units(images=1, image_size="auto", image_quality="high")
    # The last event of a stream has the picture at its top.
    assert read_units("images", {"type": "image_generation.completed", "size": "1024x1024"}, asked).image_size == "1024x1024"
    wild = requested_units("image_edits", {"size": ["x"], "quality": "\x1b" * 500})
    assert wild == Units(images=1)


def test_a_rerankers_searches_are_reported_or_follow_from_its_documents() -> None:
    documents = ["d"] * 201
    rows = [{"index": 0, "relevance_score": 0.5}]
    cohere = {"results": rows, "meta": {"billed_units": {"search_units": 3}}}
    _, made = read_back("rerank", "cohere", [cohere], documents=documents, query="q")
    assert (made.usage, made.units) == (None, Units(searches=3))
    _, made = read_back("rerank", "bedrock", [{"results": rows}], documents=documents, query="q")
    assert made.units == Units(searches=3)
    # A reranker that reports tokens is billed by them alone.
    _, made = read_back("rerank", "voyage", [{"data": rows, "usage": {"total_tokens": 9}}], documents=documents, query="q")
    assert made.usage is not None
    assert (made.usage.input, made.units) == (9, Units())


def test_cohere_and_gemini_report_pictures_that_were_embedded() -> None:
    billed = {"billed_units": {"input_tokens": 5, "image_tokens": 70, "images": 1}}
    _, made = read_back("embeddings", "cohere", [{"embeddings": {"float": [[1.0]]}, "meta": billed}], input=["a"])
    assert made.usage == Usage(input=75, image_in=70)
    by_size = {"embeddings": {"float": [[1.0]]}, "meta": {"billed_units": {"input_tokens": 5, "images": 1}}}
    _, made = read_back("embeddings", "cohere", [by_size], input=["a"])
    assert made.usage == Usage(input=5, unclear=("billed_units.images",))
    counted = {"promptTokenCount": 80, "promptTokenDetails": [{"modality": "IMAGE", "tokenCount": 70}]}
    answer = {"embedding": {"values": [1.0]}, "usageMetadata": counted}
    found = GeminiPassthrough(batch=False).read([answer], b"", MediaRequest("embeddings", {}), "m").usage
    assert found is not None
    assert (found.input, found.image_in, found.unclear) == (80, 70, ())


FORMS = {"voyage": "voyage", "mistral": "mistral", "cohere": "cohere", "gemini": "gemini"}


def test_recorded_answers_are_read(recordings: Path) -> None:
    """Every good recorded answer makes OpenAI's list: as many vectors as inputs, in floats and in base64 the same."""
    seen: set[str] = set()
    for one in interactions(recordings):
        if one["kind"] not in ("embeddings", "embed") or one["status"] != 200:
            continue
        inputs = _inputs(one["req"])
        name = FORMS.get(one["provider"], "openai")
        seen.add(one["provider"])
        answer = orjson.loads(one["text"])
        as_floats, _ = read_back("embeddings", name, [answer], input=inputs)
        as_base64, made = read_back("embeddings", name, [answer], input=inputs, encoding_format="base64")
        assert len(as_floats["data"]) == len(inputs)
        for plain, packed in zip(as_floats["data"], as_base64["data"], strict=True):
            assert struct.pack(f"<{len(plain['embedding'])}f", *plain["embedding"]) == base64.b64decode(packed["embedding"])
        assert made.usage is None or made.usage.input > 0 or name == "voyage", one["cassette"]
    assert {"openai", "voyage", "mistral", "cohere", "gemini", "openrouter", "azure"} <= seen


def _inputs(body: Any) -> list[Any]:
    given = body.get("texts") or body.get("requests") or body["input"]
    return given if isinstance(given, list) and not isinstance(given[0], int) else [given]


def test_recorded_rankings_and_images_are_read(recordings: Path) -> None:
    count = 0
    for one in interactions(recordings):
        if one["status"] != 200 or one["kind"] not in ("rerank", "images"):
            continue
        count += 1
        answer = orjson.loads(one["text"])
        if one["kind"] == "rerank":
            body, _ = read_back("rerank", "cohere", [answer], **one["req"])
            assert body["results"] == answer["results"]
        else:
            body, made = read_back("images", "openai", [answer], n=1)
            assert body == answer
            assert made.units.images == len(answer["data"])
    assert count >= 8
