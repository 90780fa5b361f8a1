"""Chat completions cut into chunks, as OpenAI and its many compatible vendors cut them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import orjson
from hypothesis import strategies as st

from conduit_desktop.wire.framing import sse
from tests.wire.vendor_types import Fields

Draw = st.DrawFn
One = TypeVar("One")


def pieces(draw: Draw, text: str) -> list[str]:
    """`text` in a few pieces, empty ones among them."""
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    found = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return found if text else draw(st.sampled_from([[], [""]]))


def interleaved(draw: Draw, lists: Sequence[Sequence[One]]) -> list[One]:
    """The lists mixed: they begin in order, and each keeps its own."""
    rest = [list(each) for each in lists if each]
    mixed = [each.pop(0) for each in rest]
    while rest := [each for each in rest if each]:
        mixed.append(rest[draw(st.integers(0, len(rest) - 1))].pop(0))
    return mixed


def noised(draw: Draw, frames: list[bytes], noise: list[bytes]) -> list[bytes]:
    """Frames with some between them that say nothing."""
    mixed: list[bytes] = []
    for frame in frames:
        mixed += [draw(st.sampled_from(noise)), frame] if draw(st.integers(0, 7)) == 0 else [frame]
    return mixed


def chat_stream(draw: Draw, body: Fields) -> list[bytes]:
    """The chunks of an answer, by one of the vendors' habits."""
    head = {name: value for name, value in body.items() if name not in ("choices", "usage")}
    head["object"] = "chat.completion.chunk"
    pieces_in_order = interleaved(draw, [_choice(draw, choice) for choice in body["choices"]])
    chunks: list[Fields] = [{**head, "choices": [choice]} for choice in pieces_in_order]
    if draw(st.integers(0, 3)) == 0:  # Azure's verdict on the prompt comes first
        chunks.insert(0, {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []})
    if usage := body.get("usage"):
        _count(draw, chunks, head, usage)
    frames = [sse.write(orjson.dumps(chunk)) for chunk in chunks]
    silent = [{**head, "choices": []}, {**head, "choices": None}, {**head, "choices": [{"index": 0, "delta": {}}]}]
    noise = [b": ping\n\n", b"event: ping\n\n", *(sse.write(orjson.dumps(chunk)) for chunk in silent)]
    return [*noised(draw, frames, noise), b"data: [DONE]\n\n"]


def _count(draw: Draw, chunks: list[Fields], head: Fields, usage: Fields) -> None:
    match draw(st.sampled_from(["after", "before", "last", "always", "groq"])):
        case "after":
            chunks.append({**head, "choices": [], "usage": usage})
        case "before":
            chunks.insert(len(chunks) - 1, {**head, "choices": [], "usage": usage})
        case "last":
            chunks[-1]["usage"] = usage
        case "groq":
            chunks[-1]["x_groq"] = {"id": "req_1", "usage": usage}
        case _:
            for chunk in chunks:
                chunk["usage"] = {**usage, "completion_tokens": 0, "total_tokens": usage["prompt_tokens"]}
            chunks[-1]["usage"] = usage


def _choice(draw: Draw, choice: Fields) -> list[Fields]:
    """The entries of `choices` that say one choice; it ends in the last delta or after it, once or twice."""
    message = choice["message"]
    deltas: list[Fields | None] = [{"role": "assistant", "content": draw(st.sampled_from(["", None]))}]
    for name in ("reasoning_content", "content", "refusal"):
        value = message.get(name)
        deltas += [{name: text} for text in pieces(draw, value)] if isinstance(value, str) else [{name: value}] if value else []
    if message.get("annotations"):
        deltas.append({"annotations": message["annotations"]})
    if legacy := message.get("function_call"):
        deltas.append({"function_call": {"name": legacy["name"], "arguments": ""}})
        deltas += [{"function_call": {"arguments": text}} for text in pieces(draw, legacy["arguments"])]
    deltas += _calls(draw, message.get("tool_calls") or [])
    unfinished = draw(st.sampled_from([{}, {"finish_reason": None}, {"finish_reason": ""}]))
    choices = [{"index": choice["index"], "delta": delta, **unfinished} for delta in deltas]
    end = {"index": choice["index"], "finish_reason": choice["finish_reason"], "logprobs": choice.get("logprobs")}
    silent = draw(st.sampled_from([{}, None, {"content": ""}, {"content": None}, {"role": "assistant"}]))
    match draw(st.sampled_from(["in", "after", "twice"])):
        case "in":
            choices[-1] |= end
        case "after":
            choices.append({**end, "delta": silent})
        case _:
            choices += [{**end, "delta": silent}, {**end, "delta": silent, "logprobs": None}]
    return choices


def _calls(draw: Draw, calls: list[Fields]) -> list[Any]:
    """Deltas of tool calls: numbered and mixed, or one call after the other without numbers; or each call whole."""
    habit = draw(st.sampled_from(["openai", "repeats", "unnumbered", "whole", "parsed"]))
    deltas_by_call = [_call(draw, place, call, habit) for place, call in enumerate(calls)]
    one_by_one = [delta for deltas in deltas_by_call for delta in deltas]
    return [{"tool_calls": [call]} for call in (one_by_one if habit == "unnumbered" else interleaved(draw, deltas_by_call))]


def _call(draw: Draw, place: int, call: Fields, habit: str) -> list[Fields]:
    kind = call["type"]
    field = "arguments" if kind == "function" else "input"
    name, text_of_call = call[kind]["name"], call[kind][field]
    begin = {"id": call["id"], "type": kind, kind: {"name": name, field: draw(st.sampled_from(["", None]))}}
    number = {} if habit == "unnumbered" else {"index": place}
    if habit in ("whole", "parsed"):
        whole = orjson.loads(text_of_call) if habit == "parsed" and kind == "function" else text_of_call
        return [{**begin, **number, kind: {"name": name, field: whole}}]
    same = {"id": call["id"], "type": kind}
    again: Fields = same if habit == "repeats" else draw(st.sampled_from([{}, {"id": None}, {"id": ""}]))
    return [{**begin, **number}, *({**number, **again, kind: {field: text}} for text in pieces(draw, text_of_call))]
