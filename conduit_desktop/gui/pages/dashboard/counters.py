"""The dashboard's numbers: loaded once from the day's totals, then updated from the live feed without a query."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from statistics import median

from conduit_desktop.actions.schemas.reports import UsageView
from conduit_desktop.core.money import to_nano
from conduit_desktop.core.records import RequestRecord, RequestStatus
from conduit_desktop.core.tokens import total_input, total_output
from conduit_desktop.gui import local_time
from conduit_desktop.gui.request_rows import FAILED, RequestRow

MINUTE_MS = 60_000


@dataclass
class LiveCounters:
    """Totals of one day of the viewer's, requests per minute of the last hour, and the latest durations in ms.

    `errors` are the failed and the refused requests. `spend` is nano-dollars by model. Requests without a known price are counted
    in `unpriced` and never as $0.
    """

    minutes: int = 60
    day: date = date.min
    requests: int = 0
    errors: int = 0
    refused: int = 0
    tokens: int = 0
    unpriced: int = 0
    spend: dict[str, int] = field(default_factory=dict)
    first_tokens: deque[float] = field(default_factory=lambda: deque(maxlen=200))
    durations: deque[float] = field(default_factory=lambda: deque(maxlen=200))
    _per_minute: dict[int, list[int]] = field(default_factory=dict)

    def load(self, now_ms: int, by_model: Iterable[UsageView], recent: Iterable[RequestRow]) -> None:
        """Start again from the day's totals by model and the records of the last hour, in any order."""
        self.day = local_time.day_of(now_ms)
        self.requests = self.errors = self.refused = self.tokens = self.unpriced = 0
        self.spend.clear()
        for row in by_model:
            self.requests += row.requests
            self.errors += row.errors
            self.refused += row.refused
            self.tokens += total_input(row) + total_output(row)
            self.unpriced += row.unpriced_requests
            self.spend[row.model or "unknown"] = to_nano(row.cost_usd or 0)
        self._per_minute.clear()
        self.first_tokens.clear()
        self.durations.clear()
        # The medians keep the last values that were added, so that the order matters.
        for request in sorted(recent, key=lambda one: one.at):
            self._note(request.at, request.status, request.first_token_ms, request.duration_ms)

    def add(self, record: RequestRecord) -> None:
        """Count one request; the first one of a new day resets the totals."""
        day = local_time.day_of(record.started_at)
        if day > self.day:
            self.load(record.started_at, (), ())
        if day == self.day:
            self.requests += 1
            self.errors += record.status in FAILED
            self.refused += record.status == "refused"
            self.tokens += total_input(record) + total_output(record)
            if record.cost_nano is None:
                # No provider answered these, so that there is no cost to be unknown.
                self.unpriced += record.status not in ("refused", "error")
            else:
                self.spend[record.model] = self.spend.get(record.model, 0) + record.cost_nano
        # Also for a request of another day: at midnight, the last hour reaches back into yesterday.
        self._note(record.started_at, record.status, record.first_token_ms, record.duration_ms)

    def _note(self, at: int, status: RequestStatus, first_token_ms: float | None, duration_ms: float) -> None:
        bucket = self._per_minute.setdefault(at // MINUTE_MS, [0, 0])
        bucket[status in FAILED] += 1
        # At twice the length, so that the clean-up runs once an hour and not with every request.
        if len(self._per_minute) > 2 * self.minutes:
            newest = max(self._per_minute)
            self._per_minute = {minute: n for minute, n in self._per_minute.items() if minute > newest - self.minutes}
        # The durations of other requests tell when they failed, not how fast the models are.
        if status == "success":
            self.durations.append(duration_ms)
            if first_token_ms is not None:
                self.first_tokens.append(first_token_ms)

    def series(self, now_ms: int) -> list[tuple[int, int]]:
        """`(succeeded or cancelled, failed)` for each of the last minutes, the current one last."""
        last = now_ms // MINUTE_MS
        return [tuple(self._per_minute.get(minute, (0, 0))) for minute in range(last - self.minutes + 1, last + 1)]  # type: ignore[misc]

    @property
    def spent_nano(self) -> int:
        """The cost of the day's priced requests, in nano-dollars."""
        return sum(self.spend.values())

    @property
    def first_token_ms(self) -> float | None:
        """Median time to the first token of the latest responses; None without any."""
        return median(self.first_tokens) if self.first_tokens else None

    @property
    def duration_ms(self) -> float | None:
        """Median duration of the latest responses; None without any."""
        return median(self.durations) if self.durations else None
