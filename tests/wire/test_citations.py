"""Citations of every dialect in answers to every caller, with positions in the text that the caller gets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import pytest
from anthropic.types import Message as SdkMessage
from hypothesis import given
from hypothesis import strategies as st

from conduit_desktop.core.answer import Answer, Choice, collect
from conduit_desktop.core.chat import ChatRequest, Citation, Text
from conduit_desktop.core.events import Event, Finished, Started
from conduit_desktop.wire import dialect
from tests.wire.messages_frames import MESSAGES, block, payloads, read, start, stop

CHAT, RESPONSES, GEMINI, BEDROCK = (dialect(name) for name in ("openai_chat", "openai_responses", "gemini", "bedrock"))
CALLERS = {"openai_chat": CHAT, "openai_responses": RESPONSES, "gemini": GEMINI}
Fields = dict[str, Any]
Blocks = list[tuple[str, int]]
"""Texts, each with the number of its citations; an empty one stands for a search, which no other dialect can express."""

short_texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("ßé漢🦊\u0301"), min_size=1, max_size=8)
blocks = st.lists(st.tuples(short_texts, st.integers(0, 2)) | st.just(("", 0)), min_size=1, max_size=6)


def source(number: int) -> Fields:
    page = {"url": f"https://{number}.example/", "title": f"P{number}", "cited_text": "as written", "encrypted_index": "E"}
    return {"type": "web_search_result_location", **page}


def cited(cited_texts: Blocks) -> list[list[Fields]]:
    """The sources of each block, every one another page."""
    numbers = iter(range(1000))
    return [[source(next(numbers)) for _ in range(count)] for _, count in cited_texts]


def streamed(cited_texts: Blocks, split: int) -> list[Event]:
    """Anthropic's stream of the blocks: the citations of a text come before its text."""
    frames = [start(input_tokens=1)]
    for index, ((text, _), sources) in enumerate(zip(cited_texts, cited(cited_texts), strict=True)):
        notes = [{"type": "citations_delta", "citation": raw} for raw in sources]
        pieces = [{"type": "text_delta", "text": piece} for piece in (text[:1], text[1:]) if piece]
        search = {"type": "server_tool_use", "id": f"s{index}", "name": "web_search", "input": {"query": "x"}}
        frames.append(block(index, {"type": "text", "text": ""} if text else search, *notes, *pieces))
    return read(b"".join([*frames, stop()]), split)


