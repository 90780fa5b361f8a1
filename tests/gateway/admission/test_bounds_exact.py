"""Each addend of the bound of input tokens: bytes, messages, tools, media, files, and what the body does not show."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from conduit_desktop.gateway.admission import bounds
from conduit_desktop.gateway.admission.bounds import input_bound, input_bounds
from conduit_desktop.gateway.admission.estimate import input_tokens
from conduit_desktop.gateway.admission.learned_factors import LearnedFactors
from conduit_desktop.gateway.call import Call
from conduit_desktop.wire import dialect
from conduit_desktop.wire.framing import multipart
from conduit_desktop.wire.media.endpoints import MediaRequest
from tests.gateway.admission.exact_estimates import FAMILIES
from tests.gateway.admission.sample_calls import PICTURE, TEXT, call

PER_REQUEST, PER_MESSAGE, OF_TOOLS, OF_A_PICTURE, UNSEEN = 256, 32, 1000, 50_000, 200_000
ASKED = {"role": "user", "content": "Hello."}
FUNCTION = {"type": "function", "function": {"name": "f"}}


def size(body: Any) -> int:
    return len(orjson.dumps(body))


def added(body: dict[str, Any], searches: bool = False) -> int:
    """What the bound has beyond one token for each byte of the body."""
    found = {input_bound(call(body, received=received), searches) for received in (True, False)}
    found |= {input_bounds(call(body), searches)[0]}
    assert len(found) == 1
    return found.pop() - size(body)


def test_a_request_has_256_tokens_beyond_its_bytes() -> None:
    assert added({}) == added({"model": "m"}) == added({"x": TEXT * 100}) == PER_REQUEST


@pytest.mark.parametrize("name", ["messages", "contents", "input"])
@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_each_message_has_32_tokens_more(name: str, count: int) -> None:
    assert added({name: [ASKED] * count}) == PER_REQUEST + count * PER_MESSAGE


def test_only_one_list_holds_the_messages() -> None:
    assert added({"messages": [ASKED], "input": [ASKED] * 9}) == PER_REQUEST + PER_MESSAGE
    assert added({"messages": "hi", "input": [ASKED] * 9}) == PER_REQUEST + 9 * PER_MESSAGE
    assert added({"input": "hi"}) == added({"messages": {"a": 1}}) == PER_REQUEST


@pytest.mark.parametrize("name", ["tools", "functions", "toolConfig", "tool_config"])
def test_a_request_with_tools_has_a_thousand_tokens_more_however_many_there_are(name: str) -> None:
    assert added({name: [FUNCTION]}) == added({name: [FUNCTION] * 50}) == PER_REQUEST + OF_TOOLS
    assert added({name: []}) == added({name: None}) == PER_REQUEST


def test_a_byte_more_is_a_token_more_in_a_body_that_was_changed_too() -> None:
    made = call({"messages": [ASKED]})
    made.replace_body({"messages": [ASKED, ASKED]})
    assert input_bound(made) == size(made.body) + PER_REQUEST + 2 * PER_MESSAGE


def test_the_received_text_counts_and_not_what_it_would_be_without_spaces() -> None:
    body = {"messages": [ASKED]}
    text = orjson.dumps(body, option=orjson.OPT_INDENT_2)
    made = Call(dialect("openai_chat"), body, "m", received=(text, body))
    assert input_bound(made) == len(text) + PER_REQUEST + PER_MESSAGE > size(body) + PER_REQUEST + PER_MESSAGE


# What the body does not show

UNSEEN_FIELDS = (
    "previous_response_id", "conversation", "cachedContent", "cached_content", "container", "thread", "thread_id",
    "plugins", "web_search_options", "search_parameters", "mcp_servers", "data_sources", "dataSources", "connectors",
    "enable_search",
)  # fmt: skip


@pytest.mark.parametrize("name", UNSEEN_FIELDS)
def test_a_field_by_which_more_is_read_adds_room_once(name: str) -> None:
    assert added({name: "x"}) == added({name: "x"}, searches=True) == PER_REQUEST + UNSEEN
    assert added({name: None}) == added({name: ""}) == PER_REQUEST


def test_a_target_that_searches_adds_the_same_room() -> None:
    assert added({"model": "m"}, searches=True) == PER_REQUEST + UNSEEN
    assert added({"model": "m", "tools": [FUNCTION]}, searches=True) == PER_REQUEST + OF_TOOLS + UNSEEN


def test_a_stored_prompt_adds_room_and_a_written_one_none() -> None:
    assert added({"prompt": {"id": "p"}}) == PER_REQUEST + UNSEEN
    assert added({"prompt": "p"}) == added({"prompt": ["p"]}) == PER_REQUEST


@pytest.mark.parametrize(
    "tools",
    [
        [FUNCTION, {"googleSearch": {}}], [{"mcpServers": []}], [FUNCTION, {"type": "web_search_preview"}], [{"type": "mcp"}],
        [{"type": "code_interpreter", "container": {"type": "auto"}}], [{"type": "computer_20250124"}], [{"type": "bash_20250124"}],
        [{"type": "openrouter:web_search"}], ["x", {"urlContext": {}}], {"type": "retrieval"},
    ],
    ids=str,
)  # fmt: skip
def test_a_tool_that_the_vendor_runs_adds_room(tools: Any) -> None:
    assert added({"tools": tools}) == PER_REQUEST + OF_TOOLS + UNSEEN


def test_bedrocks_tools_stand_in_its_settings_unless_there_are_others() -> None:
    settings = {"tools": [{"systemTool": {"name": "nova_grounding"}}]}
    assert added({"toolConfig": settings}) == added({"tools": [], "toolConfig": settings}) == PER_REQUEST + OF_TOOLS + UNSEEN
    assert added({"tools": [FUNCTION], "toolConfig": settings}) == PER_REQUEST + OF_TOOLS
    assert added({"toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]}}) == PER_REQUEST + OF_TOOLS
    assert added({"toolConfig": ["tools"]}) == PER_REQUEST + OF_TOOLS
    assert added({"functions": [{"name": "web_search"}]}) == PER_REQUEST + OF_TOOLS


# Media


def of_media(part: dict[str, Any], data: str) -> int:
    """What the bound has for a part, beyond the bytes of the body without the data."""
    return added({"messages": [{"content": [part]}]}) + len(data) - PER_REQUEST - PER_MESSAGE


def test_a_picture_has_fifty_thousand_tokens_instead_of_its_bytes() -> None:
    assert of_media({"source": {"data": PICTURE}}, PICTURE) == OF_A_PICTURE
    assert of_media({"image_url": "https://x.example/1"}, "") == OF_A_PICTURE
    two = {"messages": [{"content": [{"image_url": "https://x.example/1"}, {"source": {"data": PICTURE}}]}]}
    assert added(two) == PER_REQUEST + PER_MESSAGE + 2 * OF_A_PICTURE - len(PICTURE)


def test_a_document_or_a_sound_elsewhere_has_the_room_of_what_is_not_seen() -> None:
    assert of_media({"file_id": "file-1"}, "") == of_media({"fileUri": "gs://x/1"}, "") == UNSEEN


@pytest.mark.parametrize("size", [300, 2000, 100_000])
def test_a_document_has_a_token_for_each_byte_and_five_thousand_more(size: int) -> None:
    data = "JVBERi" + "A" * (size - 6)
    assert of_media({"data": data}, data) == size + 5000


def test_each_page_of_a_document_has_the_room_of_a_picture_and_each_of_its_characters_a_token() -> None:
    drawing = zlib.compress(b"BT (" + b"x" * 9000 + b") Tj ET")
    page = b"1 0 obj <</Type /Page>> endobj 2 0 obj <<>> stream\n" + drawing + b"\nendstream endobj\n"
    data = base64.b64encode(b"%PDF-1.4\n" + page * 3 + bytes(300)).decode()
    assert of_media({"data": data}, data) == len(data) + 5000 + 3 * 2700 + 3 * 9000


def test_citations_have_a_thousand_tokens_more_once() -> None:
    part = {"type": "text", "text": "a", "citations": {"enabled": True}}
    assert added({"messages": [{"content": [part]}]}) == added({"messages": [{"content": [part] * 9}]})
    assert added({"messages": [{"content": [part]}]}) == PER_REQUEST + PER_MESSAGE + 1000


def test_what_a_provider_is_known_to_add_is_added_with_tools_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    learned = LearnedFactors()
    monkeypatch.setattr(bounds, "LEARNED", learned)
    for _ in range(2):
        learned.learn("m", 20, 3000)
        learned.learn("m", 2000, 900, tools=True)
    assert added({"model": "m"}) == PER_REQUEST + learned.hidden("m") > 2500
    # What is less than was counted is no reason for a lower bound.
    assert added({"tools": [FUNCTION]}) == PER_REQUEST + OF_TOOLS


SMALL: dict[str, Callable[[str], dict[str, Any]]] = {
    "two letters": lambda dialect_name: {"input" if dialect_name == "openai_responses" else "messages": [{"content": "hi"}]},
    "a text": lambda dialect_name: {"input": "hi"} if dialect_name == "openai_responses" else {"messages": [{"content": "hi"}]},
    "a tool": lambda _: {"messages": [{"content": "hi"}], "tools": [FUNCTION]},
    "a tool that must be called": lambda _: {"messages": [{"content": "hi"}], "tools": [FUNCTION], "tool_choice": "required"},
    "reasoning": lambda _: {"messages": [{"content": "hi"}], "thinking": {"type": "enabled"}},
    "a schema": lambda _: {"messages": [{"content": "hi"}], "output_config": {"format": {"schema": {}}}},
    "citations": lambda _: {"messages": [{"content": [{"type": "document", "source": {}, "citations": {"enabled": True}}]}]},
    "a call": lambda _: {"messages": [{"content": [{"type": "tool_use"}]}, {"content": [{"type": "tool_result"}]}]},
    "further tools": lambda _: {"input": [{"type": "additional_tools"}]},
    "a sound": lambda _: {"messages": [{"content": [{"data": "SUQz" + "A" * 300}]}]},
    "a page": lambda _: {"messages": [{"content": [{"data": "JVBERi0x" + "A" * 300}]}]},
}


@pytest.mark.parametrize("kind", SMALL)
def test_no_family_counts_more_for_the_smallest_request_than_its_bound(kind: str) -> None:
    over = []
    for name, dialect_name, provider in FAMILIES:
        body = {"model": name, **SMALL[kind](dialect_name)}
        counted, bound = input_tokens(body, dialect_name, name, provider), input_bound(call(body, dialect_name))
        over += [(name, counted, bound)] * (counted > bound)
    assert over == []


@pytest.mark.parametrize(("more", "citations"), [(0, 0), (1, 1000)])
def test_a_body_above_four_megabytes_has_the_room_of_citations_without_being_searched(more: int, citations: int) -> None:
    body = {"x": "a " * 2_000_000}
    body["x"] += "a" * (4 * 1024 * 1024 - PER_REQUEST - size(body) + more)
    assert input_bound(call(body)) - size(body) == PER_REQUEST + citations


@pytest.mark.parametrize(("size", "tokens"), [(299, 14), (300, 15), (319, 15), (320, 16), (1_000_000, 50_000)])
def test_a_sound_has_a_token_for_twenty_bytes_and_four_hundred_more(size: int, tokens: int) -> None:
    data = "SUQz" + "A" * (size - 4)
    assert of_media({"data": data}, data) == tokens + 400


@pytest.mark.parametrize(("size", "tokens"), [(3000, OF_A_PICTURE), (1_000_019, OF_A_PICTURE), (1_000_020, OF_A_PICTURE + 1)])
def test_a_file_in_a_form_has_the_room_of_a_picture_or_of_its_seconds(size: int, tokens: int) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    form = multipart.parse(head + b"\0" * size + b"\r\n--x--\r\n", "multipart/form-data; boundary=x")
    body = {"model": "m"}
    made = Call(dialect("openai_chat"), body, "m", media_request=MediaRequest("transcriptions", body, form))
    assert input_bound(made) == len(orjson.dumps(body)) + PER_REQUEST + tokens
    made.media_request = MediaRequest("transcriptions", body)
    assert input_bound(made) == len(orjson.dumps(body)) + PER_REQUEST


# What is expected of it


def test_what_is_expected_is_the_estimate_and_the_bound_of_what_is_not_seen() -> None:
    made = call({"messages": [{"role": "user", "content": TEXT * 9}], "previous_response_id": "r"})
    assert input_bounds(made)[1] == made.input_tokens + UNSEEN
    assert input_bounds(call({"x": TEXT}), searches=True)[1] == call({"x": TEXT}).input_tokens + UNSEEN


def test_an_estimate_above_the_bound_does_not_count() -> None:
    made = call({"image_url": "https://x.example/1"})
    made._input_tokens = 10**9
    assert input_bounds(made) == (input_bound(made), input_bound(made))
