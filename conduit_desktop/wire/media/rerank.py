"""Rerank. Callers use Cohere's format: `model`, `query`, `documents` and `top_n`, answered with `results`.

Vendors name a few fields differently; Voyage and Fireworks name the results `data`.
https://docs.cohere.com/reference/rerank
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest, MalformedStream
from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import Units
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaRequest, OutgoingBody
from conduit_desktop.wire.media.usage import DOCUMENTS_A_SEARCH, read_media_usage, read_units


class Rerank:
    """A `MediaFormat`. `texts`: documents must be strings; `top`: the vendor's name of `top_n`; `refused`: fields it refuses.

    On `bedrock` the model is in the URL, and Cohere's models require the version of their API.
    """

    passthrough = False

    def __init__(self, texts: bool = False, top: str = "top_n", refused: tuple[str, ...] = (), bedrock: bool = False) -> None:
        self._texts = texts
        self._top = top
        self._refused = refused
        self._bedrock = bedrock

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One body. Where the vendor has no `return_documents`, `read` adds the documents."""
        body = {**media_request.body, "model": model}
        for name in self._refused:
            if body.pop(name, None) is not None and name != "return_documents":
                dropped.append(name)
        top = body.pop("top_n", None)
        # A null would be written under the vendor's name too, and not every vendor takes it.
        if top is not None:
            body[self._top] = top
        if self._texts:
            body["documents"] = [_text(document, n) for n, document in enumerate(documents(media_request.body))]
        if self._bedrock:
            del body["model"]
            body |= {"api_version": 2} if "cohere" in model else {}
        return [OutgoingBody(orjson.dumps(body))]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """The response in Cohere's format, with the documents where they were requested."""
        answer = answers[-1]
        # Voyage and Fireworks send `data`.
        results = answer.get("results", answer.get("data"))
        if not isinstance(results, list) or not all(_is_result(row) for row in results):
            raise MalformedStream("it holds no results")
        usage = read_media_usage(media_request.endpoint, answer) or _billed(answer)
        units = read_units(media_request.endpoint, answer, Units())
        if usage is None and not units.searches:
            # Neither is reported (Bedrock): a search ranks up to a hundred documents.
            units = Units(searches=-(-len(documents(media_request.body)) // DOCUMENTS_A_SEARCH))
        wants_documents = media_request.body.get("return_documents") is True
        # Already Cohere's format: the vendor's bytes spare the cost of writing the JSON again.
        if "results" in answer and not wants_documents:
            return MediaAnswer(raw, usage, units)
        given = documents(media_request.body)
        rows = [_with_document(row, given) if wants_documents else row for row in results]
        return MediaAnswer(orjson.dumps({**{k: v for k, v in answer.items() if k != "data"}, "results": rows}), usage, units)


def documents(body: dict[str, Json]) -> list[Any]:
    """The documents of a request; raises BadRequest."""
    found = body.get("documents")
    if not isinstance(found, list) or not found or not all(isinstance(document, (str, dict)) for document in found):
        raise BadRequest("'documents' must be a list with at least one text.", param="documents")
    return found


def _text(document: Any, n: int) -> str:
    text = document.get("text") if isinstance(document, dict) else document
    if not isinstance(text, str):
        raise BadRequest(f"'documents[{n}]' must be a text: this model ranks no other.", param=f"documents[{n}]")
    return text


def _is_result(row: Json) -> bool:
    return isinstance(row, dict) and isinstance(row.get("index"), int) and isinstance(row.get("relevance_score"), (int, float))


def _with_document(row: dict[str, Json], given: list[Any]) -> dict[str, Json]:
    # The index is the vendor's: a false one must not fail the whole response.
    document = given[row["index"]] if 0 <= row["index"] < len(given) else None
    shown = document if isinstance(document, dict) else {"text": document}
    return {**row, "document": row["document"] if isinstance(row.get("document"), dict) else shown}


def _billed(answer: dict[str, Json]) -> Usage | None:
    """Cohere reports searches, and tokens only where it bills them."""
    meta = answer.get("meta")
    for name in ("billed_units", "tokens"):
        counted = meta.get(name) if isinstance(meta, dict) else None
        tokens = counted.get("input_tokens") if isinstance(counted, dict) else None
        if isinstance(tokens, (int, float)) and tokens > 0:
            return Usage(input=int(tokens))
    return None
