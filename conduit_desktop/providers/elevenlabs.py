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
from conduit_desktop.providers.compatible import BASE_URL, key_from

_VOICE_ID = re.compile(r"[A-Za-z0-9]{20}")


class ElevenLabs(ProviderKind):
    """The voice stands in the address. Its ids are random, so `voices` maps the names that callers use to them."""

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
    forms: ClassVar[Mapping[Endpoint, str]] = {"speech": "elevenlabs"}
    price_provider = "elevenlabs"
    # The first comes with status 401: https://help.elevenlabs.io/hc/en-us/articles/19572237925521
    reasons: ClassVar[Mapping[str, Reason]] = {"quota_exceeded": "money", "system_busy": "overloaded"}

    def __init__(self, config: Provider) -> None:
        super().__init__(config)
        self.root = versioned(self.base_url, self.default_base_url, "v1")
        self.voices = _voices(config.options.get("voices"))

    def headers(self, secrets: Secrets, dialect: str) -> dict[str, str]:
        """The key in a header of its own."""
        return {"xi-api-key": secrets.api_key} if secrets.api_key else {}

    def url(self, endpoint: Endpoint, model: str, dialect: str, stream: bool) -> str:
        """Without the voice, which `prepare` adds."""
        if endpoint not in self.endpoints:
            raise ValueError(f"{self.label} has no endpoint {endpoint}")
        return f"{self.root}/text-to-speech"

    def prepare(
        self, endpoint: Endpoint, model: str, dialect: str, stream: bool, body: bytes, secrets: Secrets,
        relayed: Mapping[str, str],
    ) -> OutboundRequest:  # fmt: skip
        """Moves voice and format from the body into the address; raises BadRequest for a voice that nobody mapped."""
        said = orjson.loads(body)
        voice = quote(self.voice(said.pop("voice", None)), safe="")
        query = urlencode({"output_format": said.pop("output_format", "mp3_44100_128")})
        url = f"{self.url(endpoint, model, dialect, stream)}/{voice}?{query}"
        return OutboundRequest("POST", url, self.all_headers(secrets, dialect, relayed), orjson.dumps(said))

    def voice(self, name: Json) -> str:
        """The id of the voice that a caller names: as mapped, or an id itself."""
        if isinstance(name, str) and name:
            found = self.voices.get(name.lower()) or (name if _VOICE_ID.fullmatch(name) else self.voices.get("*"))
            if found:
                return found
        raise BadRequest(
            f"The voice {str(name)[:80]!r} is not known to {self.config.name}: name the id of one, or map it in the provider's "
            "option voices.",
            param="voice",
        )

    def models_request(self, secrets: Secrets) -> OutboundRequest | None:
        """Every model."""
        headers = self.all_headers(secrets, "", {})
        del headers["content-type"]
        return OutboundRequest("GET", f"{self.root}/models", headers)

    def read_models(self, body: Json) -> list[OfferedModel]:
        """Those that speak; raises ValueError for a body that is no list."""
        if not isinstance(body, list):
            raise ValueError("the answer is not a list of models")
        rows = [row for row in body if isinstance(row, dict) and row.get("model_id") and row.get("can_do_text_to_speech")]
        return [OfferedModel(str(row["model_id"]), str(row.get("name") or row["model_id"]), features=("speech",)) for row in rows]


def _voices(option: Json) -> dict[str, str]:
    """The mapping, from an object or from `name=id, name=id`; names in lower case."""
    if isinstance(option, str):
        pairs = (pair.partition("=") for pair in re.split(r"[,;\n]", option))
        option = {name.strip(): voice.strip() for name, equals, voice in pairs if equals}
    return {str(name).lower(): str(voice) for name, voice in option.items() if voice} if isinstance(option, dict) else {}
