"""How the endpoints beside chat are said: a form turns OpenAI's way of asking into a vendor's, and the answer back.

One class for each format, in the files of this package; a vendor whose field names alone differ is a row of the table here.
The caller uses OpenAI's format (for rerank, where OpenAI has none: Cohere's), or another whose `CallerFormat` converts it.
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


@dataclass(slots=True, repr=False)
class MediaRequest:
    """A request beside chat, as it came. `body` is its JSON, or the fields of its multipart `form`.

    `words` are those of a caller who does not speak OpenAI's.
    """

    endpoint: str
    body: dict[str, Json]
    form: Multipart | None = None
    words: CallerFormat | None = None


@dataclass(slots=True, repr=False)
class OutgoingBody:
    """One request body as it goes out. `single`: to the vendor's address for one input, where that is another than for many."""

    body: bytes
    content_type: str = "application/json"
    single: bool = False


@dataclass(slots=True)
class MediaAnswer:
    """A whole answer as the caller reads it, with what was counted. `usage` None: no tokens were reported."""

    body: bytes
    usage: Usage | None = None
    units: Units = Units()  # noqa: RUF009  # frozen


class MediaFormat(Protocol):
    """One way of asking and answering."""

    own: bool
    """OpenAI's own way: a vendor's error in it is the caller's to read as it is."""

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """What to send, in as many requests as the vendor's batches need; raises BadRequest naming the field.

        What the vendor cannot be told is added to `dropped`.
        """
        ...

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """The answers to those requests as one; `raw` is the last one's body. Raises MalformedStream."""
        ...


class CallerFormat(Protocol):
    """Another API's way to ask for what an endpoint gives."""

    native: str
    """The name by which vendors say that they understand it as it is."""
    form: MediaFormat
    """How it goes on to those."""

    def in_openai(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """The request in OpenAI's words; raises BadRequest naming the field."""
        ...

    def answer(self, body: bytes) -> bytes:
        """OpenAI's answer in these words."""
        ...


class TranslatedFormat:
    """A form for callers who asked in other words: its answer is told in theirs. What is written is already OpenAI's."""

    own = False

    def __init__(self, form: MediaFormat, words: CallerFormat) -> None:
        self._form = form
        self._words = words

    def write(self, media_request: MediaRequest, model: str, dropped: list[str]) -> list[OutgoingBody]:
        """As the form writes it."""
        return self._form.write(media_request, model, dropped)

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, media_request: MediaRequest, model: str) -> MediaAnswer:
        """As the form reads it, in the caller's words."""
        told = self._form.read(answers, raw, media_request, model)
        told.body = self._words.answer(told.body)
        return told


def format_for(
    media_request: MediaRequest, name: str, understood: Collection[str], model: str, overrides: Mapping[str, Json]
) -> tuple[MediaRequest, MediaFormat]:
    """What to say to a vendor whose form is `name`, and how: in the caller's own words where they are among those `understood`.

    Overrides are in OpenAI's words; a request that has some is said in those.
    """
    words = media_request.words
    if words is not None and words.native in understood and not overrides:
        return media_request, words.form
    chosen = form(media_request.endpoint, name)
    body = media_request.body if words is None else words.in_openai(media_request.body, model)
    if overrides:
        body = {field: value for field, value in {**body, **overrides}.items() if value is not None}
    return MediaRequest(media_request.endpoint, body, media_request.form), chosen if words is None else TranslatedFormat(
        chosen, words
    )


_EMBEDDINGS = "conduit_desktop.wire.media.embeddings"
_VECTORS = "conduit_desktop.wire.media.embeddings_vendors"
_BEDROCK = "conduit_desktop.wire.media.bedrock_embeddings"
_PLAIN = "conduit_desktop.wire.media.passthrough"
_RERANK = "conduit_desktop.wire.media.rerank"

_FORMS: dict[tuple[str, str], tuple[str, str, dict[str, Any]]] = {
    ("embeddings", "openai"): (_EMBEDDINGS, "OpenAIEmbeddings", {}),
    ("embeddings", "text"): (_EMBEDDINGS, "OpenAIEmbeddings", {"text_only": True}),
    ("embeddings", "mistral"): (
        _EMBEDDINGS, "OpenAIEmbeddings", {"text_only": True, "dimensions": "output_dimension", "refused": ("user",)},
    ),
    # https://docs.voyageai.com/reference/embeddings-api: base64 or null. Jina calls it embedding_type, and gives floats unasked.
    ("embeddings", "voyage"): (
        _EMBEDDINGS, "OpenAIEmbeddings",
        {
            "text_only": True, "dimensions": "output_dimension", "refused": ("user",), "batch": 1000, "own": False,
            "float_unsaid": True,
        },
    ),
    ("embeddings", "jina"): (
        _EMBEDDINGS, "OpenAIEmbeddings", {"text_only": True, "refused": ("user", "encoding_format"), "own": False},
    ),
    ("embeddings", "cohere"): (_VECTORS, "CohereEmbeddings", {}),
    ("embeddings", "gemini"): (_VECTORS, "GeminiEmbeddings", {}),
    ("embeddings", "vertex"): (_VECTORS, "GeminiEmbeddings", {"vertex": True}),
    ("embeddings", "vertex_predict"): (_VECTORS, "VertexPredictions", {}),
    ("embeddings", "bedrock_cohere"): (_VECTORS, "CohereEmbeddings", {"bedrock": True}),
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


@cache
def form(endpoint: str, name: str) -> MediaFormat:
    """The form of that name for an endpoint; `openai` is the plain way wherever no other is known."""
    module, cls, settings = _FORMS.get((endpoint, name), (_PLAIN, "PlainFormat", {}))
    made: MediaFormat = getattr(import_module(module), cls)(**settings)
    return made
