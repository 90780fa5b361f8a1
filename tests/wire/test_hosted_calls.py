"""A tool that ran where the model runs is nothing that a caller could answer: no dialect asks for it."""

from __future__ import annotations

import pytest

from conduit_desktop.core.answer import Answer, Choice, collect
from conduit_desktop.core.chat import Text, ToolCall
from conduit_desktop.core.events import Finished, Started, Usage
from conduit_desktop.wire import dialect
from tests.wire.speech import asked, heard, say


@pytest.mark.parametrize("name", ["ollama", "cohere", "bedrock"])
def test_a_hosted_call_is_not_put_to_the_caller(name: str) -> None:
    speaks = dialect(name)
    parts = [ToolCall("ws_1", "web_search", '{"q":1}', "hosted"), Text("found"), ToolCall("c1", "f", "{}")]
    answer = Answer(Started("x"), [Choice(list(parts), Finished("tool_calls"))], Usage(1, output=1))
    whole = collect(speaks.read_response(speaks.write_response(answer, asked(speaks))))
    streamed = heard(speaks, say(speaks, list(answer.events())))
    for said in (whole, streamed):
        assert [call.name for call in said.first.tool_calls] == ["f"]
        assert said.first.text == "found"
