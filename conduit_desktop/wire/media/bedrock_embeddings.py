"""Embeddings of Amazon's models on Bedrock, each in its own InvokeModel format, with one text in a request.

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
from conduit_desktop.wire.media.cohere_embeddings import BEDROCK_TOKENS
from conduit_desktop.wire.media.embeddings import openai_answer, text_request
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaRequest, OutgoingBody
from conduit_desktop.wire.media.usage import input_usage


class TitanEmbeddings:
    """A `MediaFormat` for Amazon Titan. The first generation has no settings; the model for images names the size differently."""

    passthrough = False

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One body for each text."""
        body = media_request.body
        # The first generation takes the text alone.
        known = {"normalize"} if _has_settings(model) else set()
        inputs = text_request(body, known, dropped)
        shared: dict[str, Json] = {name: body[name] for name in known if name in body}
        size = body.get("dimensions")
        if size is not None and "embed-image" in model:
            shared["embeddingConfig"] = {"outputEmbeddingLength": size}
        elif size is not None and _has_settings(model):
            shared["dimensions"] = size
        elif size is not None:
            dropped.append("dimensions")
        return [OutgoingBody(orjson.dumps({"inputText": text, **shared})) for text in inputs]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """OpenAI's list."""
        return openai_answer([answer.get("embedding") for answer in answers], _usage(answers), media_request, model)


class NovaEmbeddings:
    """A `MediaFormat` for Amazon Nova. Without `embeddingPurpose`, which OpenAI does not have, vectors are for an index."""

    passthrough = False

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One body for each text."""
        body = media_request.body
        inputs = text_request(body, {"embeddingPurpose", "truncationMode"}, dropped)
        shared: dict[str, Json] = {"embeddingPurpose": body.get("embeddingPurpose") or "GENERIC_INDEX"}
        if body.get("dimensions") is not None:
            shared["embeddingDimension"] = body["dimensions"]
        truncation = body.get("truncationMode") or "END"
        params = [{**shared, "text": {"truncationMode": truncation, "value": text}} for text in inputs]
        return [OutgoingBody(orjson.dumps({"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": one})) for one in params]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """OpenAI's list."""
        return openai_answer([_vector(answer) for answer in answers], _usage(answers), media_request, model)


def _has_settings(model: str) -> bool:
    return "embed-text-v1" not in model and "embed-g1" not in model and "embed-image" not in model


def _vector(answer: dict[str, Json]) -> Json:
    rows: Any = answer.get("embeddings")
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], dict):
        raise MalformedStream("it holds no embedding")
    return rows[0].get("embedding")


def _usage(answers: Sequence[dict[str, Json]]) -> Usage | None:
    return input_usage([answer.get(BEDROCK_TOKENS) for answer in answers])
