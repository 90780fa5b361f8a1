"""Ollama's errors: one text, and a status that says the rest."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import GatewayError, UpstreamError
from conduit_desktop.wire.ollama.request_reader import NAME
from conduit_desktop.wire.openai_chat import errors as generic


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """An error answer, classified by its status and its words."""
    error = generic.read_error(status, headers, body)
    error.dialect = NAME
    return error


def error_in_answer(line: dict[str, Json]) -> UpstreamError:
    """An error that came where an answer had begun."""
    error = generic.read_error_object(line)
    error.dialect, error.body = NAME, orjson.dumps(line)
    return error


def write_error(error: GatewayError) -> tuple[int, dict[str, Json]]:
    """The status, and `{"error": "text"}`."""
    return error.status, {"error": error.message}
