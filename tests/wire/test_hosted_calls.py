"""A tool that ran where the model runs is nothing that a caller could answer: no dialect asks for it."""

from __future__ import annotations

import pytest

from conduit_desktop.core.answer import Answer, Choice, collect
from conduit_desktop.core.chat import Text, ToolCall
from conduit_desktop.core.events import Finished, Started, Usage
from conduit_desktop.wire import dialect
from tests.wire.dialect_io import answer_of, client_request, write_stream


@pytest.mark.parametrize("name", ["ollama", "cohere", "bedrock"])
def test_a_hosted_call_is_not_put_to_the_caller(name: str) -> None:
    own_dialect = dialect(name)
    parts = [ToolCall("ws_1", "web_search", '{"q":1}', "hosted"), Text("found"), ToolCall("c1", "f", "{}")]
    answer = Answer(Started("x"), [Choice(list(parts), Finished("tool_calls"))], Usage(1, output=1))
    whole = collect(own_dialect.read_response(own_dialect.write_response(answer, client_request(own_dialect))))
    streamed = answer_of(own_dialect, write_stream(own_dialect, list(answer.events())))
    for result in (whole, streamed):
        assert [call.name for call in result.first.tool_calls] == ["f"]
        assert result.first.text == "found"
