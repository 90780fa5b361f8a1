"""Embeddings that Bedrock's InvokeModel alone gives, in its models' own words; each takes one text at a time.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html
https://docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.core.events import Usage
from conduit_desktop.wire.media.embeddings import in_base64, texts
from conduit_desktop.wire.media.embeddings_vendors import BEDROCK_TOKENS, OPENAI, told
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaRequest, OutgoingBody
from conduit_desktop.wire.media.usage import summed


class TitanEmbeddings:
    """Amazon's Titan. The first generation takes no wishes; the one for pictures has its own word for the size."""

    own = False

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One request a text."""
        inputs, body = texts(media_request.body), media_request.body
        taken = {"normalize"} if _has_wishes(model) else set()
        shared: dict[str, Json] = {name: body[name] for name in taken if name in body}
        size = body.get("dimensions")
        if size is not None and "embed-image" in model:
            shared["embeddingConfig"] = {"outputEmbeddingLength": size}
        elif size is not None and _has_wishes(model):
            shared["dimensions"] = size
        elif size is not None:
            dropped.append("dimensions")
        dropped += [name for name in body if name not in OPENAI | taken or name == "user"]
        in_base64(body)
        return [OutgoingBody(orjson.dumps({"inputText": text, **shared})) for text in inputs]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """OpenAI's list."""
        return told([answer.get("embedding") for answer in answers], _usage(answers), media_request, model)


class NovaEmbeddings:
    """Amazon's Nova. A caller can say `embeddingPurpose`; OpenAI has no word for it, so an index is meant."""

    own = False

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One request a text."""
        inputs, body = texts(media_request.body), media_request.body
        shared: dict[str, Json] = {"embeddingPurpose": body.get("embeddingPurpose") or "GENERIC_INDEX"}
        if body.get("dimensions") is not None:
            shared["embeddingDimension"] = body["dimensions"]
        cut = {"truncationMode": body.get("truncationMode") or "END"}
        dropped += [name for name in body if name not in OPENAI | {"embeddingPurpose", "truncationMode"} or name == "user"]
        in_base64(body)
        asked = [{**shared, "text": {**cut, "value": text}} for text in inputs]
        return [OutgoingBody(orjson.dumps({"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": one})) for one in asked]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """OpenAI's list."""
        return told([_vector(answer) for answer in answers], _usage(answers), media_request, model)


def _has_wishes(model: str) -> bool:
    return "embed-text-v1" not in model and "embed-g1" not in model and "embed-image" not in model


def _vector(answer: dict[str, Json]) -> Json:
    rows: Any = answer.get("embeddings")
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], dict):
        raise MalformedStream("it holds no embedding")
    return rows[0].get("embedding")


def _usage(answers: Sequence[dict[str, Json]]) -> Usage | None:
    return summed([answer.get(BEDROCK_TOKENS) for answer in answers])
