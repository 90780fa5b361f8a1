"""The Responses dialect of one call, which keeps the response it wrote so that it can be stored."""

from __future__ import annotations

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.wire.openai_responses.dialect import OpenAIResponses
from conduit_desktop.wire.openai_responses.fields import note_json, noted_json
from conduit_desktop.wire.openai_responses.stream_writer import ResponsesWriter


class StoringResponses(OpenAIResponses):
    """Keeps the translated response that it wrote; `previous` is the id of the response it continues."""

    def __init__(self) -> None:
        self.previous: str | None = None
        self._whole: dict[str, Json] | None = None
        self._writer: ResponsesWriter | None = None

    @property
    def written(self) -> dict[str, Json] | None:
        """The whole response, once it is complete; None where the provider's own was relayed."""
        return self._whole or (self._writer.final if self._writer else None)

    def writer(self, request: ChatRequest) -> ResponsesWriter:
        self._writer = super().writer(self._echoing(request))
        return self._writer

    def write_response(self, answer: Answer, request: ChatRequest) -> dict[str, Json]:
        self._whole = super().write_response(answer, self._echoing(request))
        return self._whole

    def _echoing(self, request: ChatRequest) -> ChatRequest:
        # The answer names the response it continues; the body no longer does, because the stored conversation took its place.
        if self.previous is not None:
            applied = {**noted_json(request.source_form, "applied_here"), "previous_response_id": self.previous}
            note_json(request.source_form, "applied_here", applied)
        return request
