"""Embeddings in Ollama's format, for callers of `/api/embed` and of the older `/api/embeddings`.

https://docs.ollama.com/api
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest, MalformedStream
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaFormat, MediaRequest, OutgoingBody
from conduit_desktop.wire.media.usage import input_usage, read_media_usage

Fields = dict[str, Json]


class OllamaEmbeddingsCaller:
    """A `CallerFormat`. `model` is the caller's name of it; `older`: `/api/embeddings`, with one `prompt` and one vector."""

    name = "ollama"
    extras: tuple[str, ...] = ("truncate", "options")

    def __init__(self, model: str, older: bool) -> None:
        self._model = model
        self._older = older
        self.passthrough_format: MediaFormat = OllamaPassthrough(older)

    def to_openai(self, body: Fields, model: str) -> Fields:
        """The request in OpenAI's format; raises BadRequest for inputs other than text."""
        dimensions = {"dimensions": body["dimensions"]} if isinstance(body.get("dimensions"), int) else {}
        # `truncate` is true by default.
        lost = {name: body[name] for name in self.extras if body.get(name) not in (None, {}, True)}
        # Ollama's answers hold numbers, never base64.
        return {"model": model, "input": read_input(body, self._older), "encoding_format": "float", **dimensions, **lost}

    def from_openai(self, body: bytes) -> bytes:
        """OpenAI's response in Ollama's format."""
        answer = orjson.loads(body)
        vectors = [row["embedding"] for row in answer["data"]]
        if self._older:
            return orjson.dumps({"embedding": vectors[0] if vectors else []})
        counted = read_media_usage("embeddings", answer)
        return orjson.dumps({"model": self._model, "embeddings": vectors, "prompt_eval_count": counted.input if counted else 0})


class OllamaPassthrough:
    """A `MediaFormat`: the caller's request with the target's model, and the response as it is."""

    passthrough = True

    def __init__(self, older: bool) -> None:
        self._older = older

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One body."""
        return [OutgoingBody(orjson.dumps({**media_request.body, "model": model}), single=self._older)]

    def read(self, answers: Sequence[Fields], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """The vendor's bytes."""
        answer = answers[-1]
        if not isinstance(answer.get("embedding" if self._older else "embeddings"), list):
            raise MalformedStream("it holds no embedding")
        return MediaAnswer(raw, input_usage([answer.get("prompt_eval_count")]))


def read_input(body: Fields, older: bool) -> Json:
    """The texts to embed; raises BadRequest."""
    given = body.get("prompt" if older else "input")
    if not isinstance(given, (str, list)):
        raise BadRequest("The field 'input' must be a string or a list of strings.", param="input")
    return given
