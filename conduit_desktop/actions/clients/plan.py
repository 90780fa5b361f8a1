"""What setting a tool up, or undoing it, makes of its files: computed from their content, and nothing is written.

The *base* of a file is its content without our values: what is kept as the backup, and comes back. A file that points at the
gateway already is never its own base.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conduit_desktop.actions.clients.documents import ABSENT, CannotEdit, Editor, Unreadable, editor
from conduit_desktop.actions.clients.files import Content, data_of, read, text_of, unreadable
from conduit_desktop.actions.clients.machine import Machine
from conduit_desktop.actions.clients.recipes import ConfigFile, Goal, Recipe
from conduit_desktop.core.errors import Conflict
from conduit_desktop.core.secret_values import SECRETS

Kept = Callable[[str], bytes | None]
"""Gives a backup by its name; None where it is lost."""
OWN_KEY = re.compile(r"condt_[A-Za-z0-9_-]{43}")
PLACEHOLDER = "condt_A_KEY_THAT_IS_MADE_FOR_THIS_TOOL"


@dataclass(frozen=True, slots=True)
class Placed:
    """One value that was written: its path, and the SHA-256 of it, as it may be a key. `compared`: a tool must not change it."""

    path: tuple[Any, ...]
    digest: str
    compared: bool = True


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """What is remembered of a file that was written. `original` names its backup (None: there was no file)."""

    path: str
    format: str
    original: str | None
    written: str
    values: tuple[Placed, ...]
    made: tuple[str, ...] = ()
    """Folders that were made for it, the innermost first."""

    def as_json(self) -> dict[str, Any]:
        """As the store keeps it."""
        values = [[list(one.path), one.digest, one.compared] for one in self.values]
        return {
            "path": self.path, "format": self.format, "original": self.original, "written": self.written, "values": values,
            "made": list(self.made),
        }  # fmt: skip

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> WrittenFile:
        """From `as_json`."""
        values = tuple(
            Placed(tuple(tuple(step) if isinstance(step, list) else step for step in path), digest, compared)
            for path, digest, compared in row["values"]
        )
        return cls(row["path"], row["format"], row["original"], row["written"], values, tuple(row["made"]))


@dataclass(slots=True, repr=False)
class FilePlan:
    """One file: as it is, its base, and what it shall be (None: no file)."""

    config: ConfigFile | None
    seen: Content
    base: bytes | None
    new: bytes | None
    values: tuple[Placed, ...] = ()
    made: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether there is something to write."""
        return self.new != self.seen.data


@dataclass(slots=True)
class FileState:
    """What became of a file that was written. `key` is our virtual key in it."""

    intact: bool
    problem: str = ""
    values: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False)


def located(config: ConfigFile, machine: Machine) -> Path:
    """The file that a tool reads: the first of its names that exists, else the last."""
    folder = config.folder(machine)
    found = [folder / name for name in config.names]
    # Not `Path.exists`, which raises where a folder above may not be read.
    return next((path for path in found if os.path.exists(path)), found[-1])


