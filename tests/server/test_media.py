"""The media endpoints over real HTTP, against the scripted vendor: answers, failover, limits, prices, records."""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest
from anthropic.types import ModelInfo

from conduit_desktop.core.entities import Price
from conduit_desktop.core.paths import Home
from conduit_desktop.gateway.health import probe
from conduit_desktop.gateway.routing import explain
from conduit_desktop.wire.provenance import MarkedContent, mark
from tests.fakes.gateway import KEY, GatewayFixture, open_gateway
from tests.fakes.http_server import listening
from tests.fakes.raw_upstream import http_answer, raw_upstream
from tests.fakes.script import Step
from tests.fakes.vendor import API_KEY, Vendor
from tests.fakes.vendor_media import PICTURE, SECONDS, SOUND, floats
from tests.fakes.waiting import WITHIN_S, settled

RANKED = {"model": "m", "query": "q", "documents": ["a", "bbb", "cc"]}


@dataclass
class ServedGateway:
    """A listening server, and a short way to call it."""

    gateway: GatewayFixture
    vendor: Vendor
    session: aiohttp.ClientSession
    address: str

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any, Any]:
        """Status, JSON (or bytes) and headers. A FormData is sent as a form."""
        sent: Any = body if isinstance(body, aiohttp.FormData) else orjson.dumps(body)
        auth = {"Authorization": f"Bearer {KEY}", **headers}
        async with self.session.post(self.address + path, data=sent, headers=auth) as response:
            raw = await response.read()
            return response.status, orjson.loads(raw) if raw[:1] in b"{[" and raw else raw, response.headers

    async def price(self, pattern: str, **rates: float) -> None:
        await self.gateway.store.prices.insert(Price(pattern=pattern, **rates))  # type: ignore[arg-type]
        await self.gateway.refresh()

    @property
    def record(self) -> Any:
        return self.gateway.records[-1]


@pytest.fixture
async def served(home: Home) -> AsyncIterator[ServedGateway]:
    async with Vendor() as vendor, open_gateway(home, port=0) as gateway, aiohttp.ClientSession() as session:
        await gateway.add_provider("oa", vendor.openai_url)
        await gateway.add_provider("an", vendor.anthropic_url, kind="anthropic-compatible")
        await gateway.add_provider("aws", vendor.anthropic_url, kind="bedrock")
        for kind in ("voyage", "jina", "cohere", "elevenlabs", "mistral", "gemini"):
            options = {"voices": "alloy=voice-1, *=voice-2"} if kind == "elevenlabs" else {}
            await gateway.add_provider(kind, vendor.anthropic_url, kind=kind, options=options)
        await gateway.add_alias("m", "oa/model-x")
        await gateway.add_alias("claude", "an/claude-x")
        await gateway.add_key()
        async with listening(home, gateway) as context:
            yield ServedGateway(gateway, vendor, session, context.server.address or "")


def sound_form(model: str = "m", **fields: str) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("file", b"RIFF" + b"\x00\xff" * 4000, filename="speech.wav", content_type="audio/wav")
    form.add_field("model", model)
    for name, value in fields.items():
        form.add_field(name, value)
    return form


@pytest.mark.parametrize("target", ["oa/model-x", "voyage/v", "jina/j", "cohere/c", "mistral/e", "gemini/g"])
@pytest.mark.parametrize("encoding", ["float", "base64", None])
async def test_embeddings_are_the_vendors_floats_in_either_encoding(
    served: ServedGateway, target: str, encoding: str | None
) -> None:
    body: dict[str, Any] = {"model": target, "input": ["one", "two"]} | ({"encoding_format": encoding} if encoding else {})
    status, answer, headers = await served.post("/v1/embeddings", body)
    assert (status, headers["x-conduit-provider"]) == (200, target.partition("/")[0])
    got = [row["embedding"] for row in answer["data"]]
    if encoding == "base64":
        got = [list(struct.unpack("<8f", base64.b64decode(value))) for value in got]
    assert got == [floats("one"), floats("two")]
    assert (served.record.endpoint, served.record.status, served.record.model) == ("embeddings", "success", target)


