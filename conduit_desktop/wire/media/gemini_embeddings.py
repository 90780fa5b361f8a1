"""Embeddings in Gemini's format, for targets on AI Studio and Vertex AI and for callers of `embedContent`.

https://ai.google.dev/api/embeddings
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.wire.gemini.field_names import Fields, normalise
from conduit_desktop.wire.gemini.usage import read_usage
from conduit_desktop.wire.json_fields import GOOGLE_STYLE
from conduit_desktop.wire.media.embedding_tasks import GEMINI, take_task
from conduit_desktop.wire.media.embeddings import batches, object_in, openai_answer, rows_in, text_request
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaFormat, MediaRequest, OutgoingBody
from conduit_desktop.wire.media.usage import input_usage, read_media_usage

_OPENAI_FIELDS = {"outputDimensionality": "dimensions", "taskType": "task_type", "title": "title"}
"""Gemini's fields, and the names that they have in a request in OpenAI's format."""
_FIELDS = {"title": "title"}
"""Fields that a caller may add to OpenAI's, and Gemini's names for them."""
_VERTEX_FIELDS = {"auto_truncate": "autoTruncate", "autoTruncate": "autoTruncate"}


class GeminiEmbeddings:
    """A `MediaFormat` for `POST …:batchEmbedContents`.

    On `vertex` the model is in the URL only, settings are nested in `embedContentConfig`, and a single text goes to
    `:embedContent`, the only method that every embedding model there has.
    """

    passthrough = False
    batch = 100
    """Texts that Gemini accepts at once."""

    def __init__(self, vertex: bool = False) -> None:
        self._vertex = vertex

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One body for each batch; in it each text has a request of its own, with the model."""
        body = dict(media_request.body)
        task = take_task(body, GEMINI, model, dropped)
        known = _FIELDS | _VERTEX_FIELDS if self._vertex else _FIELDS
        inputs = text_request(body, known, dropped)
        settings: dict[str, Json] = {new: body[old] for old, new in known.items() if old in body}
        if task is not None:
            settings["taskType"] = task
        if body.get("dimensions") is not None:
            settings["outputDimensionality"] = body["dimensions"]
        if self._vertex:
            shared: dict[str, Json] = {"embedContentConfig": settings} if settings else {}
        else:
            shared = {"model": f"models/{model.removeprefix('models/')}", **settings}
        requests = [{**shared, "content": {"parts": [{"text": text}]}} for text in inputs]
        # Some models on Vertex AI have no `batchEmbedContents`.
        if self._vertex and len(requests) == 1:
            return [OutgoingBody(orjson.dumps(requests[0]), single=True)]
        return [OutgoingBody(orjson.dumps({"requests": part})) for part in batches(requests, self.batch)]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """OpenAI's list. Older models report no usage."""
        vectors: list[Json] = []
        counts: list[Json] = []
        for answer in answers:
            rows = [answer["embedding"]] if "embedding" in answer else rows_in(answer.get("embeddings"))
            vectors += [object_in(row).get("values") for row in rows]
            counts.append(object_in(answer.get("usageMetadata") or {}).get("promptTokenCount"))
        return openai_answer(vectors, input_usage(counts), media_request, model)


class VertexPredictions:
    """A `MediaFormat` for `POST …:predict`, the method of Vertex AI's embedding models before Gemini.

    https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
    """

    passthrough = False
    batch = 250
    """Texts that Vertex AI accepts at once."""

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One body for each batch: an instance for each text, and parameters for all."""
        body = dict(media_request.body)
        task = take_task(body, GEMINI, model, dropped)
        inputs = text_request(body, _FIELDS.keys() | _VERTEX_FIELDS.keys(), dropped)
        each = {new: body[old] for old, new in _FIELDS.items() if old in body}
        if task is not None:
            each["task_type"] = task
        shared: dict[str, Json] = {new: body[old] for old, new in _VERTEX_FIELDS.items() if old in body}
        if body.get("dimensions") is not None:
            shared["outputDimensionality"] = body["dimensions"]
        parameters = {"parameters": shared} if shared else {}
        instances = [{"content": text, **each} for text in inputs]
        return [OutgoingBody(orjson.dumps({"instances": part, **parameters})) for part in batches(instances, self.batch)]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """OpenAI's list. Each vector comes with the token count of its text."""
        rows = [object_in(object_in(row).get("embeddings")) for answer in answers for row in rows_in(answer.get("predictions"))]
        counts = [object_in(row.get("statistics") or {}).get("token_count") for row in rows]
        return openai_answer([row.get("values") for row in rows], input_usage(counts), media_request, model)


