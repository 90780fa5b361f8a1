"""Sources that stand beside the choices of an answer, not in its message: Perplexity's `search_results` and `citations`."""

from __future__ import annotations

from typing import Any

from conduit_desktop.core.chat import Citation, Json
from conduit_desktop.wire.openai_chat_fields import NAME


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
