"""What passthrough to Anthropic removes: a budget for thinking that a call of another provider makes impossible."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.wire.anthropic.messages_layout import open_tool_loop_without_thinking
from conduit_desktop.wire.anthropic.provenance import without_foreign

ASKED: dict[str, Any] = {"role": "user", "content": "hi"}
THOUGHT: dict[str, Any] = {"type": "thinking", "thinking": "t", "signature": "s"}
BUDGET: dict[str, Any] = {"type": "enabled", "budget_tokens": 2000}


def step(call_id: str, *before: dict[str, Any]) -> list[dict[str, Any]]:
    call = {"type": "tool_use", "id": call_id, "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": call_id, "content": "r"}
    return [{"role": "assistant", "content": [*before, call]}, {"role": "user", "content": [result]}]


def test_a_budget_for_thinking_is_removed_where_another_provider_made_a_call_in_the_open_loop():
    messages = [ASKED, *step("toolu_1", THOUGHT), *step("call_2")]
    assert without_foreign({"messages": messages, "thinking": BUDGET}) == {"messages": messages}


@pytest.mark.parametrize("thinking", [BUDGET, {"type": "adaptive"}])
@pytest.mark.parametrize(
    "messages",
    [
        [ASKED, *step("toolu_1")],  # the client's own omission, to which Anthropic answers itself
        [ASKED, *step("call_1", THOUGHT)],
        [ASKED, *step("call_1"), {"role": "assistant", "content": "done"}, ASKED],  # the loop has ended
        [ASKED, {"role": "assistant", "content": "so"}, "no message"],
    ],
)
def test_otherwise_a_request_without_anything_foreign_stays_as_it_came(messages: list[Any], thinking: dict[str, Any]):
    body = {"messages": messages, "thinking": thinking}
    assert without_foreign(body) is body


def test_every_step_of_the_open_loop_counts():
    assert open_tool_loop_without_thinking([ASKED, *step("toolu_1"), *step("toolu_2", THOUGHT)])
    assert not open_tool_loop_without_thinking([ASKED, *step("toolu_1", THOUGHT), *step("toolu_2", THOUGHT)])
