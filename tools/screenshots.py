"""Draws every page with demo data, light and dark: `python -m tools.screenshots [--out DIR] [--size 1280x800] [page …]`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("CONDUIT_SECRETS", "vault")

from PySide6.QtWidgets import QApplication  # noqa: E402

from conduit_desktop.app import Options, open_house  # noqa: E402
from conduit_desktop.gui.eventloop import make_loop  # noqa: E402
from conduit_desktop.gui.listing import PAGES  # noqa: E402
from conduit_desktop.gui.theme import theme  # noqa: E402
from conduit_desktop.gui.window import Window  # noqa: E402
from tools.demo_house import furnish  # noqa: E402

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


async def draw(out: Path, names: list[str], size: tuple[int, int]) -> None:
    """One picture a page and theme, written to `out`."""
    with tempfile.TemporaryDirectory(prefix="conduit-") as folder:
        async with open_house(Options(home=Path(folder), port=0)) as house:
            await furnish(house)
            await house.server.start()
            theme().start("light")
            window = Window(house)
            window.show()
            window.resize(*size)
            window.start()
            for mode in THEMES:
                theme().set_mode(mode)
                for name in names:
                    window.navigate(name)
                    await window.settle()
                    await asyncio.sleep(0.4)
                    target = out / f"{name}-{mode}.png"
                    window.grab().save(str(target))
                    sys.stdout.write(f"{target}\n")
            await window.finish()


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots")
    parser.add_argument("--size", default="1280x800")
    parser.add_argument("pages", nargs="*")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    width, height = (int(part) for part in given.size.split("x"))
    app = QApplication([])
    app.setQuitOnLastWindowClosed(False)
    loop = make_loop(app)
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(draw(given.out, given.pages or [page.name for page in PAGES], (width, height)))
    finally:
        loop.close()


if __name__ == "__main__":
    main()
