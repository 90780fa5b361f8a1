"""The formats of media endpoints, which are all endpoints besides chat: embeddings, images, audio, rerank, moderation.

A caller's request is in OpenAI's format (for rerank, which OpenAI does not have, in Cohere's). A `MediaFormat` writes it for one
family of vendors and reads their response as OpenAI's; there is a class for each format in this package. A provider names the
format of each of its endpoints (`ProviderKind.media_formats`). Vendors that differ in the names of fields share a class, with
settings from the table here; all others get the request as it is.

For embeddings a caller may use Gemini's or Ollama's API instead, which a `CallerFormat` describes. Targets that have the same API
get such a request unchanged; for others it is converted to OpenAI's format first, and the response is converted back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from conduit_desktop.core.chat import Json
from conduit_desktop.core.events import Usage
from conduit_desktop.core.media import Units
from conduit_desktop.wire.framing.multipart import Multipart
from conduit_desktop.wire.media import embedding_tasks


@dataclass(slots=True, repr=False)
class MediaRequest:
    """A caller's request to a media endpoint. `body` is its JSON, or the fields of its multipart `form`.

    `caller_format` is None where the request is in OpenAI's format. `extras` are fields that a converted request has besides
    OpenAI's: what the caller's own API calls them means nothing to a vendor.
    """

    endpoint: str
    body: dict[str, Json]
    form: Multipart | None = None
    caller_format: CallerFormat | None = None
    extras: tuple[str, ...] = ()


@dataclass(slots=True, repr=False)
class OutgoingBody:
    """The body of one request to a vendor. `single`: it goes to the vendor's URL for one input, if that has its own."""

    body: bytes | bytearray
    content_type: str = "application/json"
    single: bool = False


@dataclass(slots=True)
class MediaAnswer:
    """A whole response in the caller's format, and what it used. `usage` None: the vendor reported no tokens.

    `model` is the vendor's own name of the model that answered; empty where it names none.
    """

    body: bytes
    usage: Usage | None = None
    units: Units = Units()  # noqa: RUF009  # frozen
    model: str = ""


class MediaFormat(Protocol):
    """Writes requests to one endpoint of one family of vendors, and reads the responses."""

    passthrough: bool
    """The vendor's format is the caller's, so that an error of the vendor is relayed as it is."""

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """The bodies to send, several where the vendor takes fewer inputs at once; raises BadRequest naming the field.

        `model` is the vendor's name of the model. Names of fields that the vendor does not have are added to `dropped`.
        """
        ...

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """The responses to those bodies as one; `raw` is the last one's bytes. Raises MalformedStream.

        `model` is the caller's name of the model.
        """
        ...


