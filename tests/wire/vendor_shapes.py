"""The JSON schemas of answers whose vendors' SDKs have no pydantic types: Converse's as botocore has it, Cohere's by hand."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session

Fields = dict[str, Any]

_PLAIN = {
    "integer": "integer", "long": "integer", "double": "number", "float": "number", "boolean": "boolean", "string": "string",
}  # fmt: skip


@cache
def converse() -> Fields:
    """The answer of `Converse`."""
    service = botocore.session.get_session().get_service_model("bedrock-runtime")
    definitions: Fields = {}
    return {**_shape(service.operation_model("Converse").output_shape, definitions), "$defs": definitions}


def _shape(shape: Any, definitions: Fields) -> Fields:
    match shape.type_name:
        case "structure":
            if shape.name not in definitions:
                definitions[shape.name] = {}
                definitions[shape.name] = _structure(shape, definitions)
            return {"$ref": f"#/$defs/{shape.name}"}
        case "list":
            return {"type": "array", "items": _shape(shape.member, definitions)}
        case "map":
            return {"type": "object"}
        case "blob" | "timestamp" as kind:
            return {"type": "string", "format": "base64" if kind == "blob" else "date-time"}
        case kind:
            return {"enum": shape.enum} if getattr(shape, "enum", None) else {"type": _PLAIN[kind]}


def _structure(shape: Any, definitions: Fields) -> Fields:
    if shape.is_document_type:
        return {"type": "object"}
    fields = {name: _shape(member, definitions) for name, member in shape.members.items()}
    if shape.is_tagged_union:
        return {"oneOf": [{"type": "object", "properties": {name: inner}, "required": [name]} for name, inner in fields.items()]}
    return {"type": "object", "properties": fields, "required": list(shape.required_members)}


def _object(needed: Fields, **optional: Fields) -> Fields:
    return {"type": "object", "properties": {**needed, **optional}, "required": list(needed)}


def _list(inner: Fields) -> Fields:
    return {"anyOf": [{"type": "array", "items": inner}, {"type": "null"}]}


@cache
def cohere() -> Fields:
    """The answer of `POST /v2/chat` (https://docs.cohere.com/reference/chat)."""
    text, number = {"type": "string"}, {"type": "integer"}
    text_blocks = [_object({"type": {"const": kind}, kind: text}) for kind in ("text", "thinking")]
    document = _object({"type": {"const": "document"}}, id=text, document={"type": "object"})
    citation = _object({}, start=number, end=number, text=text, content_index=number, sources=_list(document))
    function = _object({"name": text, "arguments": text})
    call = _object({"id": text, "type": {"const": "function"}, "function": function})
    tokens = _object({}, input_tokens=number, output_tokens=number)
    message = _object(
        {"role": {"const": "assistant"}},
        content=_list({"oneOf": text_blocks}),
        tool_calls=_list(call),
        tool_plan=text,
        citations=_list(citation),
    )
    reasons = {"enum": ["COMPLETE", "STOP_SEQUENCE", "MAX_TOKENS", "TOOL_CALL"]}
    usage = _object({"billed_units": tokens}, tokens=tokens, cached_tokens=number)
    return _object({"id": text, "finish_reason": reasons, "message": message}, usage=usage)