@pytest.mark.parametrize("called", ["application/octet-stream", "text/plain", "text/event-stream"])
async def test_an_answer_that_can_only_be_json_is_read_whatever_it_is_called(served: ServedGateway, called: str) -> None:
    answer = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "usage": {"prompt_tokens": 2}}
    served.vendor.script(Step(status=200, body=answer, content_type=called))
    status, body, headers = await served.post("/v1/embeddings", {"model": "oa/e", "input": "a", "encoding_format": "base64"})
    assert (status, headers["content-type"], served.record.input) == (200, "application/json", 2)
    assert body["data"][0]["embedding"] == "AAAAPw=="


async def test_embeddings_are_priced_by_what_was_reported_or_else_estimated(served: ServedGateway) -> None:
    await served.price("*", input=1000.0)
    _, answer, headers = await served.post("/v1/embeddings", {"model": "m", "input": ["one", "two"]})
    assert answer["usage"] == {"prompt_tokens": 2, "total_tokens": 2}
    assert (headers["x-conduit-cost-usd"], served.record.cost_state, served.record.input) == ("0.002", "final", 2)
    await served.post("/v1/embeddings", {"model": "gemini/g", "input": "a longer text to embed"})
    assert (served.record.cost_state, served.record.cost_nano) == ("estimated", served.record.input * 1_000_000)


async def test_a_vendor_that_ignores_the_encoding_is_mended(served: ServedGateway) -> None:
    answer = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}], "model": "x"}
    served.vendor.script(Step(body=answer))
    _, body, _ = await served.post("/v1/embeddings", {"model": "m", "input": "x", "encoding_format": "base64"})
    assert struct.unpack("<2f", base64.b64decode(body["data"][0]["embedding"])) == (0.5, -1.0)


async def test_token_ids_go_where_they_are_taken_and_are_refused_elsewhere(served: ServedGateway) -> None:
    assert (await served.post("/v1/embeddings", {"model": "m", "input": [[1, 2], [3]]}))[0] == 200
    assert served.vendor.requests[-1].body["input"] == [[1, 2], [3]]
    status, body, _ = await served.post("/v1/embeddings", {"model": "cohere/c", "input": [1, 2]})
    assert (status, body["error"]["param"]) == (400, "input")
    await served.gateway.add_alias("both", "cohere/c", "oa/model-x")
    status, _, headers = await served.post("/v1/embeddings", {"model": "both", "input": [1, 2]})
    assert (status, headers["x-conduit-provider"]) == (200, "oa")


async def test_large_batches_come_back_whole_and_in_order(served: ServedGateway) -> None:
    texts = [f"text {n}" for n in range(250)]
    for target in ("cohere/c", "gemini/g", "m", "aws/amazon.titan-embed-text-v2:0"):
        _, body, _ = await served.post("/v1/embeddings", {"model": target, "input": texts})
        assert [row["embedding"] for row in body["data"]] == [floats(text) for text in texts]
    assert served.record.input == 500, "two tokens a text"


async def test_one_failure_among_many_requests_is_the_targets(served: ServedGateway) -> None:
    served.vendor.script(Step(), Step(), Step(status=400, body={"message": "Malformed input"}), Step())
    status, body, _ = await served.post("/v1/embeddings", {"model": "aws/amazon.titan-embed-text-v2:0", "input": ["a"] * 30})
    assert (status, served.record.status) == (400, "error")
    assert "Malformed input" in body["error"]["message"]
    assert len(served.vendor.requests) < 30


async def test_a_failing_target_is_followed_by_the_next(served: ServedGateway) -> None:
    await served.gateway.add_alias("pair", "oa/bad", "voyage/good", retries=0)
    for fault in (
        Step(status=500),
        Step(body="<html>"),
        Step(body={"data": []}),
        Step(reset=True),
        Step(body=b"{", content_type="application/json"),
    ):
        served.vendor.script(fault, model="bad")
        status, _, headers = await served.post("/v1/embeddings", {"model": "pair", "input": "x"})
        assert (status, headers["x-conduit-provider"], headers["x-conduit-attempts"]) == (200, "voyage", "2"), fault


