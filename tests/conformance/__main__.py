"""Replays recorded traffic of real providers through the running gateway and writes `docs/conformance.md`.

python -m tests.conformance [FOLDER]    (a folder with recordings.jsonl.gz and replay.py; else CONDUIT_RECORDINGS)
"""

# ruff: noqa: T201 (a command that prints its result)

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from conduit_desktop.core.paths import Home
from tests.conformance import media, passthrough, translated
from tests.conformance.gateway import ReplaySetup, open_setup
from tests.conformance.page import page

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conformance.md"


async def report(folder: Path) -> str:
    """Replay everything and return the page. Each pass has a new gateway, without health state of the pass before."""
    async with context(folder) as setup:
        known, wanted = setup.recordings, [recording for recording in setup.recordings if recording.can_pass_through]
        print(f"{len(wanted)} of {len(known)} recordings, passthrough …", flush=True)
        same = await passthrough.run(setup, wanted)
    print("… media endpoints", flush=True)
    async with context(folder) as setup:
        others = await media.run(setup, setup.recordings)
    translations = []
    for caller in translated.CALLERS:
        print(f"… translated from {caller}", flush=True)
        async with context(folder) as setup:
            translations += await translated.run(setup, caller, setup.recordings)
    return page(known, same, others, translations, datetime.now(UTC).date())


@asynccontextmanager
async def context(folder: Path) -> AsyncIterator[ReplaySetup]:
    """A setup in a temporary home."""
    with tempfile.TemporaryDirectory() as temporary:
        home = Home(Path(temporary) / "home")
        home.prepare()
        async with open_setup(folder, home) as setup:
            yield setup


def main() -> int:
    """Write the page; 1 where there are no recordings."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("CONDUIT_RECORDINGS") or ROOT.parent / "shared" / "replay")
    if not (folder / "recordings.jsonl.gz").is_file():
        sys.stderr.write("no recorded traffic: set CONDUIT_RECORDINGS to the folder with recordings.jsonl.gz and replay.py\n")
        return 1
    logging.disable(logging.WARNING)
    PAGE.write_text(asyncio.run(report(folder)), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
