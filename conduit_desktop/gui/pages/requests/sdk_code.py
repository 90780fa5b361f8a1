"""A logged request as code for the SDK of its own API, in Python or JavaScript; it never contains a credential."""

from __future__ import annotations

import json
from pprint import pformat
from textwrap import indent
from typing import Any

from conduit_desktop.actions.onboarding.snippets import PLACEHOLDER
from conduit_desktop.actions.schemas.reports import RequestDetailView
from conduit_desktop.gui.pages.requests.curl import body_of, path_of, text_of

_CALLS = {
    "openai_chat": ("client.chat.completions.create", ("model", "messages", "stream")),
    "openai_responses": ("client.responses.create", ("model", "input", "stream")),
    "anthropic_messages": ("client.messages.create", ("model", "max_tokens", "messages", "stream")),
}
"""The method of a dialect's SDK, the same in both languages, and the fields that are arguments in Python.

All others are passed in `extra_body`: the Python SDKs refuse arguments that their version does not know.
"""


def as_python(detail: RequestDetailView, address: str) -> str:
    """Python code that repeats the request to `address`, such as `http://127.0.0.1:5000`."""
    body = body_of(detail)
    if detail.endpoint == "chat" and isinstance(body, dict):
        if detail.dialect in _CALLS:
            return _python_client(detail, address) + _python_call(detail.dialect, body)
        if detail.dialect == "ollama":
            start = f"from ollama import Client\n\nclient = Client(host={address!r}, headers={_headers()!r})\n"
            call = f"answer = client.chat(**{pformat(body, width=100, sort_dicts=False)})\n"
            # Ollama streams unless the body says otherwise, its SDK only if it is told to.
            return start + call + _python_print(body.get("stream", False))
        if detail.dialect == "gemini":
            return _python_gemini(detail, body, address)
    return (
        "import json\nimport urllib.request\n\n"
        f"body = {pformat(body, width=100, sort_dicts=False)}\n"
        f"request = urllib.request.Request(\n    {address + path_of(detail)!r},\n"
        f"    data={'body' if isinstance(body, str) else 'json.dumps(body)'}.encode(),\n"
        f"    headers={ ({**_headers(), 'Content-Type': 'application/json'})!r},\n)\n"
        "with urllib.request.urlopen(request) as answer:\n    print(answer.read())\n"
    )


def as_javascript(detail: RequestDetailView, address: str) -> str:
    """JavaScript code (a module for Node) that repeats the request to `address`."""
    body = body_of(detail)
    if detail.endpoint == "chat" and isinstance(body, dict):
        if detail.dialect in _CALLS:
            method = _CALLS[detail.dialect][0]
            return f"{_javascript_client(detail, address)}const answer = await {method}({_js(body)});\n" + _js_print(
                body.get("stream")
            )
        if detail.dialect == "ollama":
            made = f"new Ollama({{ host: {_js(address)}, headers: {_js(_headers())} }})"
            start = f'import {{ Ollama }} from "ollama";\n\nconst client = {made};\n'
            return f"{start}const answer = await client.chat({_js(body)});\n" + _js_print(body.get("stream", False))
        if detail.dialect == "gemini":
            options = _js({"baseUrl": address, "apiVersion": "v1beta"})
            made = f"new GoogleGenAI({{ apiKey: {_js(PLACEHOLDER)}, httpOptions: {options} }})"
            method = "generateContentStream" if detail.streamed else "generateContent"
            given = {"model": detail.model, "contents": body.get("contents", []), "config": _gemini_config(body)}
            start = f'import {{ GoogleGenAI }} from "@google/genai";\n\nconst client = {made};\n'
            return f"{start}const answer = await client.models.{method}({_js(given)});\n" + _js_print(detail.streamed)
    headers = {**_headers(), "Content-Type": "application/json"}
    sent = _js(text_of(body)) if isinstance(body, str) else f"JSON.stringify({_js(body)})"
    return (
        f"const answer = await fetch({_js(address + path_of(detail))}, {{\n"
        f'  method: "POST",\n  headers: {indent(_js(headers), "  ").lstrip()},\n  body: {sent},\n}});\n'
        "console.log(await answer.text());\n"
    )


def _headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {PLACEHOLDER}"}


def _python_client(detail: RequestDetailView, address: str) -> str:
    if detail.dialect == "anthropic_messages":
        return f"from anthropic import Anthropic\n\nclient = Anthropic(base_url={address!r}, auth_token={PLACEHOLDER!r})\n"
    return f"from openai import OpenAI\n\nclient = OpenAI(base_url={f'{address}/v1'!r}, api_key={PLACEHOLDER!r})\n"


def _javascript_client(detail: RequestDetailView, address: str) -> str:
    if detail.dialect == "anthropic_messages":
        made = f"new Anthropic({{ baseURL: {_js(address)}, authToken: {_js(PLACEHOLDER)} }})"
        return f'import Anthropic from "@anthropic-ai/sdk";\n\nconst client = {made};\n'
    made = f"new OpenAI({{ baseURL: {_js(f'{address}/v1')}, apiKey: {_js(PLACEHOLDER)} }})"
    return f'import OpenAI from "openai";\n\nconst client = {made};\n'


def _python_call(dialect: str, body: dict[str, Any]) -> str:
    method, known = _CALLS[dialect]
    arguments = {name: body[name] for name in known if name in body}
    rest = {name: value for name, value in body.items() if name not in known}
    if rest:
        arguments["extra_body"] = rest
    lines = [f"    {name}={_nested(value)},\n" for name, value in arguments.items()]
    return f"answer = {method}(\n{''.join(lines)})\n" + _python_print(bool(body.get("stream")))


def _python_gemini(detail: RequestDetailView, body: dict[str, Any], address: str) -> str:
    method = "generate_content_stream" if detail.streamed else "generate_content"
    return (
        "from google import genai\n\n"
        f"client = genai.Client(api_key={PLACEHOLDER!r}, http_options={ {'base_url': address, 'api_version': 'v1beta'}!r})\n"
        f"answer = client.models.{method}(\n    model={detail.model!r},\n    contents={_nested(body.get('contents', []))},\n"
        f"    config={_nested(_gemini_config(body))},\n)\n"
    ) + _python_print(detail.streamed)


def _gemini_config(body: dict[str, Any]) -> dict[str, Any]:
    """What the SDK takes as `config`: everything but model and contents, with the fields of `generationConfig` at the top."""
    config = dict(body.get("generationConfig") or body.get("generation_config") or {})
    others = ("model", "contents", "generationConfig", "generation_config")
    return config | {name: value for name, value in body.items() if name not in others}


def _nested(value: Any) -> str:
    return indent(pformat(value, width=96, sort_dicts=False), "    ").lstrip()


def _python_print(stream: bool) -> str:
    return "for part in answer:\n    print(part)\n" if stream else "print(answer)\n"


def _js(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _js_print(stream: Any) -> str:
    return "for await (const part of answer) console.log(part);\n" if stream else "console.log(answer);\n"
