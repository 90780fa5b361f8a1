"""The order of a conversation as a target demands it: one function that arranges the neutral messages by the target's rules.

Clients send what other vendors allow: each streamed chunk as a turn, results apart from their calls, system messages in the
middle. A vendor refuses such a request as a whole, so it is arranged here once, and the dialects' writers write what they get.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from operator import is_
from typing import Literal

from conduit_desktop.core.chat import (
    ChatRequest,
    Media,
    Message,
    Opaque,
    Part,
    RedactedThinking,
    Refusal,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    with_messages,
)
from conduit_desktop.wire.tool_names import Fitting
from conduit_desktop.wire.turn_rules import TurnRules

FILLER = "."
"""The user's text where a target requires a user turn and the conversation has none."""
NO_RESULT = "[No result: this tool call was not answered.]"
CONTINUE = "Continue your last message from where it stops."
"""The user's text after a begun answer that the model cannot be given as its own."""
ACKNOWLEDGED = "OK."
"""The assistant's text between tool results and a user turn, where a target refuses one after the other."""

_SYSTEM = ("system", "developer")


def normalised(request: ChatRequest, rules: TurnRules, dialect: str) -> tuple[ChatRequest, list[str]]:
    """`request` arranged by `rules` for a target of `dialect`, and the names of what was lost. Done twice, it changes nothing more.

    No text is lost: what cannot stay as it is becomes text of the user.
    """
    lost: list[str] = []
    own = request.dialect == dialect
    # Where messages are lists of parts, each text stays a part of its own.
    between = None if rules.results_in_user_turn else "\n\n"
    # A client of Google's SDKs returns each streamed chunk as a turn: its pieces are one text.
    glue = "" if request.dialect.startswith("gemini") else between
    if is_orderly(request.messages, rules):
        place_results = _with_results_in_user_turns if rules.results_in_user_turn else _with_results_apart
        placed = place_results(request.messages)
        messages = placed if rules.result_media or own else _with_media_after_results(placed)
        return with_messages(request, messages if messages is placed else _with_required_turns(messages, rules, lost)), lost
    messages = _paired(_without_empty(request.messages), rules.ids, lost)
    messages = _with_system_in_place(messages, rules, between, lost)
    messages = _merged(messages, rules, between, glue)
    if not own:
        visible = _without_hidden(messages, rules, dialect, lost)
        messages = visible if len(visible) == len(messages) else _merged(visible, rules, between, glue)
    if not rules.result_media and not own:
        messages = _with_media_after_results(messages)
    messages = _with_required_turns(messages, rules, lost)
    return with_messages(request, messages), list(dict.fromkeys(lost))


def is_orderly(messages: Iterable[Message], rules: TurnRules, with_tools: bool = True) -> bool:
    """Whether only results may have to be moved into or out of messages of the user, and no other step would change anything.

    Nearly all conversations are such, and the other steps look at each message again. It has at most one message of instructions,
    the first; then user and assistant in turn, the user first and not the assistant last; texts that are not blank, and calls, with
    or without thoughts. The calls of a message are answered directly after it, in their order: each by a message of its own, or all
    at the beginning of one message of the user. Not `with_tools`: there are none.
    """
    if rules.system == "none":
        return False
    before, waiting = "system", 0
    ids: list[str] = []
    for at, message in enumerate(messages):
        role, parts = message.role, message.parts
        if not parts:
            return False
        if role == "tool":
            part = parts[0]
            if (
                not waiting
                or len(parts) > 1
                or type(part) is not ToolResult
                or part.name is not None
                or part.call_id != ids[-waiting]
            ):
                return False
            waiting -= 1
            before = role
            continue
        if waiting:
            if before != "assistant" or not _answers(message, ids[-waiting:], rules):
                return False
            parts, waiting = parts[waiting:], 0
        elif role != _NEXT.get(before) and (role != "system" or at):
            return False
        before = role
        if parts:
            calls = _calls_in(parts, role)
            if calls is None or (calls and not with_tools):
                return False
            ids += calls
            waiting += len(calls)
    return not waiting and before in ("user", "tool") and (not ids or (len(set(ids)) == len(ids) and rules.ids.fit_all(ids)))


