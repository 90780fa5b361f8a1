"""Ids of translated answers have the prefix of the client's dialect, the same in every frame."""

from __future__ import annotations

import pytest

from conduit_desktop.core.answer import collect
from conduit_desktop.core.events import Event, Finished, Started, TextDelta
from conduit_desktop.wire import dialect
from conduit_desktop.wire.answer_ids import answer_id
from tests.wire.dialect_io import client_request, read, write_stream

PREFIXES = {"openai_chat": "chatcmpl-", "anthropic_messages": "msg_", "openai_responses": "resp_", "openai_completions": "cmpl-"}
GIVEN = ("", "chatcmpl-AbC9", "msg_01Ab", "resp_00ff", "gen-17", "4f1c2d3e-aaaa-bbbb", "ollama-12", "weird id/with:marks", "ü" * 90)


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("caller", PREFIXES)
def test_a_translated_answer_has_an_id_of_the_callers_dialect(caller: str, given: str) -> None:
    events: list[Event] = [Started(given, "m", dialect="another"), TextDelta("a"), Finished("stop")]
    written = dialect(caller).write_response(collect(events), client_request(dialect(caller)))["id"]
    assert written.startswith(PREFIXES[caller])
    assert len(written) > len(PREFIXES[caller])
    started = collect(read(dialect(caller), write_stream(dialect(caller), events))).started
    assert started.id.startswith(PREFIXES[caller])


@pytest.mark.parametrize("caller", ["openai_chat", "anthropic_messages"])
def test_the_frames_of_one_stream_have_one_id(caller: str) -> None:
    data = write_stream(dialect(caller), [Started("", "m"), TextDelta("a"), TextDelta("b"), Finished("stop")])
    found = {part.split(b'"', 1)[0] for part in data.split(b'"id":"')[1:]}
    assert len(found) == 1


def test_an_id_is_kept_as_far_as_the_dialect_can_have_it() -> None:
    assert answer_id("msg_", "chatcmpl-AbC9") == answer_id("msg_", "chatcmpl-AbC9") == "msg_AbC9"
    assert answer_id("msg_", "msg_01") == "msg_01"
    assert answer_id("chatcmpl-", "0f-1", own=True) == "0f-1"
    assert answer_id("msg_", "") != answer_id("msg_", "")
