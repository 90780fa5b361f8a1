"""The media endpoints of the official OpenAI SDKs: embeddings in both encodings, images, speech, transcription, moderation."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest

from tests.fakes.vendor import API_KEY
from tests.fakes.vendor_media import PICTURE, SECONDS, SOUND, floats
from tests.journeys.processes import RunningGateway, conduit, vendor

TARGETS = {
    "to-openai": "oa/model-x",
    "to-cohere": "co/embed",
    "to-gemini": "ge/embed",
    "to-voyage": "vo/voyage",
    "to-eleven": "el/v3",
}


@dataclass
class ConfiguredGateway:
    """A running gateway and its key."""

    served: RunningGateway
    key: str

    def newest(self) -> Any:
        """The last request's record."""
        return self.served.admin("GET", "/requests?limit=1")["data"][0]


@pytest.fixture(scope="module")
def open_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfiguredGateway]:
    with vendor() as upstream, conduit(tmp_path_factory.mktemp("home")) as served:
        served.add("providers", name="oa", kind="openai-compatible", base_url=f"{upstream}/v1", api_key=API_KEY)
        for name, kind in (("co", "cohere"), ("ge", "gemini"), ("vo", "voyage"), ("el", "elevenlabs")):
            options = {"voices": "*=voice-1"} if kind == "elevenlabs" else {}
            served.add("providers", name=name, kind=kind, base_url=upstream, api_key=API_KEY, options=options)
        for alias, target in TARGETS.items():
            provider, _, model = target.partition("/")
            served.add("models", alias=alias, targets=[{"provider": provider, "model": model}])
        served.admin("PUT", "/prices/*", {"input": 1, "output": 0, "per_image": 0.04, "per_minute": 0.006, "per_1k_chars": 15})
        yield ConfiguredGateway(served, served.add("keys", name="all", budget_usd=5)["key"])


@pytest.fixture
def client(open_gateway: ConfiguredGateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{open_gateway.served.address}/v1", api_key=open_gateway.key, max_retries=0) as made:
        yield made


@pytest.mark.parametrize("alias", ["to-openai", "to-cohere", "to-gemini", "to-voyage"])
def test_embeddings_are_the_vendors_floats_in_both_encodings(client: openai.OpenAI, alias: str) -> None:
    texts = ["one", "two", "three"]
    wanted = [floats(text) for text in texts]
    # Without an encoding the SDK requests base64 and decodes it itself.
    assert [row.embedding for row in client.embeddings.create(model=alias, input=texts).data] == wanted
    plain = client.embeddings.create(model=alias, input=texts, encoding_format="float")
    assert [row.embedding for row in plain.data] == wanted
    packed = client.embeddings.create(model=alias, input=texts, encoding_format="base64")
    assert [list(struct.unpack("<8f", base64.b64decode(str(row.embedding)))) for row in packed.data] == wanted


def test_pictures_are_drawn_and_changed(client: openai.OpenAI, open_gateway: ConfiguredGateway) -> None:
    drawn = client.images.generate(model="to-openai", prompt="a cat", n=2)
    assert [row.b64_json for row in drawn.data or []] == [PICTURE] * 2
    assert open_gateway.newest()["cost_usd"] == pytest.approx(0.08)
    changed = client.images.edit(model="to-openai", image=("cat.png", b"\x89PNG"), prompt="greener")
    assert (changed.data or [])[0].b64_json == PICTURE
    assert open_gateway.newest()["endpoint"] == "image_edits"


@pytest.mark.parametrize("alias", ["to-openai", "to-eleven"])
def test_speech_arrives_whole(client: openai.OpenAI, open_gateway: ConfiguredGateway, alias: str) -> None:
    assert client.audio.speech.create(model=alias, voice="alloy", input="hello").content == SOUND
    with client.audio.speech.with_streaming_response.create(model=alias, voice="alloy", input="hello") as response:
        assert b"".join(response.iter_bytes(7000)) == SOUND
    assert open_gateway.newest()["cost_usd"] == pytest.approx(0.075)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_recording_is_transcribed(client: openai.OpenAI, open_gateway: ConfiguredGateway) -> None:
    transcription = client.audio.transcriptions.create(model="to-openai", file=("talk.mp3", SOUND), language="de")
    assert transcription.text == f"{len(SOUND)} bytes transcribed"
    assert open_gateway.newest()["cost_usd"] == pytest.approx(SECONDS / 60 * 0.006)
    assert client.audio.translations.create(model="to-openai", file=("talk.mp3", SOUND)).text == transcription.text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK has deprecated some of these
def test_moderation_and_legacy_completions(client: openai.OpenAI) -> None:
    assert client.moderations.create(model="to-openai", input="hello").results[0].flagged is False
    assert client.completions.create(model="to-openai", prompt="one").choices[0].text == "After one"
    pieces = [chunk.choices[0].text for chunk in client.completions.create(model="to-openai", prompt="one two", stream=True)]
    assert "".join(pieces) == "After one two"


def test_a_wrong_input_is_the_sdks_bad_request(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="to-cohere", input=[1, 2, 3])
    assert refused.value.param == "input"
