"""Sources behind an answer: Google's grounding and citation metadata to neutral citations, and neutral ones to grounding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from conduit_desktop.core.chat import Citation, Json
from conduit_desktop.wire.gemini_spelling import NAME, Fields

_KINDS = ("web", "retrievedContext", "maps", "image")


def read_citations(candidate: Fields, text: str) -> Iterator[Citation]:
    """The sources of `text`, each stretch with each of its sources. Google's offsets count UTF-8 bytes; ours characters."""
    encoded = text.encode("utf-8", "surrogatepass")
    grounding = candidate.get("groundingMetadata")
    if isinstance(grounding, dict):
        yield from _grounded(grounding, encoded)
    cited = candidate.get("citationMetadata")
    rows = (cited.get("citations") or cited.get("citationSources")) if isinstance(cited, dict) else None
    for row in _dicts(rows):
        start, end = _place(row, encoded)
        yield Citation(row.get("uri"), row.get("title"), None, start, end, NAME, row)


def _grounded(grounding: Fields, encoded: bytes) -> Iterator[Citation]:
    chunks = list(_dicts(grounding.get("groundingChunks")))
    used: set[int] = set()
    for support in _dicts(grounding.get("groundingSupports")):
        segment = support.get("segment")
        segment = segment if isinstance(segment, dict) else {}
        start, end = _place(segment, encoded)
        indices = support.get("groundingChunkIndices")
        for index in indices if isinstance(indices, list) else ():
            if isinstance(index, int) and 0 <= index < len(chunks):
                used.add(index)
                yield _citation(chunks[index], segment.get("text"), start, end)
    for index, chunk in enumerate(chunks):
        if index not in used:
            yield _citation(chunk, None, None, None)


def _citation(chunk: Fields, quote: Json, start: int | None, end: int | None) -> Citation:
    source: Fields = next((chunk[kind] for kind in _KINDS if isinstance(chunk.get(kind), dict)), {})
    said = quote if isinstance(quote, str) else None
    return Citation(source.get("uri") or source.get("sourceUri"), source.get("title"), said, start, end, NAME, chunk)


def _place(fields: Fields, encoded: bytes) -> tuple[int | None, int | None]:
    end = fields.get("endIndex")
    start = fields.get("startIndex", 0)
    if not isinstance(end, int) or not isinstance(start, int):
        return None, None
    return _characters(encoded, start), _characters(encoded, end)


def _characters(encoded: bytes, offset: int) -> int:
    return len(encoded[: max(0, offset)].decode("utf-8", "ignore"))


def _dicts(rows: Json) -> Iterator[Fields]:
    yield from (row for row in (rows if isinstance(rows, list) else ()) if isinstance(row, dict))


def write_citations(citations: Iterable[Citation], text: str) -> Fields:
    """Citations of other dialects as `groundingMetadata`; empty where none has an address."""
    chunks: dict[str, Fields] = {}
    supports: list[Fields] = []
    for citation in citations:
        if citation.url is None:
            continue
        chunks.setdefault(citation.url, {"web": {"uri": citation.url, **({"title": citation.title} if citation.title else {})}})
        index = list(chunks).index(citation.url)
        if citation.start is not None and citation.end is not None:
            start, end = (len(text[:at].encode("utf-8", "surrogatepass")) for at in (citation.start, citation.end))
            segment = {"startIndex": start, "endIndex": end, "text": text[citation.start : citation.end]}
            supports.append({"segment": segment, "groundingChunkIndices": [index]})
    if not chunks:
        return {}
    metadata: Fields = {"groundingChunks": list(chunks.values())}
    return {"groundingMetadata": metadata | ({"groundingSupports": supports} if supports else {})}
