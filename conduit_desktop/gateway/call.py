"""A client request as the gateway takes it, and the two kinds of reply."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conduit_desktop.core.chat import ChatRequest, Json
from conduit_desktop.core.clock import now_ms
from conduit_desktop.core.errors import BadRequest, GatewayError
from conduit_desktop.gateway.admission.body_content import has_media, may_have_media
from conduit_desktop.gateway.admission.body_survey import BodySurvey, cache_marks_in
from conduit_desktop.gateway.admission.estimate import input_estimate
from conduit_desktop.gateway.admission.output_caps import choices, max_output_tokens
from conduit_desktop.providers import Endpoint
from conduit_desktop.wire import Dialect, json_text, sliced_json
from conduit_desktop.wire.media.endpoints import MediaRequest

if TYPE_CHECKING:
    from conduit_desktop.gateway.admission.access import Caller
    from conduit_desktop.gateway.routing.targets import BoundTarget
    from conduit_desktop.gateway.snapshot import Snapshot

HOP_HEADER = "x-conduit-hop"
"""Names the gateways that a request has passed through, sent to targets that could lead back here."""
GATEWAY_ID = f"{random.SystemRandom().getrandbits(64):016x}"
"""This process in `HOP_HEADER`."""


def new_id(at_ms: int) -> str:
    """A request's id for its arrival in epoch ms. It begins with the time, so that the ledger's index grows at its end."""
    # `random`, not `secrets`: the id is no secret, and a system call for each request would be the dearer part.
    return f"req_{at_ms:011x}{random.getrandbits(80):020x}"


@dataclass(slots=True, repr=False)
class Call:
    """One request of a client, in its own dialect. Without repr: it carries the client's key.

    `path` holds fields that come from the URL instead of the body. `operator` calls come from the desktop app itself and need
    no key; `foreign_page` calls come from a web page of no allowed origin and cannot use the anonymous key. `arrived` is
    monotonic seconds, `started_at` epoch ms. Calls that are not `recorded` leave no request record and cost nothing.
    """

    dialect: Dialect
    body: dict[str, Json]
    model: str
    stream: bool = False
    endpoint: Endpoint = "chat"
    path: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    credential: str | None = None
    own_key: str | None = None
    """A provider's own key that the client sent, alone or together with a virtual key (`credential`), and the header it came in."""
    own_key_header: str = ""
    client_ip: str = "127.0.0.1"
    client: str = ""
    operator: bool = False
    foreign_page: bool = False
    media_request: MediaRequest | None = None
    """The request to a media endpoint or for a token count; None for chat. Its body is also `body`."""
    untranslatable: GatewayError | None = None
    """Why only a target of the client's own dialect can answer; raised for every other target."""
    received: tuple[bytes | bytearray, dict[str, Json]] | None = None
    """The text that was received, and what it says; it is that of `body` for as long as that is the same object."""
    recorded: bool = True
    keep_payload: bool = False
    """Whether body and answer are stored, whatever settings and key say."""
    caller: Caller | None = None
    """The caller, where it was identified by the request's head, and the configuration in which it was looked up."""
    snapshot: Snapshot | None = None
    arrived: float = field(default_factory=time.monotonic)
    started_at: int = field(default_factory=now_ms)
    id: str = ""
    trimmed: int = 0
    """Messages taken out so that the rest fits into the context."""
    counted_tokens: int = 0
    """The estimate of the request's tokens before anything was learned of its model; 0 where there is none yet."""
    cache_marks: list[Json] | None = None
    """The values of all fields `cache_control`, where the body is heavy: searching its text would hold up every other request."""
    _neutral: ChatRequest | None = None
    _input_tokens: int = 0
    _output_cap: int = 0
    _answers: int = 0
    _has_media: bool | None = None
    _is_heavy: bool | None = None
    _survey: BodySurvey | None = None

    def __post_init__(self) -> None:
        if not self.id:
            self.id = new_id(self.started_at)

    @property
    def input_tokens(self) -> int:
        """The estimate of the request's tokens, computed once."""
        if not self._input_tokens:
            self._input_tokens = input_estimate(self)
        return self._input_tokens

    def tokens_at(self, targets: Sequence[BoundTarget]) -> int:
        """The same as the model of these targets counts, where nothing has computed it yet."""
        if not self._input_tokens:
            self._input_tokens = input_estimate(self, targets)
        return self._input_tokens

    @property
    def has_media(self) -> bool:
        """Whether the body holds pictures, sound or documents, or links to them, looked up once."""
        if self._has_media is None:
            received, survey = self.received, self.survey
            if survey is not None:
                self._has_media = survey.has_media
            else:
                is_certain = received is not None and received[1] is self.body and not may_have_media(received[0])
                self._has_media = not is_certain and has_media(self.body)
        return self._has_media

    def receive(self, text: bytes | bytearray, body: dict[str, Json], is_heavy: bool, survey: BodySurvey | None = None) -> None:
        """Take the text of the body, what it says, whether it is heavy, and what else was found in it."""
        self.received, self._is_heavy, self._survey = (text, body), is_heavy, survey

    @property
    def survey(self) -> BodySurvey | None:
        """What was found in the body, where it was looked through as it came, and is still the same."""
        found, received = self._survey, self.received
        return found if found is not None and received is not None and received[1] is self.body else None

    @property
    def is_heavy(self) -> bool:
        """Whether the request is so large that what walks or writes it belongs into a thread, looked up once."""
        if self._is_heavy is None:
            received, media = self.received, self.media_request
            is_large_form = media is not None and media.form is not None and len(media.form.body) > sliced_json.LARGE
            self._is_heavy = is_large_form or (received is not None and sliced_json.is_heavy(received[0]))
        return self._is_heavy

    def count_as_heavy(self) -> None:
        """The request is heavy, though its text is not kept."""
        self._is_heavy = True

    def look_through(self) -> None:
        """Look up what admission needs to know of the body: for a thread, where the body is heavy."""
        _ = self.has_media, self.answers, self.output_cap
        self.cache_marks = cache_marks_in(self.body)

    @property
    def output_cap(self) -> int:
        """The most output tokens that the request allows, computed once; UNBOUNDED where it sets no limit."""
        if not self._output_cap:
            self._output_cap = max_output_tokens(self.body, self.dialect.name, self.answers)
        return self._output_cap

    @property
    def answers(self) -> int:
        """How many answers the request asks for at once, looked up once."""
        if not self._answers:
            self._answers = choices(self.body, self.dialect.name)
        return self._answers

    @property
    def rough_tokens(self) -> int:
        """The request's tokens by its length alone, for callers that nothing limits."""
        received = self.received
        return len(received[0]) // 4 + 1 if received is not None and received[1] is self.body else self.input_tokens

    @property
    def estimated_tokens(self) -> int:
        """The same where it has been computed; 0 where nothing needed it."""
        return self._input_tokens

    def replace_body(self, body: dict[str, Json]) -> None:
        """Replace the body by another in the same dialect."""
        self.body, self._neutral, self._has_media, self.cache_marks = body, None, None, None
        self._input_tokens = self._output_cap = self._answers = 0

    @property
    def neutral(self) -> ChatRequest:
        """The request in neutral form, read once; raises BadRequest."""
        if self._neutral is None:
            body = self.body
            text = self.received[0] if self.received is not None and self.received[1] is body else b""
            # A number that long was read as a float below the top. A large text is not read again in one piece.
            has_floats = self._survey is None or self._survey.has_float
            if text and has_floats and len(text) <= 2 * sliced_json.LARGE and json_text.has_long_number(text):
                # Read again, for an identifier in a tool call: as a float it would go back to the model as another number.
                exact = json_text.loads_exact(text)
                body = exact if isinstance(exact, dict) else body
            self._neutral = self.dialect.read_request(body, {"model": self.model, "stream": self.stream, **self.path})
            self._neutral.stream = self.stream
        return self._neutral

    def elapsed_ms(self) -> float:
        """Milliseconds since the request arrived."""
        return (time.monotonic() - self.arrived) * 1000


