"""What an answer lost in translation is named in `x-conduit-dropped`, where no byte has gone yet."""

from __future__ import annotations

import orjson
import pytest

from conduit_desktop.core.paths import Home
from tests.fakes.gateway import call, open_gateway
from tests.fakes.raw_upstream import http_answer, raw_upstream

PARTS = [{"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgoA"}}, {"text": "here"}]
BODY = orjson.dumps({"candidates": [{"content": {"role": "model", "parts": PARTS}, "finishReason": "STOP", "index": 0}]})


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("caller", "dropped"), [("anthropic_messages", "answer.image"), ("openai_chat", None)])
async def test_a_picture_is_named_where_the_caller_cannot_get_it(
    home: Home, streamed: bool, caller: str, dropped: str | None
) -> None:
    kind, body = ("text/event-stream", b"data: " + BODY + b"\r\n\r\n") if streamed else ("application/json", BODY)
    async with raw_upstream(http_answer(body, kind, "chunked")) as address, open_gateway(home) as gateway:
        await gateway.add_provider("g", address, kind="gemini")
        await gateway.add_alias("m", "g/gemini-3-pro-image-preview", retries=0)
        await gateway.add_key()
        exchange = await gateway.answer(call("m", client_dialect=caller, stream=streamed))
        assert exchange.headers.get("x-conduit-dropped") == dropped
        if streamed:
            async for _ in exchange.frames:  # type: ignore[union-attr]
                pass
            await exchange.close()  # type: ignore[union-attr]
        assert gateway.records[-1].dropped == ((dropped,) if dropped else ())
        await gateway.state.upstream.close()
