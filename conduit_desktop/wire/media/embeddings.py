"""Embeddings as OpenAI and its compatible vendors say them; vectors as floats or as base64, whichever was asked for.

Vectors are 32-bit floats, little-endian in base64. A client that asked for base64 reads a list of floats as a wrong vector,
so what the vendor gives is turned into what was asked for.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest, MalformedStream
from conduit_desktop.core.events import Usage
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaRequest, OutgoingBody
from conduit_desktop.wire.media.usage import read_media_usage

BATCH = 2048
"""Inputs that OpenAI takes at once."""


class OpenAIEmbeddings:
    """See `Form`. `dimensions`: the vendor's name for that field; `text_only`: it takes no token ids.

    `float_unsaid`: floats are what it gives where no encoding is named, and it has no word for them.
    """

    def __init__(
        self, text_only: bool = False, dimensions: str = "dimensions", refused: tuple[str, ...] = (), batch: int = BATCH,
        own: bool = True, float_unsaid: bool = False,
    ) -> None:  # fmt: skip
        self.own = own
        self._text_only = text_only
        self._dimensions = dimensions
        self._refused = refused
        self._batch = batch
        self._float_unsaid = float_unsaid

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """As it came; in several requests where it holds more inputs than the vendor takes."""
        body = {**media_request.body, "model": model}
        inputs = texts(media_request.body) if self._text_only else items(media_request.body)
        if self._dimensions in self._refused or self._dimensions != "dimensions":
            value = body.pop("dimensions", None)
            if value is not None:
                body.setdefault(self._dimensions, value)
        for name in self._refused:
            if body.pop(name, None) is not None and name != "encoding_format":
                dropped.append(name)
        if self._float_unsaid and not in_base64(body):
            body.pop("encoding_format", None)
        if len(inputs) <= self._batch:
            return [OutgoingBody(orjson.dumps(body))]
        return [OutgoingBody(orjson.dumps({**body, "input": part})) for part in parted(inputs, self._batch)]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """The very bytes where they say it as asked; else the same with every vector in the encoding asked for."""
        rows = [row for answer in answers for row in _rows(answer)]
        if len(rows) != len(items(media_request.body)):
            raise MalformedStream(f"it holds {len(rows)} embeddings for {len(items(media_request.body))} inputs")
        wanted = str if in_base64(media_request.body) else list
        other_types = any(media_request.body.get(name) not in (None, "float") for name in ("output_dtype", "embedding_type"))
        usage = _sum([read_media_usage(media_request.endpoint, answer) for answer in answers])
        if len(answers) == 1 and (other_types or all(isinstance(row.get("embedding"), wanted) for row in rows)):
            return MediaAnswer(raw, usage)
        numbered = [{**row, "index": n, "embedding": encoded(row.get("embedding"), wanted is str)} for n, row in enumerate(rows)]
        whole = {**answers[-1], "data": numbered}
        if usage is not None and len(answers) > 1:
            whole["usage"] = usage_body(usage)
        return MediaAnswer(orjson.dumps(whole), usage)


def _rows(answer: dict[str, Json]) -> list[dict[str, Any]]:
    """The vectors of an answer, in the order of its inputs."""
    rows = answer.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise MalformedStream("it holds no list of embeddings")
    if all(isinstance(row.get("index"), int) for row in rows):
        return sorted(rows, key=lambda row: int(row["index"]))
    return rows


def items(body: dict[str, Json]) -> list[Any]:
    """The inputs of a request, one a vector: texts, or lists of token ids; raises BadRequest."""
    given = body.get("input")
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list) or not given:
        raise BadRequest("'input' must be a string, a list of strings, or a list of token ids.", param="input")
    if all(isinstance(item, int) and not isinstance(item, bool) for item in given):
        return [given]
    if all(isinstance(item, (str, dict)) for item in given):
        return given
    tokens = (isinstance(item, list) and item and all(isinstance(token, int) for token in item) for item in given)
    if not all(tokens):
        raise BadRequest("'input' must be a string, a list of strings, or a list of token ids.", param="input")
    return given


def texts(body: dict[str, Json]) -> list[str]:
    """The inputs, all of them texts; raises BadRequest for token ids."""
    found = items(body)
    if any(isinstance(item, list) for item in found):
        raise BadRequest(
            "'input' holds token ids, and this model takes text only: send strings (LangChain: check_embedding_ctx_length=False).",
            param="input",
        )
    return found


def parted(inputs: list[Any], size: int) -> list[list[Any]]:
    """`inputs` in batches."""
    return [inputs[start : start + size] for start in range(0, len(inputs), size)]


def in_base64(body: dict[str, Json]) -> bool:
    """Whether vectors are wanted in base64; raises BadRequest for an encoding that does not exist."""
    wanted = body.get("encoding_format") or "float"
    if wanted not in ("float", "base64"):
        raise BadRequest("'encoding_format' must be float or base64.", param="encoding_format")
    return bool(wanted == "base64")


def encoded(vector: Json, as_base64: bool) -> Json:
    """A vector in the encoding asked for, whichever it came in; raises MalformedStream."""
    try:
        if isinstance(vector, str):
            return vector if as_base64 else unpack(vector)
        if isinstance(vector, list):
            return pack(vector) if as_base64 else vector
    except (ValueError, TypeError, struct.error, OverflowError) as error:
        raise MalformedStream(f"an embedding cannot be read: {error}") from error
    raise MalformedStream("an embedding is neither a list nor base64")


def pack(vector: Sequence[float]) -> str:
    """Floats as base64 of 32-bit floats, little-endian."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def unpack(text: str) -> list[float]:
    """The 32-bit floats in base64, exactly."""
    raw = base64.b64decode(text, validate=True)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


def _sum(usages: Sequence[Usage | None]) -> Usage | None:
    counted = [usage for usage in usages if usage is not None]
    if len(counted) < len(usages) or not counted:
        return None
    costs = [usage.cost_nano for usage in counted if usage.cost_nano is not None]
    cost = sum(costs) if len(costs) == len(counted) else None
    return Usage(input=sum(usage.input for usage in counted), cost_nano=cost, extra=counted[-1].extra)


def usage_body(usage: Usage | None) -> dict[str, Json]:
    """Usage as OpenAI's embeddings say it."""
    tokens = usage.input if usage else 0
    return {"prompt_tokens": tokens, "total_tokens": tokens}
