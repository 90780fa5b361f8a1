"""Errors of Ollama: one text and a status. https://docs.ollama.com/api/errors"""

from __future__ import annotations

from collections.abc import Mapping

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import GatewayError, UpstreamError
from conduit_desktop.wire.errors import error_body
from conduit_desktop.wire.errors.context_overflow import context_overflow, ollama_text
from conduit_desktop.wire.ollama.request_reader import NAME


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """An error response, classified by its status and its text. Header names are in lower case."""
    return error_body.read_error(status, headers, body, NAME)


def error_in_answer(line: dict[str, Json]) -> UpstreamError:
    """An error line in a stream, or an error body with status 200."""
    return error_body.read_error_object(line, NAME)


def write_error(error: GatewayError) -> tuple[int, dict[str, Json]]:
    """The status, and `{"error": "text"}`."""
    overflow = context_overflow(error)
    if overflow is None or (isinstance(error, UpstreamError) and error.dialect == NAME):
        return error.status, {"error": error.message}
    return 400, {"error": ollama_text(overflow) + (error.note if isinstance(error, UpstreamError) else "")}
