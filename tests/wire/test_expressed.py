"""What one dialect alone has, for targets of the others: text stays text, and the line that changes with every request goes."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.chat import ChatRequest, Media, Opaque, Text, ToolResult
from conduit_desktop.wire import dialect
from conduit_desktop.wire.anthropic.billing_line import without_billing_line
from conduit_desktop.wire.expressed import BILLING_LINE, expressed

LINE = "x-anthropic-billing-header: cc_version=2.1.252.0d9; cc_entrypoint=cli; cch={};"
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "search", "input": {}}]}


def request(**body: Any) -> ChatRequest:
    return dialect("anthropic_messages").read_request({"model": "m", "max_tokens": 9, "messages": [], **body}, {})


def system(cch: str, join: bool = False) -> Any:
    line, text = LINE.format(cch), "You help with code."
    return f"{line}\n{text}" if join else [{"type": "text", "text": line}, {"type": "text", "text": text}]


USER = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize("join", [False, True])
def test_two_requests_that_differ_in_the_billing_line_alone_are_equal(join: bool):
    first, dropped = expressed(request(system=system("fa690", join), messages=USER))
    second, _ = expressed(request(system=system("00000", join), messages=USER))
    assert first.messages == second.messages
    assert [part.text for part in first.messages[0].parts if isinstance(part, Text)] == ["You help with code."]
    assert dropped == [BILLING_LINE]


def test_a_prompt_that_only_mentions_the_line_is_kept():
    asked = request(system="What is x-anthropic-billing-header: for?", messages=USER)
    assert expressed(asked) == (asked, [])


@pytest.mark.parametrize("join", [False, True])
def test_the_line_is_taken_out_of_a_body_for_a_compatible_vendor(join: bool):
    left = without_billing_line({"model": "m", "system": system("fa690", join), "messages": USER})
    assert left["system"] == ("You help with code." if join else [{"type": "text", "text": "You help with code."}])
    assert without_billing_line(left) is left
    assert "system" not in without_billing_line({"system": [{"type": "text", "text": LINE.format("a")}]})


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "compaction", "content": "summary of everything so far"}, "summary of everything so far"),
        (
            {
                "type": "search_result",
                "source": "https://a.example",
                "title": "T",
                "content": [{"type": "text", "text": "the fact"}],
            },
            "T\nhttps://a.example\nthe fact",
        ),
        ({"type": "tool_reference", "tool_name": "get_weather"}, "Tool: get_weather"),
    ],
)
def test_a_part_that_holds_text_is_said_in_text(block: dict[str, Any], text: str):
    asked, dropped = expressed(request(messages=[{"role": "user", "content": [block]}]))
    assert asked.messages[0].parts == [Text(text)]
    assert dropped == []
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [block]}
    asked, _ = expressed(request(messages=[*USER, CALL, {"role": "user", "content": [result]}]))
    [part] = asked.messages[2].parts
    assert isinstance(part, ToolResult)
    assert part.parts == [Text(text)]


def test_a_blank_line_stands_between_a_block_said_in_text_and_its_neighbours():
    summary = {"type": "compaction", "content": "the summary"}
    blocks = [{"type": "text", "text": "a"}, summary, summary, {"type": "text", "text": "b"}]
    asked, _ = expressed(request(messages=[*USER, {"role": "assistant", "content": blocks}]))
    texts = [part.text for part in asked.messages[1].parts if isinstance(part, Text)]
    assert "".join(texts) == "a\n\nthe summary\n\nthe summary\n\nb"


def test_a_block_without_text_stays_with_its_dialect():
    asked = request(messages=[{"role": "user", "content": [{"type": "compaction", "content": None}]}])
    same, _ = expressed(asked)
    assert same is asked
    assert isinstance(same.messages[0].parts[0], Opaque)


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
CHUNKS = {
    "type": "document", "title": "T", "context": "C", "citations": {"enabled": True}, "cache_control": {"type": "ephemeral"},
    "source": {"type": "content", "content": [{"type": "text", "text": "chunk"}, PICTURE]},
}  # fmt: skip
TARGETS = ["openai_chat", "openai_responses", "gemini", "bedrock", "cohere", "ollama"]


def sent_to(target: str, asked: ChatRequest) -> tuple[str, list[str]]:
    """What reaches a target of another dialect, and what is named as dropped."""
    said, dropped = expressed(asked)
    written = dialect(target).write_request(said, "m")
    return str(written.body), [*dropped, *written.dropped]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("in_result", [False, True])
def test_the_pictures_of_a_document_made_of_blocks_reach_every_target(target: str, in_result: bool):
    content: Any = [CHUNKS, {"type": "text", "text": "q"}]
    messages: list[Any] = [{"role": "user", "content": content}]
    if in_result:
        content = [{"type": "tool_result", "tool_use_id": "t1", "content": [CHUNKS]}]
        messages = [USER[0], CALL, {"role": "user", "content": content}]
    said, dropped = expressed(request(messages=messages))
    holder = said.messages[-1].parts
    parts = holder[0].parts if isinstance(holder[0], ToolResult) else holder
    assert [part.text for part in parts if isinstance(part, Text)][:2] == ["T\nC", "chunk"]
    (picture,) = [part for part in parts if isinstance(part, Media)]
    assert (picture.data, picture.cache) == (PNG, "5m")
    assert dropped == ["content.citations"]
    if not in_result:
        assert PNG in sent_to(target, request(messages=messages))[0]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("media_type", ["text/plain", "application/pdf"])
def test_what_a_document_says_about_itself_is_sent_or_named(target: str, media_type: str):
    plain = {"type": "text", "media_type": "text/plain", "data": "BODY"}
    source = plain if media_type == "text/plain" else {"type": "base64", "media_type": media_type, "data": "JVBERi0xLjQK"}
    document = {"type": "document", "source": source, "title": "TITLE", "context": "CONTEXT", "citations": {"enabled": True}}
    body, dropped = sent_to(target, request(messages=[{"role": "user", "content": [document, {"type": "text", "text": "q"}]}]))
    assert "TITLE" in body or {"document.name", f"document.{media_type}", "document"} & set(dropped)
    assert "CONTEXT" in body or "content.context" in dropped
    assert "content.citations" in dropped


@pytest.mark.parametrize("target", TARGETS)
def test_the_marks_of_a_search_result_are_sent_or_named(target: str):
    block = {
        "type": "search_result", "source": "https://a.example", "title": "T", "content": [{"type": "text", "text": "found"}],
        "citations": {"enabled": True}, "cache_control": {"type": "ephemeral"},
    }  # fmt: skip
    said, dropped = expressed(request(messages=[{"role": "user", "content": [block]}]))
    assert said.messages[0].parts == [Text("T\nhttps://a.example\nfound", cache="5m")]
    assert dropped == ["content.citations"]
    body, named = sent_to(target, request(messages=[{"role": "user", "content": [block]}]))
    assert "cachePoint" in body or "cache_control" in named


def cohere(*content: Any) -> ChatRequest:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": "c1", "content": list(content)}
    messages = [USER[0], {"role": "assistant", "tool_calls": [call]}, result]
    return dialect("cohere").read_request({"model": "m", "messages": messages}, {})


@pytest.mark.parametrize("target", ["openai_chat", "openai_responses", "anthropic_messages", "gemini", "bedrock", "ollama"])
@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"data": {"snippet": "sunny"}}, '{"snippet":"sunny"}'),
        ({"id": "7", "data": {"snippet": "sunny"}}, '{"id":"7","snippet":"sunny"}'),
        ({"data": "sunny"}, "sunny"),
    ],
)
def test_a_result_that_coheres_client_hands_over_as_a_document_reaches_every_target(target: str, document: Any, text: str):
    said, dropped = expressed(cohere({"type": "document", "document": document}))
    (result,) = said.messages[-1].parts
    assert isinstance(result, ToolResult)
    assert (result.parts, dropped) == ([Text(text)], [])
    assert "sunny" in str(dialect(target).write_request(said, "m").body)


def test_a_phase_of_codex_is_named_where_no_target_has_it():
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "so"}]}
    body = {"model": "m", "input": [USER[0], {**said, "phase": "commentary"}, USER[0]]}
    assert expressed(dialect("openai_responses").read_request(body, {}))[1] == ["phase"]
    body["input"] = [USER[0], said, USER[0]]
    assert expressed(dialect("openai_responses").read_request(body, {}))[1] == []


@pytest.mark.parametrize("target", ["anthropic_messages", "bedrock", "gemini"])
def test_the_detail_of_a_picture_is_named_where_the_target_has_none(target: str):
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}}
    asked = dialect("openai_chat").read_request({"model": "m", "messages": [{"role": "user", "content": [part]}]}, {})
    assert any(name.endswith(".detail") for name in dialect(target).write_request(asked, "m").dropped)


def test_the_description_of_an_answers_schema_is_in_the_instruction_that_replaces_it():
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    form = {"type": "json_schema", "json_schema": {"name": "o", "description": "A chain.", "schema": schema}}
    asked = dialect("openai_chat").read_request({"model": "m", "messages": USER, "response_format": form}, {})
    for target in ("anthropic_messages", "bedrock"):
        assert "(A chain.)" in str(dialect(target).write_request(asked, "m").body)
