"""What OpenAI and Azure refuse: translated requests are mended, and go to the API that serves what they ask for."""

from __future__ import annotations

from typing import Any

import pytest

from conduit_desktop.core.chat import ChatRequest, Json, Media, Message, Reasoning, Text, Tool, ToolResult
from conduit_desktop.core.entities import Provider
from conduit_desktop.core.errors import BadRequest
from conduit_desktop.providers import ProviderKind
from conduit_desktop.providers.catalog import bind
from conduit_desktop.providers.model_facts import facts_of

CHAT, RESPONSES = "openai_chat", "openai_responses"
LOOKUP = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
OPEN = {"type": "object", "properties": {"q": {"type": "string"}, "n": {"type": "integer"}}, "required": ["q"]}


def vendor(kind: str = "openai", **options: Any) -> ProviderKind:
    base_url = "https://res.openai.azure.com" if kind == "azure" else ""
    return bind(Provider(id="p", name="p", kind=kind, base_url=base_url, options=options))


def mended(model: str, dialect: str = CHAT, kind: str = "openai", **fields: Json) -> tuple[dict[str, Json], list[str]]:
    body = dict(fields)
    dropped = vendor(kind).adapt(model, body, dialect, translated=True)
    return body, dropped


def function(schema: Json, **fields: Json) -> dict[str, Json]:
    return {"type": "function", "function": {"name": "f", "parameters": schema, **fields}}


@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [
        ("gpt-5-mini", "none", "minimal"), ("gpt-5", "xhigh", "high"), ("gpt-5-pro", "low", "high"), ("o3", "none", "low"),
        ("o3", "minimal", "low"), ("o4-mini-2025-04-16", "max", "high"), ("gpt-5.1", "none", "none"), ("gpt-5.1", "minimal", "low"),
        ("gpt-5.1", "xhigh", "high"), ("gpt-5.1-codex-max", "xhigh", "xhigh"), ("gpt-5.1-codex", "none", "low"),
        ("gpt-5.2", "xhigh", "xhigh"), ("gpt-5.2-pro", "low", "medium"), ("gpt-5.4-mini", "max", "xhigh"),
        ("gpt-5.6-sol", "max", "max"), ("gpt-6-astra", "none", "low"), ("my-deployment", "minimal", "minimal"),
    ],
)  # fmt: skip
def test_an_effort_becomes_the_nearest_that_the_model_has(model: str, asked: str, sent: str) -> None:
    lost = ["reasoning_effort"] if asked == "none" != sent else []
    assert mended(model, reasoning_effort=asked) == ({"reasoning_effort": sent}, lost)
    body, dropped = mended(model, RESPONSES, reasoning={"effort": asked, "summary": "auto"})
    assert (body["reasoning"], dropped) == ({"effort": sent, "summary": "auto"}, lost)


@pytest.mark.parametrize(
    "model", ["gpt-4o", "ft:gpt-4.1-2025-04-14:org::1", "gpt-3.5-turbo", "gpt-5-chat-latest", "gpt-5.2-chat-latest"]
)
def test_a_model_that_does_not_reason_is_asked_for_no_effort(model: str) -> None:
    assert mended(model, reasoning_effort="low") == ({}, ["reasoning_effort"])
    assert mended(model, reasoning_effort="none") == ({}, [])
    include = ["reasoning.encrypted_content"]
    assert mended(model, RESPONSES, reasoning={"effort": "low"}, include=include) == ({}, ["reasoning_effort"])
    assert mended(model, RESPONSES, reasoning={"effort": "none"}) == ({}, [])


SAMPLING: dict[str, Json] = {"temperature": 0.2, "top_p": 0.9, "logprobs": True, "top_logprobs": 2}


@pytest.mark.parametrize(
    ("model", "effort", "kept"),
    [
        ("o3", None, False), ("gpt-5", None, False), ("gpt-5.1", None, True), ("gpt-5.2", "none", True), ("gpt-5.4", "low", False),
        ("gpt-5.5", None, False), ("gpt-5.6-luna", "none", True), ("gpt-6-astra", None, False), ("gpt-4o", None, True),
        ("gpt-5.2-chat-latest", None, False), ("gpt-5-chat-latest", None, True),
    ],
)  # fmt: skip
def test_sampling_is_sent_only_where_the_model_takes_it(model: str, effort: str | None, kept: bool) -> None:
    asked = {} if effort is None else {"reasoning_effort": effort}
    body, dropped = mended(model, **SAMPLING, **asked)
    assert body == ({**SAMPLING, **asked} if kept else asked)
    assert dropped == ([] if kept else list(SAMPLING))


