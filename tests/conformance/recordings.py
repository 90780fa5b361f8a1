"""The recordings, each with the provider kind, the dialect and the client API path that its request belongs to."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

Fields = dict[str, Any]

_KINDS = {
    "anthropic": "anthropic", "gemini": "gemini", "vertex": "vertex", "bedrock": "bedrock", "cohere": "cohere", "openai": "openai",
    "groq": "groq", "mistral": "mistral", "openrouter": "openrouter", "deepseek": "deepseek", "cerebras": "cerebras",
    "perplexity": "perplexity", "together": "together", "huggingface": "huggingface", "xai": "xai", "z.ai": "zai",
    "voyage": "voyage",
}  # fmt: skip
"""Provider kinds by the recordings' names; every other is `openai-compatible`."""
_CHAT = {
    "chat": ("openai_chat", "/chat/completions"),
    "responses": ("openai_responses", "/responses"),
    "messages": ("anthropic_messages", "/v1/messages"),
    "generateContent": ("gemini", ""),
    "streamGenerateContent": ("gemini", ""),
    "v2/chat": ("cohere", "/v2/chat"),
    "converse": ("bedrock", ""),
    "converse-stream": ("bedrock", ""),
    "completions": ("openai_completions", "/completions"),
    "api/chat": ("ollama", "/api/chat"),
}
"""Chat endpoints by the recordings' kinds: dialect, and the end of the path that follows the base URL."""
_MEDIA = {
    "embeddings": "/embeddings", "images/generations": "/images/generations", "images/edits": "/images/edits",
    "audio/speech": "/audio/speech", "moderations": "/moderations", "v1/messages/count_tokens": "/v1/messages/count_tokens",
    "v1/rerank": "/v1/rerank", "v2/rerank": "/v1/rerank",
}  # fmt: skip
"""Client API paths of other endpoints, by the end of the recorded path. Where that has a version, the base URL ends before it."""
_GOOGLE_METHODS = ("countTokens", "embedContent", "batchEmbedContents")
"""Methods of Gemini's models that the client API also has."""
GOOGLE_KEY = "AIza" + "x" * 35
"""A key in the format of a Google API key, for which no access token is requested."""


@dataclass(slots=True, frozen=True)
class Endpoint:
    """How a recorded request is sent again. `client_path` is empty where the client API has no path for the dialect."""

    kind: str
    base: str
    dialect: str
    client_path: str
    options: dict[str, str]


