"""Amazon Bedrock as a provider: URLs, keys of every kind, signatures, the list of models."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.providers import OutboundRequest, ProviderKind, Secrets
from conduit_desktop.providers.aws import key_pair
from conduit_desktop.providers.catalog import bind

ACCESS, SECRET, TOKEN = "AKIA" + "X" * 16, "s" * 40, "session=token/x+"
CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"


def bedrock(base_url: str | None = None, **options: str) -> ProviderKind:
    return bind(Provider(id="p", name="aws", kind="bedrock", base_url=base_url, options=options))


def test_the_region_is_part_of_the_url_and_the_model_is_quoted() -> None:
    assert bedrock(region="eu-west-1").url("chat", CLAUDE, "bedrock", False) == (
        "https://bedrock-runtime.eu-west-1.amazonaws.com/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    )
    arn = "arn:aws:bedrock:us-east-1:1:inference-profile/x"
    assert (
        bedrock()
        .url("chat", arn, "bedrock", True)
        .endswith("us-east-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/converse-stream")
    )
    assert (
        bedrock("https://proxy.example.net/aws/").url("chat", "m", "bedrock", False)
        == "https://proxy.example.net/aws/model/m/converse"
    )
    with pytest.raises(ValueError, match="no endpoint speech"):
        bedrock().url("speech", "m", "bedrock", False)


@pytest.mark.parametrize(
    ("model", "form"),
    [
        ("amazon.titan-embed-text-v2:0", "bedrock_titan"),
        ("us.cohere.embed-v4:0", "bedrock_cohere"),
        ("amazon.nova-2-multimodal-embeddings-v1:0", "bedrock_nova"),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/x", "bedrock_titan"),
    ],
)
def test_embeddings_use_the_format_of_the_models_family(model: str, form: str) -> None:
    assert bedrock().media_format_for("embeddings", model) == form
    assert bedrock().url("embeddings", model, "bedrock", False).endswith(f"/model/{quote(model, safe='')}/invoke")


def test_images_and_rerank_use_invoke_model() -> None:
    kind = bedrock()
    assert kind.media_format_for("images", "amazon.nova-canvas-v1:0") == "bedrock_amazon"
    assert kind.media_format_for("images", "us.stability.stable-image-core-v1:1") == "bedrock_stability"
    assert kind.media_format_for("rerank", "cohere.rerank-v3-5:0") == "bedrock"
    assert kind.url("images", "amazon.nova-canvas-v1:0", "bedrock", False).endswith("/model/amazon.nova-canvas-v1%3A0/invoke")


def test_tokens_are_read_from_the_header_where_the_response_has_none() -> None:
    answer: dict[str, object] = {}
    bedrock().add_header_usage(answer, {"x-amzn-bedrock-input-token-count": "4"})
    assert answer == {"inputTextTokenCount": 4}
    bedrock().add_header_usage(answer, {"x-amzn-bedrock-input-token-count": "9"})
    bedrock().add_header_usage(answer, {})
    assert answer == {"inputTextTokenCount": 4}


def test_an_api_key_is_a_bearer_token() -> None:
    sent = bedrock().prepare("chat", "m", "bedrock", True, b"{}", Secrets("ABSKabc"), {})
    assert sent.headers == {"content-type": "application/json", "authorization": "Bearer ABSKabc"}


def signature(outbound: OutboundRequest, secret: str, region: str) -> str:
    """The signature of a request, worked out from Amazon's description of it."""
    headers = {**outbound.headers, "host": urlsplit(outbound.url).netloc}
    names = sorted(name for name in headers if name != "authorization")
    parts = urlsplit(outbound.url)
    lines = [outbound.method, quote(parts.path, safe="/~"), parts.query]
    lines += [f"{name}:{headers[name]}" for name in names] + ["", ";".join(names), hashlib.sha256(outbound.body).hexdigest()]
    at = headers["x-amz-date"]
    scope = f"{at[:8]}/{region}/bedrock/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", at, scope, hashlib.sha256("\n".join(lines).encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for piece in scope.split("/"):
        key = hmac.digest(key, piece.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


async def test_an_access_key_signs_the_body_and_is_never_sent() -> None:
    kind = bedrock(region="eu-west-1")
    secrets = await kind.credentials(Secrets(f"{ACCESS}:{SECRET}:{TOKEN}", {"x-extra": "1"}))
    sent = kind.prepare("chat", CLAUDE, "bedrock", True, b'{"messages":[]}', secrets, {})
    assert sent.headers["x-amz-security-token"] == TOKEN
    assert sent.headers["x-extra"] == "1"
    authorization = sent.headers["authorization"]
    assert authorization.startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS}/")
    assert authorization.endswith(f"Signature={signature(sent, SECRET, 'eu-west-1')}")
    assert SECRET not in repr(sent.headers)
    listed = kind.models_request(secrets)
    assert listed is not None
    assert listed.url == "https://bedrock.eu-west-1.amazonaws.com/foundation-models"
    assert listed.headers["authorization"].endswith(f"Signature={signature(listed, SECRET, 'eu-west-1')}")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{ACCESS}:{SECRET}", (ACCESS, SECRET, None)),
        (f" {ACCESS} : {SECRET} : {TOKEN} ", (ACCESS, SECRET, TOKEN)),
        ("ABSKQmVkcm9ja0FQSUtleS1abc=", None),
        ("bedrock-api-key-YWJj", None),
        ("", None),
    ],
)
def test_api_keys_and_access_keys_are_distinguished(text: str, found: tuple[str, str, str | None] | None) -> None:
    pair = key_pair(text)
    assert (None if pair is None else (pair.access_key, pair.secret_key, pair.token)) == found


