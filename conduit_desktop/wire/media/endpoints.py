"""How the endpoints beside chat are said: a form turns OpenAI's way of asking into a vendor's, and the answer back.

One class a way, in the `form_*` files; a vendor that differs from another in names alone is a row of the table here. The
caller speaks OpenAI's way (for rerank, where OpenAI has none: Cohere's), or another whose `Words` say how to turn it into that.
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
class Wish:
    """A request beside chat, as it came. `body` is its JSON, or the fields of its multipart `form`.

    `words` are those of a caller who does not speak OpenAI's.
    """

    endpoint: str
    body: dict[str, Json]
    form: Multipart | None = None
    words: Words | None = None


@dataclass(slots=True, repr=False)
class Sending:
    """One request body as it goes out. `single`: to the vendor's address for one input, where that is another than for many."""

    body: bytes
    content_type: str = "application/json"
    single: bool = False


@dataclass(slots=True)
class Told:
    """A whole answer as the caller reads it, with what was counted. `usage` None: no tokens were reported."""

    body: bytes
    usage: Usage | None = None
    units: Units = Units()  # noqa: RUF009  # frozen


class Form(Protocol):
    """One way of asking and answering."""

    own: bool
    """OpenAI's own way: a vendor's error in it is the caller's to read as it is."""

    def write(self, wish: Wish, model: str, dropped: list[str]) -> list[Sending]:
        """What to send, in as many requests as the vendor's batches need; raises BadRequest naming the field.

        What the vendor cannot be told is added to `dropped`.
        """
        ...

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, wish: Wish, model: str) -> Told:
        """The answers to those requests as one; `raw` is the last one's body. Raises MalformedStream."""
        ...


class Words(Protocol):
    """Another API's way to ask for what an endpoint gives."""

    native: str
    """The name by which vendors say that they understand it as it is."""
    form: Form
    """How it goes on to those."""

    def in_openai(self, body: dict[str, Json], model: str) -> dict[str, Json]:
        """The request in OpenAI's words; raises BadRequest naming the field."""
        ...

    def answer(self, body: bytes) -> bytes:
        """OpenAI's answer in these words."""
        ...


class Reworded:
    """A form for callers who asked in other words: its answer is told in theirs. What is written is already OpenAI's."""

    own = False

    def __init__(self, form: Form, words: Words) -> None:
        self._form = form
        self._words = words

    def write(self, wish: Wish, model: str, dropped: list[str]) -> list[Sending]:
        """As the form writes it."""
        return self._form.write(wish, model, dropped)

    def read(self, answers: Sequence[dict[str, Json]], raw: bytes, wish: Wish, model: str) -> Told:
        """As the form reads it, in the caller's words."""
        told = self._form.read(answers, raw, wish, model)
        told.body = self._words.answer(told.body)
        return told


def said_to(wish: Wish, name: str, understood: Collection[str], model: str, overrides: Mapping[str, Json]) -> tuple[Wish, Form]:
    """What to say to a vendor whose form is `name`, and how: in the caller's own words where they are among those `understood`.

    Overrides are in OpenAI's words; a request that has some is said in those.
    """
    words = wish.words
    if words is not None and words.native in understood and not overrides:
        return wish, words.form
    chosen = form(wish.endpoint, name)
    body = wish.body if words is None else words.in_openai(wish.body, model)
    if overrides:
        body = {field: value for field, value in {**body, **overrides}.items() if value is not None}
    return Wish(wish.endpoint, body, wish.form), chosen if words is None else Reworded(chosen, words)


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
    ("images", "bedrock_amazon"): ("conduit_desktop.wire.media.bedrock_images", "AmazonPictures", {}),
    ("images", "bedrock_stability"): ("conduit_desktop.wire.media.bedrock_images", "StabilityPictures", {}),
    ("image_edits", "openrouter"): ("conduit_desktop.wire.media.openrouter_images", "OpenRouterPictures", {}),
    ("images", "openrouter"): ("conduit_desktop.wire.media.openrouter_images", "OpenRouterPictures", {}),
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
def form(endpoint: str, name: str) -> Form:
    """The form of that name for an endpoint; `openai` is the plain way wherever no other is known."""
    module, cls, settings = _FORMS.get((endpoint, name), (_PLAIN, "Plain", {}))
    made: Form = getattr(import_module(module), cls)(**settings)
    return made
