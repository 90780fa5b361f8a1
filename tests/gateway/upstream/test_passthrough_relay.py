"""The passthrough relay: whole frames unchanged, and the target's own error frame."""

from __future__ import annotations

import pytest

from conduit_desktop.core.chat import ChatRequest
from conduit_desktop.gateway.upstream.frame_relays import PassthroughRelay, ReframedRelay
from conduit_desktop.providers import Secrets
from conduit_desktop.wire import ReframingWriter, dialect

CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\r\n\r\n'
ERROR = b'event: error\r\ndata: {"error":{"message":"the key sk-0123456789 is over"}}\r\n\r\n'
KEY = Secrets("sk-0123456789")


@pytest.fixture
def relay() -> PassthroughRelay:
    return PassthroughRelay(dialect("openai_chat"), hide_usage=False)


def test_the_targets_own_error_is_handed_on_as_it_came(relay: PassthroughRelay) -> None:
    assert relay.feed(CHUNK + ERROR, [], faulty=True) == CHUNK
    assert relay.raw_error(Secrets("another")) == ERROR


def test_an_error_in_pieces_is_whole_again(relay: PassthroughRelay) -> None:
    assert relay.feed(CHUNK + ERROR[:20], [], faulty=False) == CHUNK
    assert relay.feed(ERROR[20:], [], faulty=True) == b""
    assert relay.raw_error(Secrets()) == ERROR


def test_an_error_that_only_the_end_of_the_connection_ends_is_one(relay: PassthroughRelay) -> None:
    relay.feed(CHUNK + ERROR.rstrip(), [], faulty=False)
    assert relay.feed(b"", [], faulty=True) == b""
    assert relay.raw_error(Secrets()) == ERROR.rstrip() + b"\n\n"


def test_an_error_that_quotes_the_credential_is_not_handed_on(relay: PassthroughRelay) -> None:
    relay.feed(ERROR, [], faulty=True)
    assert relay.raw_error(KEY) == b""


def test_nothing_from_the_frame_that_the_reader_refused_on_is_relayed(relay: PassthroughRelay) -> None:
    failed = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}\n\n'
    done = b"data: [DONE]\n\n"
    data = CHUNK + failed + done
    reader = dialect("openai_chat").reader()
    assert len(reader.feed(data)) == 2
    assert reader.unread == 2
    assert relay.feed(data, [], faulty=True, unread=reader.unread) == CHUNK
    assert relay.raw_error(Secrets()) == b""


def test_garbage_is_not_relayed_as_an_error(relay: PassthroughRelay) -> None:
    assert relay.feed(CHUNK + b"data: {half\n\n" + ERROR, [], faulty=True) == CHUNK
    assert relay.raw_error(Secrets()) == b""


def test_an_error_in_an_array_is_its_last_element() -> None:
    array_dialect = dialect("gemini_array")
    writer = array_dialect.writer(ChatRequest("gemini", "m", stream=True))
    assert isinstance(writer, ReframingWriter)
    relay = ReframedRelay(PassthroughRelay(array_dialect, hide_usage=False), writer)
    out = relay.feed(b'data: {"candidates":[]}\n\ndata: {"error":{"code":503}}\n\n', [], faulty=True)
    assert out + relay.raw_error(Secrets()) == b'[{"candidates":[]},\r\n{"error":{"code":503}}]'


def test_a_frame_of_many_pieces_is_joined_once(relay: PassthroughRelay) -> None:
    piece, frame = b"x" * 65536, b"data: "
    for _ in range(400):  # 26 MB: joined at each piece, five gigabytes would be copied
        assert relay.feed(frame or piece, [], faulty=False) == b""
        frame = b""
    assert relay._buffer == b"data: "
    assert relay.feed(b"\n", [], faulty=False) == b""
    out = relay.feed(b"\n" + CHUNK, [], faulty=False)
    assert out == b"data: " + piece * 399 + b"\n\n" + CHUNK


def test_what_is_left_of_a_frame_of_many_pieces_comes_at_the_end(relay: PassthroughRelay) -> None:
    for part in (b"data: {", b'"a"', b":1}"):
        relay.feed(part, [], faulty=False)
    assert relay.end() == b'data: {"a":1}'
