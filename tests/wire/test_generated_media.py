"""Pictures and sound in answers: written where the caller's dialect has a place for them, and named where it has none."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from conduit_desktop.core.answer import collect
from conduit_desktop.core.chat import Citation, Media
from conduit_desktop.core.events import Cited, Event, Finished, OpaqueBlock, TextDelta
from conduit_desktop.wire import dialect
from conduit_desktop.wire.generated_media import image_from, image_of, lost_in_answer, media_of, sound_of
from tests.wire.dialect_io import client_request, read, write_stream

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
URL = f"data:image/png;base64,{PNG}"
WAV = "UklGRiQAAABXQVZF"
GEMINI = {
    "candidates": [
        {
            "content": {"role": "model", "parts": [{"text": "here"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]},
            "finishReason": "STOP",
            "index": 0,
        }
    ],
    "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
}
MESSAGE = {"role": "assistant", "content": "here", "images": [{"type": "image_url", "image_url": {"url": URL}}]}
CHAT = {"id": "gen-1", "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}]}
RESPONSES = {
    "id": "resp_1", "object": "response", "status": "completed", "model": "m",
    "output": [
        {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "here"}]},
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": PNG},
    ],
}  # fmt: skip
OLLAMA = {"model": "m", "message": {"role": "assistant", "content": "here", "images": [PNG]}, "done": True, "done_reason": "stop"}
ANSWERS: dict[str, dict[str, Any]] = {"gemini": GEMINI, "openai_chat": CHAT, "openai_responses": RESPONSES, "ollama": OLLAMA}


def picture(caller: str, body: dict[str, Any]) -> Any:
    """The data of the picture, from its place in an answer of `caller`."""
    match caller:
        case "openai_chat":
            (image,) = body["choices"][0]["message"]["images"]
            assert image["type"] == "image_url"
            return image["image_url"]["url"]
        case "openai_responses":
            (item,) = [item for item in body["output"] if item["type"] == "image_generation_call"]
            assert (item["status"], item["id"][:3]) == ("completed", "ig_")
            return item["result"]
        case "gemini":
            (part,) = [part for part in body["candidates"][0]["content"]["parts"] if "inlineData" in part]
            assert part["inlineData"]["mimeType"] == "image/png"
            return part["inlineData"]["data"]
        case _:
            return body["message"]["images"][0]


@pytest.mark.parametrize("caller", ANSWERS)
@pytest.mark.parametrize("source", ANSWERS)
def test_a_picture_is_in_its_place_in_whole_answers_and_streams(source: str, caller: str) -> None:
    if source == caller:
        pytest.skip("passed through")
    events = dialect(source).read_response(ANSWERS[source])
    wanted = URL if caller == "openai_chat" else PNG
    whole = dialect(caller).write_response(collect(events), client_request(dialect(caller)))
    assert picture(caller, whole) == wanted
    streamed = write_stream(dialect(caller), events)
    again = collect(read(dialect(caller), streamed))
    assert again.first.text == "here"
    assert [block.media.data for block in blocks(list(again.events())) if block.media] == [PNG]
    assert lost_in_answer(events, caller) == []


def blocks(events: list[Event]) -> list[Any]:
    return [event.block for event in events if isinstance(event, OpaqueBlock)]


def test_pictures_of_chat_streams_are_deltas_with_an_index() -> None:
    parts = [{"inlineData": {"mimeType": "image/png", "data": data}} for data in (PNG, "iVBORw0KGgoB")]
    body = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP", "index": 0}]}
    data = write_stream(dialect("openai_chat"), dialect("gemini").read_response(body))
    deltas = [orjson.loads(line[6:])["choices"][0]["delta"] for line in data.split(b"\n\n") if line.startswith(b'data: {"id"')]
    images = [image for delta in deltas for image in delta.get("images", [])]
    assert [image["index"] for image in images] == [0, 1]
    whole = dialect("openai_chat").write_response(
        collect(dialect("gemini").read_response(body)), client_request(dialect("openai_chat"))
    )
    assert whole["choices"][0]["message"]["images"] == images


def test_pictures_of_the_same_dialect_are_written_once() -> None:
    chat = dialect("openai_chat")
    whole = chat.write_response(collect(chat.read_response(CHAT)), client_request(chat))
    assert whole["choices"][0]["message"]["images"] == MESSAGE["images"]
    assert write_stream(chat, chat.read_response(CHAT)).count(PNG.encode()) == 1


def test_sound_of_gemini_is_the_audio_of_a_chat_message() -> None:
    part = {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": "AAAA"}}
    body = {"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP", "index": 0}]}
    events = dialect("gemini").read_response(body)
    whole = dialect("openai_chat").write_response(collect(events), client_request(dialect("openai_chat")))
    assert whole["choices"][0]["message"]["audio"]["data"] == "AAAA"
    assert b'"audio":{"id":"audio_' in write_stream(dialect("openai_chat"), events)
    assert lost_in_answer(events, "openai_chat") == []
    assert lost_in_answer(events, "anthropic_messages") == ["answer.audio"]


@pytest.mark.parametrize("caller", ["anthropic_messages", "openai_responses", "ollama", "cohere", "bedrock"])
def test_the_text_of_a_sound_is_the_answer_where_sound_has_no_place(caller: str) -> None:
    audio = {"id": "a", "data": WAV, "transcript": "hello there", "expires_at": 9}
    body = {"id": "c", "choices": [{"index": 0, "message": {"content": None, "audio": audio}, "finish_reason": "stop"}]}
    events = dialect("openai_chat").read_response(body)
    whole = dialect(caller).write_response(collect(events), client_request(dialect(caller)))
    assert collect(dialect(caller).read_response(whole)).first.text == "hello there"
    assert collect(read(dialect(caller), write_stream(dialect(caller), events))).first.text == "hello there"
    assert lost_in_answer(events, caller) == ["answer.audio"]


def test_sound_of_a_chat_message_is_inline_data_of_gemini() -> None:
    audio = {"id": "a", "data": WAV, "transcript": "hello there"}
    body = {"id": "c", "choices": [{"index": 0, "message": {"content": None, "audio": audio}, "finish_reason": "stop"}]}
    whole = dialect("gemini").write_response(collect(dialect("openai_chat").read_response(body)), client_request(dialect("gemini")))
    assert whole["candidates"][0]["content"]["parts"] == [{"inlineData": {"mimeType": "audio/wav", "data": WAV}}]


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ({"executableCode": {"language": "PYTHON", "code": "1+1"}}, "answer.executableCode"),
        ({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}}, "answer.codeExecutionResult"),
        ({"inlineData": {"mimeType": "image/png", "data": PNG}}, "answer.image"),
        ({"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}}, "answer.inlineData"),
    ],
)
def test_what_has_no_place_is_named(part: dict[str, Any], name: str) -> None:
    body = {"candidates": [{"content": {"parts": [{"text": "a"}, part, part]}, "finishReason": "STOP", "index": 0}]}
    events = dialect("gemini").read_response(body)
    assert lost_in_answer(events, "anthropic_messages") == [name]
    assert lost_in_answer(events, "gemini_array") == lost_in_answer(events, "gemini") == []


def test_signatures_are_no_loss() -> None:
    body = {
        "candidates": [{"content": {"parts": [{"text": "a"}, {"text": "", "thoughtSignature": "c2ln"}]}, "finishReason": "STOP"}]
    }
    assert lost_in_answer(dialect("gemini").read_response(body), "anthropic_messages") == []


@pytest.mark.parametrize(
    ("url", "media"),
    [
        (URL, Media("image", data=PNG, media_type="image/png")),
        ("data:image/webp;charset=x;base64,AAAA", Media("image", data="AAAA", media_type="image/webp")),
        ("https://example.com/a.png", Media("image", url="https://example.com/a.png")),
        ("", None),
        (7, None),
    ],
)
def test_urls_of_pictures_are_read(url: Any, media: Media | None) -> None:
    assert image_of(url) == media


@pytest.mark.parametrize(("data", "kind"), [(WAV, "audio/wav"), ("SUQzBAAA", "audio/mpeg"), ("T2dnUwAA", "audio/ogg")])
def test_the_type_of_sound_is_that_of_its_first_bytes(data: str, kind: str) -> None:
    for given, wanted in ((data, kind), ("AAAA", "audio/L16;codec=pcm;rate=24000")):
        sound = sound_of(given)
        assert sound is not None
        assert sound.media_type == wanted


@pytest.mark.parametrize("data", [":", "", "A", None, 7, "AAAA=AAA"])
def test_data_that_is_no_base64_is_no_media(data: Any) -> None:
    assert media_of("image/png", data) is sound_of(data) is image_from(data) is None


@pytest.mark.parametrize(
    ("caller", "lost"),
    [
        ("ollama", True),
        ("ollama_generate", True),
        ("openai_completions", True),
        ("cohere", False),
        ("gemini", False),
        ("bedrock", False),
    ],
)
def test_sources_are_named_where_answers_cannot_cite(caller: str, lost: bool) -> None:
    cited: list[Event] = [TextDelta("a"), Cited(Citation(url="https://a.example", dialect="gemini"))]
    assert lost_in_answer(cited, caller) == (["answer.citations"] if lost else [])


@pytest.mark.parametrize("caller", ["openai_chat", "openai_responses", "anthropic_messages"])
def test_a_source_without_a_url_is_named_where_only_pages_are_cited(caller: str) -> None:
    document, page = Citation(title="d", dialect="cohere"), Citation(url="https://a.example", dialect="cohere")
    assert lost_in_answer([Cited(document)], caller) == ["answer.citations"]
    assert lost_in_answer([Cited(page)], caller) == []
    assert lost_in_answer([Cited(Citation(title="d", dialect=caller))], caller) == []


@pytest.mark.parametrize("caller", ["anthropic_messages", "openai_responses", "ollama", "cohere", "bedrock"])
def test_further_choices_are_named_where_an_answer_has_one(caller: str) -> None:
    events: list[Event] = [Finished("stop"), Finished("stop", choice=1)]
    assert lost_in_answer(events, caller) == ["answer.choices"]
    assert lost_in_answer(events, "openai_chat") == lost_in_answer(events, "gemini_array") == []
