"""Logs: one line an event, on standard error and in a rotating file, with anything that looks like a key redacted."""

from __future__ import annotations

import logging
import os
import re
import sys
from logging.handlers import RotatingFileHandler

from conduit_desktop.core.paths import Home

LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}
FILE_BYTES = 2_000_000
FILES_KEPT = 4

# No code of ours logs a key; a library's exception text might, and then this stands between it and the disk.
_KEYLIKE = re.compile(r"\b(?:cond[tm]_|sk-|gsk_|xai-|AIza|hf_|pplx-|r8_|key-)[A-Za-z0-9_\-]{12,}|(?i:bearer )[A-Za-z0-9_\-.=]{12,}")


class RedactingFilter(logging.Formatter):
    """Formats, then redacts what looks like a credential, in tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        return _KEYLIKE.sub(lambda match: f"{match[0][:5]}…", super().format(record))


def set_up(home: Home) -> None:
    """Log as CONDUIT_LOG_LEVEL says (error, warning, info or debug). May be called again for another home."""
    wanted = os.environ.get("CONDUIT_LOG_LEVEL", "").strip().lower() or "info"
    level = LEVELS.get(wanted, logging.INFO)
    line = RedactingFilter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    file = RotatingFileHandler(home.logs / "conduit.log", maxBytes=FILE_BYTES, backupCount=FILES_KEPT, encoding="utf-8", delay=True)
    console = logging.StreamHandler(sys.stderr)
    root = logging.getLogger()
    for old in list(root.handlers):
        if old.get_name() == "conduit":
            root.removeHandler(old)
            old.close()
    handlers: tuple[logging.Handler, ...] = (file, console)
    for handler in handlers:
        handler.setFormatter(line)
        handler.set_name("conduit")
        root.addHandler(handler)
    root.setLevel(max(level, logging.INFO))
    logging.getLogger("conduit_desktop").setLevel(level)
    if wanted not in LEVELS:
        logging.getLogger(__name__).warning(
            "CONDUIT_LOG_LEVEL must be one of %s; %r is not, so info is taken", ", ".join(LEVELS), wanted
        )
