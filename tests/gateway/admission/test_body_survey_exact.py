"""What a survey finds in the fields of tools and at the top, and from which size on a body is heavy."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.gateway.admission.body_survey import FROM, BodySurvey, survey
from conduit_desktop.wire.json_limits import DEEPEST, TooComplex

LINK = {"url": "https://x.example/1"}
MARK = {"type": "ephemeral"}


def nested(depth: int) -> Any:
    value: Any = "end"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("name", ["tools", "functions", "toolConfig", "tool_config"])
def test_a_link_in_a_tool_is_no_medium_and_its_mark_and_its_number_count(name: str) -> None:
    assert survey({name: [LINK]}) == BodySurvey()
    assert survey({name: {"x": "data:image/png;base64,AAAAAAAA"}}) == BodySurvey()
    assert survey({name: [{"cache_control": MARK, "x": 0.5}]}) == BodySurvey(has_float=True, cache_marks=[MARK])


def test_media_marks_and_numbers_are_found_below_the_top() -> None:
    assert survey({"messages": [LINK]}) == BodySurvey(has_media=True)
    assert survey({"messages": ["data:image/png;base64,AAAAAAAA"]}) == BodySurvey(has_media=True)
    assert survey({"x": "data:image/png;base64,AAAAAAAA"}) == BodySurvey(has_media=True)
    assert survey(LINK) == BodySurvey(has_media=True)
    assert survey({"x": [1, 0.5]}) == BodySurvey(has_float=True)
    assert survey({"x": [1, True, None, "a"]}) == BodySurvey()
    marks = [{"cache_control": MARK}, {"cache_control": None}]
    assert survey({"x": marks, "cache_control": 1}).cache_marks == [1, MARK, None]


def test_a_number_at_the_top_does_not_count() -> None:
    assert survey({"temperature": 0.5, "tools": 0.5}) == BodySurvey()
    assert survey({"temperature": 0.5, "x": [0.5]}) == BodySurvey(has_float=True)


def test_data_has_more_characters_than_the_shortest() -> None:
    assert survey({"x": ["data:" + "A" * 19]}) == BodySurvey()
    assert survey({"x": ["data:" + "A" * 20]}) == BodySurvey(has_media=True)


@pytest.mark.parametrize("name", ["messages", "tools"])
def test_a_body_is_heavy_above_twenty_thousand_fields_and_elements(name: str) -> None:
    # Each part counts for itself: the tools, and all other fields with the top of the body.
    of_top = 1 if name == "messages" else 0
    assert not survey({name: [0] * (20_000 - of_top)}).is_heavy
    assert survey({name: [0] * (20_001 - of_top)}) == BodySurvey(is_heavy=True)
    assert not survey({name: [[0] * 4999] * 3 + [[0] * (4999 - of_top)]}).is_heavy
    assert survey({name: [[0] * 9999] * 2 + [[0]]}).is_heavy


def test_a_body_is_surveyed_from_thirty_two_kilobytes() -> None:
    assert FROM == 32_768


def test_what_is_no_object_is_refused_where_it_is_too_deep() -> None:
    assert survey(["data:" + "A" * 99, 0.5]) == BodySurvey()
    with pytest.raises(TooComplex):
        survey(nested(DEEPEST + 1))


@pytest.mark.parametrize("name", ["messages", "tools"])
def test_each_part_of_a_body_may_be_as_deep_as_all_of_it(name: str) -> None:
    assert survey({name: nested(DEEPEST - 1)}) == BodySurvey()
    with pytest.raises(TooComplex):
        survey({name: nested(DEEPEST)})
