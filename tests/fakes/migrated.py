"""New databases in the tests' process are copied from one that the real migrations made."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from conduit_desktop.store.sqlite import migrations


@contextmanager
def copied_databases() -> Iterator[None]:
    """While this is open, the migrations run for the first new database only; the next ones are copies of it.

    To migrate takes 20 milliseconds of processor time, longer than most tests. An older database, and a list of migrations that a
    test replaced, are migrated as always.
    """
    apply, every = migrations._apply, migrations.MIGRATIONS
    made = sqlite3.connect(":memory:", check_same_thread=False)

    def copy(connection: sqlite3.Connection) -> None:
        if every is not migrations.MIGRATIONS or connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,):
            apply(connection)
        elif made.execute("PRAGMA user_version").fetchone() == (migrations.VERSION,):
            made.backup(connection)
        else:
            apply(connection)
            connection.backup(made)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrations, "_apply", copy)
        yield
    made.close()