_NEXT = {"system": "user", "user": "assistant", "assistant": "user", "tool": "assistant"}
"""Who speaks after whom, where there are no calls to be answered."""


def _calls_in(parts: list[Part], role: Role) -> list[str] | None:
    """The ids of the calls in a message of texts that are not blank, calls and thoughts; None where it holds anything else."""
    calls: list[str] = []
    thoughts = 0
    for part in parts:
        if type(part) is Text:
            if not part.text or part.text.isspace():
                return None
        elif role != "assistant":
            return None
        elif type(part) is ToolCall and part.kind != "hosted":
            calls.append(part.id)
        elif type(part) is Thinking or type(part) is RedactedThinking:
            thoughts += 1
        else:
            return None
    # Of thoughts alone another dialect may express nothing.
    return calls if thoughts < len(parts) else None


def _answers(message: Message, ids: list[str], rules: TurnRules) -> bool:
    """Whether a message of the user begins with the results of the calls of these ids, and what is after them may stay there."""
    parts = message.parts
    if message.role != "user" or message.plain or message.extra or len(parts) < len(ids):
        return False
    for part, call_id in zip(parts, ids, strict=False):
        if type(part) is not ToolResult or part.name is not None or part.call_id != call_id:
            return False
    return rules.user_after_results or len(parts) == len(ids)


def _with_results_in_user_turns(messages: list[Message]) -> list[Message]:
    """An orderly conversation with each run of results as one message of the user, as `_merged` makes it."""
    placed: list[Message] = []
    run: Message | None = None
    for message in messages:
        if message.role != "tool":
            run = None
            placed.append(message)
        elif run is None:
            run = Message("user", message.parts, message.name, False, message.extra)
            placed.append(run)
        else:
            run = _merge(run, Message("user", message.parts, message.name, False, message.extra), None)
            placed[-1] = run
    return placed


def _with_results_apart(messages: list[Message]) -> list[Message]:
    """An orderly conversation with each result in a message of its own, as `_paired` makes it; the rest stays the user's."""
    placed: list[Message] = []
    for message in messages:
        parts = message.parts
        if message.role != "user" or type(parts[0]) is not ToolResult:
            placed.append(message)
            continue
        rest: list[Part] = []
        for part in parts:
            if type(part) is ToolResult:
                placed.append(Message("tool", [part], message.name))
            else:
                rest.append(part)
        if rest:
            placed.append(Message("user", rest, message.name))
    return placed


def obeys(messages: Iterable[Message], rules: TurnRules) -> bool:
    """Whether a conversation that its own vendor would accept also keeps those of `rules` that other vendors add."""
    before: Message | None = None
    leading = 0
    for message in messages:
        if message.role in _SYSTEM:
            leading += before is None
            if rules.system == "none" or (rules.system != "anywhere" and before is not None):
                return False
            if rules.system == "first" and leading > 1:
                return False
            continue
        if not _fits_after(before, message, rules):
            return False
        before = message
    last = before.role if before is not None else "system"
    return (last != "assistant" or rules.assistant_last) and (last != "system" or not rules.needs_user)


def _fits_after(before: Message | None, message: Message, rules: TurnRules) -> bool:
    if not rules.empty_messages and not message.parts:
        return False
    if rules.alternate and message.role != "tool" and (before.role if before else "assistant") == message.role:
        return False
    if not rules.user_after_results and message.role == "user" and before is not None and before.role == "tool":
        return False
    ids = [
        part.id if isinstance(part, ToolCall) else part.call_id for part in message.parts if isinstance(part, ToolCall | ToolResult)
    ]
    return all(rules.ids.fits(each) for each in ids)


def _is_empty(part: Part) -> bool:
    return isinstance(part, Text | Refusal) and not part.text


def _without_empty(messages: list[Message]) -> list[Message]:
    """Without empty texts, and without the messages that hold nothing else."""
    kept: list[Message] = []
    for message in messages:
        for part in message.parts:
            if (type(part) is Text or type(part) is Refusal) and not part.text:
                message = replace(message, parts=[part for part in message.parts if not _is_empty(part)])
                break
        if message.parts:
            kept.append(message)
    return kept


