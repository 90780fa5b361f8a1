"""Requests as files: one as HAR, those of a filter as JSON lines. Neither contains a credential: no headers are kept."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import orjson

from conduit_desktop.actions.schemas.inputs import RequestQuery
from conduit_desktop.actions.schemas.reports import RequestDetailView, RequestView
from conduit_desktop.core.exports import private_file
from conduit_desktop.core.heavy_work import for_operator
from conduit_desktop.gui.pages.requests.curl import path_of, text_of

if TYPE_CHECKING:
    from conduit_desktop.actions.admin_client import AdminClient

_PART = 500
_JSON = [{"name": "Content-Type", "value": "application/json"}]


def as_har(detail: RequestDetailView, address: str) -> str:
    """The request as a HAR 1.2 file (http://www.softwareishard.com/blog/har-12-spec/) for one call of the gateway at `address`."""
    first = detail.duration_ms if detail.first_token_ms is None else detail.first_token_ms
    entry = {
        "startedDateTime": detail.started_at or "1970-01-01T00:00:00Z",
        "time": detail.duration_ms,
        "request": _message(detail.request_payload, detail.request_payload is not None)
        | {"method": "POST", "url": address + path_of(detail), "queryString": _query(path_of(detail))},
        "response": _message(detail.response_payload, False)
        | {"status": detail.http_status, "statusText": "", "redirectURL": "", "content": _content(detail)},
        "cache": {},
        "timings": {"send": 0, "wait": first, "receive": max(0.0, detail.duration_ms - first)},
        "comment": f"Request {detail.id} to the model {detail.model}",
    }
    creator = {"name": "Conduit Desktop", "version": _version()}
    return orjson.dumps({"log": {"version": "1.2", "creator": creator, "entries": [entry]}}, option=orjson.OPT_INDENT_2).decode()


def _message(body: Any, posted: bool) -> dict[str, Any]:
    size = -1 if body is None else len(text_of(body).encode())
    made: dict[str, Any] = {"httpVersion": "HTTP/1.1", "cookies": [], "headers": _JSON, "headersSize": -1, "bodySize": size}
    return made | ({"postData": {"mimeType": "application/json", "text": text_of(body)}} if posted else {})


def _content(detail: RequestDetailView) -> dict[str, Any]:
    body = detail.response_payload
    text = "" if body is None else text_of(body)
    return {"size": len(text.encode()), "mimeType": "text/event-stream" if detail.streamed else "application/json", "text": text}


def _query(path: str) -> list[dict[str, str]]:
    parts = [part.partition("=") for part in path.partition("?")[2].split("&") if part]
    return [{"name": name, "value": value} for name, _, value in parts]


def _version() -> str:
    try:
        return version("conduit-desktop")
    except PackageNotFoundError:
        return ""


async def write_jsonl(client: AdminClient, query: RequestQuery, path: Path) -> int:
    """Write all requests that fit `query`, newest first, one JSON object a line; their number. Raises OSError.

    A file that is there is replaced only by a whole one.
    """
    count = 0
    part = path.with_name(f"{path.name}.part")
    file = await for_operator(private_file, part)
    try:
        async for rows in _parts(client, query):
            await for_operator(_write, file, rows)
            count += len(rows)
        await for_operator(file.close)
        await for_operator(os.replace, part, path)
    except BaseException:
        # Also after a cancellation: half a file must not stay.
        file.close()
        part.unlink(missing_ok=True)
        raise
    return count


async def _parts(client: AdminClient, query: RequestQuery) -> AsyncIterator[list[RequestView]]:
    cursor = None
    while True:
        rows, cursor = await client.requests(query.model_copy(update={"cursor": cursor, "limit": _PART}))
        yield rows
        if cursor is None:
            return


def _write(file: TextIO, rows: list[RequestView]) -> None:
    file.writelines(f"{row.model_dump_json(by_alias=True)}\n" for row in rows)