@dataclass
class Recording:
    """One recorded call; `position` is its index among the calls of its cassette."""

    line: Fields
    position: int

    @property
    def name(self) -> str:
        """The recording's name at the replay server."""
        return f"{self.line['cassette']}@{self.position}"

    @property
    def provider(self) -> str:
        return str(self.line["provider"])

    @property
    def kind(self) -> str:
        return str(self.line["kind"])

    @property
    def status(self) -> int:
        return int(self.line["status"])

    @cached_property
    def path(self) -> str:
        """The real path, decoded."""
        return unquote(urlsplit(re.sub(r"^<[^>]+>", "http://x", self.line["uri"])).path)

    @cached_property
    def answer(self) -> bytes:
        """The recorded answer."""
        return base64.b64decode(self.line["b64"]) if "b64" in self.line else str(self.line["text"]).encode()

    @property
    def request(self) -> Fields:
        return dict(self.line["req"])

    @cached_property
    def model(self) -> str:
        """The model the call was for."""
        if found := re.search(r"/models?/(.+?)(:\w+|/converse(-stream)?|/invoke.*)$", self.path):
            return found[1]
        return str((self.line["req"] or {}).get("model") or "unnamed")

    @cached_property
    def expected_status(self) -> int:
        """The status that the client must get: the recorded one, or 502 where the gateway's own credential was refused."""
        refused = self.status in (401, 403) or (self.status == 400 and b"api key" in self.answer.lower())
        return 502 if refused else self.status

    @property
    def is_array(self) -> bool:
        """Whether the stream is one JSON array: Gemini's without `alt=sse`."""
        return self.kind == "streamGenerateContent" and self.answer.lstrip()[:1] == b"["

    @property
    def stream(self) -> bool:
        """Whether the request is for a stream."""
        return self.kind in ("streamGenerateContent", "converse-stream") or bool((self.line["req"] or {}).get("stream"))

    @cached_property
    def answered_as_stream(self) -> bool:
        """Whether the response is a stream (some vendors answer a request for a stream with a single body)."""
        return self.stream and self.answer.lstrip()[:1] not in (b"{", b"[")

    @cached_property
    def endpoint(self) -> Endpoint | None:
        """How the request is sent again; None where the gateway has no endpoint for it."""
        if not isinstance(self.line["req"], dict):
            return None
        if self.kind in _CHAT:
            return self._chat() if not _is_writers_own(self) else None
        return self._media() or self._media_by_openai_request()

    def _media(self) -> Endpoint | None:
        """A media endpoint with the same format in the client API."""
        method = self.path.rpartition(":")[2]
        if method in _GOOGLE_METHODS:
            base, options = self._google()
            # The Gemini API has all three methods; Vertex AI has another format for embeddings.
            client_path = f"/v1beta/models/{{model}}:{method}" if method == "countTokens" or self.provider == "gemini" else ""
            return Endpoint(_KINDS[self.provider], base, "", client_path, options)
        for end, client_path in _MEDIA.items():
            if self.path.endswith("/" + end):
                kind = "openai" if self.provider == "azure" else _KINDS.get(self.provider, "openai-compatible")
                base = self.path.removesuffix("/" + end) if end[0] != "v" else ""
                options = {"version": "none"} if kind.startswith("openai") else {}
                return Endpoint(kind, base, "", "/v1" + client_path.removeprefix("/v1"), options)
        return None

    def _media_by_openai_request(self) -> Endpoint | None:
        """Embeddings and images of other APIs, for which the client API has only OpenAI's format."""
        if self.path.endswith("/v2/embed"):
            return Endpoint("cohere", "", "", "", {})
        if self.kind == "invoke" and self._embeds():
            return Endpoint("bedrock", "", "", "", {})
        if self.path.endswith(":predict") and all("content" in one for one in self.line["req"].get("instances") or [{}]):
            base, options = self._google()
            return Endpoint("vertex", base, "", "", options)
        if self.provider == "openrouter" and self.path.endswith("/images"):
            return Endpoint("openrouter", self.path.removesuffix("/images"), "", "", {})
        return None

    def _embeds(self) -> bool:
        """Whether a call of InvokeModel was for embeddings of text."""
        body = self.line["req"]
        response = parse(self.answer)
        made = isinstance(response, dict) and ("embedding" in response or "embeddings" in response)
        return (made or "embed" in self.model) and bool({"inputText", "texts", "singleEmbeddingParams"} & body.keys())

    def _chat(self) -> Endpoint:
        dialect, end = _CHAT[self.kind]
        kind = _KINDS.get(self.provider, "openai-compatible")
        options: dict[str, str] = {}
        if dialect == "openai_responses" and kind not in ("xai",):
            kind = "openai"
        base = self.path.removesuffix(end)
        if dialect == "gemini":
            base, options = self._google()
        elif dialect in ("bedrock", "cohere"):
            base = ""
        elif dialect == "ollama":
            kind = "ollama"
        elif kind.startswith("openai") or (dialect.startswith("openai") and "/v" not in base):
            options = {"version": "none"}
        client_path = {
            "openai_chat": "/v1/chat/completions", "openai_responses": "/v1/responses", "anthropic_messages": "/v1/messages",
            "openai_completions": "/v1/completions", "gemini": "gemini", "ollama": "/api/chat",
        }.get(dialect, "")  # fmt: skip
        return Endpoint(kind, base, dialect, client_path, options)

    @property
    def can_pass_through(self) -> bool:
        """Whether the recorded request can be sent unchanged, by HTTP or in-process."""
        return self.endpoint is not None and bool(self.endpoint.client_path or self.endpoint.dialect)

    def _google(self) -> tuple[str, dict[str, str]]:
        if found := re.match(r"(/v\d\w*)/projects/([^/]+)/locations/([^/]+)/", self.path):
            return found[1], {"project": found[2], "location": found[3]}
        return self.path.partition("/models/")[0], {}


def _is_writers_own(recording: Recording) -> bool:
    """Writer's old completions have OpenAI's path, but another response format."""
    return recording.kind == "completions" and recording.provider == "writer"


def reason_left_out(recording: Recording) -> str:
    """The reason why a recorded request cannot be sent."""
    if _is_writers_own(recording):
        return "an old API (Writer's completions, whose stream has no end marker) that the gateway does not call"
    reasons = {
        "invoke": "Bedrock's InvokeModel with a chat in a vendor's own format: the gateway uses Converse for chat",
        "invoke-stream": "Bedrock's InvokeModelWithResponseStream: the gateway uses ConverseStream for chat",
        "v1/chat": "an old API (Cohere v1, Writer v1) that the gateway does not call",
        "models": "a list of models or a batch: not a client request",
    }
    return reasons.get(recording.kind, f"{recording.kind}: no JSON request was recorded, or no such path in the client API")


def recordings(lines: Iterator[Fields]) -> list[Recording]:
    """All recordings, from the lines of the recorded traffic."""
    counts: Counter[str] = Counter()
    found = []
    for line in lines:
        found.append(Recording(line, counts[line["cassette"]]))
        counts[line["cassette"]] += 1
    return found


def parse(answer: bytes) -> Any:
    """A JSON body; None where it is not JSON."""
    try:
        return orjson.loads(answer)
    except orjson.JSONDecodeError:
        return None
