"""Gemini's `embedContent` and `batchEmbedContents`, asked in OpenAI's words and answered in Gemini's."""

from __future__ import annotations

from conduit_desktop.core.chat import Json
from conduit_desktop.wire.gemini_spelling import Fields, missing, normalised, wrong

_SHARED = {"outputDimensionality": "dimensions", "taskType": "task_type", "title": "title"}


def read_request(body: Fields, model: str, batch: bool) -> Fields:
    """The same as a body of `/v1/embeddings`; raises BadRequest naming the field.

    What differs from text to text in a batch (task, size) is taken from the first: there is one word for all in OpenAI's way.
    """
    fields = normalised(body, {})
    if not batch:
        return {"model": model, "input": [_text(fields, "")], **_shared(fields)}
    requests = fields.get("requests")
    if not isinstance(requests, list) or not requests:
        raise missing("requests")
    texts = [_text(each, f"requests.{index}.") for index, each in enumerate(requests)]
    return {"model": model, "input": texts, **_shared(requests[0])}


def _shared(fields: Fields) -> Fields:
    config = fields.get("embedContentConfig")
    known = {**fields, **config} if isinstance(config, dict) else fields
    return {name: known[said] for said, name in _SHARED.items() if known.get(said) is not None}


def _text(fields: Json, where: str) -> str:
    content = fields.get("content") if isinstance(fields, dict) else None
    if not isinstance(content, dict):
        raise missing(f"{where}content")
    parts = content.get("parts")
    rows = [parts] if isinstance(parts, dict) else parts if isinstance(parts, list) else []
    texts = [part.get("text") for part in rows if isinstance(part, dict)]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise wrong(f"{where}content.parts", "parts with text")
    return "\n".join(str(text) for text in texts)


def write_response(answer: Fields, batch: bool) -> Fields:
    """OpenAI's list of floats as Gemini's embeddings."""
    rows = [{"values": row["embedding"]} for row in answer["data"]]
    body: Fields = {"embeddings": rows} if batch else {"embedding": rows[0]}
    usage = answer.get("usage")
    if isinstance(usage, dict) and usage.get("prompt_tokens"):
        body["usageMetadata"] = {"promptTokenCount": usage["prompt_tokens"]}
    return body
