"""Citations: Google's grounding and citation metadata read as neutral ones, and neutral ones written as grounding metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from conduit_desktop.core.chat import Citation, Json
from conduit_desktop.wire.gemini.field_names import NAME, Fields

_KINDS = ("web", "retrievedContext", "maps", "image")


def read_citations(candidate: Fields, text: str) -> Iterator[Citation]:
    """The citations of `text`, one for each segment and source. Google's offsets count UTF-8 bytes, ours characters."""
    # JSON can hold a lone surrogate, which plain UTF-8 refuses.
    encoded = text.encode("utf-8", "surrogatepass")
    grounding = candidate.get("groundingMetadata")
    if isinstance(grounding, dict):
        yield from _grounded(grounding, encoded)
    cited = candidate.get("citationMetadata")
    rows = (cited.get("citations") or cited.get("citationSources")) if isinstance(cited, dict) else None
    for row in _dicts(rows):
        start, end = _span(row, encoded)
        yield Citation(row.get("uri"), row.get("title"), None, start, end, NAME, row)


def _grounded(grounding: Fields, encoded: bytes) -> Iterator[Citation]:
    chunks = list(_dicts(grounding.get("groundingChunks")))
    used: set[int] = set()
    for support in _dicts(grounding.get("groundingSupports")):
        segment = support.get("segment")
        segment = segment if isinstance(segment, dict) else {}
        start, end = _span(segment, encoded)
        # Indices are the vendor's: a wrong one costs its citation, not the answer.
        indices = support.get("groundingChunkIndices")
        for index in indices if isinstance(indices, list) else ():
            if isinstance(index, int) and 0 <= index < len(chunks):
                used.add(index)
                yield _citation(chunks[index], start, end)
    for index, chunk in enumerate(chunks):
        # A source that supports no segment was still used for the answer, so it is cited without a place.
        if index not in used:
            yield _citation(chunk, None, None)


def _citation(chunk: Fields, start: int | None, end: int | None) -> Citation:
    source: Fields = next((chunk[kind] for kind in _KINDS if isinstance(chunk.get(kind), dict)), {})
    url, title, text = (value if isinstance(value := source.get(name), str) else None for name in ("uri", "title", "text"))
    return Citation(url or source.get("sourceUri"), title, text, start, end, NAME, chunk)


def _span(fields: Fields, encoded: bytes) -> tuple[int | None, int | None]:
    end = fields.get("endIndex")
    # protobuf's JSON leaves out zeros, so a segment at the beginning has no start.
    start = fields.get("startIndex", 0)
    if not isinstance(end, int) or not isinstance(start, int):
        return None, None
    return _characters(encoded, start), _characters(encoded, end)


def _characters(encoded: bytes, offset: int) -> int:
    # An offset inside of a character counts up to its beginning.
    return len(encoded[: max(0, offset)].decode("utf-8", "ignore"))


def _dicts(rows: Json) -> Iterator[Fields]:
    yield from (row for row in (rows if isinstance(rows, list) else ()) if isinstance(row, dict))


def write_citations(citations: Iterable[Citation], text: str) -> Fields:
    """`groundingMetadata` for citations of other dialects, whose positions count characters of `text`.

    Empty where no citation has a URL or a title.
    """
    chunks: list[Fields] = []
    supports: list[Fields] = []
    for citation in citations:
        chunk = _chunk(citation)
        if chunk is None:
            continue
        # Google lists a source once, however many passages it supports.
        if chunk not in chunks:
            chunks.append(chunk)
        index = chunks.index(chunk)
        if citation.start is not None and citation.end is not None:
            start, end = (len(text[:at].encode("utf-8", "surrogatepass")) for at in (citation.start, citation.end))
            segment = {"startIndex": start, "endIndex": end, "text": text[citation.start : citation.end]}
            supports.append({"segment": segment, "groundingChunkIndices": [index]})
    if not chunks:
        return {}
    metadata: Fields = {"groundingChunks": chunks}
    return {"groundingMetadata": metadata | ({"groundingSupports": supports} if supports else {})}


def _chunk(citation: Citation) -> Fields | None:
    """A source: a web page, or a passage of the caller's documents; None for one without URL and title."""
    title = {"title": citation.title} if citation.title else {}
    if citation.url:
        return {"web": {"uri": citation.url, **title}}
    if not title:
        return None
    return {"retrievedContext": {**title, **({"text": citation.quote} if citation.quote else {})}}
