"""Bedrock's Converse dialect: requests, cache points, thinking, binary streams, counts and errors."""

from __future__ import annotations

import base64
import json
import re
from itertools import pairwise
from typing import Any

import botocore.session
import orjson
import pytest
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from hypothesis import given, settings

from conduit_desktop.core.answer import Answer, collect
from conduit_desktop.core.chat import (
    ChatRequest,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Reasoning,
    RedactedThinking,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from conduit_desktop.core.errors import BadRequest, BudgetExceeded, MalformedStream, RateLimited, StreamBroken, UpstreamError
from conduit_desktop.core.events import Event, Finished, Started, ToolCallDelta, ToolCallStarted
from conduit_desktop.wire import WrittenRequest, dialect
from conduit_desktop.wire.bedrock.messages_writer import document_name
from conduit_desktop.wire.framing import aws_eventstream
from tests.wire.dialect_io import again, answer_of, client_request, read, translated, write_stream
from tests.wire.strategies import Features, answers, requests

BEDROCK = dialect("bedrock")
OPENAI = dialect("openai_chat")
ANTHROPIC = dialect("anthropic_messages")
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"


def frame(event: str, **payload: Any) -> bytes:
    headers = {":event-type": event, ":content-type": "application/json", ":message-type": "event"}
    return aws_eventstream.write(orjson.dumps({**payload, "p": "abc"}), headers)


def delta(index: int, **fields: Any) -> bytes:
    return frame("contentBlockDelta", contentBlockIndex=index, delta=fields)


def stop(index: int) -> bytes:
    return frame("contentBlockStop", contentBlockIndex=index)


def text(index: int, *pieces: str) -> bytes:
    return b"".join(delta(index, text=word) for word in pieces) + stop(index)


START = frame("messageStart", role="assistant")
COUNTS = {"inputTokens": 3, "outputTokens": 5, "totalTokens": 15, "cacheReadInputTokens": 4, "cacheWriteInputTokens": 3}


def end(reason: str = "end_turn", **usage: Any) -> bytes:
    return frame("messageStop", stopReason=reason) + frame("metadata", usage={**COUNTS, **usage}, metrics={"latencyMs": 9})


POINT = {"cachePoint": {"type": "default"}}
FULL: dict[str, Any] = {
    "system": [{"text": "be brief"}, POINT, {"guardContent": {"text": {"text": "watch", "qualifiers": ["query"]}}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"text": "look"},
                {"image": {"format": "png", "source": {"bytes": "aGk="}}},
                {"cachePoint": {"type": "default", "ttl": "1h"}},
                {"document": {"format": "pdf", "name": "d 1", "source": {"bytes": "aGk="}, "citations": {"enabled": True}}},
                {"document": {"format": "txt", "name": "d 2", "source": {"text": "words"}}},
                {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/v.mp4", "bucketOwner": "1"}}}},
                {"searchResult": {"source": "s", "title": "t", "content": [{"text": "x"}]}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
                {"reasoningContent": {"redactedContent": "aGlk"}},
                {"citationsContent": {"content": [{"text": "so"}], "citations": [{"title": "t"}]}},
                {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1.5}}},
                {"toolUse": {"toolUseId": "t2", "name": "web", "input": {}, "type": "server_tool_use"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "t1", "status": "error", "content": [{"json": {"b": [1]}}, {"text": "no"}]}},
                POINT,
                POINT,
            ],
        },
    ],
    "inferenceConfig": {"maxTokens": 5, "temperature": 0, "topP": 0.5, "stopSequences": ["END"]},
    "toolConfig": {
        "tools": [
            {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": {"type": "object"}}, "strict": True}},
            POINT,
            {"systemTool": {"name": "nova_grounding"}},
        ],
        "toolChoice": {"tool": {"name": "f"}},
    },
    "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
    "additionalModelRequestFields": {"top_k": 3},
    "requestMetadata": {"k": "v"},
    "serviceTier": {"type": "flex"},
    "performanceConfig": {"latency": "optimized"},
    "outputConfig": {
        "textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": '{"type": "object"}', "name": "n"}}}
    },
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"system": [], "inferenceConfig": {}, "toolConfig": {"tools": [], "toolChoice": {"any": {}}}},
        {"toolConfig": {"tools": FULL["toolConfig"]["tools"][:1], "toolChoice": {"auto": {}}}, "outputConfig": {"x": 1}},
        {"messages": [{"role": "user", "content": [POINT, {"text": ""}]}]},
    ],
)
def test_a_request_comes_out_as_it_went_in(change: dict[str, Any]) -> None:
    body = {**FULL, **change}
    assert again(BEDROCK, body, path={"model": CLAUDE}) == body


