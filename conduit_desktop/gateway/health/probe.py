"""Tests a provider before it is used: its models, whether it answers, its features."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from conduit_desktop.core.chat import ChatRequest, Media, Message, OutputFormat, Text, Tool, ToolChoice
from conduit_desktop.core.entities import OfferedModel
from conduit_desktop.core.errors import BadRequest, ConduitError, GatewayError, Invalid, UpstreamError
from conduit_desktop.core.events import UsageReported
from conduit_desktop.gateway.call import Call, StreamReply
from conduit_desktop.gateway.gateway import Gateway
from conduit_desktop.gateway.snapshot import BoundProvider
from conduit_desktop.gateway.upstream.model_list import LIST_S
from conduit_desktop.providers import Feature
from conduit_desktop.wire import dialect
from conduit_desktop.wire.media.endpoints import MediaRequest

PROBE_S = 20.0
"""Seconds that one request of a test may take."""
_DIALECT = "openai_chat"
# Most vendors' lists do not say what a model is for: its name is all there is to go by.
_NOT_FOR_CHAT = (
    "embed", "whisper", "tts", "dall-e", "image", "moderation", "rerank", "transcribe", "audio", "realtime", "guard", "davinci",
    "babbage", "sora", "veo", "ocr",
)  # fmt: skip
_NON_CHAT_FEATURES = frozenset({"embeddings", "images"})
"""Features of models that do not chat."""
_MODELS_TRIED = 3
"""Models that are tried where the list's first are not for chat, or not for this key."""
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAF0lEQVR4nGP4z8BAEiJN9aiGUQ1DSQMA7+f+Ae2HGQMAAAAASUVORK5CYII="


@dataclass(slots=True)
class Tested:
    """The result of a provider test. `latency_ms` is the time to the first token; a feature is None where it is unknown."""

    ok: bool
    latency_ms: float | None = None
    error: str | None = None
    features: dict[str, bool | None] = field(
        default_factory=lambda: dict.fromkeys(("stream", "tools", "vision", "json", "usage_in_stream"))
    )


async def offered_models(gateway: Gateway, name: str, refresh: bool = False) -> list[OfferedModel]:
    """The provider's models, listed once and again with `refresh`; raises Invalid with the provider's error."""
    bound = _bound(gateway, name)
    kept = gateway.state.offered.get(bound.name)
    if kept is None or refresh or kept[0] != bound.provider.updated_at:
        try:
            return await gateway.state.list_models(bound)
        except TimeoutError:
            raise Invalid(f"{name} did not list its models within {LIST_S:g} s.") from None
        except UpstreamError as error:
            raise Invalid(f"{name} did not list its models: {error.message}") from error
        except ValueError as error:
            raise Invalid(f"{name} answered with something that is no list of models; check its base URL.") from error
    return kept[1]


def _bound(gateway: Gateway, name: str) -> BoundProvider:
    bound = gateway.snapshot.providers.get(name.lower())
    if bound is None:
        raise Invalid(f"The provider {name!r} is not known, or of a kind that is not.")
    return bound


async def test_provider(gateway: Gateway, name: str) -> Tested:
    """Send the provider small requests, as the operator: they are recorded and priced like any other."""
    bound = _bound(gateway, name)
    if "chat" not in bound.kind.endpoints:
        return await _test_without_chat(gateway, bound)
    try:
        models = await _some_models(gateway, bound)
    except ConduitError as error:
        return Tested(False, error=str(error))
    tested, model = await _test_streams(gateway, bound, models)
    if tested.ok:
        features = [feature for feature in _TEST_FIELDS if feature in bound.kind.features]
        accepted = await asyncio.gather(*(_accepts(gateway, bound, model, _TEST_FIELDS[feature]) for feature in features))
        tested.features |= {**dict.fromkeys(_TEST_FIELDS, False), **dict(zip(features, accepted, strict=True))}
    return tested


async def _test_without_chat(gateway: Gateway, bound: BoundProvider) -> Tested:
    """Embed one word where the provider can; else list its models, which also needs the key."""
    began = time.monotonic()
    try:
        offered = await offered_models(gateway, bound.name, refresh=True)
        if "embeddings" in bound.kind.endpoints:
            model = next((one.id for one in offered if "rerank" not in one.id), "")
            body = {"model": f"{bound.name}/{model}", "input": "hello"}
            call = Call(
                dialect(_DIALECT),
                body,
                body["model"],
                endpoint="embeddings",
                media_request=MediaRequest("embeddings", dict(body)),
                operator=True,
            )
            began = time.monotonic()
            async with asyncio.timeout(PROBE_S):
                await gateway.answer(call)
    except TimeoutError:
        return Tested(False, error=f"no answer within {PROBE_S:g} s")
    except ConduitError as error:
        return Tested(False, error=str(error))
    return Tested(True, latency_ms=(time.monotonic() - began) * 1000)


