"""Embeddings in OpenAI's format, and what all formats of embeddings share: inputs, batches and the encoding of vectors.

A vector is a list of floats, or base64 of little-endian 32-bit floats. OpenAI's client decodes what it requested as base64 without
looking at it, so a vector in the other encoding is converted.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Collection, Sequence
from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest, MalformedStream
from conduit_desktop.core.events import Usage
from conduit_desktop.wire.media.embedding_tasks import TaskField, take_task
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaRequest, OutgoingBody
from conduit_desktop.wire.media.usage import read_media_usage, sum_usages

BATCH = 2048
"""Inputs that OpenAI accepts at once. https://platform.openai.com/docs/api-reference/embeddings/create"""
_OPENAI_FIELDS = frozenset({"model", "input", "dimensions", "encoding_format", "user"})


class OpenAIEmbeddings:
    """A `MediaFormat`. `dimensions` is the vendor's name of that field, `refused` are fields that it refuses.

    `text_only`: it takes no token ids. `omit_float`: it sends floats where `encoding_format` is absent, and refuses the value.
    `task`: the vendor's field for what the vectors are for. `one_size`: models whose vectors have that many dimensions and no
    other.
    """

    def __init__(
        self, text_only: bool = False, dimensions: str = "dimensions", refused: tuple[str, ...] = (), batch: int = BATCH,
        passthrough: bool = True, omit_float: bool = False, task: TaskField | None = None,
        one_size: tuple[str, int] | None = None,
    ) -> None:  # fmt: skip
        self.passthrough = passthrough
        self._text_only = text_only
        self._dimensions = dimensions
        self._refused = refused
        self._batch = batch
        self._omit_float = omit_float
        self._task = task
        self._one_size = one_size

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """The request with the vendor's field names, in several bodies where it holds more inputs than a batch."""
        body = {**media_request.body, "model": model}
        inputs = text_inputs(media_request.body) if self._text_only else inputs_of(media_request.body)
        self._write_task(body, media_request.extras, model, dropped)
        self._check_size(body, model)
        if self._dimensions in self._refused or self._dimensions != "dimensions":
            value = body.pop("dimensions", None)
            if value is not None:
                body.setdefault(self._dimensions, value)
        for name in self._refused:
            # No loss: vectors are converted to the requested encoding when they are read.
            if body.pop(name, None) is not None and name != "encoding_format":
                dropped.append(name)
        if self._omit_float and not wants_base64(body):
            body.pop("encoding_format", None)
        if len(inputs) <= self._batch:
            return [OutgoingBody(orjson.dumps(body))]
        return [OutgoingBody(orjson.dumps({**body, "input": part})) for part in batches(inputs, self._batch)]

    def _write_task(self, body: dict[str, Json], extras: tuple[str, ...], model: str, dropped: list[str]) -> None:
        if self._task is not None and (word := take_task(body, self._task, model, dropped)) is not None:
            body[self._task.name] = word
        dropped += [name for name in extras if body.pop(name, None) is not None]

    def _check_size(self, body: dict[str, Json], model: str) -> None:
        """Remove `dimensions` where the model has one size only; raises BadRequest for another."""
        if self._one_size is None or not model.startswith(self._one_size[0]):
            return
        wanted, size = body.pop("dimensions", None), self._one_size[1]
        # Not dropped: vectors of another size would not fit those that the caller has stored.
        if wanted not in (None, size):
            raise BadRequest(f"'dimensions': the vectors of this model have {size} dimensions.", param="dimensions")

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """The vendor's bytes where its vectors have the requested encoding, else its response with converted vectors."""
        rows = [row for answer in answers for row in _rows(answer)]
        # A missing row would shift all later vectors to the wrong texts without an error.
        if len(rows) != len(inputs_of(media_request.body)):
            raise MalformedStream(f"it holds {len(rows)} embeddings for {len(inputs_of(media_request.body))} inputs")
        wanted = str if wants_base64(media_request.body) else list
        # int8 and binary vectors of Voyage and Jina have no second encoding: they are relayed.
        other_types = any(media_request.body.get(name) not in (None, "float") for name in ("output_dtype", "embedding_type"))
        usage = sum_usages([read_media_usage(media_request.endpoint, answer) for answer in answers])
        if len(answers) == 1 and (other_types or all(isinstance(row.get("embedding"), wanted) for row in rows)):
            return MediaAnswer(raw, usage)
        numbered = [{**row, "index": n, "embedding": encode(row.get("embedding"), wanted is str)} for n, row in enumerate(rows)]
        whole = {**answers[-1], "data": numbered}
        if usage is not None and len(answers) > 1:
            whole["usage"] = usage_body(usage)
        return MediaAnswer(orjson.dumps(whole), usage)


