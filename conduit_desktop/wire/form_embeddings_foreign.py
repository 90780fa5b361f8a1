"""Embeddings of vendors with an API of their own: Cohere's v2/embed and Gemini's batchEmbedContents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.core.events import Usage
from conduit_desktop.wire.form_embeddings import encoded, in_base64, items, parted, texts, usage_body
from conduit_desktop.wire.forms import Sending, Told, Wish

_OPENAI = frozenset({"model", "input", "dimensions", "encoding_format", "user"})
_COHERE = frozenset({"input_type", "truncate", "max_tokens", "priority"})
_GEMINI = {"task_type": "taskType", "title": "title", "taskType": "taskType"}


class CohereEmbeddings:
    """`POST /v2/embed`: 96 texts at once. A caller can say `input_type`; OpenAI has no word for it, so documents are meant."""

    own = False
    batch = 96

    def write(self, wish: Wish, model: str, dropped: list[str]) -> list[Sending]:
        """Texts and the size of their vectors, as floats."""
        inputs, body = texts(wish.body), wish.body
        shared: dict[str, Json] = {"model": model, "embedding_types": ["float"], "input_type": "search_document"}
        shared |= {name: value for name, value in body.items() if name in _COHERE}
        if body.get("dimensions") is not None:
            shared["output_dimension"] = body["dimensions"]
        dropped += [name for name in body if name not in _OPENAI | _COHERE or name == "user"]
        in_base64(body)
        return [Sending(orjson.dumps({**shared, "texts": part})) for part in parted(inputs, self.batch)]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, wish: Wish, model: str) -> Told:
        """OpenAI's list."""
        vectors: list[Json] = []
        tokens: list[int] = []
        for answer in answers:
            found = answer.get("embeddings")
            vectors += _list(found.get("float") if isinstance(found, dict) else found)
            meta = answer.get("meta")
            billed = meta.get("billed_units") if isinstance(meta, dict) else None
            count = billed.get("input_tokens") if isinstance(billed, dict) else None
            tokens += [int(count)] if isinstance(count, (int, float)) else []
        usage = Usage(input=sum(tokens)) if len(tokens) == len(answers) else None
        return told(vectors, usage, wish, model)


class GeminiEmbeddings:
    """`POST …:batchEmbedContents`: 100 texts at once."""

    own = False
    batch = 100

    def write(self, wish: Wish, model: str, dropped: list[str]) -> list[Sending]:
        """One request a text; the model stands in each."""
        inputs, body = texts(wish.body), wish.body
        shared: dict[str, Json] = {"model": f"models/{model.removeprefix('models/')}"}
        shared |= {new: body[old] for old, new in _GEMINI.items() if old in body}
        if body.get("dimensions") is not None:
            shared["outputDimensionality"] = body["dimensions"]
        dropped += [name for name in body if name not in _OPENAI | set(_GEMINI) or name == "user"]
        in_base64(body)
        requests = [{**shared, "content": {"parts": [{"text": text}]}} for text in inputs]
        return [Sending(orjson.dumps({"requests": part})) for part in parted(requests, self.batch)]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, wish: Wish, model: str) -> Told:
        """OpenAI's list. The older models report no usage."""
        vectors: list[Json] = []
        counts: list[Any] = []
        for answer in answers:
            vectors += [_dict(row).get("values") for row in _list(answer.get("embeddings"))]
            counts.append(_dict(answer.get("usageMetadata") or {}).get("promptTokenCount"))
        known = all(isinstance(count, int) for count in counts)
        return told(vectors, Usage(input=sum(counts)) if known else None, wish, model)


def told(vectors: list[Json], usage: Usage | None, wish: Wish, model: str) -> Told:
    """OpenAI's answer around vectors of floats."""
    if len(vectors) != len(items(wish.body)):
        raise MalformedStream(f"it holds {len(vectors)} embeddings for {len(items(wish.body))} inputs")
    wanted = in_base64(wish.body)
    data = [{"object": "embedding", "index": n, "embedding": encoded(vector, wanted)} for n, vector in enumerate(vectors)]
    return Told(orjson.dumps({"object": "list", "data": data, "model": model, "usage": usage_body(usage)}), usage)


def _list(value: Json) -> list[Any]:
    if not isinstance(value, list):
        raise MalformedStream("it holds no list of embeddings")
    return value


def _dict(value: Json) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedStream("it holds no list of embeddings")
    return value