def test_a_default_that_the_model_does_not_take_is_no_loss() -> None:
    assert mended("o3", temperature=1, top_p=1.0, presence_penalty=0, logprobs=False) == ({}, [])


def test_numbers_over_openais_range_are_brought_into_it() -> None:
    assert mended("gpt-4o", temperature=3.5, logprobs=True, top_logprobs=30) == (
        {"temperature": 2, "logprobs": True, "top_logprobs": 20}, ["temperature", "top_logprobs"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("model", "sent"), [("gpt-4o", ["a", "b", "c", "d"]), ("my-deployment", ["a", "b", "c", "d"]), ("o3", None), ("gpt-5.2", None)]
)
def test_of_too_many_stop_sequences_the_first_are_sent(model: str, sent: list[str] | None) -> None:
    body, dropped = mended(model, stop=["a", "b", "c", "d", "e"])
    assert (body.get("stop"), dropped) == (sent, ["stop"])


def test_the_o_series_has_no_setting_for_parallel_calls() -> None:
    assert mended("o3", parallel_tool_calls=True) == ({}, [])
    assert mended("o4-mini", parallel_tool_calls=False) == ({}, ["parallel_tool_calls"])
    assert mended("gpt-5", parallel_tool_calls=False) == ({"parallel_tool_calls": False}, [])


@pytest.mark.parametrize("dialect", [CHAT, RESPONSES])
def test_more_tools_than_openai_takes_are_refused_by_name(dialect: str) -> None:
    with pytest.raises(BadRequest, match="at most 128 tools, and the request has 129") as refused:
        mended("gpt-4o", dialect, tools=[function(LOOKUP)] * 129)
    assert refused.value.param == "tools"


@pytest.mark.parametrize("kind", ["openai", "azure"])
@pytest.mark.parametrize(
    ("model", "most"),
    [("gpt-4o-2024-08-06", 16_384), ("gpt-4.1", 32_768), ("gpt-5", 128_000), ("gpt-4-turbo", 4_096), ("o3", 100_000)],
)
def test_a_limit_over_the_most_that_a_model_puts_out_is_lowered_and_no_other(kind: str, model: str, most: int) -> None:
    for dialect, name in ((CHAT, "max_completion_tokens"), (RESPONSES, "max_output_tokens")):
        assert mended(model, dialect, kind, **{name: most + 1})[0][name] == most
        assert mended(model, dialect, kind, **{name: most})[0][name] == most
        assert mended(model, dialect, kind, **{name: 100})[0][name] == 100
        assert name not in mended(model, dialect, kind)[0]
    assert mended(model, kind=kind, max_completion_tokens=10**6)[1] == []


def test_the_limit_of_an_unknown_model_or_of_another_maker_is_left_to_azure() -> None:
    for model in ("my-deployment", "mistral-large", "gpt-oss-120b"):
        assert mended(model, kind="azure", max_completion_tokens=10**6)[0] == {"max_completion_tokens": 10**6}


def test_a_limit_under_that_of_the_responses_api_is_refused_and_not_raised() -> None:
    with pytest.raises(BadRequest, match="no limit under 16; got 9") as refused:
        mended("gpt-5-codex", RESPONSES, max_output_tokens=9)
    assert refused.value.param == "max_tokens"
    assert mended("gpt-5-codex", RESPONSES, max_output_tokens=16)[0]["max_output_tokens"] == 16
    assert mended("gpt-5", max_completion_tokens=1)[0]["max_completion_tokens"] == 1


@pytest.mark.parametrize("field", ["user", "safety_identifier", "prompt_cache_key"])
@pytest.mark.parametrize("dialect", [CHAT, RESPONSES])
def test_a_long_identifier_becomes_the_same_hash_each_time(field: str, dialect: str) -> None:
    claude_code = '{"device_id":"' + "d" * 64 + '","account_uuid":"' + "a" * 36 + '","session_id":"' + "s" * 36 + '"}'
    body, dropped = mended("gpt-4o", dialect, **{field: claude_code})
    assert len(body[field]) == 64
    assert body == mended("gpt-4o", dialect, **{field: claude_code})[0]
    assert body != mended("gpt-4o", dialect, **{field: claude_code + "x"})[0]
    assert dropped == []
    assert mended("gpt-4o", dialect, **{field: "a" * 64})[0] == {field: "a" * 64}


def test_chat_takes_metadata_only_for_answers_that_are_stored() -> None:
    assert mended("gpt-4o", metadata={"a": "b"}) == ({}, ["metadata"])
    assert mended("gpt-4o", RESPONSES, metadata={"a": "b"}) == ({"metadata": {"a": "b"}}, [])


def test_metadata_over_openais_limits_is_left_out() -> None:
    many = {f"k{index}": "v" for index in range(17)}
    assert mended("gpt-4o", RESPONSES, metadata={"k" * 65: "v", "a": "v" * 513, "b": "v" * 512})[0]["metadata"] == {"b": "v" * 512}
    body, dropped = mended("gpt-4o", RESPONSES, metadata=many)
    assert (len(body["metadata"]), dropped) == (16, ["metadata"])


def test_json_mode_gets_an_instruction_where_no_message_says_json() -> None:
    instruction = {"role": "developer", "content": "Answer in JSON."}
    hi = {"role": "user", "content": "hi"}
    wanted = {"type": "json_object"}
    assert mended("gpt-4o", messages=[hi], response_format=wanted)[0]["messages"] == [{**instruction, "role": "system"}, hi]
    # The Responses API does not look into `instructions`.
    body, dropped = mended("gpt-4o", RESPONSES, instructions="JSON!", input=[hi], text={"format": wanted})
    assert (body["input"], dropped) == ([instruction, hi], [])
    asked = [{"role": "user", "content": "as Json"}]
    assert mended("gpt-4o", messages=asked, response_format=wanted)[0]["messages"] == asked
    assert mended("gpt-4o", messages=[hi])[0]["messages"] == [hi]


def test_alternatives_at_the_root_of_a_function_are_flattened() -> None:
    union = {"anyOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"type": "object", "properties": {"b": {}}}]}
    flat = {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}}
    assert mended("gpt-4o", tools=[function(union)]) == ({"tools": [function(flat)]}, ["tools.parameters.anyOf"])
    tool = {"type": "function", "name": "f", "parameters": union}
    assert mended("gpt-4o", RESPONSES, tools=[tool])[0]["tools"] == [{**tool, "parameters": flat}]


def test_arguments_that_are_no_object_are_refused_by_name() -> None:
    with pytest.raises(BadRequest, match="the parameters of f are no object") as refused:
        mended("gpt-4o", tools=[function({"type": "array", "items": {}})])
    assert refused.value.param == "tools"


def test_strict_calls_are_asked_for_only_where_the_schema_allows_them() -> None:
    body, dropped = mended("gpt-4o", tools=[function(LOOKUP, strict=True), function(OPEN, strict=True)])
    assert [tool["function"]["strict"] for tool in body["tools"]] == [True, False]
    assert body["tools"][0]["function"]["parameters"] == {**LOOKUP, "additionalProperties": False}
    assert dropped == ["tools.strict"]


def test_a_strict_answer_is_asked_for_only_where_the_schema_allows_it() -> None:
    def chat(schema: Json, strict: bool) -> dict[str, Json]:
        return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": strict}}

    closed = {**LOOKUP, "additionalProperties": False}
    assert mended("gpt-4o", response_format=chat(LOOKUP, True)) == ({"response_format": chat(closed, True)}, [])
    assert mended("gpt-4o", response_format=chat(OPEN, True)) == (
        {"response_format": chat(OPEN, False)},
        ["response_format.strict"],
    )
    text = {"format": {"type": "json_schema", "name": "n", "schema": OPEN, "strict": True}, "verbosity": "medium"}
    body, _ = mended("gpt-4o", RESPONSES, text=text)
    assert body["text"] == {"format": {**text["format"], "strict": False}, "verbosity": "medium"}  # type: ignore[dict-item]


def test_the_thoughts_of_a_reasoning_model_are_requested_for_its_next_turn() -> None:
    include = ["reasoning.encrypted_content"]
    assert mended("gpt-5-codex", RESPONSES)[0] == {"include": include}
    assert mended("gpt-5.2", RESPONSES, include=include)[0] == {}
    assert mended("gpt-5.2", RESPONSES, reasoning={"effort": "low"})[0]["include"] == include


def test_a_picture_of_a_type_that_openai_refuses_leaves_a_note() -> None:
    heic = {"type": "image_url", "image_url": {"url": "data:image/heic;base64,AAAA"}}
    body, dropped = mended("gpt-4o", messages=[{"role": "user", "content": [heic]}])
    assert "An image was left out" in body["messages"][0]["content"]
    assert dropped == ["content.image_url"]


def test_azures_chat_gets_no_files() -> None:
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}}
    question = {"type": "text", "text": "what is it?"}
    body, dropped = mended("gpt-4o", kind="azure", messages=[{"role": "user", "content": [file, question]}])
    assert (body["messages"], dropped) == ([{"role": "user", "content": [question]}], ["document"])
    assert mended("gpt-4o", messages=[{"role": "user", "content": [file]}])[0]["messages"][0]["content"] == [file]