def value_digest(value: Any) -> str:
    """SHA-256 of a value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def pointing_here(values: Mapping[Any, Any], roots: Sequence[str]) -> list[Any]:
    """Of some values of a file, by path, the paths of those that hold an address of this gateway or a virtual key.

    Next to the address of another server, a virtual key is that of another gateway.
    """
    texts = {path: list(_texts(value)) for path, value in values.items()}
    addressed = {path: [text for text in found if text.startswith(("http://", "https://"))] for path, found in texts.items()}
    here = {path for path, found in addressed.items() if any(_is_root(text, roots) for text in found)}
    if not here and any(addressed.values()):
        return []
    return [path for path, found in texts.items() if path in here or any(OWN_KEY.search(text) for text in found)]


def _is_root(text: str, roots: Sequence[str]) -> bool:
    return any(text == root or text.startswith(f"{root}/") for root in roots)


def plan_setup(
    recipe: Recipe, machine: Machine, goal: Goal, before: Sequence[WrittenFile], kept: Kept, roots: Sequence[str]
) -> list[FilePlan]:
    """Every file of the recipe, and those of an earlier set-up that it does not write any more.

    Raises Invalid for a file that is not of its format, Conflict for one that cannot be read or has no place for a value.
    """
    known = {one.path: one for one in before}
    plans = []
    for config in recipe.files:
        path = located(config, machine)
        plans.append(_file_plan(config, path, goal, known.pop(str(path), None), kept, roots))
    return [*plans, *(plan_undo(one, kept) for one in known.values())]


def _file_plan(
    config: ConfigFile, path: Path, goal: Goal, before: WrittenFile | None, kept: Kept, roots: Sequence[str]
) -> FilePlan:
    seen, edit = read(path), editor(config.format)
    try:
        wanted = [(goal.filled(at), goal.filled(value), True) for at, value in config.values]
        base = _base(seen, edit, before, kept, [at for at, _, _ in wanted], roots)
        text = text_of(seen.data)
        if before is not None:
            # A former alias is in the path of some values.
            former = _former(before, kept)
            for one in reversed(before.values):
                if one.path not in {at for at, _, _ in wanted} and _is_ours(edit, text, one) and one.compared:
                    text = edit.take_back(text, former, one.path)
        if not text.strip():
            text = config.starter
        extra = [(goal.filled(at), goal.filled(value), False) for at, value in config.extra]
        # Only where they are missing; those of an earlier set-up stay remembered.
        old = {one.path for one in before.values} if before is not None else set()
        wanted += [(at, value, False) for at, value, _ in extra if edit.get(text, at) is ABSENT or at in old]
        for at, value, compared in wanted:
            if (compared and edit.get(text, at) != value) or edit.get(text, at) is ABSENT:
                text = edit.put(text, at, value)
        values = tuple(Placed(tuple(at), value_digest(value), compared) for at, value, compared in wanted)
    except Unreadable as error:
        raise unreadable(path, error) from error
    except CannotEdit as error:
        raise Conflict(f"{path}: {error}. The file was not changed.") from error
    made = before.made if before is not None and before.made else tuple(str(one) for one in _missing(seen.target.parent))
    return FilePlan(config, seen, base, data_of(text, seen.data), values, made)


def plan_undo(before: WrittenFile, kept: Kept) -> FilePlan:
    """A file without what was written: as it was, or, where others changed it since, with their changes and without our values."""
    seen = read(Path(before.path))
    edit = editor(before.format)  # type: ignore[arg-type]  # one of those that `Format` lists
    try:
        base = _base(seen, edit, before, kept, (), ())
    except Unreadable as error:
        raise unreadable(seen.path, error) from error
    except CannotEdit as error:
        raise Conflict(f"{seen.path}: {error}. The file was not changed.") from error
    return FilePlan(None, seen, base, base, (), before.made)


def state_of(before: WrittenFile) -> FileState:
    """Whether a file still has what was written to it."""
    edit = editor(before.format)  # type: ignore[arg-type]
    try:
        text = text_of(read(Path(before.path)).data)
        values = {one.path: edit.get(text, one.path) for one in before.values if one.compared}
    except Unreadable as error:
        return FileState(False, f"{before.path}, {error}")
    except Conflict as error:
        return FileState(False, error.message)
    expected = {one.path: one.digest for one in before.values if one.compared}
    intact = all(value is not ABSENT and value_digest(value) == expected[path] for path, value in values.items())
    return FileState(intact, "", values)


def key_in(plans_or_states: Iterable[FileState], is_ours: Callable[[str], bool]) -> str | None:
    """The virtual key that the files hold, where it is the right one."""
    for state in plans_or_states:
        for text in _texts(list(state.values.values())):
            if (found := OWN_KEY.search(text)) and is_ours(found[0]):
                return found[0]
    return None


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def _base(
    seen: Content, edit: Editor, before: WrittenFile | None, kept: Kept, paths: Sequence[Any], roots: Sequence[str]
) -> bytes | None:
    """The content without our values; `paths` are also looked at for values that point here and were not written from here."""
    if seen.data is None:
        return None
    if before is not None and seen.digest == before.written:
        if before.original is None:
            return None
        if (original := kept(before.original)) is not None:
            return original
    start = text_of(seen.data)
    text = start if before is None else _without_ours(start, edit, before, kept)
    found = {path: value for path in paths if (value := edit.get(text, path)) is not ABSENT}
    for path in reversed(pointing_here(found, roots)):
        text = edit.take_back(text, None, path)
    if text == start:
        return seen.data
    if before is not None and before.original is None and _is_blank(text):
        return None
    return data_of(text, seen.data)


def _without_ours(text: str, edit: Editor, before: WrittenFile, kept: Kept) -> str:
    """The text with what was there before in the place of what is still as it was written."""
    former = _former(before, kept)
    ours = [one for one in before.values if _is_ours(edit, text, one)]
    for one in reversed(ours):
        text = edit.take_back(text, former, one.path)
    if any(one.compared for one in ours):
        for owned in _owned(before):
            if edit.get(former or "", owned) is ABSENT:
                text = edit.take_back(text, former, owned)
    return text


def _is_blank(text: str) -> bool:
    from conduit_desktop.actions.clients.recipes import RECIPES

    starters = {config.starter.split() == text.split() for recipe in RECIPES for config in recipe.files if config.starter}
    return text.strip() in ("", "{}", "[]") or True in starters


def _owned(before: WrittenFile) -> list[tuple[str, ...]]:
    from conduit_desktop.actions.clients.recipes import RECIPES

    name = Path(before.path).name
    return [one for recipe in RECIPES for config in recipe.files if name in config.names for one in config.owned]


def _former(before: WrittenFile, kept: Kept) -> str | None:
    original = None if before.original is None else kept(before.original)
    return None if original is None else text_of(original)


def _is_ours(edit: Editor, text: str, one: Placed) -> bool:
    value = edit.get(text, one.path)
    return value is not ABSENT and value_digest(value) == one.digest


def _missing(folder: Path) -> list[Path]:
    found = []
    while not os.path.exists(folder):
        found.append(folder)
        folder = folder.parent
    return found


# Names of secrets, and what stands behind them in JSON, TOML, YAML and env files.
_SECRET = re.compile(
    r"""(?P<head>["']?[\w.-]*(?:key|token|secret|passw(?:or)?d|auth|authorization|credentials?|bearer)["']?\s*[:=]\s*)"""
    r"""(?P<quote>["']?)(?P<value>(?<=")[^"]+|(?<=')[^']+|[^"'\s,#}{\[]+)""",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*|\{env:.*|\$.*|[a-z_-]{1,16}|\d{1,6}")
"""A variable's name, a reference, a word: `env_key = "CONDUIT_API_KEY"`, `selectedAuth: none`."""
_BY_SHAPE = re.compile(
    r"\b(?:sk|pk|rk|gsk|hf|xai|xox[a-z]|ghp|gho|ghs|github_pat|glpat|AIza|AKIA|condm)[-_]?[A-Za-z0-9_-]{12,}"
    r"|(?<=://)[^/\s:@\"']+:[^/\s@\"']+(?=@)"
)
"""Keys as vendors make them, and a user with a password in an address, wherever they stand."""


def masked(line: str) -> str:
    """A line of a config file without the secrets in it, ours and others'."""
    line = line.replace(PLACEHOLDER, "condt_…new")
    line = OWN_KEY.sub(lambda found: f"condt_…{found[0][-4:]}", line)

    def hide(found: re.Match[str]) -> str:
        value = found["value"]
        if value.startswith("condt_…") or _NO_SECRET.fullmatch(value):
            return found[0]
        return f"{found['head']}{found['quote']}{_hint(value)}"

    line = _SECRET.sub(hide, line)
    return SECRETS.redact(_BY_SHAPE.sub(lambda found: _hint(found[0]), line))


def _hint(secret: str) -> str:
    return f"…{secret[-4:]}" if len(secret) >= 16 else "…"


def difference(plan: FilePlan) -> str:
    """The change of one file as a unified diff, with secrets masked; empty where there is none."""
    if not plan.changes:
        return ""
    # Masked after they were compared: two keys that look alike then are a change all the same.
    before, after = ([line.rstrip("\r") for line in _shown(data).split("\n")] for data in (plan.seen.data, plan.new))
    old = "/dev/null" if plan.seen.data is None else str(plan.seen.path)
    new = "/dev/null" if plan.new is None else str(plan.seen.path)
    lines = difflib.unified_diff(_without_end(before), _without_end(after), old, new, lineterm="", n=2)
    return "".join(f"{masked(line)}\n" for line in lines)


def _shown(data: bytes | None) -> str:
    try:
        return text_of(data)
    except Unreadable:
        return ""


def _without_end(lines: list[str]) -> list[str]:
    return lines[:-1] if lines and not lines[-1] else lines
