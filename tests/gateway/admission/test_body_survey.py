"""What several steps need to know of a large body, found in one walk."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit_desktop.gateway.admission.body_content import has_media
from conduit_desktop.gateway.admission.body_survey import survey
from conduit_desktop.gateway.admission.bounds import input_bound
from conduit_desktop.gateway.admission.cost_estimate import cache_rate_of
from conduit_desktop.gateway.call import Call
from conduit_desktop.wire import dialect
from conduit_desktop.wire.json_limits import DEEPEST, TooComplex, check_depth

texts = st.sampled_from(["", "a", "data:image/png;base64,AAAA", "https://x.example/", "A" * 300, "a b " * 100])
names = st.sampled_from(["role", "content", "url", "image_url", "file_id", "tools", "cache_control", "input", "messages"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from([0.5, 1e300]) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=12,
)
bodies = st.dictionaries(names, values, max_size=5)


def has_float(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(has_float, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float)


@settings(max_examples=300)
@given(bodies)
def test_a_survey_finds_what_separate_searches_find(body: dict[str, Any]) -> None:
    found = survey(body)
    assert not found.is_heavy
    assert found.has_media == has_media(body)
    below_top = any(has_float(value) for value in body.values() if isinstance(value, dict | list))
    assert found.has_float == below_top or isinstance(body.get("cache_control"), float)


@settings(max_examples=300)
@given(bodies)
def test_a_surveyed_call_is_priced_by_the_same_cache_marks(body: dict[str, Any]) -> None:
    surveyed, searched = (Call(dialect("anthropic_messages"), body, "m") for _ in range(2))
    surveyed.receive(orjson.dumps(body), body, False, survey(body))
    searched.receive(orjson.dumps(body), body, False)
    assert cache_rate_of(surveyed) == cache_rate_of(searched)


@pytest.mark.parametrize("wanted", [{}, {"citations": {"enabled": True}}])
@pytest.mark.parametrize("field", ["messages", "tools"])
def test_a_surveyed_call_has_the_room_of_citations_where_they_are_asked_for(field: str, wanted: dict[str, Any]) -> None:
    body = {"model": "m", field: [{"role": "user", "content": [{"type": "document", "source": {}, **wanted}]}]}
    surveyed, searched = (Call(dialect("anthropic_messages"), body, "m") for _ in range(2))
    surveyed.receive(orjson.dumps(body), body, False, survey(body))
    searched.receive(orjson.dumps(body), body, False)
    assert survey(body).has_citations == bool(wanted)
    assert input_bound(surveyed) == input_bound(searched)


def nested(depth: int) -> dict[str, Any]:
    value: Any = "end"
    for level in range(depth - 1):
        value = [value] if level % 2 else {"a": value}
    return {"messages": value}


@pytest.mark.parametrize("field", ["messages", "tools"])
def test_a_body_is_refused_at_the_same_depth_wherever_it_is_nested(field: str) -> None:
    def made(depth: int) -> dict[str, Any]:
        return {field: nested(depth)["messages"]}

    survey(made(DEEPEST))
    check_depth(made(DEEPEST))
    with pytest.raises(TooComplex):
        survey(made(DEEPEST + 1))
    with pytest.raises(TooComplex):
        check_depth(made(DEEPEST + 1))


@pytest.mark.parametrize("field", ["messages", "tools"])
@pytest.mark.parametrize("value", [[{} for _ in range(30_000)], [[0] * 30_000], {str(n): n for n in range(30_000)}])
def test_a_body_of_many_values_is_heavy_and_still_refused_where_it_is_too_deep(field: str, value: Any) -> None:
    assert survey({field: value}).is_heavy
    with pytest.raises(TooComplex):
        survey({field: value, "deep": nested(DEEPEST + 1)})
    with pytest.raises(TooComplex):
        survey({"deep": nested(DEEPEST + 1), field: value})


def test_long_texts_are_not_heavy() -> None:
    assert not survey({"messages": [{"role": "user", "content": '{"a": [1, 2, 3]}, ' * 50_000}]}).is_heavy


def test_what_was_found_holds_only_for_the_body_it_was_found_in() -> None:
    body = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.example/1.png"}}]}]}
    call = Call(dialect("openai_chat"), body, "m")
    call.receive(orjson.dumps(body), body, False, survey(body))
    assert call.has_media
    call.replace_body({"messages": [{"role": "user", "content": "a"}]})
    assert call.survey is None
    assert not call.has_media
