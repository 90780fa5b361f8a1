"""What the reports of providers show: by how much the estimate of each model's input is off."""

from __future__ import annotations


class LearnedFactors:
    """By how much each model's reported input differs from the estimate: in memory, by the requested name, within bounds.

    A tokenizer that is not known here makes up to twice as many tokens, or half as many; a larger difference has other reasons.
    """

    LEAST, MOST = 0.5, 2.0
    MODELS = 1000
    _WEIGHT = 0.1
    """Of a single report."""
    _LEAST_TOKENS = 100
    """Below, what a vendor adds to each request counts for more than its tokenizer."""
    _EVERY = 16

    def __init__(self) -> None:
        self._factors: dict[str, float] = {}
        self._reports = 0

    def wants(self, reported: int) -> bool:
        """Whether a report on a request that was not weighed is learned from: every sixteenth of those that are long enough."""
        if reported < self._LEAST_TOKENS:
            return False
        self._reports += 1
        return self._reports % self._EVERY == 0

    def factor(self, model: str) -> float:
        """What the estimate of a request to the model is multiplied with."""
        return self._factors.get(model, 1.0)

    def learn(self, model: str, estimated: int, reported: int) -> None:
        """Take a report; `estimated` is the estimate that the factor was applied to."""
        if estimated < self._LEAST_TOKENS or reported < self._LEAST_TOKENS:
            return
        before = self._factors.pop(model, 1.0)
        seen = min(max(before * reported / estimated, self.LEAST), self.MOST)
        # Put in anew, so that the first entry is the one that was not used for longest.
        self._factors[model] = before + (seen - before) * self._WEIGHT
        if len(self._factors) > self.MODELS:
            del self._factors[next(iter(self._factors))]


LEARNED = LearnedFactors()
