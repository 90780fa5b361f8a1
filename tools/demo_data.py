"""Demo data for the screenshots: providers, aliases, keys and a month of requests. All of it is invented."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from conduit_desktop.actions import budgets, keys, models, notifications, prices, providers
from conduit_desktop.actions.context import AppContext
from conduit_desktop.actions.schemas.inputs import KeyPatch, ModelPatch, NewBudget, NewKey, NewModel, NewPrice, NewProvider, read
from conduit_desktop.core.errors import Reason, UpstreamError
from conduit_desktop.core.money import show_usd, to_nano, to_usd
from conduit_desktop.core.records import AttemptRecord, RequestRecord

DAY_MS = 86_400_000
PROVIDERS = (
    {
        "name": "openai",
        "kind": "openai",
        "api_keys": [
            {"label": "team", "api_key": "sk-proj-demodemodemodemodemodemo4f2a"},
            {"label": "private", "api_key": "sk-proj-demodemodemodemodemodemo77e0"},
        ],
    },
    {"name": "anthropic", "kind": "anthropic", "api_key": "sk-ant-demodemodemodemodemodemo91bc"},
    {"name": "workstation", "kind": "openai-compatible", "base_url": "http://127.0.0.1:8000/v1"},
    {"name": "demo", "kind": "demo", "options": {"pace_ms": "1"}},
)
ALIASES = (
    {"alias": "smart", "targets": [("anthropic", "claude-sonnet-4-5"), ("openai", "gpt-5.1")]},
    {"alias": "fast", "strategy": "fastest", "targets": [("openai", "gpt-5-mini"), ("anthropic", "claude-haiku-4-5")]},
    {"alias": "gpt-*", "targets": [("openai", "gpt-5.1")]},
    {"alias": "local", "targets": [("workstation", "qwen3-30b"), ("workstation", "llama-3.3-70b")]},
    {"alias": "playground", "targets": [("demo", "demo-chat")]},
)
BUDGETS = (
    {"name": "Everything", "scope": "global", "limit_usd": 150, "period": "monthly"},
    {"name": "OpenAI", "scope": "provider", "target": "openai", "limit_usd": 4, "period": "daily", "action": "warn"},
    {"name": "smart", "scope": "alias", "target": "smart", "limit_usd": 30, "period": "weekly", "thresholds": [0.5, 0.9, 1]},
    {"name": "Research team", "scope": "team", "target": "research", "limit_usd": 40, "period": "monthly"},
)
PRICES = (
    ("openai/gpt-image-*", {"per_image": [{"size": "1024x1024", "usd": 0.04}, {"size": "1536x1024", "usd": 0.06}]}),
    ("workstation/llama-*", {"input": 0.1, "output": 0.2, "cache_read": 0.01}),
)
KEYS = (
    {"name": "Claude Code", "description": "My laptop", "budget_usd": 60, "budget_period": "monthly"},
    {"name": "Open WebUI", "budget_usd": 25, "budget_period": "monthly", "rpm": 60},
    {"name": "aider", "budget_usd": 20, "budget_period": "monthly", "models": ["smart", "fast", "gpt-*"]},
    {"name": "Obsidian notes", "description": "Summaries at night", "rpm": 20, "max_parallel": 2},
)
REQUEST_BODY = b'{"model":"smart","messages":[{"role":"user","content":"Why is the sky blue?"}],"stream":true}'
RESPONSE_BODY = b'{"choices":[{"message":{"role":"assistant","content":"Air scatters short wavelengths more than long ones."}}]}'
# alias, provider, upstream model, USD per million in and out, typical tokens in and out, share of all requests
TRAFFIC = (
    ("smart", "anthropic", "claude-sonnet-4-5", 3.0, 15.0, 9_000, 700, 0.40, "Claude Code"),
    ("fast", "openai", "gpt-5-mini", 0.25, 2.0, 1_800, 400, 0.32, "Open WebUI"),
    ("gpt-5.1", "openai", "gpt-5.1", 1.25, 10.0, 14_000, 1_900, 0.16, "aider"),
    ("playground", "demo", "demo-chat", 0.0, 0.0, 300, 200, 0.08, "Open WebUI"),
    ("local", "workstation", "qwen3-30b", None, None, 900, 300, 0.04, "Obsidian notes"),
)
FAULTS: dict[Reason, tuple[int, str]] = {
    "overloaded": (529, "Overloaded"),
    "rate_limit": (429, "Rate limit reached, try again in 2 s"),
    "connect": (502, "Cannot connect to 127.0.0.1:8000: connection refused"),
}
# target, milliseconds until its first content, failures of the last hour
HEALTH: tuple[tuple[str, int, tuple[Reason, ...]], ...] = (
    ("anthropic/claude-sonnet-4-5", 640, ("overloaded",)),
    ("anthropic/claude-haiku-4-5", 310, ()),
    ("openai/gpt-5-mini", 390, ()),
    ("openai/gpt-5.1", 720, ("rate_limit", "rate_limit")),
    ("demo/demo-chat", 4, ()),
    ("workstation/qwen3-30b", 180, ("connect",) * 5),
    ("workstation/llama-3.3-70b", 950, ("overloaded",) * 5),
)
PROBING, PAUSED = "workstation/llama-3.3-70b", "anthropic/claude-haiku-4-5"


async def fill_with_demo_data(context: AppContext, days: int = 30, per_day: int = 90, seed: int = 7) -> None:
    """Create providers, aliases, keys, `days` of requests and a few notifications in an empty app context."""
    rng = random.Random(seed)  # the same screenshots every time
    # A new home has a demo of its own.
    for alias in await models.all_models(context):
        await models.remove(context, alias.alias, "gui")
    for before in await providers.all_providers(context):
        await providers.remove(context, before.name, "gui")
    for provider in PROVIDERS:
        await providers.create(context, read(NewProvider, provider), "gui")
    for alias in ALIASES:
        targets = [{"provider": name, "model": model} for name, model in alias["targets"]]
        await models.create(context, read(NewModel, {**alias, "targets": targets}), "gui")
    await models.edit(context, "smart", read(ModelPatch, {"fallbacks": ["fast"]}), "gui")
    for budget in BUDGETS:
        await budgets.create(context, read(NewBudget, budget), "gui")
    for pattern, price in PRICES:
        await prices.put(context, pattern, read(NewPrice, price), "gui")
    made = {str(key["name"]): await keys.create(context, read(NewKey, key), "gui") for key in KEYS}
    ids = {name: key.id for name, key in made.items()}
    records = [_record(rng, at, ids) for at in _times(rng, days, per_day)]
    await asyncio.gather(*(context.store.ledger.record(record) for record in records))
    with_failover = max(filter(has_failover, records), key=lambda one: one.started_at)
    await context.store.payloads.put(with_failover.id, REQUEST_BODY, RESPONSE_BODY, with_failover.started_at)
    await context.gateway.refresh()
    await context.gateway.state.reload_spend()
    _fill_health(rng, context)
    spent_nano = context.gateway.account(ids["aider"]).spend_nano
    budget_usd = max(1, math.ceil(to_usd(spent_nano) / 0.9))
    await keys.edit(context, ids["aider"], read(KeyPatch, {"budget_usd": budget_usd}), "gui")
    await notifications.notify(
        context,
        "budget",
        "warning",
        "aider has used 90 % of its budget",
        f"{show_usd(spent_nano)} of ${budget_usd}.00. Requests are rejected once it is used up.",
    )
    await notifications.notify(context, "system", "info", "Prices were updated", "The catalog knows 14 more models.")


def has_failover(record: RequestRecord) -> bool:
    """Whether a target of another provider succeeded after the first one failed."""
    return record.status == "success" and len({attempt.provider for attempt in record.attempts}) > 1


def _fill_health(rng: random.Random, context: AppContext) -> None:
    """The health state that the gateway would have after an hour of such requests."""
    health, providers_ = context.gateway.health, context.gateway.snapshot.providers
    for name, usual_ms, faults in HEALTH:
        bound = providers_[name.partition("/")[0]]
        for _ in range(40):
            first_ms = usual_ms * rng.lognormvariate(0, 0.3)
            health.succeeded(name, bound.provider.id, bound.credentials[0].label, first_ms)
            health.target(name).finished(first_ms, 4_000 * rng.lognormvariate(0, 0.2), 300)
        for reason in faults:
            # Without a credential: a rate limit would put the key into cooldown while the screenshots are taken.
            status, text = FAULTS[reason]
            health.failed(name, bound.provider.id, None, UpstreamError(text, status=status, reason=reason))

    health.half_open(PROBING)
    health.paused.add(PAUSED)
    openai = providers_["openai"].provider.id
    text = "You exceeded your current quota, please check your plan and billing details."
    health.failed("openai/gpt-5-mini", openai, "private", UpstreamError(text, status=429, reason="money"))


def _times(rng: random.Random, days: int, per_day: int) -> list[int]:
    now = int(time.time() * 1000)
    made = []
    for back in range(days, 0, -1):
        weekday = math.sin(back * 0.9) * 0.25 + 0.85
        made += [now - back * DAY_MS + rng.randrange(DAY_MS) for _ in range(int(per_day * weekday * (1.6 - back / days)))]
    made += [now - int(rng.random() ** 1.6 * 3_500_000) for _ in range(110)]
    return sorted(at for at in made if at <= now)


def _record(rng: random.Random, at: int, ids: Mapping[str, str]) -> RequestRecord:
    alias, provider, model, price_in, price_out, size_in, size_out, _, key = rng.choices(TRAFFIC, [row[7] for row in TRAFFIC])[0]
    read_tokens, written = int(size_in * rng.uniform(0.2, 2.2)), int(size_out * rng.uniform(0.1, 2.0))
    cached = int(read_tokens * rng.choice((0, 0, 0.6, 0.8)))
    lines = [] if price_in is None else _breakdown(read_tokens - cached, cached, written, price_in, price_out)
    cost = None if price_in is None else sum(line["cost_nano"] for line in lines)
    first = rng.uniform(180, 1400)
    duration = first + written * rng.uniform(6, 16)
    record = RequestRecord(
        id=f"req_{rng.getrandbits(64):016x}",
        started_at=at,
        key_id=ids[key],
        key_name=key,
        model=alias,
        provider=provider,
        upstream_model=model,
        dialect="anthropic_messages" if key == "Claude Code" else "openai_chat",
        streamed=rng.random() < 0.8,
        client={"Claude Code": "claude-cli/2.4", "aider": "aider/0.92"}.get(key, "OpenAI/Python 3.2"),
        client_ip="127.0.0.1",
        duration_ms=duration,
        first_token_ms=first,
        upstream_ms=first - rng.uniform(0.3, 1.2),
        input=read_tokens - cached,
        cache_read=cached,
        output=written,
        reasoning=written // 3 if alias == "gpt-5.1" else 0,
        cost_nano=cost,
        cost_state="unknown" if cost is None else "final",
        cost_breakdown=lines,
        price_source="catalog" if cost else "",
        price_date="2026-11-20" if cost else "",
        finish="stop",
        attempts=[AttemptRecord(provider, model, "default", "ok", 200, "", at, duration)],
    )
    return _with_outcome(rng, record)


def _breakdown(fresh: int, cached: int, written: int, price_in: float, price_out: float) -> list[dict[str, Any]]:
    """The lines of a cost; prices in US dollars per million tokens."""
    used = (("input", fresh, price_in), ("cache_read", cached, price_in * 0.1), ("output", written, price_out))
    return [
        {
            "class": name, "units": count, "per": 1_000_000, "price_nano": to_nano(usd),
            "cost_nano": count * to_nano(usd) // 1_000_000,
        }
        for name, count, usd in used
        if count
    ]  # fmt: skip


def _with_outcome(rng: random.Random, record: RequestRecord) -> RequestRecord:
    """Some requests fail: all targets failed, cancelled by the client, budget exceeded, or a failover from the first target."""
    chance = rng.random()
    unanswered = replace(record, input=0, cache_read=0, output=0, reasoning=0, cost_nano=0, first_token_ms=None, finish="")
    unanswered = replace(unanswered, cost_state="final", cost_breakdown=[], price_source="", price_date="")
    if chance < 0.015:
        failed = AttemptRecord(
            record.provider, record.upstream_model, "default", "overloaded", 529, "Overloaded", record.started_at, 640.0
        )
        text = f"Every target failed: {record.provider}/{record.upstream_model}: overloaded (529)."
        broken = replace(unanswered, status="error", http_status=502, error_code="provider_error", error_text=text)
        return replace(broken, attempts=[failed] * 2, duration_ms=1_290.0)
    if chance < 0.03:
        state = "unknown" if record.cost_nano is None else "estimated"
        return replace(record, status="cancelled", http_status=499, cost_state=state, units={"estimated": True}, finish="")
    if chance < 0.04:
        text = "The budget of this key is used up. It resets on the first of the month."
        refused = replace(unanswered, status="refused", http_status=402, error_code="billing_hard_limit_reached", error_text=text)
        return replace(refused, provider="", upstream_model="", attempts=[], upstream_ms=None, duration_ms=0.4)
    if chance < 0.08:
        first = AttemptRecord(
            "openai", "gpt-5.1", "default", "rate_limit", 429, "Rate limit reached, try again in 2 s", record.started_at, 210.0
        )
        return replace(record, attempts=[first, *record.attempts])
    return record
