"""What the reports of providers show: by how much the count of each model's input is off, as a constant and as a factor."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class _Line:
    """reported = constant + factor * counted; how sure both are (variances and covariance); and a surprise to be confirmed."""

    constant: float
    factor: float
    constant_variance: float
    covariance: float
    factor_variance: float
    surprise: tuple[float, int, int] | None = None
    """By how many tokens the last report was off, what had been counted, and what was reported."""


class LearnedFactors:
    """What to add to the count of each model's input and to multiply it with: in memory, by the requested name, within bounds.

    A vendor's hidden instructions are a constant, its tokenizer a factor: 700 tokens more than counted for a small request must not
    multiply the next large one. Both are estimated together (linear regression in its recursive form, with what is usual as its
    start), so that reports on requests of different sizes tell them apart. A report that is near teaches nothing, and one that is
    far off only together with the next: it may be of a request unlike the others.
    """

    LEAST, MOST = 0.5, 2.0
    """Of the factor: a tokenizer that is not known here makes up to twice as many tokens, or half as many."""
    LEAST_CONSTANT, MOST_CONSTANT = -500, 5000
    MODELS = 1000
    _CONSTANT, _FACTOR = 300.0, 0.15
    """By how much a vendor's constant differs from what is known here, and its tokenizer (standard deviations)."""
    _NEAR, _NEAR_TOKENS = 0.15, 5
    _NOISE, _NOISE_TOKENS = 0.08, 4
    """By how much a count is off with the right constant and factor."""
    _FADING, _RENEWAL = 1.02, 16.0
    """How the variances grow with each report, and with a confirmed surprise: the vendor has changed something."""
    _LEAST_TOKENS = 100
    """Below, a report alone is not worth to count the request for."""
    _EVERY = 16

    def __init__(self) -> None:
        self._lines: dict[tuple[str, bool], _Line] = {}
        self._reports = 0

    def wants(self, reported: int) -> bool:
        """Whether a report on a request that was not counted is learned from: every sixteenth of those that are long enough."""
        if reported < self._LEAST_TOKENS:
            return False
        self._reports += 1
        return self._reports % self._EVERY == 0

    def expected(self, model: str, counted: int, tools: bool = False) -> int:
        """The input tokens that the model's provider will report for a request of so many counted ones, with tools or without."""
        line = self._lines.get((model, tools))
        if line is None:
            return counted
        factor = min(max(line.factor, self.LEAST), self.MOST)
        constant = min(max(line.constant, self.LEAST_CONSTANT), self.MOST_CONSTANT)
        return max(1, round(max(constant + factor * counted, self.LEAST * counted)))

    def hidden(self, model: str, tools: bool = False) -> int:
        """The tokens that the provider is known to add to each request to the model, which no bytes of the body stand for."""
        line = self._lines.get((model, tools))
        return 0 if line is None else round(min(max(line.constant, 0), self.MOST_CONSTANT))

    def learn(self, model: str, counted: int, reported: int, tools: bool = False) -> None:
        """Take a report on a request; `counted` is its count before anything was learned.

        With `tools` apart from without, since vendors add instructions for them.
        """
        # More than hidden instructions: the results of a search, or a conversation that the provider stores.
        if not 0 < reported <= 3 * counted + self.MOST_CONSTANT:
            return
        # Put in anew, so that the first entry is the one that was not used for longest.
        line = self._lines.pop((model, tools), None) or _Line(0.0, 1.0, self._CONSTANT**2, 0.0, self._FACTOR**2)
        self._lines[model, tools] = line
        if len(self._lines) > self.MODELS:
            del self._lines[next(iter(self._lines))]
        off = reported - line.constant - line.factor * counted
        if abs(off) <= self._NEAR * reported + self._NEAR_TOKENS:
            line.surprise = None
            self._absorb(line, counted, reported, 0.0)
        elif line.surprise is None or (line.surprise[0] > 0) != (off > 0):
            line.surprise = (off, counted, reported)
        else:
            _, counted_before, reported_before = line.surprise
            line.surprise = None
            line.constant_variance *= self._RENEWAL
            line.covariance *= self._RENEWAL
            line.factor_variance *= self._RENEWAL
            self._limit(line)
            for one, report in ((counted_before, reported_before), (counted, reported)):
                self._absorb(line, one, report, report - line.constant - line.factor * one)

    def _absorb(self, line: _Line, counted: int, reported: int, off: float) -> None:
        """A step of the regression: spread what the report is off by over constant and factor, as sure as each is."""
        of_constant = line.constant_variance + counted * line.covariance
        of_factor = line.covariance + counted * line.factor_variance
        total = of_constant + counted * of_factor + (self._NOISE * reported + self._NOISE_TOKENS) ** 2
        line.constant += of_constant / total * off
        line.factor += of_factor / total * off
        line.constant_variance = (line.constant_variance - of_constant * of_constant / total) * self._FADING
        line.covariance = (line.covariance - of_constant * of_factor / total) * self._FADING
        line.factor_variance = (line.factor_variance - of_factor * of_factor / total) * self._FADING
        self._limit(line)

    def _limit(self, line: _Line) -> None:
        """Keep the variances within what is usual; the correlation of constant and factor stays as it is."""
        of_constant = min(1.0, self._CONSTANT**2 / line.constant_variance)
        of_factor = min(1.0, self._FACTOR**2 / line.factor_variance)
        line.constant_variance *= of_constant
        line.factor_variance *= of_factor
        line.covariance *= math.sqrt(of_constant * of_factor)


LEARNED = LearnedFactors()
