"""Speech in ElevenLabs' format.

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
_FIELDS = frozenset({
    "voice_settings", "language_code", "seed", "previous_text", "next_text", "apply_text_normalization",
    "pronunciation_dictionary_locators", "output_format",
})  # fmt: skip


class ElevenLabsSpeech:
    """A `MediaFormat`. `voice` and `output_format` are parts of the URL; the provider takes them out of the body."""

    passthrough = False

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """One body; raises BadRequest for an audio format that ElevenLabs does not have."""
        body = media_request.body
        audio_format = body.get("response_format") or "mp3"
        if not isinstance(audio_format, str) or ("output_format" not in body and audio_format not in _FORMATS):
            raise BadRequest(f"'response_format' must be one of {', '.join(_FORMATS)} for this model.", param="response_format")
        fields: dict[str, Json] = {name: value for name, value in body.items() if name in _FIELDS}
        fields |= {"text": body.get("input"), "model_id": model, "voice": body.get("voice")}
        fields.setdefault("output_format", _FORMATS.get(audio_format))
        if body.get("speed") is not None:
            settings = fields.get("voice_settings")
            # The vendor's own `voice_settings.speed` wins: a caller who sets it means this vendor.
            fields["voice_settings"] = {"speed": body["speed"], **(settings if isinstance(settings, dict) else {})}
        dropped += [name for name in body if name not in _OPENAI | _FIELDS]
        return [OutgoingBody(orjson.dumps(fields))]

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """Never succeeds: speech is relayed as bytes, and only JSON responses are read. Raises MalformedStream."""
        raise MalformedStream("it is JSON and not audio")
