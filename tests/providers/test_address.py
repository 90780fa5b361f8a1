"""Base URLs: what is refused, and that the version segment is optional."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import Invalid
from conduit_desktop.providers.address import check_base_url, in_own_network, versioned
from conduit_desktop.providers.catalog import bind

CHAT = "/chat/completions"


@pytest.mark.parametrize(
    ("kind", "base", "url"),
    [
        ("openai", None, "https://api.openai.com/v1" + CHAT),
        ("openai", "https://api.openai.com", "https://api.openai.com/v1" + CHAT),
        ("openai", "https://api.openai.com/v1/", "https://api.openai.com/v1" + CHAT),
        ("openai", "https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1" + CHAT),
        ("openai", "https://eu.api.openai.com", "https://eu.api.openai.com/v1" + CHAT),
        ("ollama", "http://localhost:11434", "http://localhost:11434/v1" + CHAT),
        ("ollama", "http://localhost:11434/v1", "http://localhost:11434/v1" + CHAT),
        ("ollama", "http://[::1]:11434/", "http://[::1]:11434/v1" + CHAT),
        ("openrouter", "https://openrouter.ai", "https://openrouter.ai/api/v1" + CHAT),
        ("openrouter", "https://openrouter.ai/api", "https://openrouter.ai/api/v1" + CHAT),
        ("openrouter", "https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1" + CHAT),
        ("groq", "https://api.groq.com", "https://api.groq.com/openai/v1" + CHAT),
        ("zai", None, "https://api.z.ai/api/paas/v4" + CHAT),
        ("zai", "https://api.z.ai", "https://api.z.ai/api/paas/v4" + CHAT),
        ("zai", "https://open.bigmodel.cn/api/paas/v4", "https://open.bigmodel.cn/api/paas/v4" + CHAT),
        ("zai", "https://api.z.ai/api/coding/paas/v4", "https://api.z.ai/api/coding/paas/v4" + CHAT),
        ("deepinfra", "https://api.deepinfra.com", "https://api.deepinfra.com/v1/openai" + CHAT),
        ("perplexity", None, "https://api.perplexity.ai" + CHAT),
        ("github", None, "https://models.github.ai/inference" + CHAT),
        ("qwen", "https://dashscope.aliyuncs.com/compatible-mode/v1", "https://dashscope.aliyuncs.com/compatible-mode/v1" + CHAT),
        ("openai-compatible", "http://10.0.0.5:8000", "http://10.0.0.5:8000/v1" + CHAT),
        (
            "openai-compatible",
            "https://generativelanguage.googleapis.com/v1beta/openai/",
            "https://generativelanguage.googleapis.com/v1beta/openai" + CHAT,
        ),
        ("openai-compatible", "https://host/prefix", "https://host/prefix/v1" + CHAT),
        ("anthropic", None, "https://api.anthropic.com/v1/messages"),
        ("anthropic", "https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"),
        ("anthropic-compatible", "https://api.z.ai/api/anthropic", "https://api.z.ai/api/anthropic/v1/messages"),
    ],
)
def test_the_version_segment_is_optional(kind: str, base: str | None, url: str):
    bound = bind(Provider(id="p", name="p", kind=kind, base_url=base))
    assert bound.url("chat", "m", bound.dialects[0], stream=False) == url


def test_a_server_without_a_version_segment_can_be_configured():
    config = Provider(id="p", name="p", kind="openai-compatible", base_url="https://host/llm", options={"version": "none"})
    assert bind(config).url("embeddings", "m", "openai_chat", stream=False) == "https://host/llm/embeddings"


@given(
    st.sampled_from(["https://h", "http://h:8/x", "https://h/api/paas/v4", "http://h/v1beta/openai"]), st.sampled_from(["v1", "v4"])
)
def test_a_versioned_url_is_unchanged(base: str, version: str):
    once = versioned(base, "", version)
    assert versioned(once, "", version) == once


@pytest.mark.parametrize(
    "url", ["https://api.openai.com/v1", "http://localhost:11434", "http://[::1]:8080/v1", "https://h.example/a/b"]
)
def test_an_ordinary_base_url_is_accepted(url: str):
    assert check_base_url(f"  {url}// ") == url


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "http"),
        ("api.openai.com", "http"),
        ("ftp://host", "http"),
        ("file:///etc/passwd", "http"),
        ("https://", "no host"),
        ("https://:8080/v1", "no host"),
        ("https://user:secret@host/v1", "user name"),
        ("https://@host/v1", "user name"),
        ("https://host/v1?key=abc", "before any"),
        ("https://host/v1#x", "before any"),
        ("https://host:port/v1", "not a URL"),
        ("https://host:99999/v1", "not a URL"),
        ("https://host:0/v1", "port 0"),
        ("https://ho st/v1", "space"),
        ("https://host/v1\x07", "printed"),
        ("https://[::1/v1", "not a URL"),
    ],
)
def test_a_wrong_base_url_is_refused_with_its_reason(url: str, why: str):
    with pytest.raises(Invalid, match=why) as caught:
        check_base_url(url)
    assert caught.value.field == "base_url"
    assert "secret" not in str(caught.value)


@given(st.text(max_size=40).map(lambda text: "https://" + text))
def test_any_text_is_accepted_or_refused_with_invalid(text: str):
    try:
        taken = check_base_url(text)
    except Invalid:
        return
    assert "@" not in taken.split("/")[2]
    assert "?" not in taken


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "127.0.0.1", "127.8.9.1", "[::1]", "10.1.2.3", "172.31.0.1", "192.168.178.20", "100.101.102.103", "[fd00::1]",
        "[fe80::1]", "[::ffff:192.168.0.1]", "ollama", "host.docker.internal", "gpu.local", "box.lan", "gpu.tail1234.ts.net",
        "LOCALHOST.", "0.0.0.0",
    ],
)  # fmt: skip
def test_an_address_of_the_users_own_network(host: str):
    assert in_own_network(f"http://{host}:11434/v1")


@pytest.mark.parametrize(
    "host",
    [
        "ollama.com", "8.8.8.8", "172.32.0.1", "100.128.0.1", "[2001:db8::1]", "[::ffff:8.8.8.8]", "134744072", "0x08080808",
        "localhost.example.org", "10.0.0.1.example.org", "127.0.0.1.nip.io", "internal.example.com",
    ],
)  # fmt: skip
def test_any_other_address_is_somebody_elses(host: str):
    assert not in_own_network(f"http://{host}:11434/v1")