# Calls and their results


@dataclass(slots=True)
class _Answered:
    """A call under its id for the target, and the messages of the results that belong to it."""

    call: ToolCall
    results: list[Message] = field(default_factory=list)


def _paired(messages: list[Message], ids: Fitting, lost: list[str]) -> list[Message]:
    """Every call with one result, directly after the assistant's messages that hold the calls, each result in its own message.

    A result without a call becomes text of the user, a call without a result gets one that says so, and an id that a second
    call has too is changed.
    """
    calls, orphans = _matched(messages, ids)
    arranged: list[Message] = []
    waiting: list[_Answered] = []
    for at, message in enumerate(messages):
        if message.role != "assistant":
            arranged += _results(waiting, lost)
            waiting = []
        parts: list[Part] = []
        for index, part in enumerate(message.parts):
            if type(part) is ToolCall:
                answered = calls.get((at, index))
                if answered is not None:
                    waiting.append(answered)
                    part = answered.call
                parts.append(part)
            elif type(part) is not ToolResult:
                parts.append(part)
            elif (at, index) in orphans:
                lost.append("tool_result.without_call")
                parts += _as_text(part)
        if parts:
            arranged.append(_with_parts(message, parts))
    return arranged + _results(waiting, lost)


def _matched(messages: list[Message], ids: Fitting) -> tuple[dict[tuple[int, int], _Answered], set[tuple[int, int]]]:
    """The calls with their results, and the results without a call, by (place of the message, place of the part in it)."""
    calls: dict[tuple[int, int], _Answered] = {}
    orphans: set[tuple[int, int]] = set()
    # An id may come again in a later turn: the result belongs to the last call before it.
    latest: dict[str, _Answered] = {}
    taken: set[str] = set()
    for at, message in enumerate(messages):
        for index, part in enumerate(message.parts):
            if type(part) is ToolCall:
                if part.kind == "hosted" or message.role != "assistant":
                    continue
                call_id = _unique(ids.fit(part.id), taken, ids)
                call = part if call_id == part.id else replace(part, id=call_id)
                latest[part.id] = calls[at, index] = _Answered(call)
            elif type(part) is ToolResult:
                answered = latest.get(part.call_id)
                if answered is None:
                    orphans.add((at, index))
                else:
                    answered.results.append(_with_result(message, part, answered.call))
    return calls, orphans


def _with_result(message: Message, result: ToolResult, call: ToolCall) -> Message:
    """The message of one result of `call`, the same object where it was one already."""
    # Gemini refuses a result under another name than its call's.
    if result.call_id != call.id or result.name not in (None, call.name):
        result = replace(result, call_id=call.id, name=result.name and call.name)
    elif message.role == "tool" and len(message.parts) == 1:
        return message
    # The further fields of a message that held more than the result belong to the rest.
    # Not `replace`, which takes longer than all the rest: a long conversation has thousands of results.
    return Message("tool", [result], message.name, message.plain, message.extra if len(message.parts) == 1 else {})


def _with_parts(message: Message, parts: list[Part]) -> Message:
    """`message` with `parts`, the same object where they are its own."""
    role: Role = "user" if message.role == "tool" else message.role
    if role == message.role and len(parts) == len(message.parts) and all(map(is_, parts, message.parts)):
        return message
    return replace(message, role=role, parts=parts, plain=message.plain and _is_plain(parts))


def _unique(call_id: str, taken: set[str], ids: Fitting) -> str:
    """`call_id`, or one made of it where another call has it; Anthropic: "`tool_use` ids must be unique"."""
    unique, number = call_id, 1
    while unique in taken:
        number += 1
        unique = ids.fit(f"{call_id}_{number}")
    taken.add(unique)
    return unique


def _results(calls: list[_Answered], lost: list[str]) -> list[Message]:
    """The messages of the results of `calls`, in the order of the calls."""
    messages: list[Message] = []
    for each in calls:
        if not each.results:
            lost.append("tool_calls.without_result")
            messages.append(Message("tool", [ToolResult(each.call.id, [Text(NO_RESULT)], each.call.name, plain=True)]))
            continue
        first, *more = each.results
        for other in more:
            first = replace(first, parts=[_joined_results(first.parts[0], other.parts[0])])
        messages.append(first)
    return messages