async def test_a_vendors_refusal_is_relayed_in_openais_shape(served: ServedGateway) -> None:
    refusal = {"error": {"message": "no such size", "type": "invalid_request_error", "param": "size", "code": "bad_size"}}
    served.vendor.script(Step(status=400, body=refusal))
    status, body, _ = await served.post("/v1/images/generations", {"model": "m", "prompt": "x", "size": "1x1"})
    assert (status, body) == (400, refusal)
    served.vendor.script(Step(status=422, body={"detail": "texts must be shorter"}))
    status, body, _ = await served.post("/v1/embeddings", {"model": "voyage/v", "input": "x"})
    assert (status, body["error"]["type"]) == (422, "invalid_request_error")
    assert "texts must be shorter" in body["error"]["message"]


async def test_a_model_without_the_endpoint_is_named_by_alias_and_target(served: ServedGateway) -> None:
    for path, body, endpoint in (
        ("/v1/embeddings", {"model": "claude", "input": "x"}, "embeddings"),
        ("/v1/chat/completions", {"model": "voyage/v", "messages": [{"role": "user", "content": "x"}]}, "chat"),
        ("/v1/audio/speech", {"model": "cohere/c", "input": "x", "voice": "alloy"}, "speech"),
    ):
        status, answer, _ = await served.post(path, body)
        assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
        assert endpoint in answer["error"]["message"]
        assert body["model"] in answer["error"]["message"]
    await served.gateway.add_alias("mixed", "voyage/v", "an/claude-x")
    chat = {"model": "mixed", "messages": [{"role": "user", "content": "x"}]}
    assert (await served.post("/v1/chat/completions", chat))[2]["x-conduit-provider"] == "an"


@pytest.mark.parametrize("target", ["oa/rank", "cohere/cohere", "jina/j", "voyage/voyage"])
async def test_rerank_has_one_response_format(served: ServedGateway, target: str) -> None:
    _, body, _ = await served.post("/v1/rerank", {**RANKED, "model": target, "top_n": 2, "return_documents": True})
    assert [row["index"] for row in body["results"]] == [1, 2]
    assert body["results"][0]["document"] == {"text": "bbb"}
    assert served.record.endpoint == "rerank"


async def test_pictures_are_priced_each_or_by_tokens(served: ServedGateway) -> None:
    await served.price("model-x", per_image=0.04)
    await served.price("gpt-image", input=10.0, output=40.0)
    _, body, headers = await served.post("/v1/images/generations", {"model": "m", "prompt": "x", "n": 2})
    assert [row["b64_json"] for row in body["data"]] == [PICTURE] * 2
    assert (headers["x-conduit-cost-usd"], served.record.cost_state) == ("0.08", "final")
    _, _, headers = await served.post("/v1/images/generations", {"model": "oa/gpt-image", "prompt": "x"})
    assert headers["x-conduit-cost-usd"] == "0.0401"
    _, _, headers = await served.post("/v1/images/generations", {"model": "oa/unpriced", "prompt": "x"})
    assert (headers["x-conduit-cost-usd"], served.record.cost_nano) == ("unknown", None)


async def test_streamed_pictures_are_relayed_with_their_usage(served: ServedGateway) -> None:
    await served.price("gpt-image", input=0.0, output=40.0)
    status, raw, headers = await served.post("/v1/images/generations", {"model": "oa/gpt-image", "prompt": "x", "stream": True})
    assert (status, headers["Content-Type"]) == (200, "text/event-stream")
    assert raw.count(b"event: image_generation.") == 2
    assert (served.record.output, served.record.cost_nano, served.record.streamed) == (1000, 40_000_000, True)
    served.vendor.script(Step(no_end=True))
    _, raw, _ = await served.post("/v1/images/generations", {"model": "oa/gpt-image", "prompt": "x", "stream": True})
    assert b"provider_stream_broken" in raw
    assert (served.record.status, served.record.error_code) == ("broken", "provider_stream_broken")


