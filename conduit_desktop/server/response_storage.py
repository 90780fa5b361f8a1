"""The Responses dialect of one call, which keeps the response it wrote so that it can be stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.wire.openai_responses.compaction_writer import CompactionWriter, summarising, write_compaction
from conduit_desktop.wire.openai_responses.dialect import OpenAIResponses
from conduit_desktop.wire.openai_responses.fields import note_json, noted_json
from conduit_desktop.wire.openai_responses.stream_writer import ResponsesWriter


class StoringResponses(OpenAIResponses):
    """Keeps the translated response that it wrote; `previous` is the id of the response it continues."""

    def __init__(self, compacting: bool = False) -> None:
        """`compacting`: the request asks for a compaction, so that a translated answer is a summary."""
        self.previous: str | None = None
        self._compacting = compacting
        self._whole: dict[str, Json] | None = None
        self._writer: ResponsesWriter | None = None

    @property
    def written(self) -> dict[str, Json] | None:
        """The whole response, once it is complete; None where the provider's own was relayed."""
        return self._whole or (self._writer.final if self._writer else None)

    def read_request(self, body: dict[str, Json], path: Mapping[str, Any]) -> ChatRequest:
        request = super().read_request(body, path)
        return summarising(request) if self._compacting else request

    def writer(self, request: ChatRequest) -> ResponsesWriter:
        echoing = self._echoing(request)
        self._writer = CompactionWriter(echoing) if self._compacting else super().writer(echoing)
        return self._writer

    def write_response(self, answer: Answer, request: ChatRequest) -> dict[str, Json]:
        echoing = self._echoing(request)
        self._whole = write_compaction(answer, echoing) if self._compacting else super().write_response(answer, echoing)
        return self._whole

    def _echoing(self, request: ChatRequest) -> ChatRequest:
        # The answer names the response it continues; the body no longer does, because the stored conversation took its place.
        if self.previous is not None:
            applied = {**noted_json(request.source_form, "applied_here"), "previous_response_id": self.previous}
            note_json(request.source_form, "applied_here", applied)
        return request
