"""Where each recording belongs: the provider kind that makes its call, its dialect, and how a client asks for it."""

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
"""Chats by the recordings' kinds: dialect, and the end of the path that is not the base URL's."""
_BESIDE = {
    "embeddings": "/embeddings", "images/generations": "/images/generations", "images/edits": "/images/edits",
    "audio/speech": "/audio/speech", "moderations": "/moderations", "v1/messages/count_tokens": "/v1/messages/count_tokens",
    "v1/rerank": "/v1/rerank", "v2/rerank": "/v1/rerank",
}  # fmt: skip
"""Other endpoints by the ends of the recorded paths: the client's path. Of those with a version the base URL ends before it."""
_GOOGLES = ("countTokens", "embedContent", "batchEmbedContents")
"""Methods of a model that the client API has, too."""
GOOGLE_KEY = "AIza" + "x" * 35
"""Of the shape of a key that needs no token."""


@dataclass(slots=True, frozen=True)
class Place:
    """How a recording is asked for. `door`: the client's path, empty where the client API has none for the dialect."""

    kind: str
    base: str
    dialect: str
    door: str
    options: dict[str, str]


@dataclass
class Recording:
    """One recorded call; `position` is its place among those of its cassette that are there."""

    line: Fields
    position: int

    @property
    def name(self) -> str:
        """The name the replay server knows it by."""
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
        """What the caller is to get: the recorded status, or 502 where the credential was refused, which is the gateway's own."""
        refused = self.status in (401, 403) or (self.status == 400 and b"api key" in self.answer.lower())
        return 502 if refused else self.status

    @property
    def is_array(self) -> bool:
        """Whether the stream is one JSON array: Gemini's without `alt=sse`."""
        return self.kind == "streamGenerateContent" and self.answer.lstrip()[:1] == b"["

    @property
    def stream(self) -> bool:
        """Whether a stream was asked for."""
        return self.kind in ("streamGenerateContent", "converse-stream") or bool((self.line["req"] or {}).get("stream"))

    @cached_property
    def answered_as_stream(self) -> bool:
        """Whether the recorded answer is one (some vendors give a whole one to those who asked for a stream)."""
        return self.stream and self.answer.lstrip()[:1] not in (b"{", b"[")

    @cached_property
    def place(self) -> Place | None:
        """How it is asked for; None for what the gateway has no endpoint for."""
        if not isinstance(self.line["req"], dict):
            return None
        if self.kind in _CHAT:
            return self._chat() if not _is_writers_own(self) else None
        return self._beside() or self._others()

    def _beside(self) -> Place | None:
        """A place beside chat that the client API has, too."""
        method = self.path.rpartition(":")[2]
        if method in _GOOGLES:
            base, options = self._google()
            # Google's own API has all three; in its cloud, embeddings are asked for in other words.
            door = f"/v1beta/models/{{model}}:{method}" if method == "countTokens" or self.provider == "gemini" else ""
            return Place(_KINDS[self.provider], base, "", door, options)
        for end, door in _BESIDE.items():
            if self.path.endswith("/" + end):
                kind = "openai" if self.provider == "azure" else _KINDS.get(self.provider, "openai-compatible")
                base = self.path.removesuffix("/" + end) if end[0] != "v" else ""
                options = {"version": "none"} if kind.startswith("openai") else {}
                return Place(kind, base, "", "/v1" + door.removeprefix("/v1"), options)
        return None

    def _others(self) -> Place | None:
        """A place that the client API has in OpenAI's words alone: embeddings and pictures of other APIs."""
        if self.path.endswith("/v2/embed"):
            return Place("cohere", "", "", "", {})
        if self.kind == "invoke" and self._embeds():
            return Place("bedrock", "", "", "", {})
        if self.path.endswith(":predict") and all("content" in one for one in self.line["req"].get("instances") or [{}]):
            base, options = self._google()
            return Place("vertex", base, "", "", options)
        if self.provider == "openrouter" and self.path.endswith("/images"):
            return Place("openrouter", self.path.removesuffix("/images"), "", "", {})
        return None

    def _embeds(self) -> bool:
        """Whether a call of InvokeModel was for embeddings of text."""
        body = self.line["req"]
        told = parse(self.answer)
        made = isinstance(told, dict) and ("embedding" in told or "embeddings" in told)
        return (made or "embed" in self.model) and bool({"inputText", "texts", "singleEmbeddingParams"} & body.keys())

    def _chat(self) -> Place:
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
        door = {
            "openai_chat": "/v1/chat/completions", "openai_responses": "/v1/responses", "anthropic_messages": "/v1/messages",
            "openai_completions": "/v1/completions", "gemini": "gemini", "ollama": "/api/chat",
        }.get(dialect, "")  # fmt: skip
        return Place(kind, base, dialect, door, options)

    @property
    def asked_natively(self) -> bool:
        """Whether a client, or a caller inside the process, can ask for it as it was recorded."""
        return self.place is not None and bool(self.place.door or self.place.dialect)

    def _google(self) -> tuple[str, dict[str, str]]:
        if found := re.match(r"(/v\d\w*)/projects/([^/]+)/locations/([^/]+)/", self.path):
            return found[1], {"project": found[2], "location": found[3]}
        return self.path.partition("/models/")[0], {}


def _is_writers_own(recording: Recording) -> bool:
    """Writer's old completions share OpenAI's path and no word of its answers."""
    return recording.kind == "completions" and recording.provider == "writer"


def why_not(recording: Recording) -> str:
    """Why a recording cannot be asked for."""
    if _is_writers_own(recording):
        return "an old API (Writer's completions, whose stream has no end marker) that the gateway does not call"
    reasons = {
        "invoke": "Bedrock's InvokeModel with a chat in a vendor's own body: the gateway asks for chats through Converse",
        "invoke-stream": "Bedrock's InvokeModelWithResponseStream: the gateway asks for chats through ConverseStream",
        "v1/chat": "an old API (Cohere v1, Writer v1) that the gateway does not call",
        "models": "a list of models or a batch: no request of a client's",
    }
    return reasons.get(recording.kind, f"{recording.kind}: no JSON request was recorded, or no such path in the client API")


def recordings(lines: Iterator[Fields]) -> list[Recording]:
    """All of them."""
    seen: Counter[str] = Counter()
    found = []
    for line in lines:
        found.append(Recording(line, seen[line["cassette"]]))
        seen[line["cassette"]] += 1
    return found


def parse(answer: bytes) -> Any:
    """A JSON body; None for what is none."""
    try:
        return orjson.loads(answer)
    except orjson.JSONDecodeError:
        return None