@pytest.mark.parametrize("quoted", [False, True])
async def test_an_error_among_streamed_pictures_is_sent_once(served: ServedGateway, quoted: bool) -> None:
    first = b'event: image_generation.partial_image\ndata: {"type":"image_generation.partial_image","b64_json":"AA"}\n\n'
    error = {"type": "error", "error": {"code": "moderation_blocked", "message": API_KEY if quoted else "no"}}
    body = first + b"event: error\ndata: " + orjson.dumps(error) + b"\n\n"
    served.vendor.script(Step(body=body, content_type="text/event-stream"))
    _, raw, _ = await served.post("/v1/images/generations", {"model": "m", "prompt": "x", "stream": True})
    assert raw.startswith(first)
    assert raw.count(b'"error":{') == 1
    assert (raw == body) is not quoted, "relayed as it came, unless it quotes the credential"
    assert API_KEY.encode() not in raw
    assert (served.record.status, served.record.error_code) == ("broken", "provider_stream_broken")


async def test_edits_take_a_form_and_json(served: ServedGateway) -> None:
    form = aiohttp.FormData()
    form.add_field("image[]", b"\x89PNG", filename="a.png", content_type="image/png")
    form.add_field("prompt", "greener")
    form.add_field("model", "m")
    form.add_field("n", "2")
    status, body, _ = await served.post("/v1/images/edits", form)
    assert (status, len(body["data"])) == (200, 2)
    sent = served.vendor.requests[-1].body
    assert (sent["model"], sent["prompt"], sent["image[]"]) == ("model-x", "greener", ("a.png", b"\x89PNG"))
    images = [{"image_url": "https://example.org/a.png"}]
    assert (await served.post("/v1/images/edits", {"model": "m", "prompt": "x", "images": images}))[0] == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "raw/m", "input": "x"}),
        ("/v1beta/models/raw/m:embedContent", {"content": {"parts": [{"text": "x"}]}}),
        ("/api/embed", {"model": "raw/m", "input": "x"}),
        ("/v2/embed", {"model": "raw/m", "texts": ["x"], "input_type": "search_query", "embedding_types": ["float"]}),
    ],
)
async def test_an_answer_behind_a_byte_order_mark_is_read(served: ServedGateway, path: str, body: dict[str, Any]) -> None:
    answer = b'\xef\xbb\xbf{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[0.5]}]}'
    async with raw_upstream(http_answer(answer, "application/json", "length")) as address:
        await served.gateway.add_provider("raw", address)
        status, embedded, _ = await served.post(path, body)
    assert (status, b"0.5" in orjson.dumps(embedded)) == (200, True)


async def test_speech_is_relayed_byte_by_byte_and_priced_by_its_characters(served: ServedGateway) -> None:
    await served.price("*", per_1k_chars=15.0)
    for model, voice in (("m", "alloy"), ("elevenlabs/eleven_v3", "Alloy")):
        status, raw, headers = await served.post("/v1/audio/speech", {"model": model, "input": "hello", "voice": voice})
        assert (status, raw, headers["Content-Type"]) == (200, SOUND, "audio/mpeg")
        assert (served.record.cost_nano, served.record.cost_state, served.record.status) == (75_000_000, "final", "success")
    call = served.vendor.requests[-1]
    assert (call.path, call.query) == ("/v1/text-to-speech/voice-1", {"output_format": "mp3_44100_128"})
    assert call.headers["accept-encoding"] == "identity", "compressed sound that was cut off would pass for a whole one"
    assert call.body == {"text": "hello", "model_id": "eleven_v3"}


async def test_a_sound_that_breaks_off_is_no_whole_sound(served: ServedGateway) -> None:
    await served.price("*", per_1k_chars=15.0)
    served.vendor.script(Step(cut_after=4))
    with pytest.raises(aiohttp.ClientError):
        await served.post("/v1/audio/speech", {"model": "m", "input": "hello", "voice": "alloy"})
    assert (served.record.status, served.record.cost_state, served.record.cost_nano) == ("broken", "estimated", 75_000_000)
    assert served.gateway.in_flight == 0


