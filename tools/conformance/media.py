"""Beside chat, asked in other words than were recorded: embeddings by every caller who knows them, pictures from references."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tools.conformance import vectors
from tools.conformance.gateway import Hall, Heard
from tools.conformance.passthrough import asked
from tools.conformance.places import Fields, Recording, parse
from tools.conformance.vectors import Embedded

CALLERS = ("OpenAI", "OpenAI, base64", "Gemini", "Ollama")
_DOORS = {"Gemini": "/v1beta/models/{model}:batchEmbedContents", "Ollama": "/api/embed"}


@dataclass
class Beside:
    """One recording, asked for by `caller`."""

    recording: Recording
    caller: str
    faults: list[str] = field(default_factory=list)


async def run(hall: Hall, known: Iterable[Recording]) -> list[Beside]:
    """Ask for everything that can be asked for in other words."""
    made: list[Beside] = []
    for recording in known:
        if recording.place is None:
            continue
        if recording.provider == "openrouter" and recording.path.endswith("/images"):
            made.append(await _pictures(hall, recording))
        elif _embeds(recording) and (body := vectors.in_openai(recording)) is not None:
            made += [await _embedded(hall, recording, body, caller) for caller in CALLERS]
    return made


def _embeds(recording: Recording) -> bool:
    place = recording.place
    return place is not None and not place.dialect and recording.kind in ("embeddings", "embed", "invoke", "models")


async def _embedded(hall: Hall, recording: Recording, body: Fields, caller: str) -> Beside:
    heard = await hall.ask(recording, _said(body, caller), "", _DOORS.get(caller, "/v1/embeddings"), stream=False)
    reached = (await hall.journal()).get(recording.name)
    one = Beside(recording, caller)
    if heard.status != recording.expected_status:
        one.faults.append(f"status {recording.status} became {heard.status}: {heard.body[:200]!r}")
    elif heard.status == 200:
        one.faults += _differences(vectors.recorded(recording), _seen(parse(heard.body), caller), caller)
    if caller == "OpenAI":
        one.faults += [fault for fault in asked(reached, _unsaid(recording)) if "encoding_format" not in fault]
    return one


def _unsaid(recording: Recording) -> set[str]:
    """Fields that were recorded as null, which says as much as their absence."""
    return {f".{name}" for name, value in recording.request.items() if value is None}


def _said(body: Fields, caller: str) -> Fields:
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    size = body.get("dimensions")
    if caller == "Gemini":
        config = {"outputDimensionality": size} if size else {}
        return {"requests": [{"content": {"parts": [{"text": text}]}, **config} for text in texts]}
    if caller == "Ollama":
        return {"input": texts, **({"dimensions": size} if size else {})}
    return {**body, "encoding_format": "base64" if caller.endswith("base64") else "float"}


def _seen(body: Any, caller: str) -> Embedded:
    if caller == "Gemini":
        return Embedded([row["values"] for row in body["embeddings"]], (body.get("usageMetadata") or {}).get("promptTokenCount"))
    if caller == "Ollama":
        return Embedded(body["embeddings"], body.get("prompt_eval_count"))
    rows = [row["embedding"] for row in body["data"]]
    if not all(isinstance(row, str if caller.endswith("base64") else list) for row in rows):
        return Embedded([])
    return Embedded([vectors.floats(row) for row in rows], body["usage"].get("prompt_tokens", body["usage"].get("total_tokens")))


def _differences(recorded: Embedded, seen: Embedded, caller: str) -> list[str]:
    want = [_rounded(vector) for vector in recorded.vectors] if caller.endswith("base64") else recorded.vectors
    faults = [] if want == seen.vectors else ["the vectors differ"]
    if (recorded.tokens or 0) != (seen.tokens or 0):
        faults.append(f"{recorded.tokens} tokens became {seen.tokens}")
    return faults


def _rounded(vector: list[float]) -> list[float]:
    """As 32-bit floats, which base64 holds."""
    return list(struct.unpack(f"<{len(vector)}f", struct.pack(f"<{len(vector)}f", *vector)))


async def _pictures(hall: Hall, recording: Recording) -> Beside:
    """OpenRouter's pictures: new ones, or changes to those that the request refers to."""
    body = recording.request
    given = [one["image_url"]["url"] for one in body.pop("input_references", ())]
    said = {**body, "images": [{"image_url": url} for url in given]} if given else body
    heard: Heard = await hall.ask(recording, said, "", "/v1/images/edits" if given else "/v1/images/generations", stream=False)
    reached = (await hall.journal()).get(recording.name)
    one = Beside(recording, "OpenAI", asked(reached, set()))
    if (heard.status, heard.body) != (recording.expected_status, recording.answer):
        one.faults.append(f"status {heard.status}, or another answer")
    return one
