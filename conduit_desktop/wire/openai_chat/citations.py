"""Sources of an answer: where they stand in it, and those beside the choices (Perplexity's `search_results`, `citations`)."""

from __future__ import annotations

from typing import Any

from conduit_desktop.core.chat import Citation, Json
from conduit_desktop.wire.openai_chat.fields import NAME


def read_sources(body: dict[str, Any]) -> list[Citation]:
    """The sources of a whole answer, or of the fields that its chunks had; those with a title where both lists came."""
    rows = body.get("search_results")
    found = [_result(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    known = {citation.url for citation in found}
    links = body.get("citations")
    more = [link for link in links if isinstance(link, str) and link not in known] if isinstance(links, list) else []
    return [citation for citation in found if citation.url] + [Citation(url=link, dialect=NAME) for link in more]


def _result(row: dict[str, Json]) -> Citation:
    url, title, quote = (value if isinstance(value := row.get(name), str) else None for name in ("url", "title", "snippet"))
    return Citation(url=url, title=title, quote=quote, dialect=NAME)


def read_span(note: dict[str, Json]) -> tuple[int | None, int | None]:
    """The place of an annotation; none where it says nothing: OpenRouter's are from 0 to 0 then."""
    start, end = note.get("start_index"), note.get("end_index")
    return (start, end) if isinstance(start, int) and isinstance(end, int) and 0 <= start < end else (None, None)


def write_span(citation: Citation) -> dict[str, Json]:
    """The same place again; both ends are required."""
    return {"start_index": citation.start or 0, "end_index": citation.end or 0}