async def test_a_sound_of_known_length_keeps_it(served: ServedGateway) -> None:
    length_header = {"content-length": str(len(SOUND))}
    served.vendor.script(Step(headers=length_header), Step(headers=length_header, cut_after=4))
    _, raw, headers = await served.post("/v1/audio/speech", {"model": "m", "input": "hello", "voice": "alloy"})
    assert (raw, headers["Content-Length"]) == (SOUND, str(len(SOUND)))
    with pytest.raises(aiohttp.ClientError):
        await served.post("/v1/audio/speech", {"model": "m", "input": "hello", "voice": "alloy"})


async def test_a_caller_that_hangs_up_stops_the_sound(served: ServedGateway) -> None:
    served.vendor.script(Step(stall_after=3))
    headers = {"Authorization": f"Bearer {KEY}"}
    body = orjson.dumps({"model": "m", "input": "hello", "voice": "alloy"})
    async with served.session.post(f"{served.address}/v1/audio/speech", data=body, headers=headers) as response:
        await response.content.readexactly(40_000)
        response.close()
    async with asyncio.timeout(WITHIN_S):
        await served.vendor.requests[-1].ended.wait()
    await settled(served.gateway)
    assert served.vendor.requests[-1].outcome == "hung up"
    assert served.record.status == "cancelled"


@pytest.mark.parametrize("path", ["/v1/audio/transcriptions", "/v1/audio/translations"])
async def test_a_recording_is_transcribed_and_priced_by_its_minutes(served: ServedGateway, path: str) -> None:
    await served.price("*", per_minute=0.006)
    status, body, headers = await served.post(path, sound_form(language="de"))
    assert (status, body["text"]) == (200, "8004 bytes transcribed")
    assert served.vendor.requests[-1].body["model"] == "model-x"
    assert served.vendor.requests[-1].body["language"] == "de"
    assert headers["x-conduit-cost-usd"] == f"{SECONDS / 60 * 0.006:.6f}".rstrip("0")
    _, _, headers = await served.post(path, sound_form("oa/silent"))
    # The answer has no duration: that of the file is estimated.
    assert (headers["x-conduit-cost-usd"], served.record.cost_nano, served.record.cost_state) == ("0.00005", 50_000, "estimated")
    status, raw, _ = await served.post(path, sound_form(response_format="srt"))
    assert (status, raw[:2], served.record.cost_state) == (200, b"1\n", "estimated")


async def test_a_recording_may_be_priced_by_its_tokens(served: ServedGateway) -> None:
    await served.price("gpt-4o*", input=2.5, output=10.0, audio_in=6.0)
    await served.post("/v1/audio/transcriptions", sound_form("oa/gpt-4o-transcribe"))
    assert (served.record.input, served.record.audio_in, served.record.output) == (10, 30, 5)
    assert served.record.cost_nano == 10 * 2500 + 30 * 6000 + 5 * 10_000


async def test_moderation_needs_no_model_where_there_is_one_of_openais_name(served: ServedGateway) -> None:
    assert (await served.post("/v1/moderations", {"input": "x"}))[0] == 404
    await served.gateway.add_alias("omni-moderation-latest", "oa/omni")
    status, body, _ = await served.post("/v1/moderations", {"input": "x"})
    assert (status, body["results"][0]["flagged"]) == (200, False)


async def test_legacy_completions_go_on_as_they_came(served: ServedGateway) -> None:
    await served.price("*", input=1.0, output=2.0)
    _, body, _ = await served.post("/v1/completions", {"model": "m", "prompt": "one two", "echo": True})
    assert body["choices"][0]["text"] == "After one two"
    assert served.vendor.requests[-1].body["echo"] is True
    _, raw, _ = await served.post("/v1/completions", {"model": "m", "prompt": "one two", "stream": True})
    assert raw.rstrip().endswith(b"[DONE]")
    assert b'"choices":[]' not in raw, "usage was not requested"
    assert (served.record.endpoint, served.record.input, served.record.output) == ("completions", 5, 3)


