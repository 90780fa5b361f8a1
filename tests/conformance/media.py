"""Media endpoints in other dialects than recorded: embeddings in the dialects of all clients, images with references."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.conformance import embeddings
from tests.conformance.embeddings import Embeddings
from tests.conformance.gateway import ClientResponse, ReplaySetup
from tests.conformance.passthrough import request_differences
from tests.conformance.recordings import Fields, Recording, parse

CALLERS = ("OpenAI", "OpenAI, base64", "Gemini", "Ollama")
_CLIENT_PATHS = {"Gemini": "/v1beta/models/{model}:batchEmbedContents", "Ollama": "/api/embed"}


@dataclass
class MediaResult:
    """One recording, requested in the dialect of `caller`."""

    recording: Recording
    caller: str
    faults: list[str] = field(default_factory=list)


async def run(setup: ReplaySetup, known: Iterable[Recording]) -> list[MediaResult]:
    """Send every recorded request that OpenAI's, Gemini's or Ollama's format can express."""
    made: list[MediaResult] = []
    for recording in known:
        if recording.endpoint is None:
            continue
        if recording.provider == "openrouter" and recording.path.endswith("/images"):
            made.append(await _images(setup, recording))
        elif _embeds(recording) and (body := embeddings.as_openai_request(recording)) is not None:
            made += [await _embed(setup, recording, body, caller) for caller in CALLERS]
    return made


def _embeds(recording: Recording) -> bool:
    endpoint = recording.endpoint
    return endpoint is not None and not endpoint.dialect and recording.kind in ("embeddings", "embed", "invoke", "models")


async def _embed(setup: ReplaySetup, recording: Recording, body: Fields, caller: str) -> MediaResult:
    response = await setup.ask(recording, _request_as(body, caller), "", _CLIENT_PATHS.get(caller, "/v1/embeddings"), stream=False)
    upstream_request = (await setup.upstream_requests()).get(recording.name)
    one = MediaResult(recording, caller)
    if response.status != recording.expected_status:
        one.faults.append(f"status {recording.status} became {response.status}: {response.body[:200]!r}")
    elif response.status == 200:
        one.faults += _differences(embeddings.recorded(recording), _embeddings_in(parse(response.body), caller), caller)
    if caller == "OpenAI":
        one.faults += [
            fault for fault in request_differences(upstream_request, _null_fields(recording)) if "encoding_format" not in fault
        ]
    return one


def _null_fields(recording: Recording) -> set[str]:
    """Fields that were recorded as null, which means the same as their absence."""
    return {f".{name}" for name, value in recording.request.items() if value is None}


def _request_as(body: Fields, caller: str) -> Fields:
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    size = body.get("dimensions")
    if caller == "Gemini":
        config = {"outputDimensionality": size} if size else {}
        return {"requests": [{"content": {"parts": [{"text": text}]}, **config} for text in texts]}
    if caller == "Ollama":
        return {"input": texts, **({"dimensions": size} if size else {})}
    return {**body, "encoding_format": "base64" if caller.endswith("base64") else "float"}


def _embeddings_in(body: Any, caller: str) -> Embeddings:
    if caller == "Gemini":
        return Embeddings([row["values"] for row in body["embeddings"]], (body.get("usageMetadata") or {}).get("promptTokenCount"))
    if caller == "Ollama":
        return Embeddings(body["embeddings"], body.get("prompt_eval_count"))
    rows = [row["embedding"] for row in body["data"]]
    if not all(isinstance(row, str if caller.endswith("base64") else list) for row in rows):
        return Embeddings([])
    return Embeddings(
        [embeddings.floats(row) for row in rows], body["usage"].get("prompt_tokens", body["usage"].get("total_tokens"))
    )


def _differences(recorded: Embeddings, summary: Embeddings, caller: str) -> list[str]:
    want = [_rounded(vector) for vector in recorded.vectors] if caller.endswith("base64") else recorded.vectors
    faults = [] if want == summary.vectors else ["the vectors differ"]
    if (recorded.tokens or 0) != (summary.tokens or 0):
        faults.append(f"{recorded.tokens} tokens became {summary.tokens}")
    return faults


def _rounded(vector: list[float]) -> list[float]:
    """The vector in the precision of base64: 32-bit floats."""
    return list(struct.unpack(f"<{len(vector)}f", struct.pack(f"<{len(vector)}f", *vector)))


async def _images(setup: ReplaySetup, recording: Recording) -> MediaResult:
    """OpenRouter's images: generations, or edits of the images that the request refers to."""
    body = recording.request
    given = [one["image_url"]["url"] for one in body.pop("input_references", ())]
    images_request = {**body, "images": [{"image_url": url} for url in given]} if given else body
    response: ClientResponse = await setup.ask(
        recording, images_request, "", "/v1/images/edits" if given else "/v1/images/generations", stream=False
    )
    upstream_request = (await setup.upstream_requests()).get(recording.name)
    one = MediaResult(recording, "OpenAI", request_differences(upstream_request, set()))
    if (response.status, response.body) != (recording.expected_status, recording.answer):
        one.faults.append(f"status {response.status}, or another answer")
    return one
