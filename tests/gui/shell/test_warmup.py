"""Pages are built ahead of time in small steps, and PySide does not read the source of modules."""

from __future__ import annotations

import linecache
import sys

from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.core.paths import Home
from conduit_desktop.gui.shell.page_registry import PAGES
from conduit_desktop.gui.shell.warmup import WarmUp
from conduit_desktop.gui.shell.window import MainWindow
from tests.fakes.waiting import until


async def test_every_page_is_built_ahead_and_none_is_shown_or_loaded(client: AdminClient, home: Home):
    window = MainWindow(client, home)
    window.resize(1000, 700)
    window.show()
    window.navigate("dashboard")
    warm_up = WarmUp(window)
    warm_up._timer.setInterval(0)
    await until(lambda: not warm_up._steps, within_s=20)
    assert set(window.pages) == {entry.name for entry in PAGES}
    assert window.current == "dashboard"
    assert [name for name, page in window.pages.items() if page.isVisible()] == ["dashboard"]
    assert all(page.size() == window.stack.size() for page in window.pages.values())
    await window.finish()


async def test_a_closing_window_builds_no_more_pages(client: AdminClient, home: Home):
    window = MainWindow(client, home)
    warm_up = WarmUp(window)
    warm_up.stop()
    warm_up._on_timeout()
    assert window.pages == {}
    await window.finish()


def test_importing_a_module_does_not_keep_its_source():
    """PySide would read it to search for its own name."""
    name = "conduit_desktop.gui.pages.welcome.page"
    sys.modules.pop(name, None)
    linecache.clearcache()
    module = __import__(name, fromlist=["WelcomePage"])
    assert module.__file__ not in linecache.cache
