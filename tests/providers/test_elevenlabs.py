"""ElevenLabs as a provider, and the media formats that kinds name."""

from typing import Any

import orjson
import pytest

from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.providers import Secrets
from conduit_desktop.providers.catalog import CATALOG, bind
from conduit_desktop.wire.media.endpoints import media_format
from conduit_desktop.wire.media.passthrough import PassthroughFormat

VOICE = "21m00Tcm4TlvDq8ikWAM"


def eleven(**options: Any) -> Any:
    return bind(Provider(id="p", name="el", kind="elevenlabs", options=options))


def test_every_media_format_that_a_kind_names_exists() -> None:
    for kind in CATALOG.values():
        for endpoint, name in kind.media_formats.items():
            assert endpoint in kind.endpoints, kind.kind
            assert type(media_format(endpoint, name)) is not PassthroughFormat, (kind.kind, endpoint)


def test_a_voice_is_mapped_passed_on_or_refused() -> None:
    kind = eleven(voices=f"Alloy={VOICE}, nova = x1;*=x2")
    assert (kind.voice("alloy"), kind.voice("NOVA"), kind.voice("anybody")) == (VOICE, "x1", "x2")
    assert eleven(voices={"alloy": "x3"}).voice("Alloy") == "x3"
    assert eleven().voice(VOICE) == VOICE
    for voice in ("alloy", "", None, 5, "../../v1/user"):
        with pytest.raises(BadRequest) as refused:
            eleven().voice(voice)
        assert refused.value.param == "voice"


def test_voice_and_format_move_into_the_url_and_the_key_into_its_header() -> None:
    body = orjson.dumps({"text": "hi", "model_id": "m", "voice": VOICE, "output_format": "pcm_24000"})
    outbound = eleven().prepare("speech", "m", "openai_chat", False, body, Secrets("key"), {})
    assert outbound.url == f"https://api.elevenlabs.io/v1/text-to-speech/{VOICE}?output_format=pcm_24000"
    assert outbound.headers["xi-api-key"] == "key"
    assert orjson.loads(outbound.body) == {"text": "hi", "model_id": "m"}


def test_only_models_for_speech_are_offered() -> None:
    rows = [{"model_id": "a", "name": "A", "can_do_text_to_speech": True}, {"model_id": "b", "can_do_text_to_speech": False}]
    assert [(model.id, model.name) for model in eleven().read_models(rows)] == [("a", "A")]
    with pytest.raises(ValueError, match="list"):
        eleven().read_models({"detail": "no"})