def test_a_cache_point_is_a_mark_on_the_part_before_it() -> None:
    request = BEDROCK.read_request(FULL, {"model": CLAUDE, "stream": True})
    assert [part.cache for part in request.messages[0].parts if isinstance(part, Text)] == ["5m", None]
    assert [part.cache for part in request.messages[1].parts if isinstance(part, Media)] == ["1h", None, None, None]
    assert request.tools[0].cache == "5m"
    assert (request.model, request.stream) == (CLAUDE, True)
    assert isinstance(request.messages[2].parts[-1], Opaque)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"messages": [{"role": "system", "content": []}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"text": 5}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"image": {}}]}]}, "messages[0].content[0].image.format"),
        ({"toolConfig": {"toolChoice": {"odd": {}}}}, "toolConfig.toolChoice"),
        (
            {"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "[]"}}}}},
            "outputConfig.textFormat.structure.jsonSchema.schema",
        ),
        ({"toolConfig": {"toolChoice": {"tool": {}}}}, "toolConfig.toolChoice.tool.name"),
        ({"toolConfig": {"toolChoice": {"tool": {"name": {}}}}}, "toolConfig.toolChoice.tool.name"),
        (
            {"toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": "{}"}}}]}},
            "toolConfig.tools[0].toolSpec.inputSchema.json",
        ),
        ({"inferenceConfig": {"maxTokens": "5"}}, "inferenceConfig.maxTokens"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], where: str) -> None:
    with pytest.raises(BadRequest) as raised:
        BEDROCK.read_request({**FULL, **change}, {})
    assert raised.value.param == where


@pytest.fixture(scope="module")
def service() -> ServiceModel:
    found = botocore.session.get_session().get_service_model("bedrock-runtime")
    assert isinstance(found, ServiceModel)
    return found


def check(service: ServiceModel, body: dict[str, Any]) -> None:
    """Botocore's own model of the API takes the body, and its turns are as Converse demands."""
    given = _with_bytes(body)
    report = ParamValidator().validate({**given, "modelId": "m"}, service.operation_model("Converse").input_shape)
    assert not report.has_errors(), report.generate_report()
    roles = [message["role"] for message in body["messages"]]
    assert roles[0] == "user"
    assert all(one != other for one, other in pairwise(roles))
    blocks = [block for message in body["messages"] for block in message["content"]]
    assert all(message["content"] for message in body["messages"])
    assert all(block["text"].strip() for block in blocks if "text" in block)
    if any("toolUse" in block or "toolResult" in block for block in blocks):
        assert body["toolConfig"]["tools"]
    assert all(re.fullmatch(r"[\w.:-]{1,64}", block["toolUse"]["toolUseId"]) for block in blocks if "toolUse" in block)


