"""What the readers of the OpenAI family share: the dialect's name, and fields that chat and Responses have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from conduit_desktop.core.chat import CacheTtl, ChatRequest, Media, OutputFormat
from conduit_desktop.wire.json_fields import FieldReader, SourceForm

NAME = "openai_chat"

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,", re.ASCII)
_AUDIO_TYPES = {"mp3": "audio/mpeg"}


def set_location(media: Media, url: str) -> None:
    """Set `data` and `media_type` from a `data:` URL, or `url` from any other."""
    found = _DATA_URL.match(url)
    if found:
        media.media_type, media.data = found[1], url[found.end() :]
    else:
        media.url = url


def read_audio(fields: FieldReader) -> Media:
    """A part of type `input_audio`: base64 data and the name of its format."""
    inner = fields.required_child("input_audio")
    data, form = inner.required_string("data"), inner.filled_string("format")
    media_type = None if form is None else _AUDIO_TYPES.get(form, f"audio/{form}")
    return Media("audio", data=data, media_type=media_type, extra=fields.rest_with(inner))


def has_functions(request: ChatRequest) -> bool:
    """Whether the client wrote its tools as `functions`, the form before `tools`, and expects `function_call` in the answer."""
    return request.dialect == NAME and request.source_form.get("tools") == "functions"


def note_legacy(source_form: SourceForm, call_id: str) -> None:
    """Record that the call or the result of `call_id` was in the form before tools, which has no ids."""
    source_form[f"legacy {call_id}"] = "function_call"


def is_legacy(source_form: Mapping[str, str], call_id: str) -> bool:
    """Whether the call of `call_id` was in the form before tools."""
    return f"legacy {call_id}" in source_form


def with_tools(request: ChatRequest) -> ChatRequest:
    """The request to be written with tools where it is in the form before them; else the same object."""
    if request.dialect != NAME:
        return request
    form = request.source_form
    kept = {name: value for name, value in form.items() if not name.startswith("legacy ") and value != "function_call"}
    if not has_functions(request) and len(kept) == len(form):
        return request
    tools = request.tools
    if has_functions(request):
        del kept["tools"]
        tools = [replace(tool, type="function", extra={"function": tool.extra} if tool.extra else {}) for tool in tools]
    return replace(request, source_form=kept, tools=tools)


def read_cache(fields: FieldReader) -> CacheTtl | None:
    """Take `cache_control` of a part or a tool; a form that is not known stays in `rest`.

    OpenAI has no such field: OpenRouter and LiteLLM take Anthropic's in the chat dialect.
    """
    # A form with further fields stays whole: the neutral mark could not give them back.
    match fields.rest.get("cache_control"):
        case {"type": "ephemeral", **rest} if not rest:
            del fields.rest["cache_control"]
            return "5m"
        case {"type": "ephemeral", "ttl": "5m" | "1h" as ttl, **rest} if not rest:
            del fields.rest["cache_control"]
            # Five minutes are the default and mostly left out, so a request that names them needs a note to be written the same.
            if ttl == "5m":
                fields.note("cache_control", "5m")
            return "1h" if ttl == "1h" else "5m"
    return None


def read_stream(fields: FieldReader) -> bool:
    """`stream`; a false one is noted, as most clients leave it out."""
    stream = fields.boolean("stream")
    if stream is False:
        fields.note("stream", "false")
    return bool(stream)


def read_schema(fields: FieldReader) -> OutputFormat:
    """A format of type `json_schema`: `fields` are the object that holds the schema and its name."""
    schema, name, description = fields.mapping("schema"), fields.string("name"), fields.string("description")
    return OutputFormat("schema", schema, name, description, fields.boolean("strict"))
