"""The scripted vendor's media endpoints: images, audio, moderation, rerank, legacy completions, other vendors' embeddings."""

from __future__ import annotations

import asyncio
import base64
import email.message
import email.parser
import hashlib
from typing import Any

import orjson
from aiohttp import web

from tests.fakes.script import Step
from tests.fakes.vendor_answers import CREATED, split_text

Json = dict[str, Any]
SOUND = bytes(range(256)) * 1200
"""The audio of every speech request: 300 KB, so that it takes more than one read."""
PICTURE = base64.b64encode(b"\x89PNG not really").decode()
SECONDS = 8.5


def form_of(raw: bytes, content_type: str) -> Json:
    """The fields of a multipart form; a file as (name, bytes)."""
    head = f"content-type: {content_type}\r\n\r\n".encode()
    parsed: email.message.Message = email.parser.BytesParser().parsebytes(head + raw)
    found: Json = {}
    for part in parsed.get_payload():
        assert isinstance(part, email.message.Message)
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        name = str(part.get_param("name", header="content-disposition"))
        found[name] = (part.get_filename(), data) if part.get_filename() else data.decode()
    return found


def floats(value: Any) -> list[float]:
    """The vector of an input: 8 numbers that fit into 32 bits."""
    return [byte / 128 - 1 for byte in hashlib.sha256(orjson.dumps(value)).digest()[:8]]


def _images(body: Json, step: Step) -> Json:
    answer: Json = {"created": CREATED, "data": [{"b64_json": PICTURE} for _ in range(int(body.get("n") or 1))]}
    if str(body.get("model")).startswith("gpt-image"):
        answer["usage"] = {"input_tokens": 10, "output_tokens": 1000, "total_tokens": 1010}
    return answer


def _moderations(body: Json, step: Step) -> Json:
    return {"id": "modr_1", "model": body["model"], "results": [{"flagged": False, "categories": {}, "category_scores": {}}]}


def _transcription(body: Json, step: Step) -> Json:
    size = len(body["file"][1])
    if body["model"].startswith("gpt-4o"):
        usage: Json = {"type": "tokens", "input_tokens": 40, "input_token_details": {"audio_tokens": 30, "text_tokens": 10}}
        return {"text": f"{size} bytes transcribed", "usage": {**usage, "output_tokens": 5, "total_tokens": 45}}
    if body["model"].startswith("silent"):
        return {"text": f"{size} bytes transcribed"}
    return {"text": f"{size} bytes transcribed", "usage": {"type": "duration", "seconds": SECONDS}}


def _scores(body: Json) -> list[Json]:
    ranked = sorted(range(len(body["documents"])), key=lambda n: -len(str(body["documents"][n])))
    top = body.get("top_n") or body.get("top_k")
    return [{"index": n, "relevance_score": 1 / (place + 1)} for place, n in enumerate(ranked[:top])]


def _rerank(body: Json, step: Step) -> Json:
    if "top_k" in body or "voyage" in body["model"]:
        return {"object": "list", "data": _scores(body), "model": body["model"], "usage": {"total_tokens": 12}}
    if "cohere" in body["model"]:
        meta = {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}
        return {"id": "r1", "results": _scores(body), "meta": meta}
    return {"model": body["model"], "results": _scores(body), "usage": {"total_tokens": 12}}


def _cohere_embed(body: Json, step: Step) -> Json:
    assert body["embedding_types"] == ["float"]
    vectors = [floats(text) for text in body["texts"]]
    return {"id": "e1", "embeddings": {"float": vectors}, "meta": {"billed_units": {"input_tokens": len(vectors)}}}


def _gemini_embed(body: Json, step: Step) -> Json:
    return {"embeddings": [{"values": floats(one["content"]["parts"][0]["text"])} for one in body["requests"]]}


def _gemini_embed_one(body: Json, step: Step) -> Json:
    return {"embedding": {"values": floats(body["content"]["parts"][0]["text"])}, "usageMetadata": {"promptTokenCount": 3}}


