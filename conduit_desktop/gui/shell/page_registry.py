"""The pages of the window, in order; each is imported when it is first needed."""

from __future__ import annotations

from dataclasses import dataclass

from conduit_desktop.gui.pages.base import Page


@dataclass(frozen=True)
class PageEntry:
    """One entry of the sidebar."""

    name: str
    title: str
    icon: str


PAGES = (
    PageEntry("dashboard", "Dashboard", "squares-four"),
    PageEntry("chat", "Chat", "chat-circle-text"),
    PageEntry("providers", "Providers", "hard-drives"),
    PageEntry("models", "Models", "cube"),
    PageEntry("keys", "Virtual Keys", "key"),
    PageEntry("clients", "Clients", "terminal-window"),
    PageEntry("usage", "Usage", "chart-bar"),
    PageEntry("budgets", "Budgets", "wallet"),
    PageEntry("prices", "Prices", "tag"),
    PageEntry("requests", "Requests", "activity"),
    PageEntry("health", "Health", "heartbeat"),
    PageEntry("ip_rules", "IP Rules", "shield-check"),
    PageEntry("audit", "Audit Log", "clock-counter-clockwise"),
    PageEntry("settings", "Settings", "gear-six"),
)


def page_class(name: str) -> type[Page]:
    """The class of a page. Imports are explicit, so that type checkers and the bundler see them; raises KeyError."""
    match name:
        case "dashboard":
            from conduit_desktop.gui.pages.dashboard.page import DashboardPage

            return DashboardPage
        case "welcome":
            from conduit_desktop.gui.pages.welcome.page import WelcomePage

            return WelcomePage
        case "chat":
            from conduit_desktop.gui.pages.chat.page import ChatPage

            return ChatPage
        case "providers":
            from conduit_desktop.gui.pages.providers.page import ProvidersPage

            return ProvidersPage
        case "models":
            from conduit_desktop.gui.pages.models.page import ModelsPage

            return ModelsPage
        case "keys":
            from conduit_desktop.gui.pages.keys.page import KeysPage

            return KeysPage
        case "requests":
            from conduit_desktop.gui.pages.requests.page import RequestsPage

            return RequestsPage
        case "health":
            from conduit_desktop.gui.pages.health.page import HealthPage

            return HealthPage
        case "settings":
            from conduit_desktop.gui.pages.settings.page import SettingsPage

            return SettingsPage
    return _further_page_class(name)


def _further_page_class(name: str) -> type[Page]:
    match name:
        case "clients":
            from conduit_desktop.gui.pages.clients.page import ClientsPage

            return ClientsPage
        case "ip_rules":
            from conduit_desktop.gui.pages.ip_rules.page import IpRulesPage

            return IpRulesPage
        case "audit":
            from conduit_desktop.gui.pages.audit.page import AuditPage

            return AuditPage
        case "usage":
            from conduit_desktop.gui.pages.usage.page import UsagePage

            return UsagePage
        case "budgets":
            from conduit_desktop.gui.pages.budgets.page import BudgetsPage

            return BudgetsPage
        case "prices":
            from conduit_desktop.gui.pages.prices.page import PricesPage

            return PricesPage
    raise KeyError(name)
