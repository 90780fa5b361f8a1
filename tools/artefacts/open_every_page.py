"""Opens every page of the window of an installed Conduit Desktop, with its gateway listening, and quits.

Prints `page NAME MILLISECONDS` for each. Exit code 1 if a page fails: an exception, an error shown to the user, or a page on which
nothing is drawn. It is run in what was built (`python open_every_page.py HOME`), so it imports nothing of this folder.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from conduit_desktop import app

if TYPE_CHECKING:
    from conduit_desktop.gui.shell.window import MainWindow

PAGE_S = 60.0
"""Time for one page to load all of its data, on a busy machine."""


class Problems(logging.Handler):
    """The errors of the log: exceptions in slots and tasks end there."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


def open_every_page(home: Path) -> NoReturn:
    """Run the app on `home` and end the process with its exit code."""
    from conduit_desktop.gui.app import run

    problems = Problems()
    logging.getLogger().addHandler(problems)
    options = replace(app.Options(), home=home, port=0, serves=True)
    tasks: list[asyncio.Task[None]] = []

    def listening(context: Any) -> None:
        app.announce(context)
        tasks.append(asyncio.get_running_loop().create_task(visit(problems)))

    code = app.report_failure(lambda: run(options.folder, lambda: app.open_app(options), listening))
    for text in problems.texts:
        sys.stderr.write(f"{text}\n")
    app._exit_now(code or bool(problems.texts))


async def visit(problems: Problems) -> None:
    """Open the pages, then quit."""
    from conduit_desktop.gui.shell.page_registry import PAGES

    window = await shown_window()
    try:
        show = window.toaster.show_text

        def show_text(text: str, severity: Any = "info") -> None:
            if severity == "error":
                problems.texts.append(f"the page {window.current} shows an error: {text}")
            show(text, severity)

        window.toaster.show_text = show_text  # type: ignore[method-assign]
        for name in ("welcome", *(entry.name for entry in PAGES)):
            begun = time.monotonic()
            window.navigate(name)
            await asyncio.wait_for(window.settle(), PAGE_S)
            if colours(window.page(name)) < 2:
                problems.texts.append(f"the page {name} is empty")
            sys.stdout.write(f"page {name} {1000 * (time.monotonic() - begun):.0f}\n")
    except Exception:
        logging.getLogger(__name__).exception("the pages could not be opened")
    finally:
        sys.stdout.flush()
        window.quit_requested.emit()


async def shown_window() -> MainWindow:
    """The window, once it is shown: a server with a given port listens before."""
    from PySide6.QtWidgets import QApplication

    from conduit_desktop.gui.shell.window import MainWindow

    while True:
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, MainWindow) and widget.isVisible():
                return widget
        await asyncio.sleep(0.02)


def colours(widget: Any) -> int:
    """How many colours a widget has, as drawn."""
    image = widget.grab().toImage()
    return len({image.pixel(x, y) for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)})


if __name__ == "__main__":
    open_every_page(Path(sys.argv[1]))