def _titan_embed(body: Json, step: Step) -> Json:
    return {"embedding": floats(body["inputText"]), "inputTextTokenCount": 2}


def _completion(body: Json, step: Step) -> Json:
    text = step.text or f"After {body['prompt']}"
    choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    head = {"id": "cmpl-1", "object": "text_completion", "created": CREATED, "model": body["model"]}
    return {**head, "choices": [choice], "usage": usage}


_ANSWERS = {
    "/images/generations": _images, "/images/edits": _images, "/moderations": _moderations, "/rerank": _rerank,
    "/audio/transcriptions": _transcription, "/audio/translations": _transcription, "/v2/embed": _cohere_embed,
    ":batchEmbedContents": _gemini_embed, ":embedContent": _gemini_embed_one,
    "/invoke": _titan_embed,
}  # fmt: skip


def is_media(path: str) -> bool:
    """Whether this module answers the path."""
    sound = path.endswith("/audio/speech") or "/text-to-speech/" in path
    return sound or path.endswith(tuple(_ANSWERS)) or (path.endswith("/completions") and not path.endswith("/chat/completions"))


async def play(request: web.Request, path: str, body: Json, step: Step) -> web.StreamResponse:
    """The answer, whole or in pieces."""
    if path.endswith("/audio/speech") or "/text-to-speech/" in path:
        return await _speech(request, step)
    if body.get("stream") and path.endswith("/completions"):
        return await _pieces(request, step, _completion_frames(body, step), "text/event-stream")
    if str(body.get("stream")).lower() == "true":
        return await _pieces(request, step, _picture_frames(), "text/event-stream")
    if body.get("response_format") in ("srt", "text"):
        return web.Response(text="1\n00:00:00,000 --> 00:00:01,000\nheard\n", content_type="text/plain")
    answer = next((make for end, make in _ANSWERS.items() if path.endswith(end)), _completion)
    return web.Response(body=orjson.dumps(answer(body, step)), content_type="application/json")


async def _speech(request: web.Request, step: Step) -> web.StreamResponse:
    size = 30_000
    pieces = [SOUND[at : at + size] for at in range(0, len(SOUND), size)]
    return await _pieces(request, step, pieces, "audio/mpeg")


def _completion_frames(body: Json, step: Step) -> list[bytes]:
    whole = _completion(body, step)
    frames = [
        {**whole, "choices": [{**whole["choices"][0], "text": word, "finish_reason": None}]}
        for word in split_text(whole["choices"][0]["text"])
    ]
    for frame in frames:
        del frame["usage"]
    frames.append({**frames[-1], "choices": [{**whole["choices"][0], "text": ""}]})
    if (body.get("stream_options") or {}).get("include_usage"):
        frames.append({**whole, "choices": []})
    return [b"data: " + orjson.dumps(frame) + b"\n\n" for frame in frames] + [b"data: [DONE]\n\n"]


def _picture_frames() -> list[bytes]:
    partial = {"type": "image_generation.partial_image", "b64_json": PICTURE, "partial_image_index": 0}
    usage = {"input_tokens": 10, "output_tokens": 1000, "total_tokens": 1010}
    done = {"type": "image_generation.completed", "b64_json": PICTURE, "usage": usage}
    return [f"event: {one['type']}\ndata: ".encode() + orjson.dumps(one) + b"\n\n" for one in (partial, done)]


async def _pieces(request: web.Request, step: Step, pieces: list[bytes], content_type: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": content_type, **step.headers})
    await response.prepare(request)
    for sent, piece in enumerate(pieces):
        if sent == step.stall_after:
            await asyncio.Event().wait()
        if sent == step.cut_after:
            assert request.transport is not None
            request.transport.abort()
            return response
        if step.no_end and sent == len(pieces) - 1:
            return response
        await response.write(piece)
        await asyncio.sleep(step.frame_s)
    return response
