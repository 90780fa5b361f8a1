"""Reads the input of a prediction as a chat request."""

from __future__ import annotations

from conduit_desktop.core.chat import ChatRequest, Json, Media, Message, Text
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.wire.replicate.request_writer import NAME, ModelInputs, inputs_of


def read_request(body: dict[str, Json], model: str) -> ChatRequest:
    """The request in a prediction's `input`; raises BadRequest without a prompt."""
    given = body.get("input")
    if not isinstance(given, dict) or not isinstance(given.get("prompt"), str):
        raise BadRequest("input.prompt must be a string.", param="input.prompt", code="missing_parameter")
    known = inputs_of(model)
    rest = dict(given)
    request = ChatRequest(NAME, model, stream=body.get("stream") is True, include_usage=True)
    system = rest.pop(known.system, None) if known.system else None
    if isinstance(system, str) and system:
        request.messages.append(Message("system", [Text(system)], plain=True))
    request.messages.append(_question(rest, known))
    stop = rest.pop(known.stop, None) if known.stop else None
    # One string with commas is Replicate's form of a list.
    request.stop = str(stop).split(",") if stop else None
    limit = rest.pop(known.max_tokens, None)
    request.max_tokens = limit if isinstance(limit, int) else None
    for name in known.plain:
        setattr(request, name, rest.pop(name, None))
    request.extra = rest
    return request


def _question(rest: dict[str, Json], known: ModelInputs) -> Message:
    question = Message("user", [Text(rest.pop("prompt"))], plain=True)
    images = rest.pop(known.images, None)
    for address in images if isinstance(images, list) else [images] if images else []:
        head, _, data = str(address).partition(";base64,")
        inline = Media("image", data=data, media_type=head.removeprefix("data:"))
        question.parts.append(inline if data else Media("image", url=str(address)))
        question.plain = False
    return question
