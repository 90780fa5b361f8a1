"""A real llama.cpp behind the gateway, with a tiny random model: it refuses no request of the five client dialects."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.fakes.client_dialects import CLIENT_DIALECTS
from tests.journeys.installed import CLIENTS
from tests.journeys.processes import ROOT, RunningGateway, conduit, started

PYTHON = CLIENTS / "llama-cpp" / "bin" / "python"
SCHEMA = {
    "type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"],
    "additionalProperties": False,
}  # fmt: skip
Body = dict[str, Any]
LIMIT = 60
"""Tokens of an answer."""
SYSTEM_IN_THE_MIDDLE: list[Body] = [
    {"role": "assistant", "content": "a"},
    {"role": "system", "content": "reminder"},
    {"role": "user", "content": "q"},
]
"""The rest of a conversation, in dialects whose messages are a role and a text."""


@dataclass(frozen=True)
class LlamaCpp:
    """A gateway with llama.cpp behind it under each of `TEMPLATES`, and a key."""

    served: RunningGateway
    key: str

    def ask(self, path: str, body: Body) -> tuple[int, str]:
        """Status and text of the answer."""
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.key}"}
        request = urllib.request.Request(self.served.address + path, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()


TEMPLATES = {"system-first": "qwen3.5-0.8b", "alternating": "mistral-small-3.2"}
"""Alias -> the name under which the model is asked for: the rules of Qwen 3.5's template, and of Mistral's."""


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaCpp]:
    if not PYTHON.exists():
        pytest.skip(f"xllamacpp is not installed under {CLIENTS.name}: run `make clients`")
    folder = tmp_path_factory.mktemp("llama")
    model = folder / "tiny.gguf"
    subprocess.run([PYTHON, ROOT / "tools" / "tiny_llama.py", model], check=True, timeout=120)
    server = [str(PYTHON), str(ROOT / "tests" / "journeys" / "python" / "llama_server.py"), str(model)]
    with (
        started(server) as first,
        started([*server, str(folder / "alternating.jinja")]) as second,
        conduit(tmp_path_factory.mktemp("home")) as served,
    ):
        for (alias, name), address in zip(TEMPLATES.items(), (first, second), strict=True):
            served.add("providers", name=alias, kind="llamacpp", base_url=f"{address}/v1")
            served.add("models", alias=alias, targets=[{"provider": alias, "model": name}])
        yield LlamaCpp(served, served.add("keys", name="all")["key"])


def _function(**fields: Any) -> Body:
    return {"type": "function", "function": {"name": "weather", "description": "The weather.", **fields}}


def chat(case: str) -> Body:
    messages: list[Body] = [{"role": "user", "content": "weather in Bern?"}]
    body: Body = {"messages": messages, "max_tokens": LIMIT, "stream_options": {"include_usage": True}}
    match case:
        case "stop":
            body["stop"] = ["e", "a"]
        case "system in the middle":
            messages[:0] = [
                {"role": "system", "content": "S"},
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": "a"},
            ]
            messages.insert(3, {"role": "system", "content": "reminder"})
        case "schema":
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "o", "schema": SCHEMA, "strict": True}}
        case "tools":
            body |= {"tools": [_function(parameters=SCHEMA)], "logprobs": True}
        case "call":
            body |= {"tools": [_function(parameters=SCHEMA)], "tool_choice": "required"}
        case "results":
            body["tools"] = [_function(parameters={"type": "object", "properties": {"city": True}})]
            for round_, arguments in enumerate(('{"city":"Bern"}', "")):
                called = {"name": "weather", "arguments": arguments}
                call = {"id": f"c{round_}", "type": "function", "function": called}
                messages += [
                    {"role": "assistant", "tool_calls": [call]},
                    {"role": "tool", "tool_call_id": f"c{round_}", "content": "sunny"},
                ]
            messages.append(
                {"role": "user", "content": [{"type": "text", "text": "and now?"}, {"type": "file", "file": {"file_id": "f"}}]}
            )
    return body


def messages(case: str) -> Body:
    talk: list[Body] = [{"role": "user", "content": "weather in Bern?"}]
    body: Body = {"messages": talk, "max_tokens": LIMIT, "system": [{"type": "text", "text": "You help."}]}
    tool = {"name": "weather", "description": "The weather.", "input_schema": SCHEMA}
    match case:
        case "stop":
            body["stop_sequences"] = ["e", "a"]
        case "system in the middle":
            talk += SYSTEM_IN_THE_MIDDLE
        case "schema":
            body["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
        case "tools":
            body["tools"] = [tool]
        case "call":
            body |= {"tools": [tool], "tool_choice": {"type": "any"}}
        case "results":
            body["tools"] = [tool]
            for name in ("t1", "t2"):
                call = {"type": "tool_use", "id": name, "name": "weather", "input": {"city": "Bern"}}
                result = {"type": "tool_result", "tool_use_id": name, "content": "sunny"}
                document = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}
                talk += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result, document]}]
    return body


def responses(case: str) -> Body:
    items: list[Body] = [{"role": "user", "content": "weather in Bern?"}]
    body: Body = {"input": items, "max_output_tokens": LIMIT, "instructions": "You help.", "store": False}
    tool = {"type": "function", "name": "weather", "description": "The weather.", "parameters": SCHEMA, "strict": True}
    match case:
        case "system in the middle":
            said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a", "annotations": []}]}
            items += [said, {"role": "developer", "content": "reminder"}, {"role": "user", "content": "q"}]
        case "schema":
            body["text"] = {"format": {"type": "json_schema", "name": "o", "schema": SCHEMA, "strict": True}}
        case "tools":
            body["tools"] = [tool, {"type": "custom", "name": "patch", "description": "d"}]
        case "call":
            body |= {"tools": [tool], "tool_choice": "required"}
        case "results":
            body["tools"] = [tool]
            for name in ("c1", "c2"):
                items += [
                    {"type": "reasoning", "id": f"rs_{name}", "summary": [{"type": "summary_text", "text": "hm"}]},
                    {"type": "function_call", "call_id": name, "name": "weather", "arguments": '{"city":"Bern"}'},
                    {"type": "function_call_output", "call_id": name, "output": "sunny"},
                ]
    return body


def gemini(case: str) -> Body:
    contents: list[Body] = [{"role": "user", "parts": [{"text": "weather in Bern?"}]}]
    config: Body = {"maxOutputTokens": LIMIT}
    schema = {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}, "required": ["city"]}
    body: Body = {"contents": contents, "generationConfig": config, "systemInstruction": {"parts": [{"text": "You help."}]}}
    tools = [{"functionDeclarations": [{"name": "weather", "description": "The weather.", "parameters": schema}]}]
    match case:
        case "stop":
            config["stopSequences"] = ["e", "a"]
        case "system in the middle":
            contents += [{"role": "model", "parts": [{"text": part}]} for part in ("Hel", "lo")] + [contents[0]]
        case "schema":
            config |= {"responseMimeType": "application/json", "responseSchema": schema}
        case "tools":
            body["tools"] = tools
        case "call":
            body |= {"tools": tools, "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}
        case "results":
            body["tools"] = tools
            for _ in range(2):
                call = {"functionCall": {"name": "weather", "args": {"city": "Bern"}}}
                result = {"functionResponse": {"name": "weather", "response": {"output": "sunny"}}}
                contents += [{"role": "model", "parts": [call, call]}, {"role": "user", "parts": [result, result]}]
    return body


def ollama(case: str) -> Body:
    talk: list[Body] = [{"role": "user", "content": "weather in Bern?"}]
    options: Body = {"num_predict": LIMIT}
    body: Body = {"messages": talk, "options": options}
    match case:
        case "stop":
            options["stop"] = ["e", "a"]
        case "system in the middle":
            talk += SYSTEM_IN_THE_MIDDLE
        case "schema":
            body["format"] = SCHEMA
        case "tools" | "call":
            body["tools"] = [_function(parameters=SCHEMA)]
        case "results":
            body["tools"] = [_function(parameters=SCHEMA)]
            for _ in range(2):
                call = {"function": {"name": "weather", "arguments": {"city": "Bern"}}}
                talk += [
                    {"role": "assistant", "content": "", "tool_calls": [call]},
                    {"role": "tool", "tool_name": "weather", "content": "ok"},
                ]
    return body


CASES = ("plain", "stop", "system in the middle", "schema", "tools", "call", "results")
BODIES = {"openai": chat, "anthropic": messages, "responses": responses, "gemini": gemini, "ollama": ollama}
USAGE = {
    "openai": "prompt_tokens", "anthropic": "output_tokens", "responses": "input_tokens", "gemini": "promptTokenCount",
    "ollama": "prompt_eval_count",
}  # fmt: skip


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("client", CLIENT_DIALECTS)
def test_llama_cpp_answers_every_request(llama: LlamaCpp, client: str, case: str, template: str) -> None:
    dialect = CLIENT_DIALECTS[client]
    for stream in (False, True):
        body = BODIES[client](case)
        path, asked = dialect.request(template, "", stream)
        sent = body | {name: asked[name] for name in ("model", "stream") if name in asked}
        status, text = llama.ask(path, sent)
        assert status == 200, text
        assert f'"{USAGE[client]}"' in text
        if stream:
            assert any(mark in text.encode() for mark in dialect.success_marks), text[-500:]
            assert not any(mark in text.encode() for mark in dialect.error_marks), text[-500:]
        records = llama.served.admin("GET", "/requests?limit=1")["data"]
        assert [(one["status"], one["model"]) for one in records] == [("success", template)]


def test_a_picture_that_the_model_cannot_see_is_the_clients_fault_and_closes_nothing(llama: LlamaCpp) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    seen = {"model": "system-first", "messages": [{"role": "user", "content": [picture]}]}
    for _ in range(8):
        status, text = llama.ask("/v1/chat/completions", seen)
        assert status == 400, text
    status, text = llama.ask("/v1/chat/completions", {"model": "system-first", **chat("plain")})
    assert status == 200, text


def test_a_prompt_over_the_context_is_refused_in_the_words_of_the_clients_vendor(llama: LlamaCpp) -> None:
    long = {"model": "system-first", "max_tokens": 5, "messages": [{"role": "user", "content": "word " * 20_000}]}
    assert "exceed_context_size_error" in llama.ask("/v1/chat/completions", long)[1]  # passed through
    assert "prompt is too long" in llama.ask("/v1/messages", long)[1]