@pytest.mark.parametrize("kind", ["openai", "azure"])
@pytest.mark.parametrize("dialect", [CHAT, RESPONSES])
def test_a_client_of_openais_dialects_gets_openais_own_answer(kind: str, dialect: str) -> None:
    body: dict[str, Json] = {
        "model": "o3",
        "temperature": 0.2,
        "user": "u" * 100,
        "stop": [],
        "tools": [function({"type": "object"})],
    }
    sent = dict(body)
    assert vendor(kind).adapt("o3", sent, dialect, translated=False) == []
    assert sent == body


# ---- which of OpenAI's two APIs


def chosen(model: str, kind: str = "openai", options: dict[str, Any] | None = None, **fields: Any) -> str:
    request = ChatRequest("anthropic_messages", "m", fields.pop("messages", []), **fields)
    return vendor(kind, **(options or {})).dialect_for(model, request)


@pytest.mark.parametrize("kind", ["openai", "azure"])
@pytest.mark.parametrize(
    ("model", "effort", "dialect"),
    [
        ("gpt-5.4", "low", RESPONSES), ("gpt-5.4", None, CHAT), ("gpt-5.4-mini", "none", CHAT), ("gpt-5.2", "high", RESPONSES),
        ("gpt-5.5", None, RESPONSES), ("gpt-5.6-terra", None, RESPONSES), ("gpt-6-astra", "none", RESPONSES),
        ("gpt-5.1", "high", CHAT), ("gpt-5", "high", CHAT), ("gpt-4o", None, CHAT), ("my-deployment", "high", CHAT),
    ],
)  # fmt: skip
def test_tools_for_models_that_refuse_them_in_chat_go_to_the_responses_api(
    kind: str, model: str, effort: str | None, dialect: str
) -> None:
    reasoning = None if effort is None else Reasoning(effort)
    assert chosen(model, kind, tools=[Tool("f")], reasoning=reasoning) == dialect
    assert chosen(model, kind, reasoning=reasoning) == CHAT
    assert chosen(model, kind, tools=[Tool("search", kind="hosted")], reasoning=reasoning) == CHAT