async def _test_streams(gateway: Gateway, bound: BoundProvider, models: list[str]) -> tuple[Tested, str]:
    """The first model that answers; where none does, the result of the first one."""
    failed: Tested | None = None
    for model in models[:_MODELS_TRIED]:
        tested, other_may = await _test_stream(gateway, bound, model)
        if tested.ok:
            return tested, model
        failed = failed or tested
        if not other_may:
            break
    assert failed is not None
    return failed, models[0]


async def _some_models(gateway: Gateway, bound: BoundProvider) -> list[str]:
    """Chat models of the provider: one that an alias uses, else those it offers; raises Invalid where there is none."""
    for alias in gateway.snapshot.aliases.values():
        for target in alias.targets:
            # A model in use comes first: a key may have access to some of the listed models only.
            if target.provider.lower() == bound.name.lower() and "*" not in target.model and _may_chat(target.model):
                return [target.model]
    offered = await offered_models(gateway, bound.name)
    chat = [model.id for model in offered if _NON_CHAT_FEATURES.isdisjoint(model.features) and _may_chat(model.id)]
    if not chat:
        raise Invalid(f"{bound.name} offers no chat model to test.")
    return chat


def _may_chat(model: str) -> bool:
    return not any(word in model.lower() for word in _NOT_FOR_CHAT)


def _probe_call(bound: BoundProvider, model: str, **fields: Any) -> Call:
    """A call of `model` at the provider; in the dialect that the provider wants for it, where it understands OpenAI's."""
    parts, text = fields.pop("parts", []), fields.pop("text", "Reply with the word ok.")
    name = f"{bound.name}/{model}"
    request = ChatRequest(_DIALECT, name, [Message("user", [Text(text), *parts], plain=not parts)], max_tokens=64, **fields)
    # OpenAI's chat refuses tools for its newer models, and a client's own dialect is passed on unchanged.
    spoken = dialect(bound.kind.dialect_for(model, request) if bound.kind.supports(_DIALECT) else _DIALECT)
    body = spoken.write_request(request, name).body
    return Call(spoken, body, name, stream=request.stream, client="Conduit test", operator=True)


async def _test_stream(gateway: Gateway, bound: BoundProvider, model: str) -> tuple[Tested, bool]:
    """The result of one stream, and, where it failed, whether another model may succeed."""
    other_may = False
    began = time.monotonic()
    tested = Tested(False)
    call = _probe_call(bound, model, stream=True, include_usage=True)
    reader = call.dialect.reader()
    try:
        async with asyncio.timeout(PROBE_S):
            exchange = await gateway.answer(call)
            assert isinstance(exchange, StreamReply)
            try:
                events = []
                async for data in exchange.frames:
                    tested.latency_ms = tested.latency_ms or (time.monotonic() - began) * 1000
                    events += reader.feed(data)
                events += reader.close()
            finally:
                # Also after a time-out: the request would stay in flight, with its reservation.
                await exchange.close()
    except TimeoutError:
        tested.error = f"No answer within {PROBE_S:g} s."
    except ConduitError as error:
        tested.error = str(error)
        # A model's own refusal is an UpstreamError; what concerns all models of the provider is another GatewayError.
        other_may = isinstance(error, UpstreamError)
    else:
        tested.ok = tested.features["stream"] = True
        tested.features["usage_in_stream"] = any(isinstance(event, UsageReported) for event in events)
    return tested, other_may


_TEST_FIELDS: dict[Feature, dict[str, Any]] = {
    "tools": {
        "tools": [
            Tool("say", "Says a word.", {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]})
        ],
        "tool_choice": ToolChoice("auto"),
    },
    "vision": {"parts": [Media("image", data=_PIXEL, media_type="image/png")]},
    # OpenAI and others refuse JSON mode where no message says JSON.
    "json": {"output": OutputFormat("json"), "text": "Reply with a JSON object."},
}
"""The request fields that test a feature; a feature that the provider kind lacks is not tested."""


async def _accepts(gateway: Gateway, bound: BoundProvider, model: str, fields: dict[str, Any]) -> bool | None:
    """True: answered; False: the feature was refused; None: unknown."""
    try:
        async with asyncio.timeout(PROBE_S):
            await gateway.answer(_probe_call(bound, model, **{**fields, "parts": list(fields.get("parts", []))}))
    except UpstreamError as error:
        # A rate limit or a broken server says nothing of the feature.
        return False if error.callers_fault else None
    except BadRequest:
        return False  # the provider's list says that the model lacks it
    except (GatewayError, TimeoutError):
        return None
    return True