async def test_legacy_completions_reach_a_chat_model(served: ServedGateway) -> None:
    _, body, headers = await served.post("/v1/completions", {"model": "claude", "prompt": "hello you", "echo": True})
    assert (body["object"], body["choices"][0]["finish_reason"]) == ("text_completion", "stop")
    assert "hello you" in body["choices"][0]["text"]
    assert "echo" in headers["x-conduit-dropped"]
    _, raw, _ = await served.post("/v1/completions", {"model": "claude", "prompt": "hello you", "stream": True})
    texts = [orjson.loads(line[6:])["choices"][0]["text"] for line in raw.splitlines() if line.startswith(b"data: {")]
    assert "hello you" in "".join(texts)
    assert raw.rstrip().endswith(b"[DONE]")
    status, body, _ = await served.post("/v1/completions", {"model": "claude", "prompt": [1, 2]})
    assert (status, body["error"]["param"]) == (400, "prompt")


async def test_tokens_are_counted_by_who_can_and_else_estimated(served: ServedGateway) -> None:
    await served.gateway.add_key("poor", "condt_" + "p" * 43, budget_nano=0, rpm=1)
    poor = {"x-api-key": "condt_" + "p" * 43, "Authorization": ""}
    ask = {"model": "claude", "messages": [{"role": "user", "content": "hello"}]}
    for _ in range(2):
        status, body, headers = await served.post("/v1/messages/count_tokens?beta=true", ask, **poor)
        assert (status, body, "x-conduit-token-count" in headers) == (200, {"input_tokens": 20}, False)
    assert (served.record.endpoint, served.record.cost_nano, served.record.input) == ("count_tokens", 0, 0)
    status, body, headers = await served.post("/v1/messages/count_tokens", {**ask, "model": "m"})
    assert (status, headers["x-conduit-token-count"]) == (200, "estimated")
    assert body["input_tokens"] > 0
    served.vendor.script(Step(status=404))
    _, body, headers = await served.post("/v1/messages/count_tokens", ask)
    assert headers["x-conduit-token-count"] == "estimated", "a 404 that means the path"
    refusal = {"type": "error", "error": {"type": "not_found_error", "message": "model: claude-x"}, "request_id": "req_1"}
    served.vendor.script(Step(status=404, body=refusal))
    status, body, headers = await served.post("/v1/messages/count_tokens", {**ask, "model": "an/claude-x"})
    assert (status, body, "x-conduit-token-count" in headers) == (404, refusal, False)


async def test_tokens_are_counted_without_the_thoughts_of_others(served: ServedGateway) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": mark(MarkedContent("gemini", "Z2Vt"))}
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": [thought, {"type": "text", "text": "so"}]}]
    status, _, _ = await served.post("/v1/messages/count_tokens", {"model": "claude", "messages": turns})
    assert status == 200
    assert served.vendor.requests[-1].body["messages"][1]["content"] == [{"type": "text", "text": "so"}]


async def test_budgets_hold_for_pictures_and_speech(served: ServedGateway) -> None:
    await served.price("*", per_image=0.04, per_1k_chars=15.0)
    await served.gateway.add_key("poor", "condt_" + "p" * 43, budget_nano=100_000_000)
    poor = {"Authorization": "Bearer condt_" + "p" * 43}
    assert (await served.post("/v1/images/generations", {"model": "m", "prompt": "x", "n": 3}, **poor))[0] == 402
    answers = await asyncio.gather(
        *(served.post("/v1/images/generations", {"model": "m", "prompt": "x"}, **poor) for _ in range(20))
    )
    assert sorted(status for status, _, _ in answers) == [200] * 2 + [402] * 18
    assert (await served.post("/v1/audio/speech", {"model": "m", "input": "x" * 100, "voice": "a"}, **poor))[0] == 402
    assert served.gateway.account("key_poor").reserved_nano == 0


POOR = {"Authorization": "Bearer condt_" + "p" * 43}