def test_with_tools_the_default_effort_is_left_out_in_chat() -> None:
    assert mended("gpt-5.4", reasoning_effort="none", tools=[])[0] == {"reasoning_effort": "none", "tools": []}
    assert "reasoning_effort" not in mended("gpt-5.4", reasoning_effort="none", tools=[function(LOOKUP)])[0]


def test_a_budget_for_thinking_counts_as_an_effort() -> None:
    assert chosen("gpt-5.4", tools=[Tool("f")], reasoning=Reasoning(budget_tokens=5000, mode="enabled")) == RESPONSES
    assert chosen("gpt-5.4", tools=[Tool("f")], reasoning=Reasoning(mode="disabled")) == CHAT


def test_documents_go_where_they_are_taken() -> None:
    data, url = Media("document", data="QUJD", media_type="application/pdf"), Media("document", url="https://a.example/b.pdf")
    assert chosen("gpt-4o", messages=[Message("user", [data])]) == CHAT
    assert chosen("gpt-4o", messages=[Message("user", [url])]) == RESPONSES
    assert chosen("gpt-4o", "azure", messages=[Message("user", [ToolResult("c", [Text("see"), data])])]) == RESPONSES
    assert chosen("gpt-4o", "azure", messages=[Message("user", [Media("document", text="long")])]) == CHAT


def test_an_azure_resource_without_the_responses_api_gets_chat() -> None:
    old = {"api_version": "2024-10-21"}
    assert chosen("gpt-5.6", "azure", old, tools=[Tool("f")]) == CHAT


def test_the_facts_of_openais_models_hold_behind_a_relay_and_not_for_open_models() -> None:
    assert facts_of("openai/gpt-5-mini", "openrouter").efforts == ("minimal", "low", "medium", "high")
    assert facts_of("openai/gpt-oss-120b", "groq").sampling is None
    assert (facts_of("gpt-5.4").context, facts_of("gpt-5.4-mini").context, facts_of("gpt-4o").max_output) == (
        1_050_000,
        400_000,
        16_384,
    )


def test_azure_gets_no_cache_fields_that_its_models_refuse() -> None:
    assert mended("gpt-4.1", kind="azure", prompt_cache_retention="24h", prompt_cache_key="k") == (
        {"prompt_cache_key": "k"}, ["prompt_cache_retention"],
    )  # fmt: skip
    assert mended("DeepSeek-V3.2", kind="azure", prompt_cache_key="k") == ({}, ["prompt_cache_key"])
