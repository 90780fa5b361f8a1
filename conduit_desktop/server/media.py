"""The media endpoints (embeddings, images, audio, moderation, rerank), legacy completions, and Anthropic's token counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from conduit_desktop.core.errors import BadRequest
from conduit_desktop.core.heavy_work import in_thread
from conduit_desktop.gateway.call import Call, WholeReply
from conduit_desktop.gateway.upstream.answer_streams import ConnectionCut
from conduit_desktop.providers import Endpoint
from conduit_desktop.server import chat, request_fields
from conduit_desktop.server.chat import LARGE, in_pieces, make_call, stream
from conduit_desktop.server.identity import identify
from conduit_desktop.server.middleware import Handler
from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing import multipart
from conduit_desktop.wire.media.embeddings import inputs_of, wants_base64
from conduit_desktop.wire.media.endpoints import MediaRequest
from conduit_desktop.wire.media.rerank import documents

if TYPE_CHECKING:
    from conduit_desktop.gateway.gateway import Gateway

MOST_INPUTS, MOST_TOKENS = 20_000, 200_000
"""Of one request for embeddings: 500,000 inputs held up streams for a second. Vendors take far fewer (OpenAI and Jina 2,048, Google
250, Cohere 96), local servers any number, and client libraries send 2,048 at most. Token ids are one input: a model's context."""
_DEFAULT_MODERATION = "omni-moderation-latest"
"""OpenAI's default where a request for moderation names no model."""

Check = Callable[[Mapping[str, Any]], object]


def mount(router: web.UrlDispatcher, gateway: Gateway, prefixes: tuple[str, ...]) -> None:
    """Add the routes, below each of `prefixes`."""
    for prefix in prefixes:
        router.add_post(f"{prefix}/completions", completions_handler(gateway))
        for endpoint, (path, form, check) in _PATHS.items():
            router.add_post(prefix + path, handler(gateway, endpoint, form, check))


def mount_counts(router: web.UrlDispatcher, gateway: Gateway, prefixes: tuple[str, ...]) -> None:
    """Add the routes of Anthropic's token counts, below each of `prefixes`."""
    for prefix in prefixes:
        router.add_post(f"{prefix}/messages/count_tokens", count_handler(gateway))


def handler(gateway: Gateway, endpoint: Endpoint, form: str, check: Check) -> Handler:
    """Handles one endpoint. `form`: whether it takes multipart forms (`never`, `also`, `only`)."""

    async def handle(request: web.Request) -> web.StreamResponse:
        identify(request, gateway, endpoint)
        media_request = await _media_request(request, gateway, endpoint, form)
        if endpoint == "moderations":
            media_request.body.setdefault("model", _DEFAULT_MODERATION)
        # Before the check: its refusal, too, names the id of the request.
        call = make_call(request, gateway, dialect("openai_chat"), _typed_fields(media_request))
        check(media_request.body)
        call.endpoint, call.body, call.media_request = endpoint, media_request.body, media_request
        return await answer(request, gateway, call)

    return handle


def endpoint_handler(gateway: Gateway, endpoint: Endpoint) -> Handler:
    """The handler of an endpoint, for its path in another vendor's API."""
    _, form, check = _PATHS[endpoint]
    return handler(gateway, endpoint, form, check)


def _typed_fields(media_request: MediaRequest) -> dict[str, Any]:
    """The body with `stream` as a boolean: the fields of a form are texts."""
    streamed = media_request.body.get("stream")
    return (
        {**media_request.body, "stream": streamed == "true"}
        if media_request.form is not None and isinstance(streamed, str)
        else media_request.body
    )


async def _media_request(request: web.Request, gateway: Gateway, endpoint: str, form: str) -> MediaRequest:
    limit = gateway.snapshot.settings.max_body_mb
    content_type = request.headers.get("Content-Type", "")
    if form == "never" or (form == "also" and not content_type.lower().startswith("multipart/")):
        return MediaRequest(endpoint, await request_fields.read_json(request, limit))
    if not content_type.lower().startswith("multipart/form-data"):
        raise BadRequest("This path takes a form (Content-Type: multipart/form-data).", code="unsupported_media_type")
    body = await request_fields.read_body(request, limit)
    parsed = await in_thread(multipart.parse, body, content_type) if len(body) > LARGE else multipart.parse(body, content_type)
    if not parsed.files_size:
        raise BadRequest("The form holds no file.", code="missing_parameter", param="image" if form == "also" else "file")
    return MediaRequest(endpoint, request_fields.with_model_of_path(request, parsed.fields()), parsed)