_HANDLES: dict[str, tuple[str, ...]] = {
    "anthropic_messages": ("container",),
    "gemini": ("cachedContent", "cached_content"),
    "gemini_array": ("cachedContent", "cached_content"),
}
"""By dialect, the fields that name an object which only the provider that holds it can use."""


def held_at_provider(dialect: str, body: dict[str, Json]) -> BadRequest | None:
    """Why only a target of the client's own dialect can answer: no other may answer as if the object were not there."""
    for name in _HANDLES.get(dialect, ()):
        value = body.get(name)
        # A container without an id is a new one.
        if value and (isinstance(value, str) or (isinstance(value, dict) and value.get("id"))):
            return BadRequest(f"'{name}' is kept by the provider that made it, and no such provider can answer this.", param=name)
    return None


@dataclass(slots=True)
class WholeReply:
    """A whole answer, ready to be sent."""

    status: int
    headers: dict[str, str]
    body: bytes
    content_type: str = "application/json"


@dataclass(slots=True)
class StreamReply:
    """A streamed answer. Its consumer must call `close`, after the last frame as well as after a hang-up."""

    headers: dict[str, str]
    frames: AsyncGenerator[bytes]
    content_type: str
    abandon: Callable[[], Awaitable[None]]
    """Stops the upstream and settles the request, unless that is done; may be called again."""

    async def close(self) -> None:
        """Stop the upstream if it is still sending, and settle the request if it is not settled."""
        try:
            await self.frames.aclose()
        finally:
            # Also where closing fails: connection and reservation must be given back.
            await self.abandon()


Exchange = WholeReply | StreamReply