def whole(cited_texts: Blocks) -> list[Event]:
    """The same as one body."""
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}}
    content = [
        {"type": "text", "text": text, **({"citations": sources} if sources else {})} if text else search
        for (text, _), sources in zip(cited_texts, cited(cited_texts), strict=True)
    ]
    return MESSAGES.read_response({"id": "m", "type": "message", "role": "assistant", "model": "c", "content": content,
                                   "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}})  # fmt: skip


def seen_whole(caller: str, answer: Answer) -> Iterator[tuple[str, str]]:
    """Each source's URL and the text it covers, as a client reads them."""
    body = CALLERS[caller].write_response(answer, ChatRequest(caller, "m"))
    match caller:
        case "openai_chat":
            yield from _in_chat([body["choices"][0]["message"]])
        case "openai_responses":
            yield from _in_response(body)
        case _:
            yield from _in_gemini([body])


def seen_in_stream(caller: str, events: Iterable[Event]) -> Iterator[tuple[str, str]]:
    """The same of a stream."""
    writer = CALLERS[caller].writer(ChatRequest(caller, "m", stream=True))
    data = b"".join([writer.write(event) for event in events]) + writer.end()
    rows = [line[5:].strip() for line in data.splitlines() if line.startswith(b"data:")]
    cited_texts = [orjson.loads(row) for row in rows if row != b"[DONE]"]
    match caller:
        case "openai_chat":
            yield from _in_chat([chunk["choices"][0]["delta"] for chunk in cited_texts if chunk["choices"]])
        case "openai_responses":
            yield from _in_response(cited_texts[-1]["response"])
        case _:
            yield from _in_gemini(cited_texts)


def _in_chat(messages: list[Fields]) -> Iterator[tuple[str, str]]:
    text = "".join(message.get("content") or "" for message in messages)
    for note in (note["url_citation"] for message in messages for note in message.get("annotations") or ()):
        yield note["url"], text[note["start_index"] : note["end_index"]]


def _in_response(body: Fields) -> Iterator[tuple[str, str]]:
    for part in (part for item in body["output"] for part in item["content"]):
        for note in part["annotations"]:
            yield note["url"], part["text"][note["start_index"] : note["end_index"]]


def _in_gemini(chunks: list[Fields]) -> Iterator[tuple[str, str]]:
    candidates = [candidate for chunk in chunks for candidate in chunk["candidates"]]
    parts = [part for candidate in candidates for part in (candidate.get("content") or {}).get("parts") or ()]
    encoded = "".join(part["text"] for part in parts).encode()
    for grounding in (candidate["groundingMetadata"] for candidate in candidates if "groundingMetadata" in candidate):
        for support in grounding["groundingSupports"]:
            segment = support["segment"]
            cited_texts = encoded[segment["startIndex"] : segment["endIndex"]].decode()
            assert cited_texts == segment["text"]
            yield from (
                (grounding["groundingChunks"][index]["web"]["uri"], cited_texts) for index in support["groundingChunkIndices"]
            )


def wanted(cited_texts: Blocks) -> list[tuple[str, str]]:
    return [(raw["url"], text) for (text, _), sources in zip(cited_texts, cited(cited_texts), strict=True) for raw in sources]


@pytest.mark.parametrize("caller", CALLERS)
@given(cited_texts=blocks)
def test_claudes_citation_covers_the_text_of_its_block(caller: str, cited_texts: Blocks) -> None:
    assert list(seen_whole(caller, collect(whole(cited_texts)))) == wanted(cited_texts)


@pytest.mark.parametrize("caller", CALLERS)
@given(cited_texts=blocks, split=st.integers(1, 200))
def test_claudes_citation_covers_its_block_in_a_stream_however_it_is_split(caller: str, cited_texts: Blocks, split: int) -> None:
    events = streamed(cited_texts, split)
    assert list(seen_in_stream(caller, events)) == wanted(cited_texts)
    assert list(seen_whole(caller, collect(events))) == wanted(cited_texts)


@given(texts=st.lists(short_texts, min_size=1, max_size=4), data=st.data())
def test_googles_positions_are_assigned_to_the_part_they_belong_to(texts: list[str], data: st.DataObject) -> None:
    """Google counts bytes from the first word of an answer, whatever its parts; ours are characters of one part."""
    supports, begin = [], 0
    for text in texts:
        a, b = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=2, unique=True)))
        at, end = begin + len(text[:a].encode()), begin + len(text[:b].encode())
        supports.append({"segment": {"startIndex": at, "endIndex": end, "text": text[a:b]}, "groundingChunkIndices": [0]})
        begin += len(text.encode())
    grounding = {"groundingChunks": [{"web": {"uri": "https://a.example"}}], "groundingSupports": supports}
    body = {"candidates": [{"content": {"parts": [{"text": text} for text in texts], "role": "model"}, "finishReason": "STOP",
                            "groundingMetadata": grounding}]}  # fmt: skip
    parts = collect(GEMINI.read_response(body)).first.parts
    found = [part.text[c.start : c.end] for part in parts if isinstance(part, Text) for c in part.citations]
    assert found == [support["segment"]["text"] for support in supports]


def foreign(*citations: Citation, text: str = "grün ist gut") -> Answer:
    return Answer(Started("x", "m", dialect="openai_chat"), [Choice([Text(text, citations=list(citations))], Finished("stop"))])


PLACED = Citation("https://a.example", "A", "as written", 5, 8, "gemini")
UNPLACED = Citation("https://b.example", dialect="openai_chat")


def as_client(answer: Answer, stream: bool) -> list[Fields]:
    """The content that Anthropic's client holds."""
    if not stream:
        body = MESSAGES.write_response(answer, ChatRequest("anthropic_messages", "m"))
        SdkMessage.model_validate(body, strict=True)
        content: list[Fields] = body["content"]
        return content
    writer, held = MESSAGES.writer(ChatRequest("anthropic_messages", "m", stream=True)), list[Fields]()
    for each in payloads(b"".join([writer.write(event) for event in answer.events()]) + writer.end()):
        if each["type"] == "content_block_start":
            held.append(dict(each["content_block"]))
        elif each["type"] == "content_block_delta" and each["delta"]["type"] == "text_delta":
            held[-1]["text"] += each["delta"]["text"]
        elif each["type"] == "content_block_delta":
            held[-1]["citations"] = [*(held[-1].get("citations") or ()), each["delta"]["citation"]]
    return held