class GeminiEmbeddingsCaller:
    """A `CallerFormat`. `batch`: the caller used `batchEmbedContents`."""

    name = "gemini"
    extras: tuple[str, ...] = ("task_type", "title")

    def __init__(self, batch: bool) -> None:
        self._batch = batch
        self.passthrough_format: MediaFormat = GeminiPassthrough(batch)

    def to_openai(self, body: Fields, model: str) -> Fields:
        """The request in OpenAI's format; raises BadRequest for content other than text."""
        return read_request(body, model, self._batch)

    def from_openai(self, body: bytes) -> bytes:
        """OpenAI's response in Gemini's format."""
        return orjson.dumps(write_response(orjson.loads(body), self._batch))


class GeminiPassthrough:
    """A `MediaFormat`: the caller's request with the target's model, and the response as it is."""

    passthrough = True

    def __init__(self, batch: bool) -> None:
        self._batch = batch

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One body. In a batch each text repeats the model."""
        named = {"model": f"models/{model.removeprefix('models/')}"}
        requests = media_request.body.get("requests")
        if self._batch and isinstance(requests, list):
            body = {**media_request.body, "requests": [{**one, **named} if isinstance(one, dict) else one for one in requests]}
        else:
            body = {**media_request.body, **named} if "model" in media_request.body else media_request.body
        return [OutgoingBody(orjson.dumps(body), single=not self._batch)]

    def read(self, answers: Sequence[Fields], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """The vendor's bytes."""
        answer = answers[-1]
        if not answer.get("embeddings" if self._batch else "embedding"):
            raise MalformedStream("it holds no embedding")
        counted = answer.get("usageMetadata")
        # Pictures and sound have prices of their own here, too.
        known = isinstance(counted, dict) and counted.get("promptTokenCount") is not None
        return MediaAnswer(raw, read_usage(object_in(counted)) if known else None)


def read_request(body: Fields, model: str, batch: bool) -> Fields:
    """The request as a body of `/v1/embeddings`; raises BadRequest naming the field.

    Task and size may differ between the texts of a batch; OpenAI's format has one for all, so those of the first are used.
    """
    # The notes are thrown away: this request is not written as Gemini's again.
    fields = normalise(body, {})
    if not batch:
        return {"model": model, "input": [_text(fields, "")], **_shared(fields)}
    requests = fields.get("requests")
    if not isinstance(requests, list) or not requests:
        raise GOOGLE_STYLE.missing("requests")
    texts = [_text(each, f"requests.{index}.") for index, each in enumerate(requests)]
    return {"model": model, "input": texts, **_shared(requests[0])}


def _shared(fields: Fields) -> Fields:
    # Vertex AI nests the settings, while AI Studio has them at the top; callers may use either form.
    config = fields.get("embedContentConfig")
    known = {**fields, **config} if isinstance(config, dict) else fields
    return {name: known[field] for field, name in _OPENAI_FIELDS.items() if known.get(field) is not None}


def _text(fields: Json, path: str) -> str:
    content = fields.get("content") if isinstance(fields, dict) else None
    if not isinstance(content, dict):
        raise GOOGLE_STYLE.missing(f"{path}content")
    parts = content.get("parts")
    rows = [parts] if isinstance(parts, dict) else parts if isinstance(parts, list) else []
    texts = [part.get("text") for part in rows if isinstance(part, dict)]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise GOOGLE_STYLE.invalid(f"{path}content.parts", "parts with text")
    return "\n".join(str(text) for text in texts)


def write_response(answer: Fields, batch: bool) -> Fields:
    """OpenAI's response, with vectors of floats, as Gemini's."""
    rows = [{"values": row["embedding"]} for row in answer["data"]]
    body: Fields = {"embeddings": rows} if batch else {"embedding": rows[0]}
    counted = read_media_usage("embeddings", answer)
    if counted and counted.input:
        body["usageMetadata"] = {"promptTokenCount": counted.input}
    return body
