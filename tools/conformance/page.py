"""Writes `docs/conformance.md`: how much of the recorded traffic crosses the gateway unharmed, and what does not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from tools.conformance import media as beside
from tools.conformance.losses import UNKNOWN, name_of
from tools.conformance.media import Beside
from tools.conformance.passthrough import Native
from tools.conformance.places import Recording, why_not
from tools.conformance.translated import CALLERS, Crossing

NAMES = {
    "openai_chat": "OpenAI chat", "openai_responses": "Responses", "anthropic_messages": "Anthropic", "gemini": "Gemini",
}  # fmt: skip


def page(
    known: Sequence[Recording], native: Sequence[Native], others: Sequence[Beside], scenarios: Sequence[Crossing], today: date
) -> str:
    """The whole page."""
    asked = len(native)
    whole = sum(not one.faults for one in native)
    agree = sum(not one.differences for one in scenarios)
    valid = sum(not one.invalid for one in scenarios if one.sent)
    sent = sum(bool(one.sent) for one in scenarios)
    lines = [
        "# Conformance", "",
        f"Made by `make conformance` on {today.isoformat()} from {len(known)} recorded calls of real providers;",
        "not to be edited.", "",
        f"- **Native lane**: {_share(whole, asked)} requests reached the provider as recorded (but for credentials, the",
        "  model's name and the request for usage) with the recorded answer handed back byte for byte",
        "  (but for the usage frame nobody asked for; streams of one JSON array are compared as values, and where a credential",
        "  was refused only the status is). Converse and Cohere, for which there is no path to call, are asked inside the process.",
        f"- **Crossings**: {_share(agree, len(scenarios))} recorded requests, each sent as a client of",
        "  another dialect, were answered so that the official SDK's types hold the same text, thoughts,",
        "  tool calls, end, usage and sources as were recorded.",
        f"- **Beside chat**: {_share(sum(not one.faults for one in others), len(others))} requests for embeddings, in the",
        "  words of OpenAI, Gemini and Ollama, and for pictures, in OpenAI's, were answered with the recorded vectors",
        "  (in base64 as 32-bit floats), pictures and tokens; in OpenAI's words they also reached the provider as recorded.",
        f"- **Requests**: {_share(valid, sent)} translated requests fit the provider's own SDK types",
        "  (Converse: botocore's validator).", "",
        "## Provider by caller", "",
        "Agreeing answers of all; the provider's own dialect is the native lane. A credential that the provider refuses is the",
        "gateway's, so 502 is what agrees there. OpenAI, Anthropic and Google's own types read what the callers get.",
        "Each provider is asked in the dialect that was recorded, streamed or whole as it was; Cohere's tokens are those billed,",
        "spaces in thoughts do not count, nor does an end where none was recorded.", "",
        *_table(native, scenarios), "",
        "## Beside chat", "", *_beside(others), "",
        "## What does not cross", "", *_losses(scenarios), "",
        "## What the native lane changes", "", *_native(native), "",
        "## Requests that an SDK's types would not take", "", *_invalid(scenarios), "",
        "## Recordings that are not asked for", "", *_left_out(known), "",
    ]  # fmt: skip
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.1f} %)" if whole else "–"


def _table(native: Iterable[Native], scenarios: Iterable[Crossing]) -> list[str]:
    cells: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for one in native:
        cells[one.recording.provider]["native"].append(not one.faults)
    for scenario in scenarios:
        cells[scenario.recording.provider][scenario.caller].append(not scenario.differences)
    columns = ["native", *CALLERS]
    lines = [f"| provider | native | {' | '.join(NAMES[caller] for caller in CALLERS)} | all crossings |", "|---" * 7 + "|"]
    for provider in sorted(cells):
        row = cells[provider]
        crossed = [agrees for caller in CALLERS for agrees in row[caller]]
        said = [_cell(row[column]) for column in columns]
        lines.append(f"| {provider} | {' | '.join(said)} | {_percent(crossed)} |")
    return lines


def _cell(found: list[bool]) -> str:
    return f"{sum(found)}/{len(found)}" if found else "–"


def _percent(found: list[bool]) -> str:
    return f"{100 * sum(found) / len(found):.1f} %" if found else "–"


def _losses(scenarios: Iterable[Crossing]) -> list[str]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in scenarios:
        for field, (recorded, seen) in one.differences.items():
            found[name_of(one, field, recorded, seen), field].append(f"{one.recording.provider} → {NAMES[one.caller]}")
    if not found:
        return ["Nothing."]
    lines = ["| what | field | times | where |", "|---|---|---|---|"]
    for (name, field), places in sorted(found.items(), key=lambda row: (row[0][0] == UNKNOWN, -len(row[1]))):
        where = ", ".join(f"{place} ({count})" for place, count in Counter(places).most_common())
        lines.append(f"| {name} | {field} | {len(places)} | {where} |")
    return lines


def _beside(others: Iterable[Beside]) -> list[str]:
    cells: dict[tuple[str, str], dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for one in others:
        cells[one.recording.provider, _what(one.recording)][one.caller].append(not one.faults)
    lines = [f"| provider | asked for | {' | '.join(beside.CALLERS)} |", "|---" * (2 + len(beside.CALLERS)) + "|"]
    lines += [
        f"| {provider} | {what} | {' | '.join(_cell(row[caller]) for caller in beside.CALLERS)} |"
        for (provider, what), row in sorted(cells.items())
    ]
    faults = [f"- {UNKNOWN}: {one.recording.name} as {one.caller}: {fault[:160]}" for one in others for fault in one.faults]
    return [*lines, *(["", *faults] if faults else [])]


def _what(recording: Recording) -> str:
    return "pictures" if recording.path.endswith("/images") else "embeddings"


NATIVE = (("broke off", "a stream that ends without its terminal event is broken, and ends in the gateway's own error event"),)
"""What the native lane changes, by what its fault holds."""


def _native(native: Iterable[Native]) -> list[str]:
    found: Counter[str] = Counter()
    for one in native:
        for fault in one.faults:
            name = next((name for mark, name in NATIVE if mark in fault), f"{UNKNOWN}: {one.recording.name}: {fault[:160]}")
            found[f"{name} ({one.recording.provider}, {one.recording.kind})"] += 1
    return [f"- {name}: {count}" for name, count in found.most_common()] or ["Nothing."]


def _invalid(scenarios: Iterable[Crossing]) -> list[str]:
    found: Counter[tuple[str, str]] = Counter()
    for one in scenarios:
        upstream = one.recording.place.dialect if one.recording.place else ""
        for fault in one.invalid:
            found[upstream, fault] += 1
    return [f"- {upstream}: `{fault}`: {count}" for (upstream, fault), count in found.most_common(40)] or ["None."]


def _left_out(known: Iterable[Recording]) -> list[str]:
    found = Counter(why_not(one) for one in known if one.place is None)
    return [f"- {name}: {count}" for name, count in found.most_common()] or ["None."]
