"""Gemini's `embedContent` and `batchEmbedContents` as a caller's words: handed on to Gemini, said in OpenAI's to all others."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import MalformedStream
from conduit_desktop.wire.gemini.field_names import Fields, normalise
from conduit_desktop.wire.json_fields import GOOGLE_STYLE
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaFormat, MediaRequest, OutgoingBody
from conduit_desktop.wire.media.usage import read_media_usage, summed

_SHARED = {"outputDimensionality": "dimensions", "taskType": "task_type", "title": "title"}


class GeminiEmbeddingsCaller:
    """See `forms.Words`."""

    native = "gemini"

    def __init__(self, batch: bool) -> None:
        self._batch = batch
        self.form: MediaFormat = GeminiPassthrough(batch)

    def in_openai(self, body: Fields, model: str) -> Fields:
        """Raises BadRequest for what is no text."""
        return read_request(body, model, self._batch)

    def answer(self, body: bytes) -> bytes:
        """Gemini's embeddings."""
        return orjson.dumps(write_response(orjson.loads(body), self._batch))


class GeminiPassthrough:
    """See `forms.Form`: the request as it came but for the model, the answer as it comes."""

    own = True

    def __init__(self, batch: bool) -> None:
        self._batch = batch

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One request; the model stands in each text's."""
        named = {"model": f"models/{model.removeprefix('models/')}"}
        requests = media_request.body.get("requests")
        if self._batch and isinstance(requests, list):
            body = {**media_request.body, "requests": [{**one, **named} if isinstance(one, dict) else one for one in requests]}
        else:
            body = {**media_request.body, **named} if "model" in media_request.body else media_request.body
        return [OutgoingBody(orjson.dumps(body), single=not self._batch)]

    def read(self, answers: Sequence[Fields], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """The very bytes."""
        answer = answers[-1]
        if not answer.get("embeddings" if self._batch else "embedding"):
            raise MalformedStream("it holds no embedding")
        usage = answer.get("usageMetadata")
        tokens = usage.get("promptTokenCount") if isinstance(usage, dict) else None
        return MediaAnswer(raw, summed([tokens]))


def read_request(body: Fields, model: str, batch: bool) -> Fields:
    """The same as a body of `/v1/embeddings`; raises BadRequest naming the field.

    What differs from text to text in a batch (task, size) is taken from the first: there is one word for all in OpenAI's way.
    """
    fields = normalise(body, {})
    if not batch:
        return {"model": model, "input": [_text(fields, "")], **_shared(fields)}
    requests = fields.get("requests")
    if not isinstance(requests, list) or not requests:
        raise GOOGLE_STYLE.missing("requests")
    texts = [_text(each, f"requests.{index}.") for index, each in enumerate(requests)]
    return {"model": model, "input": texts, **_shared(requests[0])}


def _shared(fields: Fields) -> Fields:
    config = fields.get("embedContentConfig")
    known = {**fields, **config} if isinstance(config, dict) else fields
    return {name: known[said] for said, name in _SHARED.items() if known.get(said) is not None}


def _text(fields: Json, where: str) -> str:
    content = fields.get("content") if isinstance(fields, dict) else None
    if not isinstance(content, dict):
        raise GOOGLE_STYLE.missing(f"{where}content")
    parts = content.get("parts")
    rows = [parts] if isinstance(parts, dict) else parts if isinstance(parts, list) else []
    texts = [part.get("text") for part in rows if isinstance(part, dict)]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise GOOGLE_STYLE.invalid(f"{where}content.parts", "parts with text")
    return "\n".join(str(text) for text in texts)


def write_response(answer: Fields, batch: bool) -> Fields:
    """OpenAI's list of floats as Gemini's embeddings."""
    rows = [{"values": row["embedding"]} for row in answer["data"]]
    body: Fields = {"embeddings": rows} if batch else {"embedding": rows[0]}
    counted = read_media_usage("embeddings", answer)
    if counted and counted.input:
        body["usageMetadata"] = {"promptTokenCount": counted.input}
    return body
