"""A change of several files that a killed process leaves either done or undone.

with journal.begin(home.root, folder) as change:
    ...              # write the new files into `folder`, which is temporary
    change.commit([(old, aside), (folder / "new", old)])

Before `commit` nothing but temporary files has changed, and the next start removes them. `commit` first writes its moves into the
journal; from then on the next start makes those that are missing. A move is made only from a file that is there to a name
that is free: nothing is ever overwritten, and a repeated move does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from conduit_desktop.core.errors import DatabaseUnusable
from conduit_desktop.store import private_files

Move = tuple[Path, Path]


@dataclass(frozen=True, slots=True)
class _Plan:
    temporary: tuple[Path, ...]
    moves: tuple[Move, ...] = ()


class JournaledChange:
    """A change in progress."""

    def __init__(self, path: Path, temporary: tuple[Path, ...]) -> None:
        self._path = path
        self._temporary = temporary
        self.decided = False
        """From here on the change is finished, now or at the next start."""

    def commit(self, moves: Sequence[Move]) -> None:
        """Make the moves, durably; raises OSError, and then the next start goes on with them."""
        new = [source for source, _ in moves if any(source.is_relative_to(folder) for folder in self._temporary)]
        for source in new:
            private_files.sync(source)
        for folder in dict.fromkeys(source.parent for source in new):
            private_files.sync_folder(folder)
        plan = _Plan(self._temporary, tuple(moves))
        _write(self._path, plan)
        self.decided = True
        _move(plan.moves)


@contextmanager
def begin(root: Path, *temporary: Path) -> Iterator[JournaledChange]:
    """A change with its journal in `root`; `temporary` files and folders are removed at its end. Raises OSError."""
    path = root / f".change-{os.getpid()}-{os.urandom(4).hex()}.journal"
    _write(path, _Plan(temporary))
    change = JournaledChange(path, temporary)
    try:
        yield change
    except BaseException:
        # The moves of a change that is decided are the next start's to finish.
        if not change.decided:
            _close(path, _Plan(temporary))
        raise
    _close(path, _Plan(temporary))


def finish(root: Path) -> list[Path]:
    """Finish or undo each change that a killed process left in `root`; their journals. Only while no other process uses it.

    Raises OSError, and DatabaseUnusable for a journal that cannot be read.
    """
    found = unfinished(root)
    for path in found:
        plan = _read(path)
        _move(plan.moves)
        _close(path, plan)
    return found


def unfinished(root: Path) -> list[Path]:
    """The journals in `root`."""
    return sorted(root.glob(".change-*.journal"))


def _move(moves: Sequence[Move]) -> None:
    for source, target in moves:
        if os.path.lexists(source) and not os.path.lexists(target):
            os.rename(source, target)
            for folder in {source.parent, target.parent}:
                private_files.sync_folder(folder)


def _close(path: Path, plan: _Plan) -> None:
    for one in plan.temporary:
        private_files.remove(one)
    # Last: as long as something temporary is there, the journal names it.
    path.unlink()
    private_files.sync_folder(path.parent)


def _write(path: Path, plan: _Plan) -> None:
    root = path.parent
    value = {
        "temporary": [_relative(root, one) for one in plan.temporary],
        "moves": [[_relative(root, source), _relative(root, target)] for source, target in plan.moves],
    }
    private_files.write_private(path, orjson.dumps(value))


def _relative(root: Path, path: Path) -> str:
    # Relative: a home may have been moved, or be mounted elsewhere, before its next start.
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _read(path: Path) -> _Plan:
    try:
        value = orjson.loads(path.read_bytes())
        root = path.parent
        moves = tuple((root / source, root / target) for source, target in value["moves"])
        return _Plan(tuple(root / one for one in value["temporary"]), moves)
    except (ValueError, KeyError, TypeError) as error:
        raise DatabaseUnusable(
            f"the journal {path} of an interrupted change is damaged, and so the change cannot be finished. Look whether "
            f"{path.parent} holds the files that you expect, restore a backup if it does not, and delete the journal."
        ) from error
