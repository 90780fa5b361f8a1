"""Recorded requests and responses of embedding APIs, read without `wire`."""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from typing import Any

from tests.conformance.recordings import Fields, Recording, parse


@dataclass
class Embeddings:
    """Vectors, and the tokens they took where that was fields."""

    vectors: list[list[float]]
    tokens: int | None = None


def as_openai_request(recording: Recording) -> Fields | None:
    """A recorded request for embeddings of texts in OpenAI's format; None where that format cannot express it."""
    body = {name: value for name, value in recording.request.items() if value is not None and name != "model"}
    if body.get("embedding_types", ["float"]) != ["float"] or "inputImage" in body:
        return None
    match body:
        case {"input": _}:
            return body
        case {"texts": texts}:
            renamed = {"texts": "input", "output_dimension": "dimensions"}
            fields = {renamed.get(name, name): value for name, value in body.items() if name != "embedding_types"}
            return {**fields, "input": texts}
        case {"inputText": text}:
            return {"input": text, **{name: value for name, value in body.items() if name != "inputText"}}
        case {"singleEmbeddingParams": {"text": {"value": text, **cut}, **parameters}}:
            size = {"dimensions": parameters["embeddingDimension"]} if "embeddingDimension" in parameters else {}
            return {"input": text, "embeddingPurpose": parameters["embeddingPurpose"], **cut, **size}
        case {"instances": [*instances]}:
            size = (body.get("parameters") or {}).get("outputDimensionality")
            return {"input": [one["content"] for one in instances], **({"dimensions": size} if size else {})}
        case {"requests": [*requests]}:
            return _of_gemini(requests)
        case {"content": _}:
            return _of_gemini([body])
    return None


def _of_gemini(requests: list[Fields]) -> Fields | None:
    parts = [part for one in requests for part in one["content"]["parts"]]
    if any("text" not in part for part in parts) or len(parts) != len(requests):
        return None
    names = {"outputDimensionality": "dimensions", "taskType": "task_type", "title": "title"}
    return {
        "input": [part["text"] for part in parts],
        **{new: requests[0][old] for old, new in names.items() if old in requests[0]},
    }


def recorded(recording: Recording) -> Embeddings:
    """The recorded vectors."""
    body: Any = parse(recording.answer)
    match body:
        case {"data": [*rows]}:
            usage = body.get("usage") or {}
            return Embeddings([floats(row["embedding"]) for row in rows], usage.get("prompt_tokens", usage.get("total_tokens")))
        case {"embeddings": {"float": [*vectors]}} | {"embeddings": [[*_], *_] as vectors}:
            return Embeddings(
                list(vectors), ((body.get("meta") or {}).get("billed_units") or {}).get("input_tokens", _header(recording))
            )
        case {"embedding": {"values": vector}}:
            return Embeddings([vector], (body.get("usageMetadata") or {}).get("promptTokenCount"))
        case {"embedding": vector}:
            return Embeddings([vector], body["inputTextTokenCount"])
        case {"embeddings": [{"embedding": _}, *_] as rows}:
            return Embeddings([row["embedding"] for row in rows], _header(recording))
        case {"embeddings": [*rows]}:
            return Embeddings([row["values"] for row in rows], (body.get("usageMetadata") or {}).get("promptTokenCount"))
        case {"predictions": [*rows]}:
            found = [row["embeddings"] for row in rows]
            return Embeddings([one["values"] for one in found], sum(int(one["statistics"]["token_count"]) for one in found))
    raise ValueError(f"no vectors in {recording.name}")


def _header(recording: Recording) -> int | None:
    headers = {str(name).lower(): value for name, value in recording.line["headers"]}
    return int(headers["x-amzn-bedrock-input-token-count"]) if "x-amzn-bedrock-input-token-count" in headers else None


def floats(vector: Any) -> list[float]:
    """A vector from a list of numbers or from base64 of 32-bit floats."""
    if isinstance(vector, list):
        return vector
    raw = base64.b64decode(vector)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))
