"""How many tokens a Gemini request has: asked of a target that counts in that dialect, else left to an estimate."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson

from conduit_desktop.core.chat import Json
from conduit_desktop.core.errors import UpstreamError
from conduit_desktop.gateway.admission import access
from conduit_desktop.gateway.call import Call
from conduit_desktop.gateway.redaction import redact
from conduit_desktop.gateway.routing import resolve as routing
from conduit_desktop.gateway.routing.resolve import BoundTarget
from conduit_desktop.gateway.snapshot import Credential
from conduit_desktop.gateway.upstream.attempt import read_json

if TYPE_CHECKING:
    from conduit_desktop.gateway.gateway import Gateway

COUNT_S = 10.0
"""How long a target may take to count."""


async def count_tokens(gateway: Gateway, call: Call) -> bytes | None:
    """The count in the caller's own dialect, as the first able target of the route says it; None where there is none.

    Costs nothing and is not recorded. Raises Unauthorized, Forbidden and ModelNotFound, and UpstreamError for a refusal that
    is `final`.
    """
    snapshot = gateway.snapshot
    caller = access.identify(call, snapshot)
    route = routing.find(call.model, snapshot)
    access.check_model(caller.key, call.model, route.name)
    for target in route.targets if caller.own_key is None else ():
        kind = target.bound.kind
        if "count_tokens" not in kind.endpoints or call.dialect.name not in kind.dialects_for(target.model):
            continue
        credential = _credential(gateway, target)
        if credential is None or target.bound.problem or not gateway.health.may_ask(target.name):
            continue
        try:
            return await _ask(gateway, call, target, credential)
        except UpstreamError as error:
            if final(error, target.model):
                raise
    return None


def final(error: UpstreamError, model: str) -> bool:
    """Whether a target's refusal to count is the answer: it says that the request is wrong, or that there is no such model.

    A 404 that does not name the model means the path: the target cannot count.
    """
    return error.callers_fault or (error.reason == "model_not_found" and model in error.message)


def _credential(gateway: Gateway, target: BoundTarget) -> Credential | None:
    """The first credential that may be used now."""
    owner = target.bound.provider.id
    return next(
        (one for one in target.bound.credentials if gateway.health.credential_wait_s(owner, one.label, target.model) == 0), None
    )


async def _ask(gateway: Gateway, call: Call, target: BoundTarget, credential: Credential) -> bytes:
    kind = target.bound.kind
    body = orjson.dumps(_fitted(call.body, target.model, kind.kind))
    try:
        async with asyncio.timeout(COUNT_S):
            secrets = await kind.credentials(credential.secrets)
            outbound = kind.prepare("count_tokens", target.model, call.dialect.name, False, body, secrets, {})
            response, answer = await gateway.upstream.fetch(outbound, gateway.snapshot.settings.connect_s)
    except TimeoutError as error:
        raise UpstreamError(f"{target.name} did not count within {COUNT_S:g} s", status=504, reason="timeout") from error
    if response.status < 400:
        read_json(answer)  # a web page counts nothing
        return answer
    headers = {name.lower(): value for name, value in response.headers.items()}
    refused = call.dialect.read_error(response.status, headers, answer)
    redact(refused, secrets)
    raise refused


def _fitted(body: dict[str, Json], model: str, kind: str) -> dict[str, Json]:
    """A whole request to be counted names its model at Gemini's; Vertex AI takes its fields one by one."""
    key = next((name for name in ("generateContentRequest", "generate_content_request") if isinstance(body.get(name), dict)), None)
    if key is None:
        return {name: value for name, value in body.items() if name != "model"}
    inner = {name: value for name, value in body[key].items() if name != "model"}
    return inner if kind == "vertex" else {key: {**inner, "model": f"models/{model.removeprefix('models/')}"}}
