"""Rules for what a vendor refuses: which hold for a request, and what they report."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import Provider
from conduit_desktop.providers import ProviderKind
from conduit_desktop.providers.model_facts import ModelFacts
from conduit_desktop.providers.request_rules import RequestRule, mend


def without_seed(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    return ["seed"] if body.pop("seed", None) is not None else []


def without_user(body: dict[str, Json], facts: ModelFacts) -> list[str]:
    return ["user", "user"] if body.pop("user", None) is not None else []


RULES = (
    RequestRule(without_seed, "a source", models="big", dialect="openai_chat"),
    RequestRule(without_user, "another source"),
)


@pytest.mark.parametrize(
    ("model", "dialect", "kept", "lost"),
    [
        ("big-1", "openai_chat", {}, ["seed", "user"]),
        ("small", "openai_chat", {"seed": 1}, ["user"]),
        ("big-1", "openai_responses", {"seed": 1}, ["user"]),
    ],
)
def test_a_rule_holds_for_its_models_and_its_dialect(model: str, dialect: str, kept: dict[str, Any], lost: list[str]):
    body: dict[str, Json] = {"seed": 1, "user": "u"}
    assert mend(RULES, model, "v", dialect, body) == lost
    assert body == kept


class Vendor(ProviderKind):
    kind = "v"
    dialects = ("own", "openai_chat")
    borrowed = frozenset({"openai_chat"})
    rules: ClassVar[tuple[RequestRule, ...]] = (RequestRule(without_user, "a source"),)


@pytest.mark.parametrize(
    ("dialect", "translated", "lost"),
    [("own", True, ["user"]), ("own", False, []), ("openai_chat", True, ["user"]), ("openai_chat", False, ["user"])],
)
def test_passthrough_is_mended_only_in_a_borrowed_dialect(dialect: str, translated: bool, lost: list[str]):
    vendor = Vendor(Provider(id="p", name="p", kind="v"))
    assert vendor.adapt("m", {"user": "u"}, dialect, translated) == lost


def test_a_passed_through_body_that_a_rule_cannot_read_is_the_vendors_to_refuse():
    def unreadable(body: dict[str, Json], facts: ModelFacts) -> list[str]:
        return [name for tool in body["tools"] for name in tool["names"]]

    rules = (RequestRule(unreadable, "a source"), RequestRule(without_user, "another source"))
    body: dict[str, Json] = {"tools": True, "user": "u"}
    assert mend(rules, "m", "v", "openai_chat", body, translated=False) == ["user"]
    assert body == {"tools": True}
    with pytest.raises(TypeError):
        mend(rules, "m", "v", "openai_chat", {"tools": True})