async def test_pictures_that_report_no_tokens_pass_no_budget_at_a_price_by_tokens(served: ServedGateway) -> None:
    await served.price("model-x", input=10.0, output=40.0)
    await served.gateway.add_key("poor", "condt_" + "p" * 43, budget_nano=10**9)
    picture = {"model": "m", "prompt": "x", "n": 2, "size": "1024x1024", "quality": "medium"}
    status, _, headers = await served.post("/v1/images/generations", picture, **POOR)
    assert (status, served.record.cost_state, served.record.image_out) == (200, "estimated", 2 * 1056)
    assert served.record.cost_nano == served.record.input * 10_000 + 2 * 1056 * 40_000
    assert headers["x-conduit-cost-usd"] != "unknown"
    dearest = {"model": "m", "prompt": "x"}
    answers = await asyncio.gather(*(served.post("/v1/images/generations", dearest, **POOR) for _ in range(20)))
    refused = [status for status, _, _ in answers if status != 200]
    assert set(refused) <= {402, 429}
    one = 6240 * 40_000 + 10**6
    assert served.gateway.account("key_poor").spend_nano <= 10**9 + one
    while (await served.post("/v1/images/generations", dearest, **POOR))[0] == 200:
        assert served.gateway.account("key_poor").spend_nano <= 10**9 + one
    assert served.gateway.account("key_poor").reserved_nano == 0


async def test_recordings_without_a_report_are_blocked_or_estimated_at_a_price_by_tokens(served: ServedGateway) -> None:
    await served.price("*", input=2.5, output=10.0, audio_in=6.0)
    await served.gateway.add_key("poor", "condt_" + "p" * 43, budget_nano=10**9)
    path, calls = "/v1/audio/transcriptions", len(served.vendor.requests)
    for text in ("text", "srt", "vtt"):
        status, body, _ = await served.post(path, sound_form("oa/silent", response_format=text), **POOR)
        assert (status, "No price is known" in str(body)) == (403, True)
    assert len(served.vendor.requests) == calls
    status, _, _ = await served.post(path, sound_form("oa/silent"), **POOR)
    # 8,004 bytes are half a second: ten input and four output tokens a second.
    assert (status, served.record.audio_in, served.record.output, served.record.cost_state) == (200, 6, 3, "estimated")
    assert served.gateway.account("key_poor").spend_nano == served.record.cost_nano == 6 * 6000 + 3 * 10_000
    assert (await served.post(path, sound_form("oa/gpt-4o-transcribe"), **POOR))[0] == 200
    assert served.record.cost_state == "final"


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/v1/embeddings", {"model": "m"}, "input"), ("/v1/embeddings", {"model": "m", "input": []}, "input"),
        ("/v1/embeddings", {"model": "m", "input": [None]}, "input"), ("/v1/embeddings", {"input": "x"}, "model"),
        ("/v1/embeddings", {"model": "m", "input": "x", "encoding_format": 5}, "encoding_format"),
        ("/v1/embeddings", {"model": "m", "input": "x", "dimensions": 0}, "dimensions"),
        ("/v1/images/generations", {"model": "m"}, "prompt"), ("/v1/images/generations", {"prompt": "x"}, "model"),
        ("/v1/audio/speech", {"model": "m", "input": 5}, "input"), ("/v1/moderations", {"model": "m", "input": {}}, "input"),
        ("/v1/rerank", {"model": "m", "query": "x"}, "documents"), ("/v1/rerank", {**RANKED, "top_n": "x"}, "top_n"),
        ("/v1/completions", {"model": "m"}, "prompt"), ("/v1/audio/speech", {"model": "elevenlabs/x", "input": "x"}, None),
        ("/v1/audio/transcriptions", {"model": "m"}, None),
    ],
)  # fmt: skip
async def test_a_wrong_field_is_named(served: ServedGateway, path: str, body: Any, param: str | None) -> None:
    status, answer, _ = await served.post(path, body)
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
    assert param is None or answer["error"]["param"] == param
    assert not served.vendor.requests or path == "/v1/audio/speech"


async def test_providers_without_chat_can_be_tested_and_explained(served: ServedGateway) -> None:
    for name in ("voyage", "jina"):
        tested = await probe.test_provider(served.gateway, name)
        assert (tested.ok, tested.error) == (True, None)
    served.vendor.script(Step(status=401, body={"detail": "no such key"}))
    tested = await probe.test_provider(served.gateway, "voyage")
    assert not tested.ok
    assert "no such key" in (tested.error or "")
    (row,) = await explain.explain(served.gateway.state, "jina/j", {})
    assert row.usable