async def answer(request: web.Request, gateway: Gateway, call: Call) -> web.StreamResponse:
    """Send the gateway's answer; a stream of bytes that breaks off drops the connection."""
    exchange = await gateway.answer(call)
    if not isinstance(exchange, WholeReply):
        try:
            return await stream(request, gateway, exchange)
        except ConnectionCut:
            return _cut(request)
    if len(exchange.body) <= LARGE:
        return web.Response(body=exchange.body, headers=exchange.headers, content_type=exchange.content_type)
    return await in_pieces(request, gateway, exchange)


def _cut(request: web.Request) -> web.StreamResponse:
    """Drop the connection: a normal end would make half a sound file look complete."""
    if request.transport is not None:
        request.transport.abort()
    # As after a hang-up: the middleware passes it on without logging, and aiohttp ends the connection.
    raise ConnectionResetError("the answer broke off")


def completions_handler(gateway: Gateway) -> Handler:
    """Handles legacy completions, streamed or not, like chat."""

    async def complete(request: web.Request) -> web.StreamResponse:
        identify(request, gateway, "completions")
        body = await request_fields.read_json(request, gateway.snapshot.settings.max_body_mb)
        call = make_call(request, gateway, dialect("openai_completions"), body)
        prompt = body.get("prompt")
        if prompt is None:
            raise BadRequest("The field 'prompt' is missing.", code="missing_parameter", param="prompt")
        if not isinstance(prompt, (str, list)) or not prompt:
            raise BadRequest("The field 'prompt' must be a string, or a list of strings or token ids.", param="prompt")
        call.endpoint = "completions"
        return await chat.answer(request, gateway, call)

    return complete


def count_handler(gateway: Gateway) -> Handler:
    """Anthropic's count_tokens: exact where the target is Anthropic's, else estimated and labelled so."""

    async def count(request: web.Request) -> web.StreamResponse:
        identify(request, gateway, "count_tokens")
        body = await request_fields.read_json(request, gateway.snapshot.settings.max_body_mb)
        anthropic = dialect("anthropic_messages")
        # A body that was copied from a message may ask for a stream; a count has none.
        call = make_call(request, gateway, anthropic, {**body, "stream": False})
        request_fields.need_messages(body)
        call.endpoint, call.body = "count_tokens", body
        call.media_request = MediaRequest("count_tokens", anthropic.passthrough_request(body, call.model))
        return await answer(request, gateway, call)

    return count


def _text(name: str) -> Check:
    def check(body: Mapping[str, Any]) -> None:
        value = body.get(name)
        if value is None:
            raise BadRequest(f"The field {name!r} is missing.", code="missing_parameter", param=name)
        if not isinstance(value, str):
            raise BadRequest(f"The field {name!r} must be a string.", param=name)

    return check


def check_inputs(body: Mapping[str, Any], *fields: str) -> None:
    """Raises BadRequest where a field of a request for embeddings has more inputs than this gateway passes on."""
    for name in fields:
        if isinstance(given := body.get(name), list):
            most, what = (MOST_TOKENS, "token ids") if given and isinstance(given[0], int) else (MOST_INPUTS, "entries")
            if len(given) > most:
                text = f"The field '{name}' has {len(given):,} {what}; a request may have {most:,}. Send them in several."
                raise BadRequest(text, param=name)


def _embeddings(body: Mapping[str, Any]) -> None:
    if body.get("input") is None:
        raise BadRequest("The field 'input' is missing.", code="missing_parameter", param="input")
    check_inputs(body, "input")
    inputs_of(dict(body))
    # openai-node asks for base64 and decodes whatever comes: a list of floats would silently become a wrong vector.
    wants_base64(dict(body))
    size = body.get("dimensions")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
        raise BadRequest("The field 'dimensions' must be a positive whole number.", param="dimensions")


def _moderation(body: Mapping[str, Any]) -> None:
    if body.get("input") is None:
        raise BadRequest("The field 'input' is missing.", code="missing_parameter", param="input")
    if not isinstance(body["input"], (str, list)) or not body["input"]:
        raise BadRequest("The field 'input' must be a string or a list.", param="input")


def _rerank(body: Mapping[str, Any]) -> None:
    _text("query")(body)
    documents(dict(body))
    top = body.get("top_n")
    if top is not None and (not isinstance(top, int) or isinstance(top, bool) or top < 1):
        raise BadRequest("The field 'top_n' must be a positive whole number.", param="top_n")


def _anything(body: Mapping[str, Any]) -> None:
    """Left to the vendor."""


_PATHS: dict[Endpoint, tuple[str, str, Check]] = {
    "embeddings": ("/embeddings", "never", _embeddings),
    "images": ("/images/generations", "never", _text("prompt")),
    "image_edits": ("/images/edits", "also", _text("prompt")),
    "speech": ("/audio/speech", "never", _text("input")),
    "transcriptions": ("/audio/transcriptions", "only", _anything),
    "translations": ("/audio/translations", "only", _anything),
    "moderations": ("/moderations", "never", _moderation),
    "rerank": ("/rerank", "never", _rerank),
}
