"""What comes in at the door, and what goes out again."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.errors import GatewayError
from conduit_desktop.gateway.admission.estimate import input_tokens
from conduit_desktop.providers import Endpoint
from conduit_desktop.wire import Dialect
from conduit_desktop.wire.media.endpoints import MediaRequest


def new_id(now_s: float) -> str:
    """A request's id. It begins with the time, so that the ledger's index grows at its end, and is no secret."""
    return f"req_{int(now_s * 1000):011x}{random.getrandbits(80):020x}"


@dataclass(slots=True, repr=False)
class Call:
    """One request of a client, in its own dialect. Not printed: it carries the caller's key.

    `path` holds what the URL says and the body does not. `operator` calls come from the desktop app itself and need no
    key; `foreign_page` calls come from a web page of no allowed origin and are never made with the anonymous key.
    `arrived` is monotonic seconds, `started_at` epoch ms.
    """

    dialect: Dialect
    body: dict[str, Json]
    model: str
    stream: bool = False
    endpoint: Endpoint = "chat"
    path: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    credential: str | None = None
    client_ip: str = "127.0.0.1"
    client: str = ""
    operator: bool = False
    foreign_page: bool = False
    media_request: MediaRequest | None = None
    """What is asked beside chat; `body` is its body then, too."""
    untranslatable: GatewayError | None = None
    """Why only a target of the caller's own dialect can answer; told where another would have to."""
    id: str = field(default_factory=lambda: new_id(time.time()))
    arrived: float = field(default_factory=time.monotonic)
    started_at: int = field(default_factory=lambda: int(time.time() * 1000))
    trimmed: int = 0
    """Messages taken out so that the rest fits."""
    _neutral: ChatRequest | None = None
    _input_tokens: int = 0

    @property
    def input_tokens(self) -> int:
        """The estimate of the request's tokens, made when first needed."""
        if not self._input_tokens:
            self._input_tokens = input_tokens(self.body)
        return self._input_tokens

    def replace_body(self, body: dict[str, Json]) -> None:
        """Another body from now on, in the same dialect."""
        self.body, self._neutral, self._input_tokens = body, None, 0

    @property
    def neutral(self) -> ChatRequest:
        """The request in neutral form, read when first needed; raises BadRequest."""
        if self._neutral is None:
            self._neutral = self.dialect.read_request(self.body, {"model": self.model, "stream": self.stream, **self.path})
            self._neutral.stream = self.stream
        return self._neutral

    def elapsed_ms(self) -> float:
        """Milliseconds since the request arrived."""
        return (time.monotonic() - self.arrived) * 1000


@dataclass(slots=True)
class WholeReply:
    """A whole answer, ready to be sent."""

    status: int
    headers: dict[str, str]
    body: bytes
    content_type: str = "application/json"


@dataclass(slots=True)
class StreamReply:
    """A streamed answer. Its reader calls `close` in any case, at the end as after a hang-up."""

    headers: dict[str, str]
    frames: AsyncGenerator[bytes]
    content_type: str
    abandon: Callable[[], Awaitable[None]]
    """Ends what is left of the request; may be called again."""

    async def close(self) -> None:
        """Stop the upstream if it still goes on, and settle what is not settled yet."""
        try:
            await self.frames.aclose()
        finally:
            await self.abandon()


Exchange = WholeReply | StreamReply
