"""What Replicate answers: predictions, their streams, and errors. https://replicate.com/docs/topics/predictions/streaming"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.errors import GatewayError, MalformedStream, StreamBroken, UpstreamError
from conduit_desktop.core.events import Event, Finished, Refused, Started, TextDelta, Usage, UsageReported
from conduit_desktop.wire.event_validation import whole
from conduit_desktop.wire.framing import sse
from conduit_desktop.wire.framing.base import Frame
from conduit_desktop.wire.framing.frame_reader import FrameReader
from conduit_desktop.wire.openai_chat import errors as generic
from conduit_desktop.wire.replicate.request_writer import NAME
from conduit_desktop.wire.values import count

FINISHED = "prediction"
"""The event that holds the finished prediction. It is not Replicate's own: the provider asks for it when a stream is done."""


@whole
def read_response(body: dict[str, Json]) -> list[Event]:
    """A prediction that has succeeded; raises UpstreamError for one that has not."""
    status = body.get("status")
    if status != "succeeded":
        raise _unsuccessful(str(status), body.get("error"))
    events: list[Event] = [_started(body)]
    if text := _text(body.get("output")):
        events.append(TextDelta(text))
    return [*events, *_end(body)]


def _started(body: Mapping[str, Json]) -> Started:
    return Started(str(body.get("id") or ""), str(body.get("model") or ""), _moment(body.get("created_at")), dialect=NAME)


def _moment(text: Json) -> int | None:
    try:
        return int(datetime.fromisoformat(str(text)).timestamp())
    except ValueError:
        return None


def _text(output: Json) -> str:
    """Language models give their text whole, or in the pieces they streamed."""
    if output is None:
        return ""
    if isinstance(output, str):
        return output
    if isinstance(output, list) and all(isinstance(piece, str) for piece in output):
        return "".join(output)
    return orjson.dumps(output).decode()


def _end(body: Mapping[str, Json]) -> list[Event]:
    usage = read_usage(body.get("metrics"))
    return [*([UsageReported(usage)] if usage is not None else []), Finished("stop", str(body.get("status") or "") or None)]


def read_usage(metrics: Json) -> Usage | None:
    """The tokens, where the model counts them; others are billed by the second."""
    if not isinstance(metrics, dict):
        return None
    asked, said = metrics.get("input_token_count"), metrics.get("output_token_count")
    if asked is None and said is None:
        return None
    extra = {name: value for name, value in metrics.items() if name not in ("input_token_count", "output_token_count")}
    return Usage(input=count(asked), output=count(said), extra=extra)


def _unsuccessful(status: str, said: Json) -> UpstreamError:
    message = str(said) if said else f"the prediction ended as {status}"
    error = generic.read_error_object({"message": message})
    error.dialect, error.message = NAME, message[:2000]
    if error.reason == "bad_request":
        error.reason = "server"
    return error


class ReplicateReader(FrameReader):
    """Reads `output`, `logs`, `error` and `done`, and the finished prediction where it follows."""

    terminal = "its event done"

    def __init__(self) -> None:
        super().__init__(sse.SseSplitter())
        self._begun = False
        self._done = False

    def read(self, frame: Frame, events: list[Event]) -> None:
        """One event."""
        if not self._begun:
            self._begun = True
            events.append(Started(dialect=NAME))
        match frame.event:
            case "output":
                events.append(TextDelta(frame.data.decode("utf-8", "replace")))
            case "error":
                raise _unsuccessful("failed", _detail(frame.data))
            case "done":
                self._end(frame.data)
            case "prediction":
                self._finish(frame.data, events)
            case _:
                pass  # logs, and whatever else there may come to be

    def _end(self, data: bytes) -> None:
        """`{}`, or the reason for another end: `error` or `canceled`."""
        fields = _json(data)
        reason = fields.get("reason") if isinstance(fields, dict) else None
        if reason:
            raise _unsuccessful(str(reason), None)
        self._done = True

    def _finish(self, data: bytes, events: list[Event]) -> None:
        body = _json(data)
        if not isinstance(body, dict):
            raise MalformedStream("the finished prediction is no JSON object")
        if body.get("status") in ("failed", "canceled", "aborted"):
            raise _unsuccessful(str(body["status"]), body.get("error"))
        events += _end(body)
        self._over = True

    def close(self) -> list[Event]:
        """A stream that was done is whole, though nobody could tell its metrics; raises StreamBroken for any other."""
        try:
            return super().close()
        except StreamBroken:
            if not self._done:
                raise
            self._over = True
            return [Finished("stop")]


def _json(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _detail(data: bytes) -> str:
    fields = _json(data)
    return str(fields.get("detail") or fields) if isinstance(fields, dict) else data.decode("utf-8", "replace")


class ReplicateWriter:
    """Writes one stream: text, and the end."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._answer = Answer()

    def write(self, event: Event) -> bytes:
        """The frame that says `event`; only words can be said."""
        match event:
            case Started():
                self._answer.started = event
            case UsageReported():
                self._answer.usage = event.usage
            case TextDelta(text, 0) | Refused(text, 0) if text:
                return b"event: output\n" + b"".join(b"data: " + line + b"\n" for line in text.encode().split(b"\n")) + b"\n"
            case _:
                pass
        return b""

    def end(self) -> bytes:
        """`done`, and the finished prediction."""
        body = write_response(self._answer, self._request)
        del body["output"]
        return sse.write(b"{}", "done") + sse.write(orjson.dumps(body), FINISHED)

    def fail(self, error: GatewayError) -> bytes:
        """The error, and no `done` that could pass for success."""
        return sse.write(orjson.dumps(write_error(error)[1]), "error")

    def ping(self) -> bytes:
        """A comment."""
        return sse.comment("ping")


def write_response(answer: Answer, request: ChatRequest) -> dict[str, Json]:
    """A prediction that has succeeded."""
    body: dict[str, Json] = {
        "id": answer.started.id, "model": answer.started.model or request.model, "status": "succeeded", "error": None,
        "output": [answer.first.text], "metrics": {},
    }  # fmt: skip
    if answer.usage is not None:
        counts = {"input_token_count": answer.usage.total_input, "output_token_count": answer.usage.total_output}
        body["metrics"] = {**counts, **answer.usage.extra}
    return body


def read_error(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """`{"title", "detail", "status"}`, or a prediction that failed."""
    fields = _json(body)
    if isinstance(fields, dict) and fields.get("error") and fields.get("status") in ("failed", "canceled", "aborted"):
        error = _unsuccessful(str(fields["status"]), fields["error"])
        error.body, error.headers = body, headers
        return error
    error = generic.read_error(status, headers, body)
    error.dialect = NAME
    return error


def write_error(error: GatewayError) -> tuple[int, dict[str, Json]]:
    """The status and `{"title", "detail", "status"}`."""
    return error.status, {"title": error.type, "detail": error.message, "status": error.status}
