"""Citations: positions in `annotations`, and Perplexity's lists `search_results` and `citations` next to the choices."""

from __future__ import annotations

from typing import Any

from conduit_desktop.core.chat import Citation, Json
from conduit_desktop.wire.openai_chat.fields import NAME


def read_sources(body: dict[str, Any]) -> list[Citation]:
    """The sources of an answer, or of the merged fields of its chunks; where both lists hold a URL, the one with a title."""
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
    """Start and end of an annotation in characters; None where it has none, which OpenRouter writes as 0 to 0."""
    start, end = note.get("start_index"), note.get("end_index")
    return (start, end) if isinstance(start, int) and isinstance(end, int) and 0 <= start < end else (None, None)


def write_span(citation: Citation) -> dict[str, Json]:
    """Start and end of a citation as fields of an annotation, which requires both."""
    return {"start_index": citation.start or 0, "end_index": citation.end or 0}
