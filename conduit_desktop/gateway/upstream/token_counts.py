"""Token counts: which targets can count, when their refusal is final, and the estimate where none counts."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import GatewayError, UpstreamError
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.routing.targets import BoundTarget
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaRequest, OutgoingBody

COUNT_S = 10.0
"""Seconds that a target may take to count."""
_ESTIMATE_FIELDS = {"gemini": "totalTokens"}
# Both spellings, because Google's JSON parser takes lowerCamelCase and snake_case.
_WHOLE_REQUEST = ("generateContentRequest", "generate_content_request")


def can_count(target: BoundTarget, call: Call) -> bool:
    """Whether the target counts tokens of requests in the client's dialect."""
    kind = target.bound.kind
    return "count_tokens" in kind.endpoints and call.dialect.name in kind.dialects_for(target.model)


def is_final(error: GatewayError, target: BoundTarget) -> bool:
    """Whether the client gets this refusal instead of an estimate: the request is wrong, or there is no such model.

    A 404 that does not name the model is about the path: the target cannot count.
    """
    if not isinstance(error, UpstreamError):
        return False
    return error.callers_fault or (error.reason == "model_not_found" and target.model in error.message)


def estimated(call: Call) -> bytes:
    """The estimate, as the client's dialect writes a count."""
    return orjson.dumps({_ESTIMATE_FIELDS.get(call.dialect.name, "input_tokens"): call.input_tokens})


class GeminiTokenCount:
    """Gemini's countTokens request and answer (https://ai.google.dev/api/tokens); `kind` is the provider's, `vertex` or another."""

    passthrough = True

    def __init__(self, kind: str) -> None:
        self._vertex = kind == "vertex"

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """The body, with the target's model.

        Gemini takes `contents`, or a whole `generateContentRequest` that names its model; Vertex AI takes that request's fields.
        """
        body = media_request.body
        # ai.google.dev/api/tokens: `contents` or `generateContentRequest`, never both; with both, `contents` is ignored.
        key = next((name for name in _WHOLE_REQUEST if isinstance(body.get(name), dict)), None)
        if key is None:
            return [OutgoingBody(orjson.dumps(_without_model(body)))]
        request = _without_model(body[key])
        named = {key: {**request, "model": f"models/{model.removeprefix('models/')}"}}
        return [OutgoingBody(orjson.dumps(request if self._vertex else named))]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """The answer's bytes, unchanged."""
        return MediaAnswer(raw)


def _without_model(body: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in body.items() if name != "model"}
