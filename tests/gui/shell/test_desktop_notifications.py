"""Notifications of the desktop: which are shown, and as what text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from conduit_desktop.actions import notifications
from conduit_desktop.actions.admin_client import AdminClient
from conduit_desktop.actions.context import AppContext
from conduit_desktop.gui.shell.desktop_notifications import LONGEST, DesktopNotifications


class Desktop:
    """Keeps what would be shown."""

    def __init__(self, client: AdminClient) -> None:
        self.shown: list[tuple[str, str]] = []
        self.wanted = True
        self.tasks: list[asyncio.Task[None]] = []
        self.notifier = DesktopNotifications(
            client, lambda work: self.tasks.append(asyncio.ensure_future(work)), lambda: self.wanted,
            lambda title, text: self.shown.append((title, text)),
        )  # fmt: skip

    async def settle(self) -> list[tuple[str, str]]:
        while self.tasks:
            await self.tasks.pop()
        return self.shown


@pytest.fixture
def desktop(client: AdminClient) -> Iterator[Desktop]:
    made = Desktop(client)
    yield made
    made.notifier.close()


async def test_warnings_and_errors_are_shown_once_and_news_are_not(context: AppContext, desktop: Desktop):
    await notifications.notify(context, "system", "info", "news", "x")
    await notifications.notify(context, "budget", "warning", "Nearly spent", "80 %")
    await notifications.notify(context, "budget", "warning", "Nearly spent", "80 %")
    await notifications.notify(context, "system", "error", "Disk", "full")
    assert await desktop.settle() == [("Nearly spent", "80 %"), ("Disk", "full")]
    await notifications.mark_all_read(context)
    assert len(await desktop.settle()) == 2


async def test_nothing_is_shown_while_it_is_not_wanted(context: AppContext, desktop: Desktop):
    desktop.wanted = False
    await notifications.notify(context, "system", "error", "Disk", "full")
    assert await desktop.settle() == []


async def test_strangers_words_are_no_markup_and_no_control_characters(context: AppContext, desktop: Desktop):
    await notifications.notify(context, "health", "error", "<b>x</b>\x1b[31m", "a & <img src=x>\n" + "y" * 999)
    [(title, text)] = await desktop.settle()
    assert title == "‹b›x‹/b› [31m"
    assert text.startswith("a + ‹img src=x› y")
    assert len(text) == LONGEST
