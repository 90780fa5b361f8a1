"""Screenshots of every page and some dialogs with demo data, light and dark: `python -m tools.screenshots [--out DIR] [name …]`."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("CONDUIT_SECRETS", "vault")

from PySide6.QtCore import QPoint, QSize  # noqa: E402
from PySide6.QtGui import QColor, QImage, QPainter  # noqa: E402
from PySide6.QtWidgets import QApplication, QDialog  # noqa: E402

from conduit_desktop.actions.admin_client import AdminClient  # noqa: E402
from conduit_desktop.actions.schemas.inputs import RequestQuery  # noqa: E402
from conduit_desktop.actions.schemas.views import NewKeyView  # noqa: E402
from conduit_desktop.actions.transport import LocalTransport  # noqa: E402
from conduit_desktop.app import Options, open_app  # noqa: E402
from conduit_desktop.gui.event_loop.selector_loop import make_loop  # noqa: E402
from conduit_desktop.gui.pages.keys.dialogs import NewKeyDialog  # noqa: E402
from conduit_desktop.gui.pages.providers.dialogs import ProviderDialog  # noqa: E402
from conduit_desktop.gui.shell.page_registry import PAGES  # noqa: E402
from conduit_desktop.gui.shell.window import MainWindow  # noqa: E402
from conduit_desktop.gui.theme.theme import theme  # noqa: E402
from tools.demo_data import fill_with_demo_data, has_failover  # noqa: E402

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
QUESTION = "How do I write a greeting in Python? Show me the code, please."
SHOWN_KEY = "condt_" + "demo0" * 8 + "key"
SMALLEST = 0
"""Quality of a PNG file as Qt counts it: the hardest compression."""

Scene = Callable[[MainWindow], Awaitable[QDialog | None]]


async def page(window: MainWindow, name: str) -> QDialog | None:
    """A page without further changes."""
    window.navigate(name)
    await window.settle()
    return None


async def chat(window: MainWindow) -> None:
    """A message to the demo provider and its complete response."""
    await page(window, "chat")
    shown: Any = window.pages["chat"]
    if not shown.turns:
        shown.picker.pick("playground")
        shown.on_sent(QUESTION, [])
        await window.settle()


async def inspector(window: MainWindow) -> None:
    """The newest request that went on to a second target, explained."""
    found, _ = await window.client.records(RequestQuery(limit=500))
    window.navigate("requests", request=next(one.id for one in found if has_failover(one)))
    await window.settle()


async def plain_requests(window: MainWindow) -> None:
    """The request log without the inspector."""
    await page(window, "requests")
    shown: Any = window.pages["requests"]
    shown.inspector.closed.emit()


async def key_once(window: MainWindow) -> QDialog:
    """The dialog of a new key. The key is invented."""
    await page(window, "keys")
    [some, *_] = await window.client.keys()
    made = NewKeyView(**{**some.model_dump(), "name": "Zed", "key": SHOWN_KEY})
    return NewKeyDialog(window, window, made, "smart")


async def catalog(window: MainWindow) -> QDialog:
    """The catalog of provider kinds."""
    await page(window, "providers")
    return ProviderDialog(window, window.client, window, await window.client.catalog(), [])


SCENES: dict[str, Scene] = {
    "chat": chat,
    "requests": plain_requests,
    "inspector": inspector,
    "key-once": key_once,
    "provider-catalog": catalog,
}
NAMES = ["welcome", *(entry.name for entry in PAGES), "inspector", "key-once", "provider-catalog"]


def picture(window: MainWindow, dialog: QDialog | None) -> QImage:
    """The window; with a dialog, the window dimmed and the dialog on top."""
    image = window.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    if dialog is None:
        return image
    painter = QPainter(image)
    painter.fillRect(image.rect(), QColor(0, 0, 0, 110))
    shot = dialog.grab()
    painter.drawPixmap(QPoint((image.width() - shot.width()) // 2, (image.height() - shot.height()) // 2), shot)
    painter.end()
    return image


async def shoot(window: MainWindow, name: str, out: Path) -> None:
    """Write one image per theme to `out`."""
    for mode in THEMES:
        theme().set_mode(mode)
        dialog = await SCENES[name](window) if name in SCENES else await page(window, name)
        if dialog is not None:
            dialog.open()
        await asyncio.sleep(0.5)
        target = out / f"{name}-{mode}.png"
        if not picture(window, dialog).save(str(target), "PNG", SMALLEST):  # type: ignore[call-overload]
            raise OSError(f"{target} cannot be written")
        sys.stdout.write(f"{target}\n")
        if dialog is not None:
            dialog.close()
            dialog.deleteLater()


def _is_free(port: int) -> bool:
    """Whether the default port is free, so that it appears in the images."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@asynccontextmanager
async def opened(size: QSize, with_data: bool, zoom: int) -> AsyncIterator[MainWindow]:
    """A window on a new home folder: empty as on the first start, or with demo data."""
    with tempfile.TemporaryDirectory(prefix="conduit-") as folder:
        async with open_app(Options(home=Path(folder), port=None if _is_free(5000) else 0)) as context:
            if with_data:
                await fill_with_demo_data(context)
            await context.server.start()
            window = MainWindow(AdminClient(LocalTransport(context, "gui")), context.home)
            await window.client.change_settings({"zoom": zoom})
            window.resize(size)
            await window.start()
            window.show()
            await window.settle()
            yield window
            await window.finish()


@contextmanager
def demo_user() -> Iterator[None]:
    """A user with two tools, so that no picture shows what is on this computer; always under the same path."""
    home = Path(tempfile.gettempdir(), "conduit-demo")
    with ExitStack() as stack:
        home.mkdir()  # raises FileExistsError where another run is using it
        stack.callback(shutil.rmtree, home)
        programs = home / "bin"
        programs.mkdir()
        for name, version in (("claude", "2.1.0"), ("codex", "0.170.0")):
            program = programs / name
            program.write_text(f"#!/bin/sh\necho {version}\n", "utf-8")
            program.chmod(0o755)
        settings = home / ".claude" / "settings.json"
        settings.parent.mkdir()
        settings.write_text('{\n  "theme": "dark"\n}\n', "utf-8")
        before = dict(os.environ)
        stack.callback(os.environ.update, before)
        for variable in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_CONFIG_HOME"):
            os.environ.pop(variable, None)
        os.environ.update({"HOME": str(home), "PATH": f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin"})
        yield


async def draw(out: Path, names: list[str], size: QSize, zoom: int) -> None:
    """Take the screenshots in `names`."""
    theme().start("light")
    for with_data in (False, True):
        here = [name for name in names if (name != "welcome") == with_data]
        if here:
            async with opened(size, with_data, zoom) as window:
                for name in here:
                    await shoot(window, name, out)


def main() -> None:
    """Parse the command line and take the screenshots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots")
    parser.add_argument("--size", default="1280x800")
    parser.add_argument("--zoom", type=int, default=100, help="percent")
    parser.add_argument("names", nargs="*", help=f"of: {', '.join(NAMES)}")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    width, height = (int(part) for part in given.size.split("x"))
    app = QApplication([])
    app.setQuitOnLastWindowClosed(False)
    loop = make_loop(app)
    asyncio.set_event_loop(loop)
    try:
        with demo_user():
            loop.run_until_complete(draw(given.out, given.names or NAMES, QSize(width, height), given.zoom))
    finally:
        loop.close()


if __name__ == "__main__":
    main()
