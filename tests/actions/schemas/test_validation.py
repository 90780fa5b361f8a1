"""Bodies and queries: unknown fields, wrong types, and the path of the first fault."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field

from conduit_desktop.actions.schemas.validation import Body, Query, path_of, read
from conduit_desktop.core.errors import Invalid


class Inner(Body):
    name: str
    size: int = Field(default=1, ge=1, le=9)


class Outer(Body):
    inner: list[Inner] = Field(default_factory=list, min_length=0)
    some: list[int] = Field(default=[1], min_length=1)
    table: dict[str, Any] = Field(default_factory=dict)
    ratio: float = Field(default=0.0, allow_inf_nan=False)
    flag: bool = False


class Page(Query):
    limit: int = Field(default=50, ge=1, le=500)


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"innr": []}, "innr", "there is no such field; did you mean 'inner'?"),
        ({"inner": [{"name": "a"}, {"name": "b", "sise": 1}]}, "inner[1].sise", "there is no such field; did you mean 'size'?"),
        ({"inner": [{"name": "a", "zzz": 1}]}, "inner[0].zzz", "there is no such field; there are name, size"),
        # And not that `name` is missing.
        ({"inner": [{"nmae": "a"}]}, "inner[0].nmae", "there is no such field; did you mean 'name'?"),
        ({"inner": [{}]}, "inner[0].name", "is required"),
        ({"inner": {}}, "inner", "must be a list"),
        ({"inner": [1]}, "inner[0]", "must be an object"),
        ({"table": []}, "table", "must be an object"),
        ({"some": []}, "some", "must not be empty"),
        ({"inner": [{"name": "a", "size": 10}]}, "inner[0].size", "must be less than or equal to 9"),
        ({"inner": [{"name": "a", "size": 0}]}, "inner[0].size", "must be greater than or equal to 1"),
        ([], None, "must be an object"),
    ],
)
def test_the_first_fault_is_named_by_its_path(body: Any, field: str | None, message: str) -> None:
    with pytest.raises(Invalid) as raised:
        read(Outer, body)
    assert raised.value.field == field
    assert raised.value.message == (f"{field}: {message}" if field else message)


@pytest.mark.parametrize(
    "body", [{"flag": 1}, {"flag": "true"}, {"ratio": "1"}, {"inner": [{"name": 1}]}, {"inner": [{"name": "a", "size": "1"}]}]
)
def test_a_body_is_not_converted_from_other_types(body: Any) -> None:
    with pytest.raises(Invalid):
        read(Outer, body)


def test_a_query_takes_numbers_as_text_and_refuses_unknown_names() -> None:
    assert read(Page, {"limit": "7"}).limit == 7
    with pytest.raises(Invalid) as raised:
        read(Page, {"limt": "7"})
    assert raised.value.field == "limt"


def test_texts_lose_the_spaces_around_them() -> None:
    assert read(Inner, {"name": "  a b "}).name == "a b"


def test_a_value_that_json_cannot_write_is_refused() -> None:
    with pytest.raises(Invalid, match="JSON"):
        read(Outer, {"table": {"x": object()}})


def test_a_body_does_not_print_its_values() -> None:
    body = read(Inner, {"name": "sk-private"})
    assert repr(body) == str(body) == "Inner(name)"


def test_a_checked_body_cannot_be_changed() -> None:
    body = read(Inner, {"name": "a"})
    with pytest.raises(ValueError, match="frozen"):
        body.name = "b"


def test_a_path_is_written_as_the_api_writes_it() -> None:
    assert path_of(("targets", 0, "rates", "in")) == "targets[0].rates.in"
    assert path_of(()) == ""
