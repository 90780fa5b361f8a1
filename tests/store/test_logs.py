"""The log: one line a record, private, without secrets, and no stranger can push out what others wrote."""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conduit_desktop.core.paths import Home
from conduit_desktop.core.secret_values import SECRETS
from conduit_desktop.store import logs

log = logging.getLogger("conduit_desktop.tests")


@pytest.fixture
def file(home: Home) -> Iterator[Path]:
    root = logging.getLogger()
    level, handlers, ours = root.level, list(root.handlers), logging.getLogger("conduit_desktop").level
    logs.set_up(home)
    yield home.logs / "conduit.log"
    for handler in [one for one in root.handlers if one not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    logging.getLogger("conduit_desktop").setLevel(ours)


def test_a_message_cannot_forge_a_second_line(file: Path) -> None:
    log.warning("the model %s", "a\r\n2026-11-30 00:00:00,000 ERROR conduit_desktop: forged\u2028\x1b]0;x\x07\x9b1m\u202e")
    text = file.read_text("utf-8")
    assert text.count("\n") == 1
    assert text.rstrip("\n").isprintable()
    assert "\\u000d\\u000a2026-11-30" in text


def test_the_lines_of_a_traceback_cannot_be_taken_for_records(file: Path) -> None:
    try:
        raise ValueError("a\n2026-11-30 00:00:00,000 ERROR conduit_desktop: forged\r\x1b[31m")
    except ValueError:
        log.exception("it failed")
    first, *rest = file.read_text("utf-8").splitlines()
    assert first.endswith("it failed")
    assert rest
    assert all(line.startswith("  | ") and line.isprintable() for line in rest)


def test_secrets_are_redacted_by_their_value_in_messages_and_tracebacks(file: Path) -> None:
    SECRETS.add("plain-looking secret\nof two lines")
    encoded = base64.b64encode(b"user:plain-looking secret\nof two lines").decode()
    log.warning("sent %s as %s", "plain-looking secret\nof two lines", encoded)
    try:
        raise ValueError("it is plain-looking secret\nof two lines")
    except ValueError:
        log.exception("refused")
    text = file.read_text("utf-8")
    assert text.count("[credential]") >= 3
    assert "plain-looking" not in text
    assert "cGxhaW4tbG9va2lu" not in text


def test_a_flood_of_one_message_pushes_out_nothing_else(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.error("what matters")
    for number in range(5000):
        log.warning("a request of %s was refused", number)
    assert len(file.read_text("utf-8").splitlines()) == 1 + logs.MOST_ALIKE
    monkeypatch.setattr(logs, "ALIKE_WITHIN_S", 0.0)
    log.warning("a request of %s was refused", "the next minute")
    assert (
        file.read_text("utf-8")
        .splitlines()[-1]
        .endswith(f"the next minute was refused ({5000 - logs.MOST_ALIKE} more like this were left out)")
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_the_log_is_private_whatever_the_umask_and_so_is_an_older_one(home: Home, file: Path) -> None:
    before = os.umask(0)
    try:
        file.write_text("of an earlier release\n")
        file.chmod(0o666)
        log.warning("now")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logs.PrivateFileHandler):
                handler.doRollover()
        log.warning("later")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(one.stat().st_mode) for one in home.logs.iterdir()} == {0o600}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_costs_a_line_of_the_file_and_no_traceback(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = next(one for one in logging.getLogger().handlers if isinstance(one, logs.PrivateFileHandler))
    handler.stream = open("/dev/full", "a")  # noqa: SIM115  # the handler closes it
    log.warning("the disk is full")
    with contextlib.suppress(OSError):
        handler.close()
    assert "Traceback" not in capsys.readouterr().err
