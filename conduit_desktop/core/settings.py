"""Every option, declared once: type, default, group, title, description. The settings page, validation and docs use it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Group = Literal["Server", "Routing", "Money", "Logging", "Appearance", "Security"]


def option(default: Any, group: Group, title: str, description: str, **bounds: Any) -> Any:
    """A pydantic field for one option; `bounds` are pydantic's own (ge, le …)."""
    return Field(default=default, title=title, description=description, json_schema_extra={"group": group}, **bounds)


class Settings(BaseModel):
    """The options with their values; durations are in seconds."""

    # `forbid`: a misspelled option is an error instead of a silent default.
    model_config = ConfigDict(frozen=True, extra="forbid")

    # Empty, not 127.0.0.1: that would leave out ::1, as which some clients look `localhost` up.
    host: str = option("", "Server", "Listen address", "Empty: this computer only. A change takes effect at once.")
    port: int = option(5000, "Server", "Port", "0: any free one. A change takes effect at once.", ge=0, le=65535)
    start_server: bool = option(True, "Server", "Start server with the app", "Start listening when the app opens.")
    # aiohttp's 1 MiB is too little: a first "hi" of Claude Code has 125 KB, and pictures have megabytes.
    max_body_mb: int = option(100, "Server", "Max request size (MB)", "Larger request bodies are rejected.", ge=1, le=4096)
    # Claude Code takes a stream for stalled after 20 s without a byte (BerriAI/litellm#36024).
    keepalive_s: float = option(
        10.0,
        "Server",
        "Keepalive interval (s)",
        "Time without data in a stream after which a ping is sent to the client.",
        ge=0.05,
        le=60,
    )
    cors_origins: list[str] = option(
        ["http://localhost:*", "http://127.0.0.1:*", "app://obsidian.md"],
        "Server", "Allowed browser origins (CORS)", "Web pages that may call the gateway, one per line. * matches any text.",
    )  # fmt: skip
    allowed_hosts: list[str] = option(
        [],
        "Security",
        "Allowed host names",
        "Host names that clients may use for the gateway, in addition to this computer's own, one per line.",
    )
    anonymous_key: str | None = option(
        None, "Security", "Key for local requests without a key",
        "Virtual key that is used for requests from this computer that have no key.",
    )  # fmt: skip
    # Off by default: system proxies such as Clash also take requests to loopback, where local servers listen.
    use_system_proxy: bool = option(
        False, "Server", "Use system proxy", "Connect to providers through HTTP_PROXY, HTTPS_PROXY and NO_PROXY."
    )
    connect_s: float = option(10.0, "Routing", "Connect timeout (s)", "Time to connect to a provider.", gt=0)
    first_token_s: float = option(
        120.0,
        "Routing",
        "First token timeout (s)",
        "Time until a provider's response starts. Unless it is set, local servers get 15 minutes.",
        gt=0,
    )
    idle_s: float = option(60.0, "Routing", "Idle timeout (s)", "Time without data during a response.", gt=0)
    total_s: float = option(600.0, "Routing", "Total timeout (s)", "Time for a request with all of its attempts.", gt=0)
    # Off by default: requests that nobody made should not reach a vendor.
    health_check_s: float = option(
        0.0,
        "Routing",
        "Health check interval (s)",
        "How often failing targets are checked, by listing the models of their provider. 0: never.",
        ge=0,
    )
    default_alias: str | None = option(None, "Routing", "Default alias", "Alias that is used for unknown model names.")
    reserve_output_tokens: int = option(
        4096,
        "Money",
        "Reserved output tokens",
        "Most output tokens that are reserved for a request in a budget and in the token limits.",
        ge=1,
    )
    budget_wait_s: float = option(
        2.0,
        "Money",
        "Budget wait (s)",
        "How long a request that could exceed a budget waits for another such request to end.",
        ge=0,
        le=600,
    )
    catalog_prices: bool = option(
        True, "Money", "Use price catalog", "Use the built-in prices for models without a price of your own."
    )
    # Off by default: the gateway calls no address that the operator did not enter.
    catalog_url: str = option(
        "", "Money", "Price catalog address", "HTTPS address from which newer prices are taken on request. Empty: none."
    )
    # Off by default: prompts hold source code, secrets and personal data.
    log_payloads: bool = option(
        False, "Logging", "Store request and response bodies", "For all keys. It can also be turned on for a single key."
    )
    payload_days: int = option(
        7, "Logging", "Body retention (days)", "Stored request and response bodies are deleted after this time.", ge=1, le=3650
    )
    payload_mb: int = option(512, "Logging", "Max size of stored bodies (MB)", "The oldest bodies are deleted first.", ge=1)
    response_days: int = option(
        30,
        "Logging",
        "Responses API retention (days)",
        "Responses stored by clients of the Responses API are deleted after this time.",
        ge=1,
        le=3650,
    )
    response_mb: int = option(
        256, "Logging", "Max size of Responses API storage (MB)", "The oldest responses are deleted first.", ge=1
    )
    request_days: int = option(90, "Logging", "Request log retention (days)", "Daily totals are kept.", ge=1, le=3650)
    request_rows: int = option(
        1_000_000, "Logging", "Max number of logged requests", "The oldest requests are deleted first.", ge=1000
    )
    # `answer` by default: a full disk must not stop work, unless the operator needs a complete log.
    record_policy: Literal["answer", "refuse"] = option(
        "answer", "Logging", "If the request log cannot be written",
        "Answer: continue to serve requests. Refuse: reject them until the log can be written again.",
    )  # fmt: skip
    theme: Literal["system", "light", "dark"] = option(
        "system", "Appearance", "Theme", "Light, dark, or the setting of the system."
    )
    zoom: int = option(100, "Appearance", "Zoom (%)", "The size of everything in the window: Ctrl + and Ctrl -.", ge=75, le=200)
    close_to_tray: bool = option(
        True,
        "Appearance",
        "Keep running in the tray",
        "Closing the window keeps the gateway running. Applies only if the desktop has a system tray.",
    )
    desktop_notifications: bool = option(
        True,
        "Appearance",
        "Desktop notifications",
        "Warnings and errors are shown by the system while the window is not in front.",
    )
    welcome_done: bool = option(False, "Appearance", "Welcome page closed", "Set when the welcome page of the first start is left.")

    @field_validator("catalog_url")
    @classmethod
    def _without_credential(cls, url: str) -> str:
        # Settings are no secrets: they are shown, exported and written into the audit log.
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise ValueError("must not hold a user name or password")
        return url
