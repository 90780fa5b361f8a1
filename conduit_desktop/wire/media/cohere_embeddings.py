"""Embeddings in Cohere's format, `POST /v2/embed`, for its targets and its callers. https://docs.cohere.com/reference/embed"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest, MalformedStream
from conduit_desktop.core.events import Usage
from conduit_desktop.wire.media.embedding_tasks import COHERE, take_task
from conduit_desktop.wire.media.embeddings import batches, openai_answer, rows_in, text_request
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaFormat, MediaRequest, OutgoingBody
from conduit_desktop.wire.media.usage import billed_usage, input_usage, read_media_usage

BEDROCK_TOKENS = "inputTextTokenCount"
"""Titan's field for the tokens of a response. Other models on Bedrock report them in a header, which is copied to this field."""
_FIELDS = frozenset({"truncate", "max_tokens", "priority"})


_TASKS = {
    "search_query": "RETRIEVAL_QUERY", "search_document": "RETRIEVAL_DOCUMENT", "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}  # fmt: skip
"""Cohere's `input_type`, and Gemini's task, which the formats of other vendors know."""


class CohereEmbeddingsCaller:
    """A `CallerFormat` for callers of `POST /v2/embed`. `id` is that of the answer, which Cohere's SDK requires."""

    name = "cohere"
    extras: tuple[str, ...] = ("task_type",)

    def __init__(self, body: dict[str, Json], id: str) -> None:
        self._texts = body.get("texts") or []
        self._id = id
        self.passthrough_format: MediaFormat = CoherePassthrough()

    def to_openai(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """The request in OpenAI's format; raises BadRequest for images and for vectors other than floats."""
        types = body.get("embedding_types")
        if types is not None and types != ["float"]:
            raise BadRequest("This model has embeddings of the type 'float' only.", param="embedding_types")
        size = body.get("output_dimension")
        dimensions = {"dimensions": size} if isinstance(size, int) else {}
        task = _TASKS.get(str(body.get("input_type")))
        tasks = {"task_type": task} if task else {}
        return {"model": model, "input": read_inputs(body), "encoding_format": "float", **dimensions, **tasks}

    def from_openai(self, body: bytes) -> bytes:
        """OpenAI's response in Cohere's format."""
        answer = orjson.loads(body)
        counted = read_media_usage("embeddings", answer)
        meta: dict[str, Json] = {"api_version": {"version": "2"}}
        if counted and counted.input:
            meta["billed_units"] = {"input_tokens": counted.input}
        vectors = {"float": [row["embedding"] for row in answer["data"]]}
        return orjson.dumps(
            {"id": self._id, "embeddings": vectors, "texts": self._texts, "meta": meta, "response_type": "embeddings_by_type"}
        )


class CoherePassthrough:
    """A `MediaFormat`: the caller's request with the target's model, and the response as it is."""

    passthrough = True

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One body."""
        return [OutgoingBody(orjson.dumps({**media_request.body, "model": model}))]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """The vendor's bytes."""
        answer = answers[-1]
        if not answer.get("embeddings"):
            raise MalformedStream("it holds no embedding")
        return MediaAnswer(raw, _usage(answers))


def read_inputs(body: dict[str, Json]) -> list[Json]:
    """The texts to embed, from `texts` or from `inputs` of texts; raises BadRequest."""
    texts = body.get("texts")
    if texts is None and isinstance(body.get("inputs"), list):
        texts = [_text_of(one) for one in body["inputs"]]
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise BadRequest("The field 'texts' must be a list with at least one text.", param="texts")
    return texts


def _text_of(given: Json) -> Json:
    """The text of one of `inputs`; None where it holds anything else."""
    content = given.get("content") if isinstance(given, dict) else None
    if not isinstance(content, list) or not all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        return None
    return "".join(str(part.get("text", "")) for part in content)


def _usage(answers: Sequence[dict[str, Json]]) -> Usage | None:
    return billed_usage(answers) or input_usage([answer.get(BEDROCK_TOKENS) for answer in answers])


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
        body = dict(media_request.body)
        shared: dict[str, Json] = {"input_type": take_task(body, COHERE, model, dropped)}
        inputs = text_request(body, _FIELDS, dropped)
        # On Bedrock the model in the body would be an unknown field.
        if not self._bedrock:
            shared |= {"model": model, "embedding_types": ["float"]}
        shared |= {name: value for name, value in body.items() if name in _FIELDS}
        if shared.get("truncate") is False:
            shared["truncate"] = "NONE"  # Ollama's word for an error where a text is too long
        if body.get("dimensions") is not None:
            shared["output_dimension"] = body["dimensions"]
        return [OutgoingBody(orjson.dumps({**shared, "texts": texts})) for texts in batches(inputs, self.batch)]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """OpenAI's list."""
        vectors: list[Json] = []
        for answer in answers:
            found = answer.get("embeddings")
            # By encoding where `embedding_types` was sent, else a bare list.
            vectors += rows_in(found.get("float") if isinstance(found, dict) else found)
        return openai_answer(vectors, _usage(answers), media_request, model)
