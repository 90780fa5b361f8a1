"""Rules for every kind of the catalog: each of its endpoints has a URL, and its key is sent in headers only."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.providers import FEATURES, Endpoint, ProviderKind, Secrets
from conduit_desktop.providers.catalog import CATALOG, bind

KEY = "sk-secret-0123456789abcdef"
BODIES: dict[str, Any] = {"speech": {"model": "m", "input": "hi", "voice": "21m00Tcm4TlvDq8ikWAM"}}
KINDS = [name for name, kind in CATALOG.items() if not kind.local]
ENDPOINTS = [(name, endpoint) for name in KINDS for endpoint in sorted(CATALOG[name].endpoints)]


def bound(name: str, base_url: str | None = None) -> ProviderKind:
    """The kind with every field it needs filled in."""
    kind = CATALOG[name]
    options = {field.name: "opt-1" for field in kind.fields if field.required and field.name not in ("api_key", "base_url")}
    base = base_url or (None if kind.default_base_url else "https://llm.example.org")
    return bind(Provider(id="p", name="p", kind=name, base_url=base, options=options))


@pytest.mark.parametrize(("name", "endpoint"), ENDPOINTS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_every_endpoint_is_prepared(name: str, endpoint: Endpoint, stream: bool) -> None:
    one = bound(name)
    for dialect in one.dialects if endpoint == "chat" else one.dialects[:1]:
        body = orjson.dumps(BODIES.get(endpoint, {"model": "m"}))
        sent = one.prepare(endpoint, "owner/m-1", dialect, stream, body, Secrets(KEY), {})
        parts = urlsplit(sent.url)
        assert parts.scheme == "https" or parts.hostname == "localhost"
        assert parts.hostname
        assert parts.username is None
        assert "//" not in parts.path
        assert not any(character.isspace() for character in sent.url)
        assert KEY not in sent.url
        assert any(KEY in value or "Signature=" in value for value in sent.headers.values())
        assert all(header == header.lower() and "\n" not in value for header, value in sent.headers.items())
        assert "content-type" in sent.headers
        assert KEY not in repr(sent) + repr(one) + repr(one.config) + repr(Secrets(KEY))


@pytest.mark.parametrize("name", KINDS)
def test_the_list_of_models_is_requested_with_the_key(name: str) -> None:
    list_request = bound(name).models_request(Secrets(KEY))
    if list_request is None:
        assert bound(name).known_models()
        return
    assert list_request.method in ("GET", "POST")  # Amazon lists with POST
    assert "//" not in urlsplit(list_request.url).path
    assert KEY not in list_request.url
    assert any(KEY in value or "Signature=" in value for value in list_request.headers.values())
    assert list_request.method == "POST" or "content-type" not in list_request.headers


@pytest.mark.parametrize("name", list(CATALOG))
def test_a_kind_declares_what_its_chats_support(name: str) -> None:
    assert CATALOG[name].features <= FEATURES
    assert "stream" in CATALOG[name].features


@pytest.mark.parametrize("name", KINDS)
def test_the_model_in_a_body_is_unchanged_without_a_mapping(name: str) -> None:
    assert bound(name).upstream_model("some/Model-1") == "some/Model-1"
