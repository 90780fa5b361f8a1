"""Replays recorded traffic of real providers through the running gateway and writes `docs/conformance.md`.

python -m tools.conformance [FOLDER]    (a folder with recordings.jsonl.gz and replay.py; else CONDUIT_RECORDINGS)
"""

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
from tools.conformance import media as beside
from tools.conformance import passthrough as native
from tools.conformance import translated as crossed
from tools.conformance.gateway import Hall, opened
from tools.conformance.page import page

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conformance.md"


async def report(folder: Path) -> str:
    """Replay everything; the page. Each pass has a gateway of its own: one that knows of no failure before."""
    async with context(folder) as hall:
        known, wanted = hall.known, [recording for recording in hall.known if recording.asked_natively]
        print(f"{len(wanted)} of {len(known)} recordings, native …", flush=True)
        same = await native.run(hall, wanted)
    print("… beside chat", flush=True)
    async with context(folder) as hall:
        others = await beside.run(hall, hall.known)
    scenarios = []
    for caller in crossed.CALLERS:
        print(f"… as {caller}", flush=True)
        async with context(folder) as hall:
            scenarios += await crossed.run(hall, caller, hall.known)
    return page(known, same, others, scenarios, datetime.now(UTC).date())


@asynccontextmanager
async def context(folder: Path) -> AsyncIterator[Hall]:
    """A hall in a temporary home."""
    with tempfile.TemporaryDirectory() as place:
        home = Home(Path(place) / "home")
        home.prepare()
        async with opened(folder, home) as hall:
            yield hall


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
