"""What every kind must declare."""

from __future__ import annotations

import importlib
import pkgutil
import re
from urllib.parse import urlsplit

import pytest

from conduit_desktop import providers
from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import Invalid
from conduit_desktop.providers import Endpoint, ProviderKind, Secrets
from conduit_desktop.providers.catalog import CATALOG, bind, kind_of
from conduit_desktop.wire import dialect

KINDS = list(CATALOG.values())
LOOPBACK = {"localhost", "127.0.0.1"}
BODY = b'{"voice": "21m00Tcm4TlvDq8ikWAM"}'


def bound(kind: type[ProviderKind], **fields: object) -> ProviderKind:
    base = None if kind.default_base_url else "https://llm.example.org"
    return kind(Provider.model_validate({"id": "p", "name": "p", "kind": kind.kind, "base_url": base, **fields}))


_BODY = b'{"voice": "21m00Tcm4TlvDq8ikWAM"}'
"""ElevenLabs puts the voice into the URL; no other kind reads it."""


def _main(kind: type[ProviderKind]) -> Endpoint:
    """What the kind is there for: chat, or else what it has."""
    return "chat" if "chat" in kind.endpoints else min(kind.endpoints)


def first_endpoint(kind: type[ProviderKind]) -> Endpoint:
    return "chat" if "chat" in kind.endpoints else sorted(kind.endpoints)[0]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_row_is_complete(kind: type[ProviderKind]):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", kind.kind)
    assert kind.label
    assert kind.docs.startswith("https://")
    assert kind.endpoints
    assert kind.dialects
    for name in kind.dialects:
        assert dialect(name).name == name
    base = urlsplit(kind.default_base_url)
    if kind.local or not kind.default_base_url:
        assert kind.local or any(field.name == "base_url" and field.required for field in kind.fields)
    else:
        assert base.scheme == "https" or base.hostname in LOOPBACK
        assert kind.own_server is (base.hostname in LOOPBACK)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_key_is_secret_and_needed_unless_the_server_is_the_users_own(kind: type[ProviderKind]):
    keys = [field for field in kind.fields if field.name == "api_key"]
    assert kind.local or len(keys) == 1
    for key in keys:
        assert key.secret
        # Some can use the credentials that the computer has.
        assert key.required is not (kind.own_server or kind.renews_credentials or kind.kind.endswith("-compatible"))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.local], ids=lambda kind: kind.kind)
def test_a_form_shows_where_keys_are_made_and_every_option(kind: type[ProviderKind]):
    for field in kind.fields:
        assert field.name == "base_url" or field.help or field.placeholder, field.name
    (key,) = (field for field in kind.fields if field.name == "api_key")
    assert key.help
    if key.required and kind.default_base_url:
        assert re.search(r"Made at [a-z0-9.-]+\.[a-z]+(/|[. ,])", key.help)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.local], ids=lambda kind: kind.kind)
def test_every_endpoint_has_a_url_and_others_raise(kind: type[ProviderKind]):
    one = bound(kind)
    for endpoint in kind.endpoints:
        assert one.url(endpoint, "m", kind.dialects[0], stream=False).startswith(("https://", "http://localhost"))
    missing = "chat-in-the-park"
    with pytest.raises(ValueError, match="no endpoint"):
        one.url(missing, "m", kind.dialects[0], stream=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.local], ids=lambda kind: kind.kind)
def test_a_key_is_sent_to_the_configured_host_only(kind: type[ProviderKind]):
    one = bound(kind, base_url="https://proxy.example.net/v1")
    list_request = one.models_request(Secrets("sk-test"))
    sent = one.prepare(_main(kind), "m", kind.dialects[0], False, _BODY, Secrets("sk-test"), {})
    for outbound in filter(None, (list_request, sent)):
        assert urlsplit(outbound.url).netloc == "proxy.example.net"
        assert "sk-test" not in outbound.url
        assert "sk-test" not in repr(outbound)
        assert any("sk-test" in value for value in outbound.headers.values())
        assert all(name == name.lower() for name in outbound.headers)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.local], ids=lambda kind: kind.kind)
def test_without_a_key_no_credential_is_sent(kind: type[ProviderKind]):
    sent = bound(kind).prepare(_main(kind), "m", kind.dialects[0], False, _BODY, Secrets(), {})
    assert not {"authorization", "x-api-key"} & sent.headers.keys()


def test_an_unknown_kind_is_refused_by_name():
    with pytest.raises(Invalid, match="'telepathy'") as caught:
        kind_of("telepathy")
    assert caught.value.field == "kind"
    with pytest.raises(Invalid):
        bind(Provider(id="p", name="p", kind="telepathy"))


def test_the_providers_own_headers_win_over_everything():
    one = bind(Provider(id="p", name="p", kind="openai", options={"organization": "org-1", "project": "proj-1"}))
    plain = one.prepare(
        "chat", "m", "openai_chat", False, b"{}", Secrets("k"), {"openai-organization": "theirs", "openai-beta": "x"}
    )
    assert plain.headers["openai-organization"] == "org-1"
    assert plain.headers["openai-project"] == "proj-1"
    assert plain.headers["openai-beta"] == "x"
    own = one.prepare("chat", "m", "openai_chat", False, b"{}", Secrets("k", {"Authorization": "Other o"}), {})
    assert own.headers["authorization"] == "Other o"


def test_a_form_keeps_its_own_content_type():
    one = bind(Provider(id="p", name="p", kind="openai"))
    sent = one.prepare(
        "transcriptions", "m", "openai_chat", False, b"--x", Secrets("k"), {"content-type": "multipart/form-data; boundary=x"}
    )
    assert sent.headers["content-type"] == "multipart/form-data; boundary=x"
    assert sent.url == "https://api.openai.com/v1/audio/transcriptions"


def test_anthropics_api_version_is_the_callers_or_the_default():
    one = bind(Provider(id="p", name="p", kind="anthropic"))
    set_by_caller = one.prepare("chat", "m", "anthropic_messages", True, b"{}", Secrets("k"), {"anthropic-version": "2026-10-21"})
    silent = one.prepare("chat", "m", "anthropic_messages", True, b"{}", Secrets("k"), {})
    assert set_by_caller.headers["anthropic-version"] == "2026-10-21"
    assert silent.headers["anthropic-version"] == "2023-06-01"
    assert silent.headers["x-api-key"] == "k"
    assert one.url("count_tokens", "m", "anthropic_messages", False).endswith("/v1/messages/count_tokens")


def _defined_kinds() -> set[type[ProviderKind]]:
    """Every class with a kind of its own in the modules of `conduit_desktop.providers`."""
    found: set[type[ProviderKind]] = set()
    for info in pkgutil.iter_modules(providers.__path__):
        module = importlib.import_module(f"{providers.__name__}.{info.name}")
        found |= {
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, ProviderKind) and "kind" in vars(value)
        }
    return found


def test_every_kind_that_is_defined_is_in_the_catalog_under_its_own_name():
    assert _defined_kinds() == set(CATALOG.values())
    assert len(CATALOG) == len(_defined_kinds())
    assert all(kind.kind == name for name, kind in CATALOG.items())
