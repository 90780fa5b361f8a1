"""What is taken from each field of a body: texts, tools, schemas, reasoning, media."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from conduit_desktop.gateway.admission.body_content import (
    BodyContent,
    content_of,
    has_media,
    is_data,
    json_bytes,
    may_have_media,
    wav_rate,
)

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"name": "get_weather", "parameters": PARAMETERS}
SETTINGS_OF_A_LINK = {"url": "https://x.example/1"}


def written(value: Any) -> bytes:
    return orjson.dumps(value)


def of_message(**fields: Any) -> BodyContent:
    """The content of a body whose only message has these fields."""
    found = content_of({"messages": [fields]})
    assert found.messages == 1
    found.messages = 0
    return found


# The top of a body


@pytest.mark.parametrize(
    "body",
    [
        {}, {"model": "m"}, {"temperature": 0.5, "n": 2, "stream": True, "stop": None}, {"user": "x " * 128}, {"tools": []},
        {"functions": {}}, {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, {"metadata": {"x": "a long text " * 9}},
        {"generationConfig": {"stopSequences": ["end"]}}, {"options": {"responseSchema": PARAMETERS}}, {"messages": []},
        {"generationConfig": {"responseSchema": None}}, {"generationConfig": ["responseSchema"]}, {"thinking": {"type": "enabled"}},
    ],
    ids=str,
)  # fmt: skip
def test_settings_are_not_read_by_a_model(body: dict[str, Any]) -> None:
    assert content_of(body) == BodyContent()


def test_a_long_text_at_the_top_counts_under_whatever_name() -> None:
    assert content_of({"user": "x " * 128 + "."}) == BodyContent(texts=["x " * 128 + "."])
    assert content_of({"instructions": "x"}) == BodyContent(texts=["x"], systems=1)


@pytest.mark.parametrize("name", ["system", "instructions", "systemInstruction", "system_instruction"])
def test_a_system_prompt_in_a_field_of_its_own_is_one(name: str) -> None:
    assert content_of({name: [{"text": "x"}], "messages": [{"content": "y"}]}).systems == 1
    assert content_of({name: ""}).systems == content_of({name: []}).systems == content_of({name: None}).systems == 0


def test_calls_of_tools_count_in_every_dialect() -> None:
    calls: list[dict[str, Any]] = [
        {"tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"type": "function_call", "name": "f", "arguments": "{}"}, {"type": "custom_tool_call", "name": "f", "input": "x"},
        {"content": [{"type": "tool_use", "name": "f", "input": {}}]}, {"parts": [{"functionCall": {"name": "f", "args": {}}}]},
        {"parts": [{"function_call": {"name": "f", "args": {}}}]}, {"content": [{"toolUse": {"name": "f", "input": {}}}]},
    ]  # fmt: skip
    for one in calls:
        assert content_of({"messages": [one]}).calls == 1
    assert content_of({"messages": [{"role": "tool", "content": "x"}, {"type": "function_call_output", "output": "x"}]}).calls == 0


def test_what_stands_before_a_compaction_is_not_read() -> None:
    compaction = {"type": "compaction", "encrypted_content": "abc"}
    items = [{"content": "a"}, compaction, {"content": "b"}, {**compaction, "encrypted_content": "abcde"}, {"content": "c"}]
    assert content_of({"input": items}) == BodyContent(texts=["c"], messages=1, compacted=5)
    assert content_of({"messages": items}).messages == 5
    assert content_of({"input": [{"content": "a"}, {"type": "compaction"}]}) == BodyContent()


def test_tools_that_are_yet_to_be_found_do_not_count() -> None:
    tools = [{"name": "a"}, {"name": "b", "defer_loading": True}, {"name": "c", "defer_loading": False}, "d"]
    found = content_of({"tools": tools})
    assert found.schemas == [b'[{"name":"a"},{"name":"c","defer_loading":false},"d"]']
    assert found.tools == 3
    assert content_of({"tools": tools[1:2]}) == BodyContent()


def test_the_schema_in_bedrocks_settings_is_a_string() -> None:
    def body(schema: Any) -> dict[str, Any]:
        return {"outputConfig": {"textFormat": {"structure": {"jsonSchema": {"name": "x", "schema": schema}}}}}

    assert content_of(body('{"type":"object"}')) == BodyContent(formats=[b'{"type":"object"}'])
    assert content_of(body({"type": "object"})) == BodyContent(formats=[written(body({"type": "object"})["outputConfig"])])


def test_documents_further_tools_and_texts_for_guardrails_are_found() -> None:
    assert content_of({"messages": [{"content": [{"type": "document", "source": {"data": "x"}}]}]}).documents == 1
    assert content_of({"messages": [{"content": [{"document": {"name": "x"}}]}]}).documents == 1
    assert content_of({"input": [{"type": "additional_tools", "tools": []}]}).added_tools == 1
    guarded = {"guardContent": {"text": {"qualifiers": ["query"], "text": "Where is it?"}}}
    assert content_of({"messages": [{"content": [guarded]}]}) == BodyContent(texts=["Where is it?"], messages=1)


def test_a_small_picture_is_no_text() -> None:
    assert content_of({"messages": [{"data": "iVBORw0KGgo="}]}) == BodyContent(media=[("image", "iVBORw0KGgo=")], messages=1)
    assert content_of({"messages": [{"bytes": "_9j_4AA"}]}) == BodyContent(media=[("image", "_9j_4AA")], messages=1)
    assert content_of({"messages": [{"data": "plain"}, {"text": "iVBORw0KGgo="}]}).texts == ["plain", "iVBORw0KGgo="]


@pytest.mark.parametrize(
    ("body", "texts"),
    [("hi", ["hi"]), (5, ["0"]), (True, ["0"]), (None, []), ([], []), ([1, 2, 3], ["0 0 0 "]), ([0.5, "x"], ["0 0 "]),
     (["x", 1], ["x", "0"]), ([True, False], ["0", "0"]), ([None, "x"], ["x"]), (["a", ["b", "c"], "d"], ["a", "b", "c", "d"])],
    ids=str,
)  # fmt: skip
def test_a_body_that_is_no_object_counts_as_its_texts_and_numbers(body: Any, texts: list[str]) -> None:
    assert content_of(body) == BodyContent(texts=texts)


@pytest.mark.parametrize("name", ["messages", "contents", "input"])
def test_messages_are_counted_in_the_conversation_of_any_dialect(name: str) -> None:
    assert content_of({name: [{"content": "a"}, {"content": "b"}]}) == BodyContent(texts=["a", "b"], messages=2)
    assert content_of({name: {"x": "a"}}).messages == 0


def test_other_lists_hold_no_messages() -> None:
    assert content_of({"more": [{"content": "a"}], "messages": [{"content": "b"}]}) == BodyContent(texts=["a", "b"], messages=1)


def test_settings_between_texts_end_nothing() -> None:
    body = {"n": 1, "options": {}, "system": "a", "generationConfig": {}, "metadata": {}, "prompt": "b"}
    assert content_of(body).texts == ["a", "b"]


# Tools and schemas


@pytest.mark.parametrize(
    ("tools", "count"),
    [
        ([TOOL], 1), ([TOOL, TOOL, TOOL], 3), ([{"functionDeclarations": [TOOL, TOOL]}], 2),
        ([{"function_declarations": [TOOL]}, {"functionDeclarations": [TOOL, TOOL]}], 3),
        ([{"functionDeclarations": []}, TOOL], 2), ([{"functionDeclarations": {"name": "f"}}], 0), (["f", TOOL], 2),
        ([TOOL] * 7 + [{"functionDeclarations": [TOOL, TOOL]}], 2), ([TOOL] * 8 + [{"functionDeclarations": [TOOL, TOOL]}], 9),
        ({"tools": [TOOL, TOOL]}, 2), ({"f": TOOL}, 0),
    ],
)  # fmt: skip
def test_tools_are_counted_with_their_json(tools: Any, count: int) -> None:
    for name in ("tools", "functions"):
        assert content_of({name: tools}) == BodyContent(schemas=[written(tools)], tools=count)


def test_tools_of_several_fields_are_added() -> None:
    body = {"tools": [TOOL], "functions": [TOOL, TOOL]}
    assert content_of(body) == BodyContent(schemas=[written([TOOL]), written([TOOL, TOOL])], tools=3)


@pytest.mark.parametrize("name", ["toolConfig", "tool_config"])
def test_settings_for_tools_count_where_they_hold_tools(name: str) -> None:
    settings = {"tools": [{"toolSpec": TOOL}], "toolChoice": {"auto": {}}}
    assert content_of({name: settings}) == BodyContent(schemas=[written(settings)], tools=1)
    assert content_of({name: {"tools": []}}).tools == 0


@pytest.mark.parametrize(
    "answer", [{"type": "json_schema", "json_schema": {"name": "x"}}, {"schema": {}}, {"properties": {}}, {"Schema": 1}], ids=str
)
def test_the_schema_of_the_answer_is_told_from_its_texts(answer: dict[str, Any]) -> None:
    for name in ("response_format", "text", "output_config", "outputConfig", "format"):
        assert content_of({name: answer}) == BodyContent(formats=[written(answer)])


def test_a_format_without_a_schema_is_a_setting_and_counts_where_it_is_long() -> None:
    assert content_of({"response_format": {"type": "json_object"}}) == BodyContent()
    assert content_of({"output_format": {"type": "json", "x": "a"}}) == BodyContent()
    assert content_of({"output_format": {"type": "json", "x": "a " * 150}}) == BodyContent(texts=["a " * 150])
    assert content_of({"text": ["schema", "properties"]}) == BodyContent(texts=["schema", "properties"])


@pytest.mark.parametrize("name", ["generationConfig", "generation_config"])
@pytest.mark.parametrize("schema", ["responseSchema", "responseJsonSchema", "response_schema", "response_json_schema"])
def test_the_schema_in_geminis_settings_counts(name: str, schema: str) -> None:
    body = {name: {"temperature": 1, schema: PARAMETERS, "topK": 3}, "contents": [{"text": "a"}]}
    assert content_of(body) == BodyContent(texts=["a"], formats=[written(PARAMETERS)], messages=1)


# Fields of messages


def test_labels_are_not_read_and_longer_texts_under_their_names_are() -> None:
    assert of_message(role="user", id="x" * 64, content="a") == BodyContent(texts=["a"])
    assert of_message(role="user", id="x" * 65, content="a") == BodyContent(texts=["x" * 65, "a"])


@pytest.mark.parametrize("name", ["signature", "thoughtSignature", "thought_signature", "encrypted_content"])
@pytest.mark.parametrize("size", [1, 64, 65, 4000])
def test_what_only_the_vendor_can_read_is_noted_and_not_counted(name: str, size: int) -> None:
    assert of_message(**{name: "x" * size, "content": "a", "role": "user"}) == BodyContent(texts=["a"], signed=True)


def test_labels_alone_are_not_signed() -> None:
    assert not of_message(role="user", type="text", content="a").signed
    assert of_message(signature="s", role="user").signed


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
@pytest.mark.parametrize("size", [1, 300])
def test_readable_reasoning_is_kept_apart(name: str, size: int) -> None:
    assert of_message(**{name: "x" * size, "content": "a"}) == BodyContent(texts=["a"], reasoning=["x" * size])


def test_a_summary_is_reasoning_where_its_item_is() -> None:
    parts = [{"text": "b"}]
    assert of_message(type="reasoning", summary=parts) == BodyContent(reasoning=['[{"text":"b"}]'])
    assert of_message(type="message", summary=parts) == BodyContent(texts=["b"])
    assert of_message(type="reasoning", other=parts) == BodyContent(texts=["b"])


def test_citations_are_noted_where_any_document_has_them_on() -> None:
    on, off = {"citations": {"enabled": True}}, {"citations": {"enabled": False}}
    assert content_of({"x": [on]}) == BodyContent(cites=True)
    assert content_of({"x": [off]}) == BodyContent()
    assert content_of({"x": [{"citations": {}}]}) == BodyContent()
    assert content_of({"x": [on, off]}).cites
    assert content_of({"x": [off, on]}).cites
    assert content_of({"x": [{"citations": ["a"]}]}) == BodyContent(texts=["a"])


@pytest.mark.parametrize("name", ["input", "args", "arguments", "response", "json", "parameters", "output"])
def test_an_object_that_is_read_as_json_counts_with_its_keys(name: str) -> None:
    assert of_message(**{name: {"city": "Rome", "id": 3}}) == BodyContent(texts=['{"city":"Rome","id":3}'])
    assert of_message(other={"city": "Rome", "id": "x"}) == BodyContent(texts=["Rome"])


@pytest.mark.parametrize("kind", ["text", "input_text", "output_text"])
def test_a_part_of_text_is_no_json(kind: str) -> None:
    assert of_message(output={"type": kind, "text": "a"}) == BodyContent(texts=["a"])
    assert of_message(output={"type": {"x": kind}, "text": "a"}).texts == [written({"type": {"x": kind}, "text": "a"}).decode()]


def test_an_object_with_a_picture_is_read_by_its_parts() -> None:
    found = of_message(output={"type": "picture", "image_url": "https://x.example/1.png", "note": "a"})
    assert found == BodyContent(texts=["a"], media=[("image", "")])


def test_half_of_a_surrogate_pair_in_an_object_counts_as_a_question_mark() -> None:
    assert of_message(input={"a": "\ud83d"}).texts == ['"a":,"?"']


# Media


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("url", "https://x.example/1", "image"), ("image_url", "http://x.example/1", "image"), ("file_url", "gs://x/1", "document"),
        ("fileUri", "s3://x/1", "document"), ("uri", "https://x.example/1", "document"), ("file_id", "file-1", "document"),
        ("document_url", "https://x.example/" + "a" * 4077, "document"), ("file_id", "f" * 4095, "document"),
    ],
)  # fmt: skip
def test_a_link_is_a_picture_or_a_document_by_its_name(name: str, value: str, kind: str) -> None:
    assert len(value) < 4096
    assert of_message(**{name: value}) == BodyContent(media=[(kind, "")])
    assert has_media({"messages": [{name: value}]})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("url", "a link"),
        ("image_url", "x.example"),
        ("content", "https://x.example/1"),
        ("url", "https://x.example/" + "a " * 2039),
    ],
)
def test_what_is_no_link_is_a_text(name: str, value: str) -> None:
    assert of_message(**{name: value}) == BodyContent(texts=[value])


def test_a_link_of_4096_characters_is_a_text() -> None:
    link = "https://x.example/" + "a " * 2039
    assert len(link) == 4096
    assert of_message(url=link).media == []
    assert of_message(url=link[:-1]).media == [("image", "")]


def encoded(head: bytes, size: int) -> str:
    return base64.b64encode(head + bytes(192)).decode()[:size]


PNG = encoded(b"\x89PNG\r\n\x1a\n", 256)


def test_encoded_data_has_256_characters_at_least() -> None:
    assert of_message(bytes=PNG) == BodyContent(media=[("image", PNG)])
    assert of_message(bytes="JVBERi" + "A" * 250).media == [("document", "JVBERi" + "A" * 250)]
    assert of_message(bytes="JVBERi" + "A" * 249) == BodyContent(texts=["JVBERi" + "A" * 249])


def test_a_text_is_no_encoded_data_whatever_it_looks_like() -> None:
    assert of_message(text=PNG) == BodyContent(texts=[PNG])
    assert of_message(bytes="x" * 256) == BodyContent(texts=["x" * 256])
    assert of_message(bytes=PNG[:40] + " " + PNG[41:]) == BodyContent(texts=[PNG[:40] + " " + PNG[41:]])


@pytest.mark.parametrize("head", ["JVBERi", "UklGR", "T2dnU", "SUQz", "//", "AAAA", "UEsDB", "ZkxhQ", "__"])
def test_data_of_a_known_format_is_found(head: str) -> None:
    data = head + "B" * 300
    kind = "document" if head in ("JVBERi", "UEsDB") else "image" if head == "UklGR" else "audio"
    assert of_message(bytes=data) == BodyContent(media=[(kind, data)])


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("data:image/png;base64,AAAA", "image"), ("data:audio/wav;base64,AAAA", "audio"), ("data:video/mp4;base64,AAAA", "audio"),
        ("data:audio/x;base64,JVBERi", "audio"), ("data:application/pdf;base64,JVBERi", "document"),
        ("data:application/zip;base64,UEsDB", "document"), ("data:;base64,iVBORw0KGgo", "image"), ("data:;base64,AAAA", "audio"),
    ],
)  # fmt: skip
def test_the_kind_of_data_is_told_by_its_type_and_else_by_its_first_bytes(url: str, kind: str) -> None:
    assert of_message(image_url=url) == BodyContent(media=[(kind, url.partition(",")[2])])


@pytest.mark.parametrize("name", ["content", "id"])
def test_a_short_text_that_begins_like_data_is_a_text(name: str) -> None:
    text = "data:" + "the " * 62
    assert of_message(**{name: text + "12"}) == BodyContent(texts=[text + "12"])
    assert of_message(**{name: text + "123"}) == BodyContent(media=[("audio", "")])


def wav(rate: int, form: bytes = b"WAVE") -> str:
    return base64.b64encode(
        b"RIFF" + bytes(4) + form + b"fmt " + b"\x07" * 12 + rate.to_bytes(4, "little") + b"\x09" * 200
    ).decode()


def test_the_rate_of_a_wav_file_is_read_from_its_head() -> None:
    assert wav_rate(wav(0x01020304)) == 0x01020304
    assert wav_rate(wav(1)) == 1
    assert wav_rate(wav(32_000)[:48]) == 32_000
    assert wav_rate(wav(32_000, b"WEBP")) == 0
    assert wav_rate("SUQz" + wav(32_000)[4:]) == 0
    assert wav_rate("UklGRé" + wav(32_000)[6:]) == 0
    assert wav_rate("") == 0


def test_wav_and_webp_which_begin_alike_are_told_apart() -> None:
    assert of_message(bytes=wav(1)).media == [("audio", wav(1))]
    assert of_message(bytes=wav(1, b"WEBP")).media == [("image", wav(1, b"WEBP"))]


# Whether a body holds media at all


def test_a_small_body_without_marks_is_not_walked() -> None:
    assert not may_have_media(b" " * 1024)
    assert may_have_media(b" " * 1025)
    assert not may_have_media(b"A" * 256)
    assert may_have_media(b"A" * 257)
    assert not may_have_media(b"A" * 255 + b" " + b"A" * 255)


@pytest.mark.parametrize("mark", [b"data:", b'url"', b'uri"', b'Uri"', b'file_id"', b"\\u"])
def test_a_small_body_with_a_mark_is_walked(mark: bytes) -> None:
    assert may_have_media(b"{" + mark)


def test_data_of_any_length_above_the_shortest_is_found() -> None:
    shortest = "data:image/png;base64,AAAA"
    assert not has_media({"x": shortest[:24]})
    assert has_media({"x": shortest[:25]})
    assert has_media({"x": [[{"y": [shortest]}]]})
    assert not has_media({"tools": [SETTINGS_OF_A_LINK], "messages": [{"content": 3, "x": None, "y": ["a"]}]})
    assert has_media({"tools": [], "messages": [SETTINGS_OF_A_LINK]})
    assert has_media(SETTINGS_OF_A_LINK)


def test_encoded_data_is_known_by_its_first_characters() -> None:
    assert is_data("A" * 256)
    assert not is_data("A" * 255)
    assert not is_data("A" * 255 + " " + "A" * 99)
    assert is_data("data:")
    assert not is_data("a" * 20 + " data:")


def test_a_link_is_a_text_under_the_name_of_one() -> None:
    assert not has_media({"x": [{"url": ["https://x.example/1"]}, {"url": "a"}, {"file_id": 3}]})
    assert has_media({"x": [{"url": "a", "image_url": "https://x.example/1"}]})
    assert has_media({"x": [{"file_id": ""}]})


# JSON


def test_what_cannot_be_written_as_json_is_about_as_long() -> None:
    assert json_bytes({"a": ["\ud83d", 1]}) == b'"a":,[,],,"1""?"'
    assert json_bytes({"a": [1], "b": {}}) == b'{"a":[1],"b":{}}'
    deep: Any = "x"
    for _ in range(1000):
        deep = {"a": [deep]}
    assert json_bytes(deep) == b'"a":,[,],' * 1000 + b'"x"'


def test_a_compaction_at_the_beginning_stands_for_nothing_that_is_there() -> None:
    compaction = {"type": "compaction", "encrypted_content": "abc"}
    assert content_of({"input": [compaction, {"content": "b"}]}) == BodyContent(texts=["b"], messages=1, compacted=3)


def test_settings_of_a_format_are_read_where_they_are_longer_than_a_setting() -> None:
    def of(size: int) -> BodyContent:
        settings = {"x": "a " * 124 + "a" * (size - 256)}
        assert len(written(settings)) == size
        return content_of({"output_format": settings})

    assert of(256) == BodyContent()
    assert of(257).texts == ["a " * 124 + "a"]


def test_tools_that_are_no_list_count_as_they_stand() -> None:
    settings = {"tools": [{"toolSpec": {"name": "f", "defer_loading": True}}]}
    assert content_of({"toolConfig": settings}) == BodyContent(schemas=[written(settings)], tools=1)
    assert content_of({"tools": 5, "functions": True, "toolConfig": 0.5}) == BodyContent()
