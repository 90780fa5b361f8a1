"""When the streamed arguments of a tool call are complete."""

from __future__ import annotations

import pytest

from conduit_desktop.wire.tool_arguments import is_complete


@pytest.mark.parametrize(
    ("pieces", "complete"),
    [
        ([], False),
        ([""], False),
        (["{}"], True),
        (['{"a":', "1} \n"], True),
        (['{"a":', '{"b":1}'], False),
        (['{"a":"}'], False),
        (['"text"'], False),
        (["12"], False),
        (["{}", "}"], False),
    ],
)
def test_only_a_whole_json_object_is_complete(pieces: list[str], complete: bool) -> None:
    assert is_complete(pieces) is complete
