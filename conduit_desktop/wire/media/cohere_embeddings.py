"""Embeddings in Cohere's format, `POST /v2/embed`. https://docs.cohere.com/reference/embed"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.media.embeddings import batches, openai_answer, rows_in, text_request
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaRequest, OutgoingBody
from conduit_desktop.wire.media.usage import input_usage

BEDROCK_TOKENS = "inputTextTokenCount"
"""Titan's field for the tokens of a response. Other models on Bedrock report them in a header, which is copied to this field."""
_FIELDS = frozenset({"input_type", "truncate", "max_tokens", "priority"})

_TASKS = {
    "RETRIEVAL_QUERY": "search_query", "QUESTION_ANSWERING": "search_query", "FACT_VERIFICATION": "search_query",
    "CODE_RETRIEVAL_QUERY": "search_query", "RETRIEVAL_DOCUMENT": "search_document", "CLASSIFICATION": "classification",
    "CLUSTERING": "clustering",
}  # fmt: skip
"""Gemini's tasks, and Cohere's."""


class CohereEmbeddings:
    """A `MediaFormat`. Without `input_type`, which Cohere requires and OpenAI does not have, documents are embedded.

    On `bedrock` the model is in the URL, and floats are the default.
    """

    passthrough = False
    batch = 96
    """Texts that Cohere accepts at once."""

    def __init__(self, bedrock: bool = False) -> None:
        self._bedrock = bedrock

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One body for each batch; vectors are requested as floats."""
        body = media_request.body
        inputs = text_request(body, _FIELDS, dropped)
        shared: dict[str, Json] = {"input_type": "search_document"}
        # On Bedrock the model in the body would be an unknown field.
        if not self._bedrock:
            shared |= {"model": model, "embedding_types": ["float"]}
        shared |= {name: value for name, value in body.items() if name in _FIELDS}
        if (task := _TASKS.get(str(body.get("task_type")))) is not None and "task_type" in media_request.extras:
            shared["input_type"] = task
            dropped.remove("task_type")
        if body.get("dimensions") is not None:
            shared["output_dimension"] = body["dimensions"]
        return [OutgoingBody(orjson.dumps({**shared, "texts": texts})) for texts in batches(inputs, self.batch)]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """OpenAI's list."""
        vectors: list[Json] = []
        counts: list[Json] = []
        for answer in answers:
            found = answer.get("embeddings")
            # By encoding where `embedding_types` was sent, else a bare list.
            vectors += rows_in(found.get("float") if isinstance(found, dict) else found)
            meta = answer.get("meta")
            billed = meta.get("billed_units") if isinstance(meta, dict) else None
            counts.append(billed.get("input_tokens") if isinstance(billed, dict) else answer.get(BEDROCK_TOKENS))
        return openai_answer(vectors, input_usage(counts), media_request, model)
