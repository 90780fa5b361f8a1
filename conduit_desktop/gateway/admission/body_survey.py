"""What several steps need to know of a large body, found in one walk over it: its depth and size, media, numbers, cache marks.

Each of them would search the text or walk the body anew, which took most of the time of a body of a megabyte.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, filterfalse
from typing import Any

from conduit_desktop.core.chat import Json
from conduit_desktop.gateway.admission.body_content import FILE_NAMES, SHORT, TOOLS, holds_link, is_data
from conduit_desktop.wire import json_limits

FROM = 32 * 1024
"""Bytes of a body's text above which it is surveyed. A smaller one is searched, which takes a few microseconds."""
_HEAVY = 20_000
"""Fields, and elements of lists, which take 40 ms to be translated. Agents' bodies of a megabyte have fewer."""
_NAMES = FILE_NAMES | {"cache_control", "citations"}


@dataclass(slots=True)
class BodySurvey:
    """What was found. Of a heavy body, only that it is one: what walks it belongs into a thread."""

    is_heavy: bool = False
    has_media: bool = False
    """Pictures, sound, documents, or links to them."""
    has_float: bool = False
    """A number below the top that may have been spelled in another way. Whole ones of more than 64 bits are read as floats, too."""
    cache_marks: list[Json] = field(default_factory=list)
    """The values of all fields `cache_control`."""
    has_citations: bool = False
    """A field `citations`, which asks for them."""


def survey(body: Any) -> BodySurvey:
    """Look through a parsed body; raises TooComplex where it is nested too deep."""
    found = BodySurvey()
    if type(body) is not dict:
        json_limits.check_depth(body)
        return found
    tools = [body[name] for name in TOOLS if isinstance(body.get(name), (dict, list))]
    rest: list[Json] = [
        {name: value for name, value in body.items() if name not in TOOLS and (type(value) is not float or name == "cache_control")}
    ]
    # Names of links among the parameters of tools are no media.
    if not (_walk(rest, found, 1, True) and _walk(tools, found, 2, False)):
        json_limits.check_depth(body)
        return BodySurvey(is_heavy=True)
    return found


def cache_marks_in(body: Json) -> list[Json]:
    """The values of all fields `cache_control` that say something."""
    found: list[Json] = []
    # A stack, not recursion: clients choose how deep a body is nested.
    stack: list[Json] = [body]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if "cache_control" in item:
                found.append(item["cache_control"])
            stack += item.values()
        elif isinstance(item, list):
            stack += item
    return [mark for mark in found if mark]


def _walk(level: list[Any], found: BodySurvey, depth: int, media: bool) -> bool:
    """Look through the values of a level and all below; False as soon as there are too many. `media`: look for those as well."""
    objects = [item for item in level if type(item) is dict]
    lists = [item for item in level if type(item) is list]
    size = 0
    while objects or lists:
        if depth > json_limits.DEEPEST:
            raise json_limits.too_deep()
        depth += 1
        size += sum(map(len, objects)) + sum(map(len, lists))
        if size > _HEAVY:
            return False
        for item in filterfalse(_NAMES.isdisjoint, objects):
            _take_named(item, found, media)
        parts = chain(chain.from_iterable(map(dict.values, objects)), chain.from_iterable(lists))
        objects, lists = [], []
        # One loop over all values of a level: a loop for each object would take a third longer.
        for part in parts:
            kind = type(part)
            if kind is str:
                if len(part) > SHORT and media and is_data(part):
                    found.has_media = True
            elif kind is dict:
                objects.append(part)
            elif kind is list:
                lists.append(part)
            elif kind is float:
                found.has_float = True
    return True


def _take_named(item: dict[str, Json], found: BodySurvey, media: bool) -> None:
    if "cache_control" in item:
        found.cache_marks.append(item["cache_control"])
    found.has_citations = found.has_citations or "citations" in item
    if media and holds_link(item):
        found.has_media = True
