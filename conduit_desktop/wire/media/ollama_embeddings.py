"""Ollama's `/api/embed`, and `/api/embeddings` before it, as a caller's words: Ollama hears them, all others OpenAI's."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest, MalformedStream
from conduit_desktop.wire.media.endpoints import Form, Sending, Told, Wish
from conduit_desktop.wire.media.usage import summed, told_usage

Fields = dict[str, Json]


class OllamaWords:
    """See `forms.Words`. `model` is the caller's name for it; `older`: one text as `prompt`, answered with one vector."""

    native = "ollama"

    def __init__(self, model: str, older: bool) -> None:
        self._model = model
        self._older = older
        self.form: Form = AsAsked(older)

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
        counted = told_usage("embeddings", told)
        return orjson.dumps({"model": self._model, "embeddings": vectors, "prompt_eval_count": counted.input if counted else 0})


class AsAsked:
    """See `forms.Form`: the request as it came but for the model, the answer as it comes."""

    own = True

    def __init__(self, older: bool) -> None:
        self._older = older

    def write(self, wish: Wish, model: str, dropped: list[str]) -> list[Sending]:
        """One request."""
        return [Sending(orjson.dumps({**wish.body, "model": model}), single=self._older)]

    def read(self, answers: Sequence[Fields], raw: bytes, wish: Wish, model: str) -> Told:
        """The very bytes."""
        answer = answers[-1]
        if not isinstance(answer.get("embedding" if self._older else "embeddings"), list):
            raise MalformedStream("it holds no embedding")
        return Told(raw, summed([answer.get("prompt_eval_count")]))


def asked(body: Fields, older: bool) -> Json:
    """What is to be embedded; raises BadRequest."""
    given = body.get("prompt" if older else "input")
    if not isinstance(given, (str, list)):
        raise BadRequest("The field 'input' must be a string or a list of strings.", param="input")
    return given
