"""How near the estimates of input come to what providers reported in recorded traffic, by provider and family of models.

python -m tests.gateway.admission.input_accuracy [FOLDER]    (a folder with recordings.jsonl.gz; else CONDUIT_RECORDINGS)
"""

from __future__ import annotations

import gzip
import json
import os
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from conduit_desktop.gateway.admission.bounds import input_bounds
from conduit_desktop.gateway.admission.estimate import input_tokens
from conduit_desktop.gateway.call import Call
from conduit_desktop.wire import dialect
from tests.conformance import recordings as recorded_traffic
from tests.conformance.recordings import Recording

_COUNTS = ("prompt_tokens", "input_tokens", "inputTokens", "promptTokenCount", "prompt_eval_count")
_CACHED = ("cache_read_input_tokens", "cache_creation_input_tokens", "cacheReadInputTokens", "cacheWriteInputTokens")
_USAGE = re.compile(r'"(?:usage|usageMetadata|billed_units)"\s*:\s*(\{)')
_DIALECTS = {
    "responses": "openai_responses", "chat": "openai_chat", "messages": "anthropic_messages", "generateContent": "gemini",
    "streamGenerateContent": "gemini", "converse": "bedrock", "converse-stream": "bedrock", "v2/chat": "cohere",
    "api/chat": "ollama", "completions": "openai_completions",
}  # fmt: skip
_FAMILIES = (
    "claude", "gemini", "gemma", "nova", "grok", "deepseek", "gpt-oss", "stral", "llama", "glm", "qwen", "kimi", "command",
    "sonar", "gpt", "o1", "o3", "o4", "computer-use",
)  # fmt: skip
_LINKED = re.compile(rb'"(?:file_id|fileUri|file_uri|url|uri|image_url|file_url)":"(?:https?|gs|s3|file)[-:_]')
NEAR, NEAR_TOKENS = 0.15, 30
"""A share of the reported tokens, and tokens, within one of which an estimate is near."""


def is_near(estimate: int, reported: int) -> bool:
    """Whether an estimate is near: within 15 %, or 30 tokens for small requests."""
    return abs(estimate - reported) <= max(NEAR * reported, NEAR_TOKENS)


@dataclass(frozen=True)
class Recorded:
    """A recorded request that succeeded, with the input that its provider reported."""

    recording: Recording
    reported: int

    @property
    def body(self) -> dict[str, Any]:
        return self.recording.request

    @property
    def dialect(self) -> str:
        return _DIALECTS[self.recording.kind]

    @property
    def model(self) -> str:
        return self.recording.model

    @property
    def family(self) -> str:
        """The family of models, by the model's name."""
        model = self.model.lower()
        return next((family for family in _FAMILIES if family in model), "other")

    @cached_property
    def estimate(self) -> int:
        return input_tokens(self.body, self.dialect, self.model, self.recording.provider)

    @cached_property
    def bound(self) -> int:
        return input_bounds(Call(dialect(self.dialect), self.body, self.model))[0]

    @property
    def is_visible(self) -> bool:
        """Whether the body shows all that is counted: no stored conversation, no file elsewhere, no tool that the vendor runs."""
        raw = orjson.dumps(self.body)
        return self.bound - len(raw) < 190_000 and _LINKED.search(raw) is None

    @property
    def ratio(self) -> float:
        return self.estimate / self.reported

    @property
    def is_near(self) -> bool:
        return is_near(self.estimate, self.reported)


def recorded_inputs(folder: Path) -> list[Recorded]:
    """Every recorded chat request for which the provider reported its input."""
    found = []
    with gzip.open(folder / "recordings.jsonl.gz", "rt") as lines:
        for recording in recorded_traffic.recordings(orjson.loads(line) for line in lines):
            is_chat = recording.kind in _DIALECTS and recording.status < 400 and isinstance(recording.line["req"], dict)
            if is_chat and (reported := reported_input(recording.answer.decode("utf-8", "replace"))):
                found.append(Recorded(recording, reported))
    return found


def reported_input(answer: str) -> int:
    """The largest input that an answer reports, with what was read from a cache or written to it."""
    reported = 0
    decoder = json.JSONDecoder()
    # In binary event streams, too, the usage is one object of JSON.
    for match in _USAGE.finditer(answer):
        try:
            usage, _ = decoder.raw_decode(answer, match.start(1))
        except ValueError:
            continue
        more = sum(usage.get(name) or 0 for name in _CACHED) if "prompt_tokens" not in usage else 0
        sound = (usage.get("prompt_tokens_details") or {}).get("audio_tokens") or 0
        if sound > usage.get("prompt_tokens", sound):
            more += sound  # Mistral's are not part of the others
        reported = max([reported, *(usage[name] + more for name in _COUNTS if isinstance(usage.get(name), int))])
    return reported


def groups(recorded: list[Recorded]) -> Iterator[tuple[str, list[Recorded]]]:
    """The recordings by provider and family."""
    found = defaultdict(list)
    for one in recorded:
        found[f"{one.recording.provider} {one.family}"].append(one)
    yield from sorted(found.items(), key=lambda item: -len(item[1]))


def report(recorded: list[Recorded]) -> Iterator[str]:
    """A table: how many, the median and the worst of estimate / reported, the shares that are near, and those over their bound."""
    yield f"{'provider and family':32}{'count':>6}{'median':>8}{'worst':>7}{'±15 %':>7}{'near':>6}{'bound passed':>13}"
    for name, members in [*groups(recorded), ("all", recorded)]:
        visible = [one for one in members if one.is_visible]
        passed = sum(one.bound < 0.95 * one.reported for one in members)
        figures = f"{'':28}"
        if visible:
            within = sum(abs(one.ratio - 1) <= NEAR for one in visible) / len(visible)
            near = sum(one.is_near for one in visible) / len(visible)
            worst = max((one.ratio for one in visible), key=lambda ratio: max(ratio, 1 / ratio))
            figures = f"{statistics.median(one.ratio for one in visible):8.2f}{worst:7.2f}{within:7.0%}{near:6.0%}"
        yield f"{name:32}{len(visible):6}{figures}{passed:6} of {len(members)}"


def main() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("CONDUIT_RECORDINGS", ""))
    if not (folder / "recordings.jsonl.gz").is_file():
        sys.stderr.write("no recorded traffic: set CONDUIT_RECORDINGS to the folder with recordings.jsonl.gz\n")
        return 1
    sys.stdout.write("\n".join(report(recorded_inputs(folder))) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
