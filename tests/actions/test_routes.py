"""Paths with names in them."""

from __future__ import annotations

import pytest

from conduit_desktop.actions.routes import PathPattern, WrongMethod, find


@pytest.mark.parametrize(
    ("route", "path", "names"),
    [
        ("/keys/{id}/rotate", "/keys/a%2Fb/rotate", {"id": "a/b"}),
        ("/keys/{id}/rotate", "/keys/a/b/rotate", None),
        ("/keys/{id}", "/keys/a/", {"id": "a"}),
        ("/keys/{id}", "/keys/", None),
        ("/keys/{id}", "/keys", None),
        ("/keys", "/keys/", {}),
        ("/keys", "/keysx", None),
        ("/keys", "x/keys", None),
        ("/a.b", "/axb", None),
        ("/models/{alias*}", "/models/a/b%20c", {"alias": "a/b c"}),
        ("/models/{alias*}", "/models/", None),
        ("/models/{alias*}/explain", "/models/a/b/explain", {"alias": "a/b"}),
        ("/models/{alias*}", "/models/a%252Fb", {"alias": "a%2Fb"}),
    ],
)
def test_a_path_matches_whole_and_its_names_are_decoded_once(route: str, path: str, names: dict[str, str] | None) -> None:
    assert find(PathPattern(route), path) == names


def test_a_wrong_method_is_answered_with_those_that_are_possible() -> None:
    error = WrongMethod("PUT", ["GET", "PATCH"])
    assert (error.status, error.allowed) == (405, ["GET", "PATCH"])
    assert "PUT" in error.message
