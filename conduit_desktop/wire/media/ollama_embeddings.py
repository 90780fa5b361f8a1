"""Ollama's `/api/embed`, and `/api/embeddings` before it, as a caller's words: Ollama hears them, all others OpenAI's."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest, MalformedStream
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaFormat, MediaRequest, OutgoingBody
from conduit_desktop.wire.media.usage import read_media_usage, summed

Fields = dict[str, Json]


class OllamaEmbeddingsCaller:
    """See `forms.Words`. `model` is the caller's name for it; `older`: one text as `prompt`, answered with one vector."""

    native = "ollama"

    def __init__(self, model: str, older: bool) -> None:
        self._model = model
        self._older = older
        self.form: MediaFormat = OllamaPassthrough(older)

    def in_openai(self, body: Fields, model: str) -> Fields:
        """Raises BadRequest for what is no text."""
        wanted = {"dimensions": body["dimensions"]} if isinstance(body.get("dimensions"), int) else {}
        return {"model": model, "input": asked(body, self._older), "encoding_format": "float", **wanted}

    def answer(self, body: bytes) -> bytes:
        """Ollama's vectors."""
        told = orjson.loads(body)
        vectors = [row["embedding"] for row in told["data"]]
        if self._older:
            return orjson.dumps({"embedding": vectors[0] if vectors else []})
        counted = read_media_usage("embeddings", told)
        return orjson.dumps({"model": self._model, "embeddings": vectors, "prompt_eval_count": counted.input if counted else 0})


class OllamaPassthrough:
    """See `forms.Form`: the request as it came but for the model, the answer as it comes."""

    own = True

    def __init__(self, older: bool) -> None:
        self._older = older

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One request."""
        return [OutgoingBody(orjson.dumps({**media_request.body, "model": model}), single=self._older)]

    def read(self, answers: Sequence[Fields], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """The very bytes."""
        answer = answers[-1]
        if not isinstance(answer.get("embedding" if self._older else "embeddings"), list):
            raise MalformedStream("it holds no embedding")
        return MediaAnswer(raw, summed([answer.get("prompt_eval_count")]))


def asked(body: Fields, older: bool) -> Json:
    """What is to be embedded; raises BadRequest."""
    given = body.get("prompt" if older else "input")
    if not isinstance(given, (str, list)):
        raise BadRequest("The field 'input' must be a string or a list of strings.", param="input")
    return given
