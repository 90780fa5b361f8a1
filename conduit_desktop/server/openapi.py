"""`/openapi.json` (OpenAPI 3.1): the client API, and the admin API as its table of operations and its models make it.

https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from conduit_desktop import __version__
from conduit_desktop.actions.operations import OPERATIONS, Operation
from conduit_desktop.server.openapi_client import CLIENT_PATHS, ERRORS

Json = dict[str, Any]
Refs = Mapping[Any, Json]

_NAME = re.compile(r"\{(\w+)\*?\}")
_REF = "#/components/schemas/{model}"
_ADMIN_ERROR: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "code"],
            "properties": {
                "message": {"type": "string"},
                "code": {"type": "string"},
                "field": {"type": ["string", "null"], "description": "The path of the input field that is wrong."},
            },
        }
    },
}


_FAILED: Json = {
    "description": "Refused or failed",
    "content": {"application/json": {"schema": {"$ref": _REF.format(model="AdminError")}}},
}


@cache
def document() -> Json:
    """The OpenAPI document."""
    bodies = {row.body for row in OPERATIONS if row.body is not None and issubclass(row.body, BaseModel)}
    views = {row.result for row in OPERATIONS if row.result is not None}
    wanted = [*((body, "validation") for body in bodies), *((view, "serialization") for view in views)]
    # Sorted, because sets have no order: the document should be the same at each start.
    refs, made = models_json_schema(sorted(wanted, key=lambda pair: pair[0].__name__), ref_template=_REF)  # type: ignore[arg-type]
    paths: dict[str, Json] = {path: dict(methods) for path, methods in CLIENT_PATHS.items()}
    for row in OPERATIONS:
        path = "/admin/v1" + _NAME.sub(r"{\1}", row.path)
        paths.setdefault(path, {})[row.method.lower()] = _operation(row, refs)
    paths["/admin/v1/events"] = {"get": _feed()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Conduit Desktop", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in ("OpenAI", "Anthropic", "Gemini", "Ollama", "Cohere", "Gateway", "Admin")],
        "paths": paths,
        "components": {
            "schemas": {**made.get("$defs", {}), "AdminError": _ADMIN_ERROR, **ERRORS},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A virtual key (`condt_…`)."},
                "master": {"type": "http", "scheme": "bearer", "description": "The master key; also as `X-Master-Key`."},
            },
        },
    }


_ABOUT = (
    "One local address in front of every large language model. The client API has the protocols of OpenAI, Anthropic, Gemini "
    "and Ollama and takes a virtual key; the admin API, `/admin/v1`, takes the master key."
)


def _operation(row: Operation, refs: Refs) -> Json:
    made: Json = {
        "tags": ["Admin"],
        "summary": row.summary,
        **({"description": row.description} if row.description else {}),
        "operationId": _operation_id(row),
        "security": [{"master": []}],
        "parameters": [*_path_parameters(row.path), *_query_parameters(row)],
        "responses": {
            str(row.status): _response(row, refs),
            "4XX": _FAILED,
            "5XX": _FAILED,
        },
    }
    if row.body is str:
        made["requestBody"] = {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}
    elif row.body is not None:
        schema = refs[(row.body, "validation")] if issubclass(row.body, BaseModel) else {"type": "object"}
        # A POST whose fields are all optional may come without a body.
        needed = row.method != "POST" or bool(_required(row))
        made["requestBody"] = {"required": needed, "content": {"application/json": {"schema": schema}}}
    return made


def _required(row: Operation) -> list[str]:
    if row.body is None or not issubclass(row.body, BaseModel):
        return []
    return [name for name, field in row.body.model_fields.items() if field.is_required()]


def _operation_id(row: Operation) -> str:
    words = [word for word in re.split(r"[/{}*_.-]+", row.path) if word]
    return "_".join([row.method.lower(), *words])


def _path_parameters(path: str) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}} for name in _NAME.findall(path)
    ]


def _query_parameters(row: Operation) -> list[Json]:
    schema = row.query.model_json_schema()
    return [{"name": name, "in": "query", "schema": value} for name, value in schema.get("properties", {}).items()]


def _response(row: Operation, refs: Refs) -> Json:
    if row.result is None:
        return {"description": "Done"} | ({"content": {row.text: {"schema": {"type": "string"}}}} if row.text else {})
    schema = refs[(row.result, "serialization")]
    if row.many:
        schema = {
            "type": "object",
            "required": ["data", "next"],
            "properties": {"data": {"type": "array", "items": schema}, "next": {"type": ["string", "null"]}},
        }
    content: Json = {"application/json": {"schema": schema}}
    if row.text:
        content[row.text] = {"schema": {"type": "string"}}
    return {"description": "Done", "content": content}


def _feed() -> Json:
    return {
        "tags": ["Admin"], "summary": "Changes as they happen, as server-sent events", "operationId": "get_events",
        "security": [{"master": []}],
        "parameters": [{
            "name": "audit", "in": "query", "schema": {"type": "boolean"},
            "description": "Also an event `audit` for each new entry of the audit log",
        }],
        "responses": {"200": {"description": "Events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    }  # fmt: skip
