"""Speech as ElevenLabs says it: the voice and the format stand in the address, and the text has other names around it.

https://elevenlabs.io/docs/api-reference/text-to-speech/convert
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import BadRequest, MalformedStream
from conduit_desktop.wire.media.endpoints import MediaAnswer, MediaRequest, OutgoingBody

_FORMATS = {"mp3": "mp3_44100_128", "opus": "opus_48000_128", "pcm": "pcm_24000", "wav": "wav_44100"}
_OPENAI = frozenset({"model", "input", "voice", "response_format", "speed"})
_OWN = frozenset({
    "voice_settings", "language_code", "seed", "previous_text", "next_text", "apply_text_normalization",
    "pronunciation_dictionary_locators", "output_format",
})  # fmt: skip


class ElevenLabsSpeech:
    """See `Form`. `voice` and `output_format` travel in the body until the provider puts them into the address."""

    own = False

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """Raises BadRequest for a format that ElevenLabs does not make."""
        body = media_request.body
        wanted = body.get("response_format") or "mp3"
        if not isinstance(wanted, str) or ("output_format" not in body and wanted not in _FORMATS):
            raise BadRequest(f"'response_format' must be one of {', '.join(_FORMATS)} for this model.", param="response_format")
        said: dict[str, Json] = {name: value for name, value in body.items() if name in _OWN}
        said |= {"text": body.get("input"), "model_id": model, "voice": body.get("voice")}
        said.setdefault("output_format", _FORMATS.get(wanted))
        if body.get("speed") is not None:
            settings = said.get("voice_settings")
            said["voice_settings"] = {"speed": body["speed"], **(settings if isinstance(settings, dict) else {})}
        dropped += [name for name in body if name not in _OPENAI | _OWN]
        return [OutgoingBody(orjson.dumps(said))]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """Speech is never JSON."""
        raise MalformedStream("it is JSON and no sound")
