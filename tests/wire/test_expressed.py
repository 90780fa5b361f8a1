"""What one dialect alone has, for targets of the others: text stays text, and the line that changes with every request goes."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.chat import ChatRequest, Opaque, Text, ToolResult
from conduit_desktop.wire import dialect
from conduit_desktop.wire.anthropic.billing_line import without_billing_line
from conduit_desktop.wire.expressed import BILLING_LINE, expressed

LINE = "x-anthropic-billing-header: cc_version=2.1.252.0d9; cc_entrypoint=cli; cch={};"
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "search", "input": {}}]}


def request(**body: Any) -> ChatRequest:
    return dialect("anthropic_messages").read_request({"model": "m", "max_tokens": 9, "messages": [], **body}, {})


def system(cch: str, join: bool = False) -> Any:
    line, text = LINE.format(cch), "You help with code."
    return f"{line}\n{text}" if join else [{"type": "text", "text": line}, {"type": "text", "text": text}]


USER = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize("join", [False, True])
def test_two_requests_that_differ_in_the_billing_line_alone_are_equal(join: bool):
    first, dropped = expressed(request(system=system("fa690", join), messages=USER))
    second, _ = expressed(request(system=system("00000", join), messages=USER))
    assert first.messages == second.messages
    assert [part.text for part in first.messages[0].parts if isinstance(part, Text)] == ["You help with code."]
    assert dropped == [BILLING_LINE]


def test_a_prompt_that_only_mentions_the_line_is_kept():
    asked = request(system="What is x-anthropic-billing-header: for?", messages=USER)
    assert expressed(asked) == (asked, [])


@pytest.mark.parametrize("join", [False, True])
def test_the_line_is_taken_out_of_a_body_for_a_compatible_vendor(join: bool):
    left = without_billing_line({"model": "m", "system": system("fa690", join), "messages": USER})
    assert left["system"] == ("You help with code." if join else [{"type": "text", "text": "You help with code."}])
    assert without_billing_line(left) is left
    assert "system" not in without_billing_line({"system": [{"type": "text", "text": LINE.format("a")}]})


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "compaction", "content": "summary of everything so far"}, "summary of everything so far"),
        (
            {
                "type": "search_result",
                "source": "https://a.example",
                "title": "T",
                "content": [{"type": "text", "text": "the fact"}],
            },
            "T\nhttps://a.example\nthe fact",
        ),
        ({"type": "tool_reference", "tool_name": "get_weather"}, "Tool: get_weather"),
    ],
)
def test_a_part_that_holds_text_is_said_in_text(block: dict[str, Any], text: str):
    asked, dropped = expressed(request(messages=[{"role": "user", "content": [block]}]))
    assert asked.messages[0].parts == [Text(text)]
    assert dropped == []
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [block]}
    asked, _ = expressed(request(messages=[*USER, CALL, {"role": "user", "content": [result]}]))
    [part] = asked.messages[2].parts
    assert isinstance(part, ToolResult)
    assert part.parts == [Text(text)]


def test_a_block_without_text_stays_with_its_dialect():
    asked = request(messages=[{"role": "user", "content": [{"type": "compaction", "content": None}]}])
    same, _ = expressed(asked)
    assert same is asked
    assert isinstance(same.messages[0].parts[0], Opaque)