def _with_bytes(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_bytes(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    encoded = ("bytes", "redactedContent")
    return {key: base64.b64decode(inner) if key in encoded else _with_bytes(inner) for key, inner in value.items()}


@settings(max_examples=30)
@given(request=requests(Features(custom_tools=True)))
def test_whatever_openai_callers_ask_is_fit_for_converse(service: ServiceModel, request: ChatRequest) -> None:
    parsed = OPENAI.read_request(OPENAI.write_request(request, "m").body, {})
    for model in (CLAUDE, "amazon.nova-lite-v1:0"):
        body = orjson.loads(orjson.dumps(translated(BEDROCK, parsed, model).body))
        check(service, body)
        assert again(BEDROCK, body) == body


CLAUDE_CALLER = Features(
    "anthropic_messages", results_in="user", tool_errors=True, cache=True, thinking=True, signatures=True, redacted=True
)


@settings(max_examples=30)
@given(request=requests(CLAUDE_CALLER))
def test_whatever_anthropic_callers_ask_is_fit_for_converse(service: ServiceModel, request: ChatRequest) -> None:
    check(service, orjson.loads(orjson.dumps(translated(BEDROCK, request, CLAUDE).body)))


def question(**fields: Any) -> ChatRequest:
    return ChatRequest("openai_chat", "m", [Message("user", [Text("hi")], plain=True)], **fields)


def test_a_conversation_is_laid_out_by_converses_rules() -> None:
    request = ChatRequest(
        "anthropic_messages",
        "m",
        [
            Message("developer", [Text("be brief", cache="5m")]),
            Message(
                "assistant", [Thinking("mine", "c2ln"), Thinking("theirs"), RedactedThinking("eHg="), ToolCall("a/b", "f", "[1]")]
            ),
            Message("user", [Text("and", cache="1h"), ToolResult("a/b", [], cache="5m")]),
            Message("user", [Media("document", text="words", name="a_b.txt"), Media("image", url="https://example.com/a.png")]),
        ],
        tool_choice=ToolChoice("none"),
    )
    out = translated(BEDROCK, request, "cohere.command-r")
    call_id = out.body["messages"][1]["content"][2]["toolUse"]["toolUseId"]
    assert out.body["system"] == [{"text": "be brief"}, POINT]
    assert out.body["messages"] == [
        {"role": "user", "content": [{"text": "."}]},
        {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "mine", "signature": "c2ln"}}},
                {"reasoningContent": {"redactedContent": "eHg="}},
                {"toolUse": {"toolUseId": call_id, "name": "f", "input": {"input": [1]}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": call_id, "content": [{"text": "."}]}},
                POINT,
                {"text": "and"},
                POINT,  # an hour may not follow on five minutes
                {"document": {"format": "txt", "name": "a b txt", "source": {"bytes": base64.b64encode(b"words").decode()}}},
            ],
        },
    ]
    assert [tool["toolSpec"]["name"] for tool in out.body["toolConfig"]["tools"]] == ["f"]
    assert set(out.dropped) == {"thinking", "tool_calls.arguments", "image.url", "tool_choice", "cache_control.ttl"}


@pytest.mark.parametrize("signer", ["", "bedrock", "anthropic_messages", "gemini"])
def test_a_signed_thought_goes_back_to_who_can_read_it(signer: str) -> None:
    request = question()
    request.messages.insert(0, Message("assistant", [Thinking("hm", "c2ln", dialect=signer), Text("so")]))
    out = translated(BEDROCK, request, CLAUDE)
    signed = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}}
    assert (signed in out.body["messages"][1]["content"]) == (signer != "gemini")
    assert out.dropped == (["thinking"] if signer == "gemini" else [])


