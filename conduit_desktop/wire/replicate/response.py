"""Whole answers of Replicate, which are predictions, read and written."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from conduit_desktop.core.answer import Answer
from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.events import Event, Finished, Started, TextDelta, Usage, UsageReported
from conduit_desktop.wire.event_validation import rfc3339_or_none, validated
from conduit_desktop.wire.replicate.errors import prediction_failed
from conduit_desktop.wire.replicate.request_writer import NAME
from conduit_desktop.wire.usage_dimensions import faulty, names, unread
from conduit_desktop.wire.values import count

FINISHED_EVENT = "prediction"
"""The stream event with the finished prediction, which has the metrics.

Replicate's own streams end with `done` and have no usage. The provider requests the prediction after that and adds this event.
"""


@validated
def read_response(body: dict[str, Json]) -> list[Event]:
    """The events of a prediction that succeeded; raises UpstreamError for any other status."""
    status = body.get("status")
    # A prediction that is still running also comes with a success status.
    if status != "succeeded":
        raise prediction_failed(str(status), body.get("error"))
    events: list[Event] = [_started(body)]
    if text := _text(body.get("output")):
        events.append(TextDelta(text))
    return [*events, *end_events(body)]


def _started(body: Mapping[str, Json]) -> Started:
    return Started(str(body.get("id") or ""), str(body.get("model") or ""), rfc3339_or_none(body.get("created_at")), dialect=NAME)


def _text(output: Json) -> str:
    """The output as text: language models return a string or the list of streamed pieces, others any JSON value."""
    if output is None:
        return ""
    if isinstance(output, str):
        return output
    if isinstance(output, list) and all(isinstance(piece, str) for piece in output):
        return "".join(output)
    return orjson.dumps(output).decode()


def end_events(body: Mapping[str, Json]) -> list[Event]:
    """The usage, if the model counts tokens, and the finish of a prediction that succeeded."""
    usage = read_usage(body.get("metrics"))
    return [*([UsageReported(usage)] if usage is not None else []), Finished("stop", str(body.get("status") or "") or None)]


_COUNTS = ("input_token_count", "output_token_count")


def read_usage(metrics: Json) -> Usage | None:
    """The usage in `metrics`; None if the model does not count tokens (it is then billed by the second)."""
    if not isinstance(metrics, dict):
        return None
    read, written = metrics.get("input_token_count"), metrics.get("output_token_count")
    # Zeros would look like a free answer.
    if read is None and written is None:
        return None
    extra = {name: value for name, value in metrics.items() if name not in _COUNTS}
    return Usage(input=count(read), output=count(written), unclear=names((*faulty(metrics, _COUNTS), *unread(extra))), extra=extra)


def write_response(answer: Answer, request: ChatRequest) -> dict[str, Json]:
    """The body of a prediction that succeeded. `output` has the text of the first choice."""
    body: dict[str, Json] = {
        "id": answer.started.id, "model": answer.started.model or request.model, "status": "succeeded", "error": None,
        "output": [answer.first.text], "metrics": {},
    }  # fmt: skip
    if answer.usage is not None:
        counts = {"input_token_count": answer.usage.total_input, "output_token_count": answer.usage.total_output}
        body["metrics"] = {**counts, **answer.usage.extra}
    return body