async def test_without_a_key_the_profile_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "credentials"
    path.write_text(f"[work]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    secrets = await bedrock(profile="work").credentials(Secrets("", {"x-extra": "1"}))
    assert (secrets.api_key, secrets.headers) == (f"{ACCESS}:{SECRET}", {"x-extra": "1"})
    with pytest.raises(UpstreamError, match="ProfileNotFound") as raised:
        await bedrock(profile="nobody").credentials(Secrets())
    assert raised.value.reason == "auth"


async def test_without_any_credentials_the_error_explains_what_to_enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(UpstreamError, match="No AWS credentials"):
        await bedrock().credentials(Secrets())


async def test_credentials_that_are_not_an_access_key_are_never_sent_as_a_bearer_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "odd")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "odder")
    with pytest.raises(UpstreamError, match="not an access key") as raised:
        await bedrock().credentials(Secrets())
    assert "odder" not in str(raised.value)


def test_models_without_on_demand_throughput_are_listed_by_their_profile() -> None:
    rows = [
        {"modelId": "amazon.nova-lite-v1:0", "inferenceTypesSupported": ["ON_DEMAND"], "inputModalities": ["TEXT", "IMAGE"]},
        {"modelId": "anthropic.claude-x", "modelName": "Claude X", "inferenceTypesSupported": ["INFERENCE_PROFILE"]},
        {"modelId": "old", "inferenceTypesSupported": ["ON_DEMAND"], "modelLifecycle": {"status": "LEGACY"}},
        {"modelId": "bought", "inferenceTypesSupported": ["PROVISIONED"]},
        {"modelId": "amazon.titan-embed-text-v2:0", "inferenceTypesSupported": ["ON_DEMAND"], "outputModalities": ["EMBEDDING"]},
        {"modelId": "amazon.nova-canvas-v1:0", "inferenceTypesSupported": ["ON_DEMAND"], "outputModalities": ["IMAGE"]},
    ]
    found = bedrock(region="eu-west-1").read_models({"modelSummaries": rows})
    assert [(model.id, model.features) for model in found] == [
        ("amazon.nova-lite-v1:0", ("vision",)),
        ("eu.anthropic.claude-x", ()),
        ("amazon.titan-embed-text-v2:0", ("embeddings",)),
    ]
    assert bedrock(region="sa-east-1").read_models({"modelSummaries": rows})[1].id == "global.anthropic.claude-x"
    with pytest.raises(ValueError, match="not a list"):
        bedrock().read_models({})


def test_amazons_list_is_not_requested_from_a_proxy() -> None:
    kind = bedrock("https://proxy.example.net")
    assert kind.models_request(Secrets("ABSKabc")) is None
    assert kind.known_models()
