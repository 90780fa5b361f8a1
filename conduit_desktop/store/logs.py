"""Logs: one line a record, on standard error and in a rotating file, without secrets and without what a stranger could forge."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from logging.handlers import RotatingFileHandler
from typing import IO, Any

from conduit_desktop.core import shown_text
from conduit_desktop.core.paths import Home
from conduit_desktop.core.secret_values import SECRETS

LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}
FILE_BYTES = 2_000_000
FILES_KEPT = 4
MOST_ALIKE, ALIKE_WITHIN_S = 30, 60.0
"""Records of one message (whatever its arguments) that are written within that time; a stranger causes as many as he likes."""
LONGEST = 10_000
"""Characters of one record; a traceback has more."""

# The keys of this process are redacted by their value; this stands between keys that it does not know and the disk.
_KEYLIKE = re.compile(r"\b(?:cond[tm]_|sk-|gsk_|xai-|AIza|hf_|pplx-|r8_|key-)[A-Za-z0-9_\-]{12,}|(?i:bearer )[A-Za-z0-9_\-.=]{12,}")
_TRACE = "  | "
_WRITTEN, _LEFT_OUT = "conduit_written", "conduit_left_out"
_MOST_MESSAGES = 1000


class LineFormatter(logging.Formatter):
    """One line a record: control characters are escaped, and each line of a traceback is marked as a part of its record."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback's after it."""
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        text = _clean(self.formatMessage(record))[:LONGEST]
        if left_out := getattr(record, _LEFT_OUT, 0):
            text += f" ({left_out} more like this were left out)"
        # Not kept in the record, as logging does: a traceback of one handler is as good as that of the next.
        traces = [self.formatException(record.exc_info)] if record.exc_info else []
        if record.stack_info:
            traces.append(record.stack_info)
        for trace in traces:
            # Redacted before it is split into lines: a secret may have line breaks, as a private key does.
            text += "".join(f"\n{_TRACE}{shown_text.one_line(line)[:LONGEST]}" for line in SECRETS.redact(trace).split("\n"))
        return _KEYLIKE.sub(lambda match: f"{match[0][:5]}…", text)


def _clean(text: str) -> str:
    return shown_text.one_line(SECRETS.redact(text))


class Throttle(logging.Filter):
    """Writes the first `MOST_ALIKE` records of one message within a minute, and with the next how many were left out.

    The log is bounded in size: without this, whoever causes a line for each call could push out everything else.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, object], tuple[float, int]] = {}
        """By logger and message: the beginning of the minute, and how many records there were in it."""
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written; decided once for all handlers."""
        verdict: bool | None = getattr(record, _WRITTEN, None)
        if verdict is None:
            with self._lock:
                verdict = self._wanted(record)
            setattr(record, _WRITTEN, verdict)
        return verdict

    def _wanted(self, record: logging.LogRecord) -> bool:
        # The message before its arguments are put in: what a stranger chooses is in the arguments.
        key = (record.name, record.msg if isinstance(record.msg, str) else type(record.msg))
        now = time.monotonic()
        since, count = self._seen.get(key, (now, 0))
        if now - since >= ALIKE_WITHIN_S:
            setattr(record, _LEFT_OUT, max(0, count - MOST_ALIKE))
            since, count = now, 0
        elif count == 0 and len(self._seen) >= _MOST_MESSAGES:
            self._seen.clear()
        self._seen[key] = since, count + 1
        return count < MOST_ALIKE


class PrivateFileHandler(RotatingFileHandler):
    """A rotating file that only its owner can read, whatever the process's umask."""

    def _open(self) -> IO[Any]:  # type: ignore[override]
        return open(self.baseFilename, self.mode, encoding=self.encoding, errors="backslashreplace", opener=_private)

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing for a disk that is full or gone: the record is on standard error as well."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def _private(path: str, flags: int) -> int:
    descriptor = os.open(path, flags, 0o600)
    if os.name == "posix":
        # Of a file that an earlier release made.
        os.fchmod(descriptor, 0o600)
    return descriptor


def set_up(home: Home) -> None:
    """Log as CONDUIT_LOG_LEVEL says (error, warning, info or debug). May be called again for another home."""
    wanted = os.environ.get("CONDUIT_LOG_LEVEL", "").strip().lower() or "info"
    level = LEVELS.get(wanted, logging.INFO)
    line = LineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    file = PrivateFileHandler(home.logs / "conduit.log", maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8", delay=True)
    console = logging.StreamHandler(sys.stderr)
    root = logging.getLogger()
    for old in list(root.handlers):
        if old.get_name() == "conduit":
            root.removeHandler(old)
            old.close()
    handlers: tuple[logging.Handler, ...] = (file, console)
    throttle = Throttle()
    for handler in handlers:
        handler.setFormatter(line)
        handler.set_name("conduit")
        # Who asks for every detail gets it.
        if level > logging.DEBUG:
            handler.addFilter(throttle)
        root.addHandler(handler)
    root.setLevel(max(level, logging.INFO))
    logging.getLogger("conduit_desktop").setLevel(level)
    if wanted not in LEVELS:
        logging.getLogger(__name__).warning(
            "CONDUIT_LOG_LEVEL must be one of %s; %r is not, so info is taken", ", ".join(LEVELS), wanted
        )