async def test_models_show_their_context_and_price_where_known(served: ServedGateway) -> None:
    await served.price("model-x", input=1.5, output=6.0, per_image=0.04)
    await served.gateway.add_alias("small", "oa/model-x", max_context_tokens=8000)
    await served.gateway.add_alias("gpt-*", "oa/*")
    headers = {"Authorization": f"Bearer {KEY}"}
    async with served.session.get(f"{served.address}/v1/models", headers=headers) as answer:
        rows = {row["id"]: row for row in (await answer.json())["data"]}
    assert rows["small"]["context_window"] == 8000
    assert rows["small"]["pricing"] == {"input": 1.5, "output": 6.0, "per_image": 0.04}
    assert "pricing" not in rows["claude"]
    assert "gpt-*" not in rows
    async with served.session.get(f"{served.address}/v1/models/small", headers=headers) as answer:
        assert (await answer.json()) == rows["small"]


async def test_models_show_the_sizes_of_a_known_model_in_every_dialect(served: ServedGateway) -> None:
    await served.gateway.add_alias("known", "oa/gpt-5-mini-2025-08-07")
    await served.gateway.add_alias("limited", "oa/gpt-5-mini-2025-08-07", max_context_tokens=8000)
    await served.gateway.add_alias("invented", "oa/zephyr-9000")

    async def row(name: str, **headers: str) -> dict[str, Any]:
        headers |= {"Authorization": f"Bearer {KEY}"} if "x-goog-api-key" not in headers else {}
        async with served.session.get(f"{served.address}/v1/models/{name}", headers=headers) as answer:
            return await answer.json()

    assert {name: (await row(name)).get("context_window") for name in ("known", "limited", "invented")} == {
        "known": 400_000, "limited": 8000, "invented": None,
    }  # fmt: skip
    assert (await row("known"))["max_output_tokens"] == 128_000
    gemini = await row("known", **{"x-goog-api-key": KEY})
    assert (gemini["inputTokenLimit"], gemini["outputTokenLimit"], gemini["thinking"]) == (400_000, 128_000, True)
    assert not {"inputTokenLimit", "outputTokenLimit", "thinking"} & (await row("invented", **{"x-goog-api-key": KEY})).keys()
    claude = ModelInfo.model_validate(await row("known", **{"anthropic-version": "2023-06-01"}))
    assert (claude.max_input_tokens, claude.max_tokens) == (400_000, 128_000)


async def test_an_aliass_overrides_hold_in_json_and_in_forms(served: ServedGateway) -> None:
    await served.gateway.add_alias("cheap", "oa/model-x", overrides={"quality": "low", "user": None, "language": "en"})
    await served.post("/v1/images/generations", {"model": "cheap", "prompt": "x", "user": "me"})
    assert served.vendor.requests[-1].body == {"model": "model-x", "prompt": "x", "quality": "low", "language": "en"}
    await served.post("/v1/audio/transcriptions", sound_form("cheap", user="me", language="de"))
    sent = served.vendor.requests[-1].body
    assert (sent["language"], sent["quality"], "user" in sent, len(sent["file"][1])) == ("en", "low", False, 8004)


async def kept_of(served: ServedGateway) -> Any:
    """The payload of the last request; it is written in the background."""
    await settled(served.gateway)
    payload = await served.gateway.store.payloads.get(served.record.id)
    assert payload is not None
    return payload


async def test_payloads_are_stored_where_configured_but_no_audio(served: ServedGateway) -> None:
    await served.gateway.add_key("kept", "condt_" + "s" * 43, log_payloads=True)
    kept = {"Authorization": "Bearer condt_" + "s" * 43}
    await served.post("/v1/embeddings", {"model": "m", "input": "keep me"}, **kept)
    payload = await kept_of(served)
    assert b"keep me" in bytes(payload.request)
    await served.post("/v1/audio/speech", {"model": "m", "input": "say it", "voice": "alloy"}, **kept)
    payload = await kept_of(served)
    assert (b"say it" in bytes(payload.request), payload.response) == (True, b"")
