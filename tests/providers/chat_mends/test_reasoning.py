"""Efforts, switches and the sampling that they exclude, in bodies of OpenAI's chat dialect."""

from __future__ import annotations

from conduit_desktop.providers.chat_mends import fields, reasoning
from tests.fakes.chat_bodies import SWITCH, mended


def test_of_an_effort_and_a_budget_the_effort_is_kept() -> None:
    both = {"reasoning": {"effort": "low", "max_tokens": 9, "exclude": True}}
    assert mended(reasoning.effort_or_budget, both) == (
        {"reasoning": {"effort": "low", "exclude": True}},
        ["reasoning.max_tokens"],
    )
    assert mended(reasoning.effort_or_budget, {"reasoning": {"max_tokens": 9}}) == ({"reasoning": {"max_tokens": 9}}, [])


def test_of_an_effort_and_a_switch_the_effort_is_kept() -> None:
    mend = reasoning.one_switch(SWITCH)
    assert mended(mend, {"reasoning_effort": "low", "enable_thinking": True}) == ({"reasoning_effort": "low"}, [])
    assert mended(mend, {"enable_thinking": True}) == ({"enable_thinking": True}, [])


def test_sampling_stays_where_thinking_is_switched_off() -> None:
    mend = reasoning.while_thinking(SWITCH, fields.dropping("temperature"))
    assert mended(mend, {"temperature": 0.1}) == ({}, ["temperature"])
    off = {"temperature": 0.1, "enable_thinking": False}
    assert mended(mend, off) == (off, [])


def test_an_effort_in_an_object_becomes_a_field_of_its_own() -> None:
    def flat(**object_fields: object) -> tuple[dict[str, object], list[str]]:
        body: dict[str, object] = {"reasoning": object_fields}
        return body, reasoning.flat_effort(body)

    assert flat(effort="high") == ({"reasoning_effort": "high"}, [])
    assert flat(enabled=False) == ({"reasoning_effort": "none"}, [])
    assert flat(max_tokens=5) == ({}, ["reasoning.max_tokens"])
    body: dict[str, object] = {"reasoning": {"effort": "high"}, "reasoning_effort": "low"}
    assert (reasoning.flat_effort(body), body) == ([], {"reasoning_effort": "low"})


def test_a_type_of_thinking_gets_the_vendors_word() -> None:
    mend = reasoning.named_thinking({"enabled": "adaptive"})
    assert mended(mend, {"thinking": {"type": "enabled"}}) == ({"thinking": {"type": "adaptive"}}, [])
    assert mended(mend, {"thinking": {"type": "disabled"}}) == ({"thinking": {"type": "disabled"}}, [])
