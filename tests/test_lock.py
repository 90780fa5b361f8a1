"""The pinned versions: complete enough that a release of tomorrow cannot break a set-up of today."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"


def pins() -> dict[str, set[str]]:
    """Each pinned package, and the extras that it is pinned with."""
    lines = re.findall(r"^([\w.-]+)(?:\[([\w,-]+)\])?==", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    return {name.lower().replace("_", "-"): set(filter(None, extras.split(","))) for name, extras in lines}


def required() -> Iterator[tuple[str, str, set[str]]]:
    """(who, whom, with which extras) for what the packages installed here ask of each other, without extras of their own."""
    for distribution in importlib.metadata.distributions():
        for text in distribution.requires or ():
            wanted = Requirement(text)
            if wanted.extras and (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
                yield distribution.name.lower().replace("_", "-"), wanted.name.lower().replace("_", "-"), wanted.extras


def test_an_extra_that_a_package_asks_for_is_pinned_with_it() -> None:
    """With hashes, pip looks at the newest release of what is required with an extra unless the extra is pinned, too."""
    known = pins()
    assert len(known) > 50
    missing = [
        (who, whom, extras) for who, whom, extras in required() if who in known and whom in known and not extras <= known[whom]
    ]
    assert missing == []


def pinned(name: str) -> set[str]:
    """`name==version` with its environment marker, of each line of a lock."""
    return set(
        re.findall(r"^([\w.-]+(?:\[[\w,-]+\])?==[^ \\]+(?: *;[^\\]*)?)", (LOCK.parent / name).read_text("utf-8"), re.MULTILINE)
    )


def test_what_running_needs_is_pinned_as_in_the_whole_lock_and_holds_no_test_or_check() -> None:
    run, everything = pinned("requirements-run.lock"), {one.partition(" ;")[0] for one in pinned("requirements.lock")}
    assert {one.partition(" ;")[0] for one in run} <= everything
    names = {one.partition("==")[0].partition("[")[0] for one in run}
    assert {"aiohttp", "pyside6-essentials", "qasync", "uvloop", "botocore", "google-auth", "hatchling"} <= names
    assert not {"pytest", "hypothesis", "mypy", "ruff", "openai", "schemathesis", "pyinstaller", "uv", "pipx"} & names