class CallerFormat(Protocol):
    """Another API than OpenAI's in which callers request embeddings."""

    name: str
    """Kinds that have this API list it in `ProviderKind.passthrough_formats`."""
    extras: tuple[str, ...]
    """Fields of `to_openai` that OpenAI does not have."""
    passthrough_format: MediaFormat
    """How a request is written for those kinds."""

    def to_openai(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """The request in OpenAI's format; raises BadRequest naming the field."""
        ...

    def from_openai(self, body: bytes) -> bytes:
        """OpenAI's response in this format."""
        ...


class TranslatedFormat:
    """A format for requests that were converted to OpenAI's: it converts responses back to the caller's format."""

    passthrough = False

    def __init__(self, media_format: MediaFormat, caller_format: CallerFormat) -> None:
        self._media_format = media_format
        self._caller_format = caller_format

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """As the vendor's format writes it."""
        return self._media_format.write(media_request, model, dropped)

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """As the vendor's format reads it, in the caller's format."""
        answer = self._media_format.read(answers, raw, media_request, model)
        answer.body = self._caller_format.from_openai(answer.body)
        return answer


def format_for(
    media_request: MediaRequest, name: str, passthrough_formats: Collection[str], model: str, overrides: Mapping[str, Json]
) -> tuple[MediaRequest, MediaFormat]:
    """The request to write for a target, and the format to write it in; raises BadRequest where it cannot be converted.

    `name` and `passthrough_formats` are the target's. `overrides` are an alias's fields in OpenAI's format (None removes one), so
    a request that has some is converted even where it could be passed through.
    """
    caller_format = media_request.caller_format
    # Unchanged where possible: a conversion loses what OpenAI's format cannot hold.
    if caller_format is not None and caller_format.name in passthrough_formats and not overrides:
        return media_request, caller_format.passthrough_format
    body = media_request.body if caller_format is None else caller_format.to_openai(media_request.body, model)
    if overrides:
        body = {field: value for field, value in {**body, **overrides}.items() if value is not None}
    chosen = media_format(media_request.endpoint, name)
    extras = () if caller_format is None else caller_format.extras
    converted = MediaRequest(media_request.endpoint, body, media_request.form, extras=extras)
    return converted, chosen if caller_format is None else TranslatedFormat(chosen, caller_format)


_EMBEDDINGS = "conduit_desktop.wire.media.embeddings"
_GEMINI = "conduit_desktop.wire.media.gemini_embeddings"
_COHERE = "conduit_desktop.wire.media.cohere_embeddings"
_BEDROCK = "conduit_desktop.wire.media.bedrock_embeddings"
_PASSTHROUGH = "conduit_desktop.wire.media.passthrough"
_RERANK = "conduit_desktop.wire.media.rerank"

_FORMATS: dict[tuple[str, str], tuple[str, str, dict[str, Any]]] = {
    ("embeddings", "openai"): (_EMBEDDINGS, "OpenAIEmbeddings", {}),
    # OpenAI itself refuses unknown fields, and another size of an older model's vectors.
    ("embeddings", "openai_only"): (
        _EMBEDDINGS, "OpenAIEmbeddings", {"refused": ("input_type", "task"), "one_size": ("text-embedding-ada-002", 1536)},
    ),
    ("embeddings", "text"): (_EMBEDDINGS, "OpenAIEmbeddings", {"text_only": True}),
    # "batch size is invalid, it should not be larger than 10": memodb-io/memobase#142
    ("embeddings", "qwen"): (_EMBEDDINGS, "OpenAIEmbeddings", {"text_only": True, "batch": 10}),
    # 256 inputs at once, by the live API: the `rig-core` crate, providers/mistral/embedding.rs.
    ("embeddings", "mistral"): (
        _EMBEDDINGS, "OpenAIEmbeddings",
        {
            "text_only": True, "dimensions": "output_dimension", "refused": ("user",), "batch": 256,
            "one_size": ("mistral-embed", 1024),
        },
    ),
    # "Failure to use the correct input_type will result in large drops in retrieval accuracy", and without it these models answer
    # 400. https://docs.nvidia.com/nim/nemo-retriever/text-embedding/latest/use-the-api-openai.html
    ("embeddings", "nvidia"): (
        _EMBEDDINGS, "OpenAIEmbeddings",
        {"text_only": True, "task": embedding_tasks.NVIDIA},
    ),
    # Voyage encodes in base64 or, without the field, in floats: https://docs.voyageai.com/reference/embeddings-api.
    # Jina names the field embedding_type, and sends floats without it.
    ("embeddings", "voyage"): (
        _EMBEDDINGS, "OpenAIEmbeddings",
        {
            "text_only": True, "dimensions": "output_dimension", "refused": ("user",), "batch": 1000, "passthrough": False,
            "omit_float": True, "task": embedding_tasks.VOYAGE,
        },
    ),
    ("embeddings", "jina"): (
        _EMBEDDINGS, "OpenAIEmbeddings", {
            "text_only": True, "refused": ("user", "encoding_format"), "passthrough": False, "task": embedding_tasks.JINA,
        },
    ),
    ("embeddings", "cohere"): (_COHERE, "CohereEmbeddings", {}),
    ("embeddings", "gemini"): (_GEMINI, "GeminiEmbeddings", {}),
    ("embeddings", "vertex"): (_GEMINI, "GeminiEmbeddings", {"vertex": True}),
    ("embeddings", "vertex_predict"): (_GEMINI, "VertexPredictions", {}),
    ("embeddings", "bedrock_cohere"): (_COHERE, "CohereEmbeddings", {"bedrock": True}),
    ("embeddings", "bedrock_nova"): (_BEDROCK, "NovaEmbeddings", {}),
    ("embeddings", "bedrock_titan"): (_BEDROCK, "TitanEmbeddings", {}),
    ("images", "bedrock_amazon"): ("conduit_desktop.wire.media.bedrock_images", "AmazonImages", {}),
    ("images", "bedrock_stability"): ("conduit_desktop.wire.media.bedrock_images", "StabilityImages", {}),
    ("image_edits", "openrouter"): ("conduit_desktop.wire.media.openrouter_images", "OpenRouterImages", {}),
    ("images", "openrouter"): ("conduit_desktop.wire.media.openrouter_images", "OpenRouterImages", {}),
    ("rerank", "openai"): (_RERANK, "Rerank", {}),
    ("rerank", "cohere"): (_RERANK, "Rerank", {"texts": True, "refused": ("return_documents",)}),
    ("rerank", "bedrock"): (_RERANK, "Rerank", {"texts": True, "refused": ("return_documents",), "bedrock": True}),
    ("rerank", "jina"): (_RERANK, "Rerank", {"refused": ("max_chunks_per_doc", "max_tokens_per_doc")}),
    ("rerank", "voyage"): (
        _RERANK, "Rerank",
        {"texts": True, "top": "top_k", "refused": ("max_chunks_per_doc", "max_tokens_per_doc", "return_documents")},
    ),
    ("speech", "elevenlabs"): ("conduit_desktop.wire.media.elevenlabs_speech", "ElevenLabsSpeech", {}),
}  # fmt: skip
"""(endpoint, name of the format) to its module, class and settings. Modules are imported when a format is first used."""


@cache
def media_format(endpoint: str, name: str) -> MediaFormat:
    """The format of that name for an endpoint; `openai`, and any name without a row, is the request as it is."""
    module, cls, settings = _FORMATS.get((endpoint, name), (_PASSTHROUGH, "PassthroughFormat", {}))
    made: MediaFormat = getattr(import_module(module), cls)(**settings)
    return made
