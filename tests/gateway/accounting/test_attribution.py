"""Whom a request is for, by its headers, its body and its key: all of it bounded, none of it trusted."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.core.entities import VirtualKey
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gateway.accounting.attribution import attribute, model_name
from conduit_desktop.gateway.call import Call
from conduit_desktop.wire import dialect

UUID = "3f1c0a52-7d60-4a3e-9b1c-2f8f4f0d9a11"
HEX = "a1" * 32


def record_of(body: dict[str, Any], key: VirtualKey | None = None, **headers: str) -> RequestRecord:
    record = RequestRecord("req_1", 0)
    sent = {name.replace("__", "-"): value for name, value in headers.items()}
    attribute(record, Call(dialect("openai_chat"), body, "m", headers=sent), key)
    return record


def key(**more: Any) -> VirtualKey:
    return VirtualKey(id="key_1", name="laptop", digest="d", hint="h", **more)


@pytest.mark.parametrize(
    "header",
    ["x__session__id", "x__claude__code__session__id", "session_id", "session__id", "conversation_id", "x__conversation__id"],
)
def test_the_session_is_that_of_a_header(header: str) -> None:
    assert record_of({"prompt_cache_key": "cache"}, **{header: " s-1 "}).session == "s-1"


def test_the_first_header_with_a_session_counts() -> None:
    assert record_of({}, x__session__id="", session_id="codex", conversation_id="later").session == "codex"


def test_without_a_header_the_session_is_the_prompt_cache_key() -> None:
    assert record_of({"prompt_cache_key": "cache", "metadata": {"user_id": f"user_{HEX}_session_{UUID}"}}).session == "cache"


@pytest.mark.parametrize(
    ("body", "user"),
    [
        ({"user": "ann", "safety_identifier": "s", "metadata": {"user_id": "m"}}, "ann"),
        ({"safety_identifier": "s", "metadata": {"user_id": "m"}}, "s"),
        ({"metadata": {"user_id": "m"}}, "m"),
        ({"metadata": {"user": "m"}}, ""),
        ({"metadata": ["user_id"]}, ""),
        ({"user": {"id": 1}, "metadata": {"user_id": 7}}, ""),
        ({"user": ""}, ""),
    ],
)
def test_the_user_is_the_first_that_the_body_names(body: dict[str, Any], user: str) -> None:
    assert record_of(body).user == user


@pytest.mark.parametrize(
    ("user_id", "user", "session"),
    [
        (f"user_{HEX}_account_{UUID}_session_{UUID}", f"user_{HEX}_account_{UUID}", UUID),
        (f"user_{HEX}_account__session_{UUID}", f"user_{HEX}", UUID),
        (orjson.dumps({"device_id": HEX, "account_uuid": UUID, "session_id": "s-1"}).decode(), UUID, "s-1"),
        (orjson.dumps({"device_id": HEX, "account_uuid": "", "session_id": "s-1"}).decode(), HEX, "s-1"),
        ("{not json", "{not json", ""),
        ("{}", "{}", ""),
        ("user_of_a_shop", "user_of_a_shop", ""),
        ('{"session_id": {"a": 1}}', '{"session_id": {"a": 1}}', ""),
    ],
)
def test_claude_codes_user_is_distinguished_from_its_session(user_id: str, user: str, session: str) -> None:
    record = record_of({"metadata": {"user_id": user_id}})
    assert (record.user, record.session) == (user, session)
    assert record_of({"metadata": {"user_id": user_id}}, x__claude__code__session__id="h").session == "h"


def test_the_tags_are_those_of_the_key_and_of_the_header() -> None:
    record = record_of({}, key(team="red", tags=("prod", "web")), x__conduit__tags="web, night run ,,\x1b[31m")
    assert (record.key_id, record.key_name, record.team) == ("key_1", "laptop", "red")
    assert record.tags == ("prod", "web", "night run", "[31m")


def test_a_client_cannot_push_out_the_keys_tags() -> None:
    many = ",".join(f"t{index}" for index in range(5000))
    tags = record_of({}, key(tags=("prod",)), x__conduit__tags=many).tags
    assert tags[0] == "prod"
    assert len(tags) == 20


def test_whatever_a_stranger_sends_is_bounded_and_printable() -> None:
    wild = "a\x00\x1b\x9b\udc80\n" * 5000
    record = record_of({"user": wild, "prompt_cache_key": wild}, x__conduit__tags=wild)
    for text in (record.user, record.session, *record.tags, model_name(wild)):
        assert text
        assert text.isprintable()
        assert len(text) <= 200
        text.encode()
    assert record_of({"metadata": {"user_id": "{" * 10**6}}).user == "{" * 200


def test_a_request_without_a_key_has_no_team_and_no_tags() -> None:
    record = record_of({"user": "ann"})
    assert (record.key_id, record.team, record.tags, record.user) == ("", "", (), "ann")
