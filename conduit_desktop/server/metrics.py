"""`/metrics` in Prometheus's text format: requests, tokens, cost and latency; for this computer and the operator only.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import add, attrgetter
from typing import TYPE_CHECKING

from aiohttp import web

from conduit_desktop.core.bus import Change
from conduit_desktop.core.errors import ActionError, GatewayError, RateLimited, Unauthorized
from conduit_desktop.core.money import decimal_usd
from conduit_desktop.core.records import RequestRecord
from conduit_desktop.core.tokens import CLASS_NAMES, CLASSES
from conduit_desktop.gateway.admission.access import is_loopback, was_forwarded
from conduit_desktop.server.admin.access import let_in
from conduit_desktop.server.middleware import Handler
from conduit_desktop.server.unknown_paths import UnknownPaths

if TYPE_CHECKING:
    from conduit_desktop.actions.context import AppContext

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FIRST_TOKEN_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
DURATION_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
MAX_SERIES = 2000
"""Most models with counters of their own: callers can invent names, so any further one is counted as `other`."""
_token_counts = attrgetter(*CLASS_NAMES)
_PARTS = ", ".join(f"{one.name} is a part of {one.part_of}" for one in CLASSES if one.part_of)
_WITHOUT_MODEL_LABEL = frozenset({"model_not_found", "missing_api_key", "invalid_api_key"})

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Histogram:
    """Counts of observations by upper bound in seconds; the last count has no bound (`+Inf`)."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float) -> None:
        """Add one observation."""
        # From the left: `le` is "less or equal", so a value on a bound belongs to the bucket of that bound.
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def samples(self, name: str, labels: Labels) -> Iterator[str]:
        """The lines of the histogram: cumulative buckets, sum and count."""
        cumulative = 0
        for bound, count in zip((*map(_number, self.bounds), "+Inf"), self.counts, strict=True):
            cumulative += count
            yield sample(f"{name}_bucket", (*labels, ("le", bound)), cumulative)
        yield sample(f"{name}_sum", labels, self.total)
        yield sample(f"{name}_count", labels, cumulative)


@dataclass(slots=True)
class Series:
    """The counters of one model at one provider: one look-up a request, instead of one for each counter."""

    labels: Labels
    requests: dict[tuple[str, str], int] = field(default_factory=dict)
    """By endpoint and status."""
    tokens: list[int] = field(default_factory=lambda: [0] * len(CLASS_NAMES))
    """In the order of `CLASS_NAMES`."""
    cost_nano: int = 0
    unpriced: int = 0
    first_token: Histogram = field(default_factory=lambda: Histogram(FIRST_TOKEN_S))
    duration: Histogram = field(default_factory=lambda: Histogram(DURATION_S))


