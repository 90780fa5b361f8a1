"""The text of `docs/conformance.md`: how much of the recorded traffic passes the gateway without a loss, and which losses exist."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from tests.conformance import media
from tests.conformance.known_losses import UNKNOWN, name_of
from tests.conformance.media import MediaResult
from tests.conformance.passthrough import PassthroughResult
from tests.conformance.recordings import Recording, reason_left_out
from tests.conformance.translated import CALLERS, TranslatedResult

NAMES = {
    "openai_chat": "OpenAI chat", "openai_responses": "Responses", "anthropic_messages": "Anthropic", "gemini": "Gemini",
}  # fmt: skip


def page(
    known: Sequence[Recording],
    passed_through: Sequence[PassthroughResult],
    others: Sequence[MediaResult],
    translations: Sequence[TranslatedResult],
    today: date,
) -> str:
    """The whole page."""
    total = len(passed_through)
    whole = sum(not one.faults for one in passed_through)
    agree = sum(not one.differences for one in translations)
    valid = sum(not one.invalid for one in translations if one.sent)
    sent = sum(bool(one.sent) for one in translations)
    lines = [
        "# Conformance", "",
        f"Made by `make conformance` on {today.isoformat()} from {len(known)} recorded calls of real providers;",
        "not to be edited.", "",
        f"- **Passthrough**: {_share(whole, total)} requests reached the provider as recorded (except credentials, the",
        "  model's name and the request for usage), and the response was relayed byte for byte",
        "  (except the usage frame that the client did not request; streams of one JSON array are compared as values; where a",
        "  credential was refused, only the status is compared). Converse and Cohere have no client path: in-process.",
        f"- **Translated**: {_share(agree, len(translations))} recorded requests, each sent as a client of",
        "  another dialect, were answered so that the official SDK's types contain the same text, thinking,",
        "  tool calls, finish reason, usage and citations as recorded.",
        f"- **Media endpoints**: {_share(sum(not one.faults for one in others), len(others))} requests for embeddings, in the",
        "  formats of OpenAI, Gemini and Ollama, and for images, in OpenAI's format, were answered with the recorded vectors",
        "  (in base64 as 32-bit floats), images and tokens; those in OpenAI's format also reached the provider as recorded.",
        f"- **Requests**: {_share(valid, sent)} translated requests fit the provider's own SDK types",
        "  (Converse: botocore's validator).", "",
        "## Provider by caller", "",
        "Equal answers of all; the provider's own dialect is passed through. A credential that the provider refuses is the",
        "gateway's own, so 502 is expected there. OpenAI, Anthropic and Google's own SDK types parse what the clients get.",
        "Each provider is called in the recorded dialect, streamed or not as recorded; Cohere's tokens are those billed,",
        "white space in thinking is not compared, nor is the finish reason where none was recorded.", "",
        *_table(passed_through, translations), "",
        "## Media endpoints", "", *_media(others), "",
        "## Known losses of translation", "", *_known_losses(translations), "",
        "## What passthrough changes", "", *_passthrough(passed_through), "",
        "## Requests that do not fit an SDK's types", "", *_invalid(translations), "",
        "## Recordings that are left out", "", *_left_out(known), "",
    ]  # fmt: skip
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.1f} %)" if whole else "–"


def _table(passed_through: Iterable[PassthroughResult], translations: Iterable[TranslatedResult]) -> list[str]:
    cells: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for one in passed_through:
        cells[one.recording.provider]["passthrough"].append(not one.faults)
    for result in translations:
        cells[result.recording.provider][result.caller].append(not result.differences)
    columns = ["passthrough", *CALLERS]
    lines = [f"| provider | passthrough | {' | '.join(NAMES[caller] for caller in CALLERS)} | all translations |", "|---" * 7 + "|"]
    for provider in sorted(cells):
        row = cells[provider]
        translated_cells = [agrees for caller in CALLERS for agrees in row[caller]]
        row_cells = [_cell(row[column]) for column in columns]
        lines.append(f"| {provider} | {' | '.join(row_cells)} | {_percent(translated_cells)} |")
    return lines


def _cell(found: list[bool]) -> str:
    return f"{sum(found)}/{len(found)}" if found else "–"


def _percent(found: list[bool]) -> str:
    return f"{100 * sum(found) / len(found):.1f} %" if found else "–"


def _known_losses(translations: Iterable[TranslatedResult]) -> list[str]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in translations:
        for field, (recorded, summary) in one.differences.items():
            found[name_of(one, field, recorded, summary), field].append(f"{one.recording.provider} → {NAMES[one.caller]}")
    if not found:
        return ["Nothing."]
    lines = ["| what | field | times | where |", "|---|---|---|---|"]
    for (name, field), places in sorted(found.items(), key=lambda row: (row[0][0] == UNKNOWN, -len(row[1]))):
        where = ", ".join(f"{place} ({count})" for place, count in Counter(places).most_common())
        lines.append(f"| {name} | {field} | {len(places)} | {where} |")
    return lines


def _media(others: Iterable[MediaResult]) -> list[str]:
    cells: dict[tuple[str, str], dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for one in others:
        cells[one.recording.provider, _what(one.recording)][one.caller].append(not one.faults)
    lines = [f"| provider | request | {' | '.join(media.CALLERS)} |", "|---" * (2 + len(media.CALLERS)) + "|"]
    lines += [
        f"| {provider} | {what} | {' | '.join(_cell(row[caller]) for caller in media.CALLERS)} |"
        for (provider, what), row in sorted(cells.items())
    ]
    faults = [f"- {UNKNOWN}: {one.recording.name} as {one.caller}: {fault[:160]}" for one in others for fault in one.faults]
    return [*lines, *(["", *faults] if faults else [])]


def _what(recording: Recording) -> str:
    return "images" if recording.path.endswith("/images") else "embeddings"


PASSTHROUGH_CHANGES = (("broke off", "a stream without its terminal event is broken and ends with the gateway's own error event"),)
"""Changes by passthrough, by a part of the fault text."""


def _passthrough(passed_through: Iterable[PassthroughResult]) -> list[str]:
    found: Counter[str] = Counter()
    for one in passed_through:
        for fault in one.faults:
            name = next(
                (name for mark, name in PASSTHROUGH_CHANGES if mark in fault), f"{UNKNOWN}: {one.recording.name}: {fault[:160]}"
            )
            found[f"{name} ({one.recording.provider}, {one.recording.kind})"] += 1
    return [f"- {name}: {count}" for name, count in found.most_common()] or ["Nothing."]


def _invalid(translations: Iterable[TranslatedResult]) -> list[str]:
    found: Counter[tuple[str, str]] = Counter()
    for one in translations:
        upstream = one.recording.endpoint.dialect if one.recording.endpoint else ""
        for fault in one.invalid:
            found[upstream, fault] += 1
    return [f"- {upstream}: `{fault}`: {count}" for (upstream, fault), count in found.most_common(40)] or ["None."]


def _left_out(known: Iterable[Recording]) -> list[str]:
    found = Counter(reason_left_out(one) for one in known if one.endpoint is None)
    return [f"- {name}: {count}" for name, count in found.most_common()] or ["None."]