def _rows(answer: dict[str, Json]) -> list[dict[str, Any]]:
    """The rows of a response, in the order of its inputs."""
    rows = answer.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise MalformedStream("it holds no list of embeddings")
    # The API promises no order: `index` is the position of the input.
    if all(isinstance(row.get("index"), int) for row in rows):
        return sorted(rows, key=lambda row: int(row["index"]))
    return rows


def inputs_of(body: dict[str, Json]) -> list[Any]:
    """The inputs of a request, one for each vector: texts, or lists of token ids; raises BadRequest."""
    given = body.get("input")
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list) or not given:
        raise BadRequest("'input' must be a string, a list of strings, or a list of token ids.", param="input")
    # A flat list of numbers is one input of token ids; a list of lists is several.
    if all(isinstance(item, int) and not isinstance(item, bool) for item in given):
        return [given]
    if all(isinstance(item, (str, dict)) for item in given):
        return given
    tokens = (isinstance(item, list) and item and all(isinstance(token, int) for token in item) for item in given)
    if not all(tokens):
        raise BadRequest("'input' must be a string, a list of strings, or a list of token ids.", param="input")
    return given


def text_inputs(body: dict[str, Json]) -> list[str]:
    """The inputs, for vendors that take texts only; raises BadRequest for token ids."""
    found = inputs_of(body)
    if any(isinstance(item, list) for item in found):
        raise BadRequest(
            "'input' holds token ids, and this model takes text only: send strings (LangChain: check_embedding_ctx_length=False).",
            param="input",
        )
    return found


def text_request(body: dict[str, Json], known: Collection[str], dropped: list[str]) -> list[str]:
    """The inputs of a request that a vendor's own format is written from; raises BadRequest for token ids and encodings.

    Fields that are neither OpenAI's nor among `known` are added to `dropped`, and `user`, which no such vendor has.
    """
    inputs = text_inputs(body)
    wants_base64(body)
    dropped += [name for name in body if (name not in _OPENAI_FIELDS and name not in known) or name == "user"]
    return inputs


def batches(inputs: list[Any], size: int) -> list[list[Any]]:
    """`inputs` in lists of at most `size`."""
    return [inputs[start : start + size] for start in range(0, len(inputs), size)]


def wants_base64(body: dict[str, Json]) -> bool:
    """Whether vectors are requested in base64; raises BadRequest for an unknown encoding."""
    wanted = body.get("encoding_format") or "float"
    if wanted not in ("float", "base64"):
        raise BadRequest("'encoding_format' must be float or base64.", param="encoding_format")
    return bool(wanted == "base64")


def encode(vector: Json, as_base64: bool) -> Json:
    """A vector in the requested encoding, whichever it has; raises MalformedStream."""
    try:
        if isinstance(vector, str):
            return vector if as_base64 else base64_to_floats(vector)
        if isinstance(vector, list):
            return floats_to_base64(vector) if as_base64 else vector
    except (ValueError, TypeError, struct.error, OverflowError) as error:
        raise MalformedStream(f"an embedding cannot be read: {error}") from error
    raise MalformedStream("an embedding is neither a list nor base64")


def floats_to_base64(vector: Sequence[float]) -> str:
    """Base64 of the floats as little-endian 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def base64_to_floats(text: str) -> list[float]:
    """The little-endian 32-bit floats in base64; raises ValueError."""
    raw = base64.b64decode(text, validate=True)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


def usage_body(usage: Usage | None) -> dict[str, Json]:
    """The `usage` of OpenAI's embeddings; zeros where none is known."""
    tokens = usage.input if usage else 0
    return {"prompt_tokens": tokens, "total_tokens": tokens}


def openai_answer(vectors: Sequence[Json], usage: Usage | None, media_request: MediaRequest, model: str) -> MediaAnswer:
    """OpenAI's response with `vectors`, one for each input; raises MalformedStream for another number of them."""
    count = len(inputs_of(media_request.body))
    if len(vectors) != count:
        raise MalformedStream(f"it holds {len(vectors)} embeddings for {count} inputs")
    as_base64 = wants_base64(media_request.body)
    data = [{"object": "embedding", "index": n, "embedding": encode(vector, as_base64)} for n, vector in enumerate(vectors)]
    return MediaAnswer(orjson.dumps({"object": "list", "data": data, "model": model, "usage": usage_body(usage)}), usage)


def rows_in(value: Json) -> list[Any]:
    """`value` as a list; raises MalformedStream for anything else."""
    if not isinstance(value, list):
        raise MalformedStream("it holds no list of embeddings")
    return value


def object_in(value: Json) -> dict[str, Any]:
    """`value` as an object; raises MalformedStream for anything else."""
    if not isinstance(value, dict):
        raise MalformedStream("it holds no list of embeddings")
    return value
