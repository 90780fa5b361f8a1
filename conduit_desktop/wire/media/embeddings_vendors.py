"""Embeddings of vendors with an API of their own: Cohere's v2/embed, Gemini's batchEmbedContents, Vertex AI's predict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.core.events import Usage
from conduit_desktop.wire.media.embeddings import encoded, in_base64, items, parted, texts, usage_body
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaRequest, OutgoingBody
from conduit_desktop.wire.media.usage import summed

OPENAI = frozenset({"model", "input", "dimensions", "encoding_format", "user"})
_COHERE = frozenset({"input_type", "truncate", "max_tokens", "priority"})
_GEMINI = {"task_type": "taskType", "title": "title", "taskType": "taskType"}
_INSTANCE = {"task_type": "task_type", "taskType": "task_type", "title": "title"}
_VERTEX = {"auto_truncate": "autoTruncate", "autoTruncate": "autoTruncate"}

BEDROCK_TOKENS = "inputTextTokenCount"
"""Titan's word for the tokens of an answer; for others Bedrock has them in a header, and its kind puts them there."""


class CohereEmbeddings:
    """`POST /v2/embed`: 96 texts at once. A caller can say `input_type`; OpenAI has no word for it, so documents are meant.

    On `bedrock` the model stands in the address, and floats are what is given unasked.
    """

    own = False
    batch = 96

    def __init__(self, bedrock: bool = False) -> None:
        self._bedrock = bedrock

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """Texts and the size of their vectors, as floats."""
        inputs, body = texts(media_request.body), media_request.body
        shared: dict[str, Json] = {"input_type": "search_document"}
        if not self._bedrock:
            shared |= {"model": model, "embedding_types": ["float"]}
        shared |= {name: value for name, value in body.items() if name in _COHERE}
        if body.get("dimensions") is not None:
            shared["output_dimension"] = body["dimensions"]
        dropped += [name for name in body if name not in OPENAI | _COHERE or name == "user"]
        in_base64(body)
        return [OutgoingBody(orjson.dumps({**shared, "texts": part})) for part in parted(inputs, self.batch)]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """OpenAI's list."""
        vectors: list[Json] = []
        counts: list[Json] = []
        for answer in answers:
            found = answer.get("embeddings")
            vectors += _list(found.get("float") if isinstance(found, dict) else found)
            meta = answer.get("meta")
            billed = meta.get("billed_units") if isinstance(meta, dict) else None
            counts.append(billed.get("input_tokens") if isinstance(billed, dict) else answer.get(BEDROCK_TOKENS))
        return told(vectors, summed(counts), media_request, model)


class GeminiEmbeddings:
    """`POST …:batchEmbedContents`: 100 texts at once.

    On `vertex` the model stands in the address alone, what is wished for has a place of its own, and a single text goes to
    `:embedContent`, the only address that every model there has.
    """

    own = False
    batch = 100

    def __init__(self, vertex: bool = False) -> None:
        self._vertex = vertex

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One request a text; the model stands in each."""
        inputs, body = texts(media_request.body), media_request.body
        known = _GEMINI | _VERTEX if self._vertex else _GEMINI
        wished: dict[str, Json] = {new: body[old] for old, new in known.items() if old in body}
        if body.get("dimensions") is not None:
            wished["outputDimensionality"] = body["dimensions"]
        dropped += [name for name in body if name not in OPENAI | set(known) or name == "user"]
        in_base64(body)
        if self._vertex:
            shared: dict[str, Json] = {"embedContentConfig": wished} if wished else {}
        else:
            shared = {"model": f"models/{model.removeprefix('models/')}", **wished}
        requests = [{**shared, "content": {"parts": [{"text": text}]}} for text in inputs]
        if self._vertex and len(requests) == 1:
            return [OutgoingBody(orjson.dumps(requests[0]), single=True)]
        return [OutgoingBody(orjson.dumps({"requests": part})) for part in parted(requests, self.batch)]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """OpenAI's list. The older models report no usage."""
        vectors: list[Json] = []
        counts: list[Json] = []
        for answer in answers:
            rows = [answer["embedding"]] if "embedding" in answer else _list(answer.get("embeddings"))
            vectors += [_dict(row).get("values") for row in rows]
            counts.append(_dict(answer.get("usageMetadata") or {}).get("promptTokenCount"))
        return told(vectors, summed(counts), media_request, model)


class VertexPredictions:
    """`POST …:predict`, how Vertex AI asks the models that are no Gemini: 250 texts at once.

    https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
    """

    own = False
    batch = 250

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One instance a text, and what holds for all."""
        inputs, body = texts(media_request.body), media_request.body
        each = {name: body[said] for said, name in _INSTANCE.items() if said in body}
        shared: dict[str, Json] = {name: body[said] for said, name in _VERTEX.items() if said in body}
        if body.get("dimensions") is not None:
            shared["outputDimensionality"] = body["dimensions"]
        dropped += [name for name in body if name not in OPENAI | set(_INSTANCE) | set(_VERTEX) or name == "user"]
        in_base64(body)
        whole = {"parameters": shared} if shared else {}
        instances = [{"content": text, **each} for text in inputs]
        return [OutgoingBody(orjson.dumps({"instances": part, **whole})) for part in parted(instances, self.batch)]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """OpenAI's list; each vector says how many tokens its text had."""
        rows = [_dict(_dict(row).get("embeddings")) for answer in answers for row in _list(answer.get("predictions"))]
        counts = [_dict(row.get("statistics") or {}).get("token_count") for row in rows]
        return told([row.get("values") for row in rows], summed(counts), media_request, model)


def told(vectors: list[Json], usage: Usage | None, media_request: MediaRequest, model: str) -> MediaAnswer:
    """OpenAI's answer around vectors of floats."""
    if len(vectors) != len(items(media_request.body)):
        raise MalformedStream(f"it holds {len(vectors)} embeddings for {len(items(media_request.body))} inputs")
    wanted = in_base64(media_request.body)
    data = [{"object": "embedding", "index": n, "embedding": encoded(vector, wanted)} for n, vector in enumerate(vectors)]
    return MediaAnswer(orjson.dumps({"object": "list", "data": data, "model": model, "usage": usage_body(usage)}), usage)


def _list(value: Json) -> list[Any]:
    if not isinstance(value, list):
        raise MalformedStream("it holds no list of embeddings")
    return value


def _dict(value: Json) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedStream("it holds no list of embeddings")
    return value
