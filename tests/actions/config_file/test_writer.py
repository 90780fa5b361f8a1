"""TOML as it is written: values that are read back the same, and names of variables in place of secrets."""

from __future__ import annotations

import math
import tomllib
from typing import Any

import pytest

from conduit_desktop.actions.config_file.writer import document, toml, variable
from conduit_desktop.core.entities import CredentialRef, HeaderHint, Provider


@pytest.mark.parametrize(
    "value",
    [
        True, False, 0, -5, 2**60, 0.1, 1e300, math.inf, -math.inf, "", 'a"b\\c', "é\n\t\x7f\x00", [], [1, "a", [True]],
        {}, {"a.b": {"c d": 1, "": 2}},
    ],
)  # fmt: skip
def test_a_value_is_read_back_as_it_was(value: Any) -> None:
    assert tomllib.loads(f"x = {toml(value)}")["x"] == value


def test_a_null_inside_a_list_or_table_is_left_out() -> None:
    assert toml([1, None]) == "[1]"
    assert toml({"a": None, "b": 1}) == "{ b = 1 }"
    assert math.isnan(tomllib.loads(f"x = {toml(math.nan)}")["x"])


def test_what_toml_cannot_write_is_an_error() -> None:
    with pytest.raises(TypeError, match="object"):
        toml(object())


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("my openai", "API_KEY"), "MY_OPENAI_API_KEY"),
        (("a", "", "K"), "A_K"),
        (("é-x",), "X"),
        (("302.ai", "API_KEY"), "_302_AI_API_KEY"),
    ],
)
def test_the_name_of_a_variable_has_letters_digits_and_underscores(parts: tuple[str, ...], name: str) -> None:
    assert variable(*parts) == name


def written(*credentials: CredentialRef, **fields: Any) -> dict[str, Any]:
    provider = Provider(id="prov_1", name="open-ai", kind="openai", credentials=credentials, **fields)
    found: dict[str, Any] = tomllib.loads(document({}, [provider], [], [], [], []))["providers"][0]
    return found


def test_a_single_stored_key_is_written_as_a_variable_and_a_reference_as_it_is() -> None:
    assert written(CredentialRef(secret="provider/prov_1/default"))["api_key"] == "env:OPEN_AI_API_KEY"
    assert written(CredentialRef(secret="env:MINE"))["api_key"] == "env:MINE"
    assert "api_key" not in written()


def test_several_keys_are_written_with_label_weight_and_a_variable_each() -> None:
    one, two = CredentialRef(label="a", secret="provider/prov_1/a", weight=2), CredentialRef(label="b", secret="env:B")
    assert written(one, two)["api_keys"] == [
        {"label": "a", "api_key": "env:OPEN_AI_A_API_KEY", "weight": 2}, {"label": "b", "api_key": "env:B", "weight": 1},
    ]  # fmt: skip
    assert written(one)["api_keys"] == [{"label": "a", "api_key": "env:OPEN_AI_API_KEY", "weight": 2}]


def test_header_values_are_written_as_variables() -> None:
    headers = (HeaderHint(name="X-Org", secret="header/prov_1/x-org"), HeaderHint(name="X-B", secret="env:B"))
    assert written(headers=headers)["headers"] == {"X-Org": "env:OPEN_AI_X_ORG", "X-B": "env:B"}
