"""ElevenLabs: speech, through its own API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import quote, urlencode

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.entities import OfferedModel, Provider
from conduit_desktop.core.errors import BadRequest, Reason
from conduit_desktop.providers import Endpoint, KindField, OutboundRequest, ProviderKind, Secrets
from conduit_desktop.providers.address import versioned
from conduit_desktop.providers.fields import BASE_URL, key_from, read_mapping
from conduit_desktop.providers.model_lists import rows_of

# The form of all of ElevenLabs' voice ids.
_VOICE_ID = re.compile(r"[A-Za-z0-9]{20}")


class ElevenLabs(ProviderKind):
    """Text to speech. A voice is part of the URL and has a random id, so the option `voices` maps callers' names to ids."""

    kind = "elevenlabs"
    label = "ElevenLabs"
    docs = "https://elevenlabs.io/docs/api-reference/text-to-speech/convert"
    default_base_url = "https://api.elevenlabs.io/v1"
    fields = (
        key_from("elevenlabs.io/app/settings/api-keys", "sk_…"),
        BASE_URL,
        KindField(
            "voices", "Voices", placeholder="alloy=21m00Tcm4TlvDq8ikWAM, *=pNInz6obpgDQGcFmaJgB",
            help="Names that callers use, each with the id of a voice; * stands for every other name.",
        ),
    )  # fmt: skip
    endpoints = frozenset({"speech"})
    media_formats: ClassVar[Mapping[Endpoint, str]] = {"speech": "elevenlabs"}
    price_provider = "elevenlabs"
    # quota_exceeded comes with status 401, as a wrong key does; the codes: https://elevenlabs.io/docs/eleven-api/resources/errors
    reasons: ClassVar[Mapping[str, Reason]] = {"quota_exceeded": "money", "system_busy": "overloaded"}

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        self.root = versioned(self.base_url, self.default_base_url, "v1")
        self.voices = read_mapping(config.options.get("voices"))

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The key in `xi-api-key`; empty without a key."""
        return {"xi-api-key": secrets.api_key} if secrets.api_key else {}

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """The URL without the voice, which `prepare` appends; raises ValueError for another endpoint than speech."""
        if endpoint not in self.endpoints:
            raise self.no_endpoint(endpoint)
        return f"{self.root}/text-to-speech"

    def prepare(
        self, endpoint: Endpoint, model: str, dialect: str, stream: bool, body: bytes | bytearray, secrets: Secrets,
        relayed: Mapping[str, str],
    ) -> OutboundRequest:  # fmt: skip
        """Moves the voice and the format from the body into the URL; raises BadRequest for a voice that is not mapped."""
        fields = orjson.loads(body)
        voice = quote(self.voice(fields.pop("voice", None)), safe="")
        query = urlencode({"output_format": fields.pop("output_format", "mp3_44100_128")})
        url = f"{self.url(endpoint, model, dialect, stream)}/{voice}?{query}"
        return OutboundRequest("POST", url, self.all_headers(secrets, dialect, relayed), orjson.dumps(fields))

    def voice(self, name: Json) -> str:
        """The id of the voice that a caller names: the mapped one, or the name itself where it is an id. Raises BadRequest."""
        if isinstance(name, str) and name:
            # The `*` comes last, so that a caller can name any voice by its id, even where the operator mapped all other names.
            found = self.voices.get(name.lower()) or (name if _VOICE_ID.fullmatch(name) else self.voices.get("*"))
            if found:
                return found
        raise BadRequest(
            # The name is the caller's text, and may be of any length.
            f"The voice {str(name)[:80]!r} is not known to {self.config.name}: name the id of one, or map it in the provider's "
            "option voices.",
            param="voice",
        )

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """All models, also those for other things than speech."""
        return self.get(f"{self.root}/models", secrets)

    def read_models(self, body: Json) -> list[OfferedModel]:
        """The models for text to speech; raises ValueError for another body."""
        rows = [row for row in rows_of(body) if row.get("model_id") and row.get("can_do_text_to_speech")]
        return [OfferedModel(str(row["model_id"]), str(row.get("name") or row["model_id"]), features=("speech",)) for row in rows]
