"""What a text is embedded for (a query, a document to be found, …): each vendor has a field of its own, and words of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from conduit_desktop.core.chat import Json

FIELDS = ("task_type", "taskType", "input_type", "task")
"""The names of the field at Gemini, at Cohere, Voyage and NVIDIA, and at Jina."""
_MEANINGS = {
    "retrieval_query": "query", "search_query": "query", "query": "query", "retrieval.query": "query",
    "question_answering": "query", "fact_verification": "query", "code_retrieval_query": "query", "code.query": "query",
    "retrieval_document": "document", "search_document": "document", "document": "document", "passage": "document",
    "retrieval.passage": "document", "code.passage": "document",
    "semantic_similarity": "similarity", "text-matching": "similarity",
    "classification": "classification", "clustering": "clustering", "separation": "clustering",
}  # fmt: skip
"""The words of all vendors, in lower case, and what they mean."""


@dataclass(frozen=True, slots=True)
class TaskField:
    """A vendor's field. `words`: meaning to word, `further`: its other words; `needed_by`: models that refuse a request without
    it get `default`."""

    name: str
    words: Mapping[str, str]
    default: str = ""
    needed_by: str = ""
    further: tuple[str, ...] = ()


# https://ai.google.dev/gemini-api/docs/embeddings#task-types
GEMINI = TaskField(
    "taskType",
    {
        "query": "RETRIEVAL_QUERY", "document": "RETRIEVAL_DOCUMENT", "similarity": "SEMANTIC_SIMILARITY",
        "classification": "CLASSIFICATION", "clustering": "CLUSTERING",
    },
    further=("QUESTION_ANSWERING", "FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY"),
)  # fmt: skip
# https://docs.cohere.com/reference/embed: `input_type` is required.
COHERE = TaskField(
    "input_type",
    {"query": "search_query", "document": "search_document", "classification": "classification", "clustering": "clustering"},
    "search_document", ".*",
)  # fmt: skip
# https://docs.voyageai.com/reference/embeddings-api
VOYAGE = TaskField("input_type", {"query": "query", "document": "document"})
# https://jina.ai/embeddings
JINA = TaskField(
    "task",
    {
        "query": "retrieval.query", "document": "retrieval.passage", "similarity": "text-matching",
        "classification": "classification", "clustering": "separation",
    },
    further=("code.query", "code.passage"),
)  # fmt: skip
# "Failure to use the correct input_type will result in large drops in retrieval accuracy", and without it these models answer 400.
# https://docs.nvidia.com/nim/nemo-retriever/text-embedding/latest/use-the-api-openai.html
NVIDIA = TaskField(
    "input_type", {"query": "query", "document": "passage"}, "passage",
    r"(nvidia/)?.*(embedqa|nv-embed|nemo.*embed|arctic-embed)(?!.*-(query|passage)$)",
)  # fmt: skip


def take_task(body: dict[str, Json], field: TaskField, model: str, dropped: list[str]) -> Json:
    """The value of the vendor's field for `model`, None for none; removes the fields of all vendors from `body` in place.

    A word of another vendor becomes the vendor's own; one that has no counterpart is added to `dropped`. A word that nobody knows
    is left to the vendor where it came in its own field.
    """
    given = {name: body.pop(name) for name in FIELDS if name in body}
    # The vendor's own field counts before others.
    given = {**({field.name: given[field.name]} if field.name in given else {}), **given}
    for name, word in given.items():
        if word is None:
            continue
        if word in field.further or word in field.words.values():
            return word
        meaning = _MEANINGS.get(word.lower()) if isinstance(word, str) else None
        if meaning is not None and meaning in field.words:
            return field.words[meaning]
        if meaning is None and (name == field.name or {name, field.name} == {"task_type", "taskType"}):
            return word
        dropped.append(name)
    return field.default if field.needed_by and re.match(field.needed_by, model) else None