@pytest.mark.parametrize(
    ("model", "reasoning", "fields"),
    [
        (CLAUDE, Reasoning("low"), {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        (CLAUDE, Reasoning(budget_tokens=2000), {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        (CLAUDE, Reasoning(mode="disabled"), {"thinking": {"type": "disabled"}}),
        ("us.amazon.nova-2-lite-v1:0", Reasoning("max"), {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "max"}}),
        ("us.amazon.nova-2-lite-v1:0", Reasoning("none"), {"reasoningConfig": {"type": "disabled"}}),
        ("openai.gpt-oss-20b-1:0", Reasoning(budget_tokens=100), {"reasoning_effort": "low"}),
        ("deepseek.r1", Reasoning("low"), None),
    ],
)
def test_thinking_is_requested_by_each_familys_own_field(model: str, reasoning: Reasoning, fields: dict[str, Any] | None) -> None:
    out = BEDROCK.write_request(question(reasoning=reasoning, max_tokens=100), model)
    assert out.body.get("additionalModelRequestFields") == fields
    assert out.dropped == (["reasoning"] if fields is None else [])
    assert out.body["inferenceConfig"] == {"maxTokens": 100}


def test_an_effort_alone_of_an_anthropic_client_asks_for_no_thinking() -> None:
    request = ChatRequest("anthropic_messages", "m", question().messages, reasoning=Reasoning("low"))
    fields = BEDROCK.write_request(request, "anthropic.claude-opus-4-8").body["additionalModelRequestFields"]
    assert fields == {"output_config": {"effort": "low"}}


def test_top_k_stands_where_the_family_has_it() -> None:
    plain = BEDROCK.write_request(question(top_k=3, temperature=1.5), CLAUDE)
    assert plain.body["additionalModelRequestFields"] == {"top_k": 3}
    assert (plain.body["inferenceConfig"], plain.dropped) == ({"temperature": 1.0}, ["temperature>1"])
    nova = BEDROCK.write_request(question(top_k=3), "amazon.nova-pro-v1:0")
    assert nova.body["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 3}}


def test_formats_tiers_and_labels_are_written_or_named_as_dropped() -> None:
    schema = OutputFormat("schema", {"type": "object"}, "n", "d")
    out = BEDROCK.write_request(question(output=schema, metadata={"a": "x", "b": 1}, service_tier="flex", seed=1, user="u"), CLAUDE)
    json_schema = out.body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert json_schema == {"schema": '{"type":"object","additionalProperties":false}', "name": "n", "description": "d"}
    assert out.body["requestMetadata"] == {"a": "x"}
    assert out.body["serviceTier"] == {"type": "flex"}
    assert set(out.dropped) == {"metadata.b", "seed", "user"}
    assert BEDROCK.write_request(question(output=OutputFormat("json")), CLAUDE).dropped == ["response_format"]


def converse(*messages: Message, **settings: Any) -> WrittenRequest:
    return translated(BEDROCK, ChatRequest("openai_chat", "m", [Message("user", [Text("hi")]), *messages], **settings), CLAUDE)


def test_no_tools_are_sent_where_none_may_be_called() -> None:
    tool = Tool("f", schema={"type": "object"})
    out = converse(tools=[tool], tool_choice=ToolChoice("none"))
    assert ("toolConfig" in out.body, out.dropped) == (False, [])
    # "The toolConfig field must be defined when using toolUse and toolResult content blocks."
    loop = [Message("assistant", [ToolCall("c", "f", "{}")]), Message("tool", [ToolResult("c", [Text("x")])])]
    kept = converse(*loop, tools=[tool], tool_choice=ToolChoice("none"))
    assert (len(kept.body["toolConfig"]["tools"]), kept.dropped) == (1, ["tool_choice"])


def test_a_cache_point_inside_of_a_result_moves_behind_it() -> None:
    loop = [Message("assistant", [ToolCall("c", "f", "{}")]), Message("tool", [ToolResult("c", [Text("x", cache="5m")])])]
    made = converse(*loop).body["messages"][-1]["content"]
    assert made == [{"toolResult": {"toolUseId": "c", "content": [{"text": "x"}]}}, POINT]


def test_an_image_of_a_failed_result_stands_behind_it() -> None:
    result = ToolResult("c", [Text("no"), Media("image", data=PNG, media_type="image/jpg")], is_error=True)
    made = converse(Message("assistant", [ToolCall("c", "f", "{}")]), Message("tool", [result])).body["messages"][-1]["content"]
    assert made == [
        {"toolResult": {"toolUseId": "c", "content": [{"text": "no"}], "status": "error"}},
        {"image": {"format": "png", "source": {"bytes": PNG}}},
    ]


def test_four_cache_points_are_kept_in_the_order_that_the_api_takes() -> None:
    out = converse(Message("user", [Text(text, cache="5m") for text in "abcdef"]))
    points = [at for at, block in enumerate(out.body["messages"][0]["content"]) if "cachePoint" in block]
    assert (len(points), out.dropped) == (4, ["cache_control"])
    late = converse(Message("user", [Text("u", cache="5m"), Text("v", cache="1h")]))
    assert [block for block in late.body["messages"][0]["content"] if "cachePoint" in block] == [POINT, POINT]
    assert late.dropped == ["cache_control.ttl"]


def test_documents_of_one_name_get_names_of_their_own() -> None:
    files = [Media("document", data="JVBERi0=", media_type="application/pdf", name="a.pdf") for _ in range(3)]
    blocks = converse(Message("user", [Text("t"), *files])).body["messages"][0]["content"]
    names = [block["document"]["name"] for block in blocks if "document" in block]
    assert names == ["a pdf", "a pdf (2)", "a pdf (3)"]
    assert len(document_name("x" * 300)) <= 200


def test_what_an_anthropic_document_says_about_itself_reaches_claude_only() -> None:
    said = {"context": "of 2026", "citations": {"enabled": True}}
    request = ChatRequest(
        "anthropic_messages", "m", [Message("user", [Text("t"), Media("document", text="words", extra=dict(said))])]
    )
    made = BEDROCK.write_request(request, CLAUDE)
    assert made.body["messages"][0]["content"][1]["document"].items() >= said.items()
    assert made.dropped == []
    assert BEDROCK.write_request(request, "amazon.nova-pro-v1:0").dropped == ["content.context", "content.citations"]


def test_more_documents_or_images_than_converse_takes_are_refused_by_name() -> None:
    for media, count in ((Media("document", text="t"), 6), (Media("image", data=PNG, media_type="image/png"), 21)):
        with pytest.raises(BadRequest, match=media.kind):
            converse(Message("user", [media] * count))


def test_schemas_lose_what_structured_outputs_refuse_to_the_descriptions() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
    made = {"type": "integer", "description": '{"minimum":1}'}
    closed = {"type": "object", "properties": {"n": made}, "additionalProperties": False}
    out = converse(output=OutputFormat("schema", schema, "n"), tools=[Tool("f", schema=schema, strict=True)])
    assert json.loads(out.body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"]) == closed
    assert out.body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"] == {"json": closed}


def test_json_without_a_schema_becomes_an_instruction() -> None:
    out = converse(output=OutputFormat("json"))
    assert "JSON" in out.body["system"][0]["text"]
    assert out.dropped == ["response_format"]


def test_a_stream_split_anywhere_makes_the_answer() -> None:
    thought = delta(0, reasoningContent={"text": "h"}) + delta(0, reasoningContent={"text": "m"})
    thought += (
        delta(0, reasoningContent={"signature": "sig"}) + stop(0) + delta(1, reasoningContent={"redactedContent": "eHg="}) + stop(1)
    )
    cited = delta(3, text="c") + delta(3, citation={"title": "t", "location": {"web": {"url": "u"}}}) + stop(3)
    answer = answer_of(BEDROCK, START + thought + text(2, "Hé", "!") + cited + end(cacheDetails=[{"inputTokens": 2, "ttl": "1h"}]))
    assert answer.first.parts[:2] == [Thinking("hm", "sig"), RedactedThinking("eHg=")]
    texts = [part for part in answer.first.parts if isinstance(part, Text)]
    assert [part.text for part in texts] == ["Hé!", "c"]
    assert (texts[1].citations[0].url, texts[1].citations[0].title) == ("u", "t")
    assert answer.first.finish == Finished("stop", "end_turn", extra={"metrics": {"latencyMs": 9}})
    assert answer.usage is not None
    found = answer.usage
    assert (found.input, found.cache_read, found.cache_write_5m, found.cache_write_1h, found.output) == (3, 4, 1, 2, 5)


def test_a_source_stands_for_its_whole_block_even_where_it_comes_first_and_the_block_stays_open() -> None:
    note = {"title": "t", "location": {"web": {"url": "u"}}}
    blocks = delta(0, citation=note) + delta(0, text="Hé") + delta(0, text="!") + delta(1, text="so") + delta(2, citation=note)
    answer = answer_of(BEDROCK, START + blocks + end())
    cited_texts = [(part.text, [(c.start, c.end) for c in part.citations]) for part in answer.first.parts if isinstance(part, Text)]
    assert cited_texts == [("Hé!", [(0, 3)]), ("so", []), ("", [(None, None)])]


def test_interleaved_calls_arrive_whole() -> None:
    def begin(index: int) -> bytes:
        return frame("contentBlockStart", contentBlockIndex=index, start={"toolUse": {"toolUseId": f"t{index}", "name": "f"}})

    data = START + begin(0) + begin(1) + delta(0, toolUse={"input": '{"a"'}) + delta(1, toolUse={"input": ""})
    answer = answer_of(BEDROCK, data + delta(0, toolUse={"input": ":1}"}) + stop(0) + stop(1) + end("tool_use"))
    assert [(call.id, call.arguments) for call in answer.first.tool_calls] == [("t0", '{"a":1}'), ("t1", "{}")]


def test_a_tool_of_the_vendors_stays_whole() -> None:
    started = {"toolUseId": "t", "name": "nova_code", "type": "server_tool_use"}
    data = (
        START + frame("contentBlockStart", contentBlockIndex=0, start={"toolUse": started}) + delta(0, toolUse={"input": '{"a":1}'})
    )
    data += stop(0) + frame("contentBlockStart", contentBlockIndex=1, start={"toolResult": {"toolUseId": "t", "type": "x"}})
    answer = answer_of(BEDROCK, data + delta(1, toolResult=[{"json": {"b": 1}}]) + stop(1) + text(2, "so") + end())
    assert answer.first.parts == [
        Opaque("bedrock", "toolUse", {"toolUse": {**started, "input": {"a": 1}}}),
        Opaque("bedrock", "toolResult", {"toolResult": {"toolUseId": "t", "type": "x", "content": [{"json": {"b": 1}}]}}),
        Text("so"),
    ]
    assert collect(BEDROCK.read_response(BEDROCK.write_response(answer, client_request(BEDROCK)))).first.parts == answer.first.parts


def test_without_message_stop_a_stream_is_broken() -> None:
    for data in (b"", START, START + text(0, "a"), START + text(0, "a") + end()[:30]):
        reader = BEDROCK.reader()
        reader.feed(data)
        assert not reader.done
        with pytest.raises(StreamBroken):
            reader.close()


def test_an_end_without_counts_is_an_end() -> None:
    answer = collect(read(BEDROCK, START + text(0, "a") + frame("messageStop", stopReason="max_tokens")))
    assert answer.first.finish == Finished("length", "max_tokens")
    assert answer.usage is None


@pytest.mark.parametrize(
    ("fault", "reason", "status"),
    [
        ("throttlingException", "rate_limit", 429),
        ("modelStreamErrorException", "server", 424),
        ("internalServerException", "server", 500),
        ("serviceUnavailableException", "overloaded", 503),
        ("validationException", "bad_request", 400),
        ("somethingNew", "server", 500),
    ],
)
def test_an_exception_is_raised_after_what_stands_before_it(fault: str, reason: str, status: int) -> None:
    bad = aws_eventstream.write(b'{"message":"oh"}', {":exception-type": fault, ":message-type": "exception"})
    reader = BEDROCK.reader()
    assert len(reader.feed(START + text(0, "a") + bad)) == 2
    with pytest.raises(UpstreamError, match="oh") as raised:
        reader.feed(b"")
    assert (raised.value.reason, raised.value.status, raised.value.kind, raised.value.dialect) == (reason, status, fault, "bedrock")


@pytest.mark.parametrize(
    "junk", [b"data: hello, this is no frame\n\n", frame("contentBlockDelta"), delta(0, toolUse={"input": "x"})]
)
def test_what_is_no_frame_of_an_answer_is_malformed(junk: bytes) -> None:
    with pytest.raises(MalformedStream):
        read(BEDROCK, junk)


@pytest.mark.parametrize(
    ("status", "kind", "message", "reason"),
    [
        (400, "ValidationException", "The provided model identifier is invalid.", "model_not_found"),
        (400, "ValidationException", "Input Tokens Exceeded: Number of input tokens exceeds maximum length.", "context_length"),
        (400, "ValidationException", "Malformed input request", "bad_request"),
        (403, "AccessDeniedException", "You don't have access to the model with the specified model ID.", "permission"),
        (403, "UnrecognizedClientException", "The security token included in the request is invalid.", "auth"),
        (403, "ExpiredTokenException", "The security token included in the request is expired", "auth"),
        (403, "", "Bearer Token has expired", "auth"),
        (404, "ResourceNotFoundException", "This model version has reached the end of its life.", "model_not_found"),
        (408, "ModelTimeoutException", "timed out", "timeout"),
        (424, "ModelErrorException", "failed", "server"),
        (429, "ThrottlingException", "Too many requests, please wait before trying again.", "rate_limit"),
        (429, "ModelNotReadyException", "not ready", "overloaded"),
        (503, "ServiceUnavailableException", "busy", "overloaded"),
    ],
)
def test_errors_are_classified(status: int, kind: str, message: str, reason: str) -> None:
    headers = {"x-amzn-errortype": f"{kind}:http://internal.amazon.com/coral/"} if kind else {}
    error = BEDROCK.read_error(status, headers, orjson.dumps({"message": message}))
    assert (error.reason, error.kind or "", error.message, error.dialect) == (reason, kind, message, "bedrock")


def test_our_errors_are_exceptions_in_a_stream() -> None:
    assert BEDROCK.write_error(BudgetExceeded("spent")) == (402, {"message": "spent"})
    with pytest.raises(UpstreamError, match="slow down") as raised:
        read(BEDROCK, BEDROCK.writer(client_request(BEDROCK)).fail(RateLimited("slow down")))
    assert raised.value.reason == "rate_limit"


def test_a_sign_of_life_says_nothing() -> None:
    assert answer_of(BEDROCK, BEDROCK.writer(client_request(BEDROCK)).ping() + START + text(0, "a") + end()).first.text == "a"


SAYABLE = Features("bedrock", thinking=True, signatures=True, redacted=True, citations=True, split_text=True, cache_write=True)


def plain(answer: Answer) -> tuple[Any, ...]:
    """What Converse can say of an answer."""
    assert answer.usage is not None
    assert answer.first.finish is not None
    parts = [
        (part.text, [(c.url, c.title) for c in part.citations])
        if isinstance(part, Text)
        else (part.id, part.name, orjson.loads(part.arguments or "{}"))
        if isinstance(part, ToolCall)
        else part
        for part in answer.first.parts
    ]
    used = answer.usage
    return parts, answer.first.finish.reason, (used.input, used.cache_read, used.cache_write_5m, used.output)


@settings(max_examples=40)
@given(answer=answers(SAYABLE))
def test_what_is_written_is_read_again(answer: Answer) -> None:
    assert plain(answer_of(BEDROCK, write_stream(BEDROCK, list(answer.events())))) == plain(answer)
    whole = orjson.loads(orjson.dumps(BEDROCK.write_response(answer, client_request(BEDROCK))))
    assert plain(collect(BEDROCK.read_response(whole))) == plain(answer)


def test_free_text_is_wrapped() -> None:
    events: list[Event] = [Started(), ToolCallStarted("b", "g", "custom"), ToolCallDelta("b", "SELECT "), ToolCallDelta("b", "1")]
    answer = answer_of(BEDROCK, write_stream(BEDROCK, [*events, Finished("stop")]))
    assert [call.arguments for call in answer.first.tool_calls] == ['{"input":"SELECT 1"}']
    assert answer.first.finish is not None
    assert answer.first.finish.raw == "tool_use"
