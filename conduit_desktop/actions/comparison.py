"""Two requests of the log side by side: answers with their differences, tokens, cost and times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

import orjson

from conduit_desktop.actions import requests
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.reports import (
    ComparedAnswerView,
    ComparedFieldView,
    ComparisonView,
    DifferenceView,
    ToolCallView,
)
from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.errors import BadRequest, MalformedStream, NotFound, StreamBroken, UpstreamError
from conduit_desktop.core.events import Event
from conduit_desktop.core.heavy_work import for_operator
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.store.interface import Payload
from conduit_desktop.wire import dialect

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_WORDS = 4_000
"""Words of both answers above which lines are compared: the comparison takes time by the square of what it compares."""
_MOST_LINES = 4_000


async def compare(context: AppContext, request_id: str, other: str) -> ComparisonView:
    """Both requests, the text of their answers with what differs, and the fields in which the requests differ; raises NotFound."""
    records, payloads = [], []
    for each in (request_id, other):
        record = await context.store.ledger.get(each)
        if record is None:
            raise NotFound(f"There is no request {each!r}.")
        records.append(record)
        payloads.append(await context.store.payloads.get(each))
    return await for_operator(_compared, records, payloads)


def _compared(records: list[RequestRecord], payloads: list[Payload | None]) -> ComparisonView:
    answers = [_answer(record, payload) for record, payload in zip(records, payloads, strict=True)]
    left, right = (_view(record, answer) for record, answer in zip(records, answers, strict=True))
    return ComparisonView(
        left=left,
        right=right,
        differences=list(differences(left.text or "", right.text or "")) if None not in (left.text, right.text) else [],
        fields=_changed_fields(payloads[0], payloads[1]),
    )


def _answer(record: RequestRecord, payload: Payload | None) -> Answer | None:
    """What was answered, as far as it was kept; None where nothing was, or it is no answer to a chat."""
    if payload is None or not payload.response or record.endpoint != "chat" or not record.dialect:
        return None
    language = dialect(record.dialect)
    events: list[Event] = []
    try:
        if not record.streamed:
            return collect(language.read_response(orjson.loads(payload.response)))
        reader = language.reader()
        events += reader.feed(payload.response)
        events += reader.close()
    except (UpstreamError, MalformedStream, StreamBroken, BadRequest, orjson.JSONDecodeError):
        # An error, or a stream that was cut off: what came before it is compared.
        return collect(events) if events else None
    return collect(events)


def _view(record: RequestRecord, answer: Answer | None) -> ComparedAnswerView:
    first = answer.first if answer is not None else None
    calls = [ToolCallView(name=call.name, arguments=call.arguments) for call in first.tool_calls] if first is not None else []
    return ComparedAnswerView(
        request=requests.view(record),
        text=first.text if first is not None else None,
        thinking=first.thinking if first is not None else "",
        tool_calls=calls,
    )


def differences(left: str, right: str) -> Iterator[DifferenceView]:
    """What makes `right` of `left`, in order: texts that are in both, only in the left one, or only in the right one."""
    before, after = _WORDS.findall(left), _WORDS.findall(right)
    if len(before) + len(after) > _MOST_WORDS:
        before, after = left.splitlines(keepends=True), right.splitlines(keepends=True)
    if len(before) + len(after) > _MOST_LINES:
        before, after = [left], [right]
    for kind, start, end, begin, stop in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            yield DifferenceView(kind="equal", text="".join(before[start:end]))
            continue
        if start < end:
            yield DifferenceView(kind="removed", text="".join(before[start:end]))
        if begin < stop:
            yield DifferenceView(kind="added", text="".join(after[begin:stop]))


def _changed_fields(left: Payload | None, right: Payload | None) -> list[ComparedFieldView]:
    """The fields at the top of both request bodies that are not the same; none where a body was not kept whole."""
    bodies: list[dict[str, Any]] = []
    for payload in (left, right):
        if payload is None or payload.request_truncated:
            return []
        body = orjson.loads(payload.request)
        if not isinstance(body, dict):
            return []
        bodies.append(body)
    names = dict.fromkeys([*bodies[0], *bodies[1]])
    return [
        ComparedFieldView(name=name, left=bodies[0].get(name), right=bodies[1].get(name))
        for name in names
        if bodies[0].get(name) != bodies[1].get(name)
    ]