class Metrics:
    """Counters over all records published since the server was built."""

    def __init__(self, unknown_paths: UnknownPaths | None = None) -> None:
        self._unknown_paths = unknown_paths or UnknownPaths()
        self.series: dict[tuple[str, str], Series] = {}
        """By model and provider."""
        self.upstream_errors: dict[tuple[str, str], int] = {}
        """By provider and reason."""

    def on_change(self, change: Change) -> None:
        """Count the record of a finished request; other changes are ignored."""
        if isinstance(change.payload, RequestRecord):
            self.count(change.payload)

    def count(self, record: RequestRecord) -> None:
        """Add one record to every counter it belongs to."""
        # Names that callers made up, also without a key, would fill the series.
        model = "" if record.error_code in _WITHOUT_MODEL_LABEL else record.model
        series = self.series.get((model, record.provider)) or self._begin(model, record.provider)
        kind = (record.endpoint, record.status)
        series.requests[kind] = series.requests.get(kind, 0) + 1
        series.tokens = [*map(add, series.tokens, _token_counts(record))]
        # None is an unknown price, 0 a known one.
        if record.cost_nano is None:
            series.unpriced += 1
        else:
            series.cost_nano += record.cost_nano
        for attempt in record.attempts:
            # A client that hangs up is no fault of the provider.
            if attempt.outcome not in ("ok", "cancelled"):
                error = (attempt.provider, attempt.outcome)
                self.upstream_errors[error] = self.upstream_errors.get(error, 0) + 1
        # A refused request took no time at a provider: it would distort the latencies.
        if record.status == "refused":
            return
        if record.first_token_ms is not None:
            series.first_token.observe(record.first_token_ms / 1000)
        series.duration.observe(record.duration_ms / 1000)

    def _begin(self, model: str, provider: str) -> Series:
        """The series of a model at a provider, made where there is room for another."""
        if len(self.series) >= MAX_SERIES:
            model = "other"
        return self.series.setdefault((model, provider), Series((("model", model), ("provider", provider))))

    def text(self, in_flight: int, tasks: int, loop_lag_s: float, uptime_s: float) -> str:
        """All metrics in the text exposition format."""
        every = list(self.series.values())
        requests = (
            ((*one.labels, ("endpoint", endpoint), ("status", status)), count)
            for one in every
            for (endpoint, status), count in one.requests.items()
        )
        tokens = (
            ((*one.labels, ("class", name)), count)
            for one in every
            for name, count in zip(CLASS_NAMES, one.tokens, strict=True)
            if count
        )
        failures = (
            ((("provider", provider), ("reason", reason)), count) for (provider, reason), count in self.upstream_errors.items()
        )
        unknown = (((("method", method), ("path", path)), count) for (method, path), count in self._unknown_paths.counts.items())
        lines = [
            *_family("conduit_requests_total", "counter", "Finished requests.", requests),
            *_family("conduit_tokens_total", "counter", f"Tokens by class; {_PARTS}.", tokens),
            *_family("conduit_cost_usd_total", "counter", "US dollars spent, where the price is known.",
                     ((one.labels, decimal_usd(one.cost_nano)) for one in every if one.cost_nano)),
            *_family("conduit_unpriced_requests_total", "counter", "Requests whose cost is unknown.",
                     ((one.labels, one.unpriced) for one in every if one.unpriced)),
            *_family("conduit_upstream_errors_total", "counter", "Attempts that failed.", failures),
            *_family("conduit_unknown_paths_total", "counter", "Requests for a path that does not exist.", unknown),
            *_histograms("conduit_first_token_seconds", "From a request's arrival to its first content, where streamed.",
                         ((one.labels, one.first_token) for one in every)),
            *_histograms("conduit_request_duration_seconds", "From a request's arrival to its end.",
                         ((one.labels, one.duration) for one in every)),
            *_family("conduit_requests_in_flight", "gauge", "Requests being answered.", [((), in_flight)]),
            *_family("conduit_tasks", "gauge", "Tasks of the event loop.", [((), tasks)]),
            *_family("conduit_event_loop_lag_seconds", "gauge", "Delay of the event loop's last timer.", [((), loop_lag_s)]),
            *_family("conduit_uptime_seconds", "gauge", "Since the server began to listen.", [((), uptime_s)]),
        ]  # fmt: skip
        # The text format wants a line feed after the last line, too.
        return "\n".join(lines) + "\n"


def _family(name: str, kind: str, text: str, values: Iterable[tuple[Labels, float | str]]) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in values:
        yield sample(name, labels, value)


def _histograms(name: str, text: str, values: Iterable[tuple[Labels, Histogram]]) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} histogram"
    for labels, histogram in values:
        if any(histogram.counts):
            yield from histogram.samples(name, labels)


def sample(name: str, labels: Labels, value: float | str) -> str:
    """One sample line; label values are escaped."""
    inner = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    return f"{name}{{{inner}}} {_number(value)}" if inner else f"{name} {_number(value)}"


def _escaped(text: str) -> str:
    # A surrogate in a model's name cannot be encoded: without `replace` one request would fail the whole page for good.
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").encode("utf-8", "replace").decode()


def _number(value: float | str) -> str:
    # Nine digits: more would show the error of floats, such as 0.30000000000000004.
    return value if isinstance(value, str) else str(round(value, 9))


def mount(app: web.Application, context: AppContext, unknown_paths: UnknownPaths) -> None:
    """Subscribe the counters to the event bus, and add GET /metrics."""
    metrics = Metrics(unknown_paths)

    async def on_cleanup(app: web.Application) -> None:
        # The bus outlives the application: a restarted server would count every request twice.
        unsubscribe()

    unsubscribe = context.bus.subscribe(metrics.on_change, "requests")
    app.on_cleanup.append(on_cleanup)
    app.router.add_get("/metrics", _handler(context, metrics))


def _handler(context: AppContext, metrics: Metrics) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        if not _is_local(request):
            try:
                await let_in(request, context)
            except ActionError as error:
                raise _refusal(error) from error
        server = context.server
        text = metrics.text(context.gateway.in_flight, len(asyncio.all_tasks()), server.loop_lag_ms / 1000, server.uptime_s)
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})

    return answer


def _refusal(error: ActionError) -> GatewayError:
    """An error of the admin API in the shape of the client API."""
    refused: GatewayError
    if error.status == RateLimited.status:
        refused = RateLimited(error.message, code=error.code, retry_after=getattr(error, "retry_after", None))
    else:
        refused = Unauthorized(error.message, code=error.code)
    refused.status = error.status
    return refused


def _is_local(request: web.Request) -> bool:
    """Whether a program on this computer sends the request: not a web page, and not a client of a reverse proxy."""
    # A reverse proxy and a browser on this computer call from loopback, too, for others.
    return "Origin" not in request.headers and not was_forwarded(request.headers) and is_loopback(request.remote or "")