@pytest.mark.parametrize("stream", [False, True])
def test_an_anthropic_client_gets_pages_that_other_providers_cite(stream: bool) -> None:
    (text,) = as_client(foreign(PLACED, UNPLACED), stream)
    assert [(c["type"], c["url"], c["title"], c["cited_text"]) for c in text["citations"]] == [
        ("web_search_result_location", "https://a.example", "A", "as written"),
        ("web_search_result_location", "https://b.example", None, ""),
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_citations_that_a_client_hands_back_are_read_by_others_and_not_sent_to_anthropic(stream: bool) -> None:
    own = {"type": "text", "text": "mine", "citations": [source(1)]}
    content = [*as_client(foreign(PLACED, UNPLACED), stream), own]
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": content},
                                                        {"role": "user", "content": "and?"}]}  # fmt: skip
    sent = MESSAGES.passthrough_request(body, "claude-x")
    assert sent["messages"][1]["content"] == [{"type": "text", "text": "grün ist gut"}, own]
    request = MESSAGES.read_request(body, {})
    assert MESSAGES.write_request(request, "m").body == body
    found = [(c.url, c.start, c.end) for part in request.messages[1].parts if isinstance(part, Text) for c in part.citations]
    assert found == [("https://a.example", 5, 8), ("https://b.example", None, None), ("https://1.example/", 0, 4)]
    assert all("citations" in to.write_request(request, "m").dropped for to in (CHAT, RESPONSES, GEMINI, BEDROCK))


def test_citations_without_text_are_removed_for_anthropic() -> None:
    content = as_client(foreign(UNPLACED, text=""), stream=False)
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": content}, {"role": "user", "content": "!"}]
    assert MESSAGES.passthrough_request({"messages": messages}, "m")["messages"] == [messages[0], messages[2]]


def test_a_passage_of_the_callers_document_is_cited_by_its_title() -> None:
    place = {"type": "page_location", "cited_text": "as written", "document_index": 0, "document_title": "a.pdf",
             "start_page_number": 1, "end_page_number": 2}  # fmt: skip
    body = {
        "type": "message",
        "model": "c",
        "content": [{"type": "text", "text": "so", "citations": [place]}],
        "stop_reason": "end_turn",
    }
    answer = collect(MESSAGES.read_response(body))
    cited_texts = RESPONSES.write_response(answer, ChatRequest("openai_responses", "m"))["output"]
    (note,) = cited_texts[0]["content"][0]["annotations"]
    assert (note["type"], note["filename"], note["index"]) == ("file_citation", "a.pdf", 2)
    back = RESPONSES.passthrough_request({"model": "m", "input": cited_texts}, "m")["input"]
    assert back[0]["content"][0]["annotations"] == []
    grounding = GEMINI.write_response(answer, ChatRequest("gemini", "m"))["candidates"][0]["groundingMetadata"]
    assert grounding["groundingChunks"] == [{"retrievedContext": {"title": "a.pdf", "text": "as written"}}]
    assert "annotations" not in CHAT.write_response(answer, ChatRequest("openai_chat", "m"))["choices"][0]["message"]


def test_a_search_results_source_is_a_url_only_where_it_is_one() -> None:
    result = {"type": "search_result_location", "cited_text": "q", "title": None, "search_result_index": 0,
              "start_block_index": 0, "end_block_index": 1}  # fmt: skip
    texts = [{"type": "text", "text": "x", "citations": [{**result, "source": name}]} for name in ("https://a.example", "notes/7")]
    answer = collect(MESSAGES.read_response({"type": "message", "content": texts}))
    found = [c for part in answer.first.parts if isinstance(part, Text) for c in part.citations]
    assert [(c.url, c.title) for c in found] == [("https://a.example", "https://a.example"), (None, "notes/7")]


def test_an_annotation_from_0_to_0_has_no_position() -> None:
    note = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 0}}
    answer = collect(
        CHAT.read_response({"choices": [{"message": {"content": "x", "annotations": [note]}, "finish_reason": "stop"}]})
    )
    grounding = GEMINI.write_response(answer, ChatRequest("gemini", "m"))["candidates"][0]["groundingMetadata"]
    assert grounding == {"groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}]}
