"""Every option, declared once: type, default, title, description. Page, validation and docs are made from this."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Group = Literal["Server", "Routing", "Money", "Logging", "Appearance", "Security"]


def option(default: Any, group: Group, title: str, description: str, **bounds: Any) -> Any:
    """One option. `bounds` are pydantic's own (ge, le …)."""
    return Field(default=default, title=title, description=description, json_schema_extra={"group": group}, **bounds)


class Settings(BaseModel):
    """All options with their values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = option("", "Server", "Listen on", "Address to listen on. Empty: this computer only. Takes a restart of the server.")
    port: int = option(5000, "Server", "Port", "0 takes any free port. Takes a restart of the server.", ge=0, le=65535)
    start_server: bool = option(True, "Server", "Start the server with the app", "Listen as soon as the app opens.")
    max_body_mb: int = option(100, "Server", "Largest request", "Megabytes a request body may have.", ge=1, le=4096)
    keepalive_s: float = option(
        10.0, "Server", "Keepalive", "Seconds of silence in a stream after which a ping is sent.", ge=0.05, le=60
    )
    cors_origins: list[str] = option(
        ["http://localhost:*", "http://127.0.0.1:*", "app://obsidian.md"],
        "Server", "Browser origins", "Web pages that may call the gateway; `*` stands for any text.",
    )  # fmt: skip
    allowed_hosts: list[str] = option(
        [], "Security", "Host names", "Names, besides this computer's own, under which the gateway may be called."
    )
    anonymous_key: str | None = option(
        None, "Security", "Key for keyless calls",
        "Name of the virtual key that calls from this computer without a key are made with.",
    )  # fmt: skip
    use_system_proxy: bool = option(
        False, "Server", "Use the system's proxy", "Send calls to providers through HTTP_PROXY and the like."
    )
    connect_s: float = option(10.0, "Routing", "Connect time-out", "Seconds to reach a provider.", gt=0)
    first_token_s: float = option(120.0, "Routing", "First-token time-out", "Seconds until a provider's answer begins.", gt=0)
    idle_s: float = option(60.0, "Routing", "Idle time-out", "Seconds of silence in the middle of an answer.", gt=0)
    total_s: float = option(600.0, "Routing", "Total time-out", "Seconds for all attempts of a request together.", gt=0)
    health_check_s: float = option(
        0.0,
        "Routing",
        "Health checks",
        "Seconds between looks at targets that are failing, by asking for their provider's models. 0: none.",
        ge=0,
    )
    default_alias: str | None = option(None, "Routing", "Default model", "Alias that answers for unknown model names.")
    reserve_output_tokens: int = option(
        4096, "Money", "Reserved output", "Output tokens to reserve where a request allows more or says nothing.", ge=1
    )
    catalog_prices: bool = option(True, "Money", "Use the price catalog", "Prices from the built-in catalog where you set none.")
    log_payloads: bool = option(False, "Logging", "Keep prompts and answers", "For every key. A key can ask for itself alone.")
    payload_days: int = option(7, "Logging", "Keep payloads for", "Days.", ge=1, le=3650)
    payload_mb: int = option(512, "Logging", "Payload space", "Megabytes after which the oldest payloads go.", ge=1)
    response_days: int = option(
        30, "Logging", "Keep responses for", "Days, of responses that a caller of the Responses API asked to store.", ge=1, le=3650
    )
    response_mb: int = option(256, "Logging", "Response space", "Megabytes after which the oldest stored responses go.", ge=1)
    request_days: int = option(90, "Logging", "Keep requests for", "Days; daily totals are kept for good.", ge=1, le=3650)
    request_rows: int = option(1_000_000, "Logging", "Keep at most", "Requests; the oldest go first.", ge=1000)
    record_policy: Literal["answer", "refuse"] = option(
        "answer", "Logging", "When records cannot be written",
        "`answer` goes on serving, `refuse` turns calls away until the disk has room.",
    )  # fmt: skip
    theme: Literal["system", "light", "dark"] = option("system", "Appearance", "Theme", "Light, dark, or as the system says.")
    close_to_tray: bool = option(True, "Appearance", "Keep running in the tray", "Closing the window leaves the gateway running.")
    welcome_done: bool = option(False, "Appearance", "First run is over", "Set once the welcome has been answered.")
