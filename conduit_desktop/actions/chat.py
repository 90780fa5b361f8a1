"""A chat of the operator through the gateway, routed, limited, priced and recorded like any other request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import orjson

from conduit_desktop.actions.context import AppContext
from conduit_desktop.core.bus import Change
from conduit_desktop.core.chat import ChatRequest, Message, OutputFormat, Reasoning, Text, Tool
from conduit_desktop.core.events import Event
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.gateway.call import Call, WholeReply
from conduit_desktop.wire import dialect

DIALECT = "openai_chat"
CLIENT = "Conduit chat"


class ChatAnswer(ABC):
    """An answer, event by event: `async for event in answer`; then `record` has its tokens and cost.

    Raises GatewayError from the first step where no target answers, and in the middle where the upstream breaks.
    """

    def __init__(self) -> None:
        self._events = self._run()
        self.record: RequestRecord | None = None
        self.headers: dict[str, str] = {}
        """Of the response, in lower case; empty before the first event."""

    @property
    @abstractmethod
    def id(self) -> str:
        """The request's id in the log."""

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._events

    async def aclose(self) -> None:
        """Stop the answer and its upstream, so that the record's status becomes `cancelled`; no effect at the end."""
        await self._events.aclose()

    @abstractmethod
    def _run(self) -> AsyncGenerator[Event]: ...


class ChatStream(ChatAnswer):
    """The answer of the gateway in this process."""

    def __init__(self, context: AppContext, call: Call) -> None:
        super().__init__()
        self._context = context
        self._call = call

    @property
    def id(self) -> str:
        return self._call.id

    async def _run(self) -> AsyncGenerator[Event]:
        # Subscribed before the call: the record is published when the request is settled, which may be before the last event.
        forget = self._context.bus.subscribe(self._on_change)
        reader = self._call.dialect.reader()
        try:
            exchange = await self._context.gateway.answer(self._call)
            self.headers = exchange.headers
            if isinstance(exchange, WholeReply):
                for event in self._call.dialect.read_response(orjson.loads(exchange.body)):
                    yield event
                return
            try:
                async for data in exchange.frames:
                    for event in reader.feed(data):
                        yield event
                for event in reader.close():
                    yield event
            finally:
                # Also where the reader leaves early: an upstream that is not closed goes on generating, and billing.
                await exchange.close()
        finally:
            forget()

    def _on_change(self, change: Change) -> None:
        if change.topic == "requests" and isinstance(change.payload, RequestRecord) and change.payload.id == self.id:
            self.record = change.payload


def chat_request(
    alias: str,
    messages: Sequence[Message],
    *,
    system: str | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    stop: Sequence[str] = (),
    seed: int | None = None,
    tools: Sequence[Tool] = (),
    output: OutputFormat | None = None,
    reasoning: Reasoning | None = None,
) -> dict[str, Any]:
    """A streamed chat request as the body of the client API's OpenAI endpoint."""
    system_messages = [Message("system", [Text(system)], plain=True)] if system else []
    request = ChatRequest(
        dialect=DIALECT, model=alias, messages=[*system_messages, *messages], tools=list(tools), max_tokens=max_tokens,
        temperature=temperature, top_p=top_p, stop=list(stop) or None, seed=seed, output=output, reasoning=reasoning,
        # In an OpenAI stream the usage is sent only on request; it is shown where there is no record.
        stream=True, include_usage=True,
    )  # fmt: skip
    return dialect(DIALECT).write_request(request, alias).body


def stream_chat(
    context: AppContext, alias: str, messages: Sequence[Message], *, key_id: str | None = None, **parameters: Any
) -> ChatStream:
    """Send messages to `alias` (or `provider/model`); nothing is sent before the first step of the iteration.

    `parameters` are those of `chat_request`. With `key_id` the call counts against that key's limits and budget; without, it
    has no limits.
    """
    body = chat_request(alias, messages, **parameters)
    path = {"key_id": key_id} if key_id else {}
    return ChatStream(context, Call(dialect(DIALECT), body, alias, stream=True, path=path, client=CLIENT, operator=True))