def _joined_results(first: Part, other: Part) -> Part:
    assert isinstance(first, ToolResult)
    assert isinstance(other, ToolResult)
    parts = _joined(first.parts, other.parts, "\n\n")
    is_error = True if first.is_error or other.is_error else first.is_error
    plain = first.plain and other.plain and _is_plain(parts)
    return replace(first, parts=parts, is_error=is_error, plain=plain, cache=first.cache or other.cache)


def _as_text(result: ToolResult) -> list[Part]:
    """A result whose call is not in the conversation (it was cut off, or another vendor made it) as parts of a user's message."""
    what = f"the tool {result.name}" if result.name else f"the tool call {result.call_id}" if result.call_id else "a tool"
    return _joined([Text(f"[Result of {what}]")], [part for part in result.parts if not _is_empty(part)], "\n")


# System messages


def _with_system_in_place(messages: list[Message], rules: TurnRules, between: str | None, lost: list[str]) -> list[Message]:
    if rules.system == "anywhere":
        return messages
    leading: list[Message] = []
    turns: list[Message] = []
    for message in messages:
        if message.role not in _SYSTEM:
            turns.append(message)
        elif rules.system != "none" and (not turns or rules.late_system == "hoisted"):
            if turns:
                lost.append("system.position")
            leading.append(message)
        else:
            lost.append("system.role")
            turns.append(_as_user(message))
    if rules.system == "first" and len(leading) > 1:
        first, *more = leading
        for other in more:
            first = _merge(first, other, between)
        leading = [first]
    return [*leading, *turns]


def _as_user(message: Message) -> Message:
    """A system message as the user's, marked so that the model knows that the user did not write it."""
    texts = [part.text for part in message.parts if isinstance(part, Text)]
    if not texts or texts[0].lstrip().startswith("<system"):
        return replace(message, role="user")
    if _is_plain(message.parts):
        return replace(message, role="user", parts=[_with_text(message.parts[0], f"<system>\n{texts[0]}\n</system>")])
    return replace(message, role="user", parts=[Text("<system>"), *message.parts, Text("</system>")], plain=False)


# Turns


def _merged(messages: list[Message], rules: TurnRules, between: str | None, glue: str | None) -> list[Message]:
    """Adjacent messages of one role as one, results first. `between` joins texts of the user, `glue` those of the model."""
    merged: list[Message] = []
    for message in messages:
        if rules.results_in_user_turn and message.role == "tool":
            message = Message("user", message.parts, message.name, extra=message.extra)
        before = merged[-1] if merged else None
        if before is not None and _belong_together(before, message, rules):
            merged[-1] = _merge(before, message, glue if message.role == "assistant" else between)
        else:
            merged.append(message)
    return merged


def _belong_together(before: Message, message: Message, rules: TurnRules) -> bool:
    if before.role != message.role or message.role not in ("user", "assistant"):
        return False
    # A name tells two people apart; the assistant's turns stand together all the same, before the results of their calls.
    return before.name == message.name or message.role == "assistant" or rules.alternate or not rules.speakers


def _merge(first: Message, other: Message, glue: str | None) -> Message:
    parts = _joined(first.parts, other.parts, glue)
    if any(isinstance(part, ToolResult) for part in parts):
        parts = sorted(parts, key=lambda part: not isinstance(part, ToolResult))
    name = first.name if first.name == other.name else None
    return replace(
        first, parts=parts, name=name, plain=first.plain and other.plain and _is_plain(parts), extra={**first.extra, **other.extra}
    )


def _joined(first: list[Part], other: list[Part], glue: str | None) -> list[Part]:
    """The parts of both; two bare texts that meet become one with `glue`, as some targets join texts without a space."""
    if not first or not other or glue is None:
        return [*first, *other]
    last, begin = first[-1], other[0]
    if _is_bare(last) and _is_bare(begin) and isinstance(last, Text) and isinstance(begin, Text):
        return [*first[:-1], Text(f"{last.text}{glue}{begin.text}"), *other[1:]]
    return [*first, *other]


