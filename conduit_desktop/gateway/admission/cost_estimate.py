"""What a request may cost before it is sent: expected, at the worst, and what is held of a budget for it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from math import ceil

from conduit_desktop.core.chat import Json
from conduit_desktop.core.media import Units
from conduit_desktop.gateway.accounting.compiled_price import NO_UNITS, CompiledPrice
from conduit_desktop.gateway.admission.body_survey import cache_marks_in
from conduit_desktop.gateway.admission.bounds import input_bound, input_bounds
from conduit_desktop.gateway.admission.media_units import MOST_AUDIO_IN_TOKENS_S, expected_units, reports_tokens, worst_units
from conduit_desktop.gateway.call import Call
from conduit_desktop.wire.media.usage import READ_ONLY


@dataclass(slots=True)
class CostEstimate:
    """What a request may use. `compiled_price` is the dearest target's; None where no price is known.

    `cost_nano` is what to reserve for it: 0 where nothing is known. `worst_nano` is the most that it can cost, and `held_nano` the
    same for an input as long as is expected; they are needed where a budget holds, and are the expected cost until `add_worst` has
    been called.
    """

    input_tokens: int
    output_tokens: int
    compiled_price: CompiledPrice | None
    cost_nano: int = 0
    unpriced: bool = False
    worst_nano: int = 0
    held_nano: int = 0

    most_tokens: int = 0
    """Input and output tokens that the request cannot pass; known where `weigh` is."""
    weigh: Callable[[], CostEstimate] | None = None
    """Makes the exact estimate. This one takes the input by its length, which is enough where every limit has ample room."""

    def __post_init__(self) -> None:
        self.worst_nano = max(self.worst_nano, self.cost_nano)
        # What is held for a request is at most its worst case, and that where nothing else is said.
        self.held_nano = max(self.held_nano or self.worst_nano, self.cost_nano)

    def add_worst(
        self, call: Call, targets: Iterable[tuple[CompiledPrice | None, int]], searches: bool = False, keep_caps: bool = True
    ) -> None:
        """Take the worst case at the dearest of the targets, given by their prices and the most output tokens of one answer.

        `searches`: a target may search first, whatever is asked. Not `keep_caps`: a target may pass the request's cap on output.
        """
        cap, answers = (0, 1) if call.endpoint in READ_ONLY else (call.output_cap, call.answers)
        units = worst_units(call.media_request) if call.media_request is not None else NO_UNITS
        (bound, likely), speeds = input_bounds(call, searches), "speed" in call.body
        # Where sound is billed by tokens: it is no part of the body's text.
        audio_in = ceil((units.seconds or 0) * MOST_AUDIO_IN_TOKENS_S)
        bound, likely = bound + audio_in, likely + audio_in
        for compiled_price, most_output in targets:
            if compiled_price is not None:
                output = min(cap, most_output * answers) if keep_caps or not cap else most_output * answers
                self.worst_nano = max(self.worst_nano, compiled_price.worst(bound, output, units, speeds))
                self.held_nano = max(self.held_nano, compiled_price.worst(likely, output, units, speeds))

    @classmethod
    def by_length(
        cls, call: Call, reserve_output_tokens: int, targets: Iterable[tuple[CompiledPrice | None, int]], searches: bool,
        keep_caps: bool, weigh: Callable[[], CostEstimate],
    ) -> CostEstimate:  # fmt: skip
        """The estimate of a chat by the length of its body, with its worst case; `weigh` makes the exact one.

        For `targets`, `searches` and `keep_caps` see `add_worst`.
        """
        body, cap, inputs = call.body, call.output_cap, call.rough_tokens
        answers, bound = call.answers, input_bound(call, searches)
        output = cap if cap < reserve_output_tokens else reserve_output_tokens
        cache_rate, speeds = cache_rate_of(call), "speed" in body
        dearest: CompiledPrice | None = None
        cost = worst = most_output = 0
        unpriced = False
        # Written out, as it runs for nearly every request; tests compare it with the exact estimate.
        for compiled_price, longest in targets:
            longest *= answers
            if longest > cap and keep_caps:
                longest = cap
            if longest > most_output:
                most_output = longest
            if compiled_price is None:
                unpriced = True
                continue
            unpriced = unpriced or not compiled_price.covers_chat
            nano, most_nano = compiled_price.of_chat((inputs, output), (bound, longest), cache_rate, speeds)
            if dearest is None or nano > cost:
                dearest, cost = compiled_price, nano
            if most_nano > worst:
                worst = most_nano
        return cls(inputs, output, dearest, cost, unpriced, worst, worst, bound + most_output, weigh)

    @classmethod
    def of_call(
        cls,
        call: Call,
        reserve_output_tokens: int,
        compiled_prices: Collection[CompiledPrice | None],
        cache_rate: str = "",
        limited: bool = True,
    ) -> CostEstimate:
        """The estimate of a call; output at its own maximum, `reserve_output_tokens` at most.

        `cache_rate`: the rate at which its input may be written to a cache, see `cache_rate_of`. Not `limited`: neither a budget
        nor a limit of tokens holds, and the input is estimated by its length, which costs nothing.
        """
        inputs = call.input_tokens if limited else call.rough_tokens
        if call.endpoint in READ_ONLY:
            return cls.of(inputs, 0, compiled_prices, Units())
        output = min(call.output_cap, reserve_output_tokens)
        units = expected_units(call.media_request) if call.media_request is not None else None
        reports = units is None or reports_tokens(call.endpoint, call.body)
        return cls.of(inputs, output, compiled_prices, units, cache_rate, reports)

    @classmethod
    def of(
        cls,
        input_tokens: int,
        output_tokens: int,
        compiled_prices: Collection[CompiledPrice | None],
        units: Units | None = None,
        cache_rate: str = "",
        reports_tokens: bool = True,
    ) -> CostEstimate:
        """The estimate at the highest of the targets' prices. `units`: those of a media request."""
        # Without a target nothing is asked, and the request fails for that reason.
        made = cls(input_tokens, output_tokens, None)
        for compiled_price in compiled_prices:
            # Half a price is none: what it leaves out would be taken as free.
            if compiled_price is None:
                made.unpriced = True
                continue
            if units is None:
                covered = compiled_price.covers_chat
                cost = compiled_price.expected(input_tokens, output_tokens, NO_UNITS, cache_rate)
            else:
                covered = compiled_price.covers(False, units, reports_tokens)
                cost = compiled_price.expected(input_tokens, output_tokens, units)
            if not covered:
                made.unpriced = True
            if made.compiled_price is None or cost > made.cost_nano:
                made.compiled_price, made.cost_nano = compiled_price, cost
        made.worst_nano = made.held_nano = made.cost_nano
        return made


def cache_rate_of(call: Call) -> str:
    """The rate at which the call's input may be written to a cache; empty where it asks for none."""
    marks = _cache_marks(call)
    if not marks:
        return ""
    return "cache_write_1h" if any(isinstance(mark, dict) and mark.get("ttl") == "1h" for mark in marks) else "cache_write"


def _cache_marks(call: Call) -> list[Json]:
    """The values of all fields `cache_control`, by which Anthropic's API and those that pass it on learn what to cache."""
    if (survey := call.survey) is not None:
        return [mark for mark in survey.cache_marks if mark]
    if call.cache_marks is not None:
        return call.cache_marks
    if call.received is not None and call.received[1] is call.body and b"cache_control" not in call.received[0]:
        return []
    return cache_marks_in(call.body)