def _with_text(part: Part, text: str) -> Part:
    return replace(part, text=text) if isinstance(part, Text) else part


def _is_bare(part: Part) -> bool:
    """Whether the part is a text and nothing else: no cache mark, no citations."""
    return isinstance(part, Text) and not (part.cache or part.citations or part.extra)


def _is_plain(parts: list[Part]) -> bool:
    """Whether the parts can be written as a string: at most one text, and it is bare. Calls and thinking have other fields."""
    texts = [part for part in parts if isinstance(part, Text | Media | Opaque)]
    return len(texts) <= 1 and all(_is_bare(part) for part in texts)


def _without_hidden(messages: list[Message], rules: TurnRules, dialect: str, lost: list[str]) -> list[Message]:
    """Without the messages of which another dialect can express nothing: they would be empty."""
    kept: list[Message] = []
    for message in messages:
        first = message.parts[0] if message.parts else None
        if type(first) in _ALWAYS_SHOWN or (type(first) is Text and rules.blank_texts):
            kept.append(message)
        elif all(_is_hidden(part, dialect) or (not rules.blank_texts and _is_blank(part)) for part in message.parts):
            lost += [_hidden_name(part) for part in message.parts if not isinstance(part, Text)]
        else:
            kept.append(message)
    return kept


_ALWAYS_SHOWN = (ToolCall, ToolResult, Media, Refusal)


def _is_hidden(part: Part, dialect: str) -> bool:
    if isinstance(part, Opaque):
        return part.dialect != dialect
    return isinstance(part, Thinking | RedactedThinking)


def _is_blank(part: Part) -> bool:
    """Whether the part is a text of white space alone."""
    return isinstance(part, Text) and (not part.text or part.text.isspace())


def _hidden_name(part: Part) -> str:
    if isinstance(part, Opaque):
        return f"content[{part.name}]"
    return "thinking" if isinstance(part, Thinking) else "redacted_thinking"


def _with_media_after_results(messages: list[Message]) -> list[Message]:
    """Images and files of results as parts of the user's message after them."""
    if not any(_is_file(each) for message in messages for part in message.parts if type(part) is ToolResult for each in part.parts):
        return messages
    arranged: list[Message] = []
    held: list[Part] = []
    for message in messages:
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        if held and not results:
            after = message if message.role == "user" else None
            arranged.append(replace(after, parts=[*held, *after.parts], plain=False) if after else Message("user", held))
            held = []
            if after:
                continue
        parts: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolResult) and any(_is_file(each) for each in part.parts):
                # Apart from its result, an image no longer shows which call it answers.
                held.append(Text(f"[From the result of the tool call {part.call_id}]"))
                held += [each for each in part.parts if _is_file(each)]
                part = replace(part, parts=[each for each in part.parts if not _is_file(each)])
            parts.append(part)
        arranged.append(replace(message, parts=parts) if held and results else message)
    return [*arranged, Message("user", held)] if held else arranged


def _is_file(part: Part) -> bool:
    return isinstance(part, Media) and part.text is None


def _with_required_turns(messages: list[Message], rules: TurnRules, lost: list[str]) -> list[Message]:
    """With the turns that a target requires between, before and after those of the conversation."""
    leading = next((at for at, message in enumerate(messages) if message.role not in _SYSTEM), len(messages))
    arranged = list(messages[:leading])
    turns = messages[leading:]
    # Clients of Ollama send an empty user's text to load a model; no vendor takes a request without any message.
    if (not turns and (rules.needs_user or not arranged)) or (turns and rules.alternate and turns[0].role == "assistant"):
        arranged.append(_text_message("user", FILLER))
    for message in turns:
        if not rules.user_after_results and message.role == "user" and arranged and arranged[-1].role == "tool":
            arranged.append(_text_message("assistant", ACKNOWLEDGED))
        arranged.append(message)
    if not rules.assistant_last and arranged and arranged[-1].role == "assistant":
        lost.append("messages.prefill")
        arranged.append(_text_message("user", CONTINUE))
    return arranged


def _text_message(role: Literal["user", "assistant"], text: str) -> Message:
    return Message(role, [Text(text)], plain=True)
