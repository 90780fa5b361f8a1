"""Makes `resources/models.json` from two public tables: `python -m tools.model_facts`.

The tables are the one in the wheel of litellm, which is downloaded and read but not installed, and genai-prices. Only facts are
taken: sizes, and what a model can do. Where the tables disagree, a rule below or a row of DECISIONS says which one holds; an
undecided disagreement ends the program. What no table states (words for efforts, sampling, stops) is in
`conduit_desktop/providers/model_facts.py`, whose rows win over this file.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from genai_prices import types as genai
from genai_prices.data_snapshot import get_snapshot

from conduit_desktop.providers.model_names import canonical, family_names
from tools.model_facts_decisions import DECISIONS

TARGET = Path(__file__).resolve().parent.parent / "resources" / "models.json"
TABLE = "litellm/model_prices_and_context_window_backup.json"
ABILITIES = {
    "supports_function_calling": "tools",
    "supports_vision": "images",
    "supports_pdf_input": "files",
    "supports_audio_input": "audio",
    "supports_response_schema": "json_schema",
    "supports_reasoning": "reasoning",
}
MODES = frozenset({"chat", "responses", "completion"})
KINDS = {
    "anthropic": "anthropic", "azure": "azure", "azure_ai": "azure", "bedrock": "bedrock", "bedrock_converse": "bedrock",
    "cerebras": "cerebras", "cloudflare": "cloudflare", "codestral": "mistral", "cohere": "cohere", "cohere_chat": "cohere",
    "dashscope": "qwen", "deepinfra": "deepinfra", "deepseek": "deepseek", "fireworks_ai": "fireworks", "gemini": "gemini",
    "groq": "groq", "minimax": "minimax", "mistral": "mistral", "moonshot": "moonshot", "nvidia_nim": "nvidia", "openai": "openai",
    "perplexity": "perplexity", "replicate": "replicate", "sambanova": "sambanova", "together_ai": "together",
    "text-completion-openai": "openai", "xai": "xai", "zai": "zai",
}  # fmt: skip
"""litellm's names of vendors to our kinds; Vertex has one for each maker (`vertex_ai-…`)."""
GENAI = {
    "anthropic": "anthropic", "azure": "azure", "bedrock": "aws", "cerebras": "cerebras", "cloudflare": "cloudflare",
    "cohere": "cohere", "deepseek": "deepseek", "fireworks": "fireworks", "gemini": "google", "groq": "groq", "minimax": "minimax",
    "mistral": "mistral", "moonshot": "moonshotai", "openai": "openai", "openrouter": "openrouter", "perplexity": "perplexity",
    "together": "together", "vertex": "google", "xai": "x-ai", "zai": "zai",
}  # fmt: skip
"""Our kinds to the vendors of genai-prices."""
MAKERS = (
    ("openai", re.compile(r"(?:gpt(?!-oss)|o\d|chatgpt|codex|computer-use|davinci|babbage)")),
    ("anthropic", re.compile("claude")),
    ("gemini", re.compile("gemini|gemma")),
    ("xai", re.compile("grok")),
    ("mistral", re.compile(r"(?:open-)?(?:mi[sx]tral|codestral|devstral|magistral|ministral|pixtral|voxtral|labs-)")),
    ("cohere", re.compile("command|c4ai")),
    ("deepseek", re.compile(r"deepseek-(?:chat|reasoner|v\d)")),
    ("moonshot", re.compile("kimi|moonshot")),
    ("zai", re.compile("glm")),
    ("qwen", re.compile("qw|qvq")),
    ("minimax", re.compile("minimax")),
    ("perplexity", re.compile("sonar")),
)
"""Whose statement on a model holds wherever else the model is served."""
CLOSED = frozenset({"openai", "anthropic", "gemini", "xai", "perplexity", "cohere"})
"""Makers whose models have one size everywhere. A host of open weights chooses its own, as Groq does."""
SIZES = ("context", "max_output")
_WHOLE = {(272_000, 128_000): 400_000, (922_000, 128_000): 1_050_000, (111_616, 16_384): 128_000}
"""OpenAI's reasoning models share their context between input and output; litellm has what is left for the input."""

Row = dict[str, Any]


class Undecided(Exception):
    """The tables disagree, and no rule or decision says which one is right."""


def download(release: str | None) -> tuple[str, dict[str, Row]]:
    """The version of litellm and its table, of the newest release or of `release`. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = f"litellm=={release}" if release else "litellm"
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--dest",
            folder,
            wanted,
        ]
        subprocess.run(command, check=True)
        (wheel,) = Path(folder).glob("litellm-*.whl")
        return wheel.name.split("-")[1], read_wheel(wheel)


def read_wheel(path: Path) -> dict[str, Row]:
    """The table in a wheel of litellm."""
    with zipfile.ZipFile(path) as wheel:
        table: dict[str, Row] = orjson.loads(wheel.read(TABLE))
    return table


def kind_of(row: Row) -> str | None:
    """Our provider kind of a row of litellm's; None for vendors that are no kind of ours."""
    vendor = str(row.get("litellm_provider") or "")
    return "vertex" if vendor.startswith("vertex_ai") else KINDS.get(vendor)


def catalog(today: date, release: str, table: dict[str, Row]) -> Row:
    """The whole file as one value. Raises Undecided."""
    disagreements: list[list[Any]] = []
    stated: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    providers = {provider.id: provider for provider in get_snapshot().providers}
    for key, row in table.items():
        kind = kind_of(row)
        if kind is not None and row.get("mode") in MODES:
            stated[kind][canonical(key)].append(_facts(kind, key, row, providers, disagreements))
    _add_unlisted(stated, providers)
    undecided = [entry for entry in disagreements if entry[-2] is None]
    if undecided:
        raise Undecided("\n".join(map(str, undecided)))
    vendors = {kind: {name: _merged(rows) for name, rows in names.items()} for kind, names in stated.items()}
    for names in vendors.values():
        _add_families(names)
    general = _general(vendors)
    different = {kind: _differing(names, general) for kind, names in sorted(vendors.items())}
    rows: list[Row] = []
    return {
        "date": today.isoformat(),
        "source": f"litellm {release}, genai-prices {version('genai-prices')}",
        "facts": rows,
        "models": {name: _index(rows, facts) for name, facts in sorted(general.items()) if facts},
        "vendors": {
            kind: {name: _index(rows, facts) for name, facts in names.items()} for kind, names in different.items() if names
        },
        "disagreements": sorted(disagreements),
    }


def _index(rows: list[Row], facts: Row) -> int:
    if facts not in rows:
        rows.append(facts)
    return rows.index(facts)


def _facts(kind: str, key: str, row: Row, providers: dict[str, genai.Provider], disagreements: list[list[Any]]) -> Row:
    """What litellm and genai-prices state of one model at one vendor."""
    given, output = _count(row.get("max_input_tokens")), _count(row.get("max_output_tokens"))
    context = given
    other = _context_at(providers.get(GENAI.get(kind, "")), key)
    if other is None:
        context = _WHOLE.get((given, output), given)
    else:
        context = other if given is None else _decided(kind, canonical(key), given, output, other, disagreements)
    facts: Row = {}
    if context is not None:
        facts["context"] = context
    # A limit as large as the context is none: some vendors' rows repeat it.
    if output is not None and (context is None or output < context):
        facts["max_output"] = output
    facts |= {name: row[field] for field, name in ABILITIES.items() if isinstance(row.get(field), bool)}
    return facts


def _count(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None


def _context_at(provider: genai.Provider | None, key: str) -> int | None:
    if provider is None:
        return None
    # Without litellm's own prefix. Names of relays (`openai/gpt-oss-120b` at Groq) have a path of their own.
    for name in dict.fromkeys((key.partition("/")[2] or key, key.rpartition("/")[2])):
        found = provider.find_model(name.lower())
        if found is not None and found.context_window:
            return int(found.context_window)
    return None


def _decided(kind: str, name: str, given: int, output: int | None, other: int, disagreements: list[list[Any]]) -> int:
    """The context of a model where litellm states `given` for the input and genai-prices `other` for the whole."""
    if given == other:
        return other
    held: tuple[int | None, str] = (None, "undecided")
    if output is not None and given + output == other:
        return other  # no disagreement: input and output together
    if _rounded(given, other):
        held = min(given, other), "one is rounded (1,000,000 for 1,048,576): the lesser"
    elif output is not None and _rounded(given + output, other):
        held = min(given + output, other), "input and output together, one is rounded: the lesser"
    for pattern, (value, why) in DECISIONS.items():
        if re.fullmatch(pattern, f"{kind} {name}"):
            held = {"litellm": given, "genai-prices": other, "lesser": min(given, other), "greater": max(given, other)}[value], why
            break
    entry = [kind, name, given, other, *held]
    if entry not in disagreements:
        disagreements.append(entry)
    return held[0] or given


def _rounded(one: int, other: int) -> bool:
    return min(one, other) * 1.06 >= max(one, other)


def _add_unlisted(stated: dict[str, dict[str, list[Row]]], providers: dict[str, genai.Provider]) -> None:
    """Contexts of models that only genai-prices knows."""
    for kind, name in GENAI.items():
        for model in providers[name].models:
            key = canonical(model.id)
            if model.context_window and key not in stated[kind]:
                stated[kind][key].append({"context": int(model.context_window)})


def _merged(rows: Iterable[Row]) -> Row:
    """One row for the regions and spellings of a model at a vendor: the least of its sizes; an ability where no row denies it."""
    found: Row = {}
    for row in rows:
        for name, value in row.items():
            # `False < True`, so the least of two abilities is the denial.
            found[name] = min(found[name], value) if name in found else value
    return found


def _add_families(names: dict[str, Row]) -> None:
    """Rows for names without a date, where the vendor's table has only dated ones: of the newest."""
    derived: dict[str, Row] = {}
    for name in sorted(names):
        for shorter in family_names(name):
            if shorter not in names:
                derived[shorter] = names[name]
    names.update(derived)


def _general(vendors: dict[str, dict[str, Row]]) -> dict[str, Row]:
    """What holds for a model at any vendor: what its maker states, and what all vendors state alike where it has no maker here.

    A model is said to lack an ability only where two vendors deny it and none has it: one missing tick is no proof.
    """
    general: dict[str, Row] = {}
    for name in {name for names in vendors.values() for name in names}:
        maker = next((kind for kind, pattern in MAKERS if pattern.match(name)), None)
        rows = [names[name] for names in vendors.values() if name in names]
        own = vendors.get(maker or "", {}).get(name)
        fields = own if own is not None else _agreed(rows)
        if own is not None and maker not in CLOSED:
            agreed = _agreed(rows)
            fields = {field: value for field, value in own.items() if field not in SIZES or field in agreed}
        facts = {field: value for field, value in fields.items() if value is not False}
        for ability in ABILITIES.values():
            counts = Counter(row[ability] for row in rows if ability in row)
            if counts[False] >= 2 and not counts[True] and ability == "images":
                facts[ability] = False
        general[name] = facts
    return general


def _agreed(rows: list[Row]) -> Row:
    first = rows[0]
    return {
        name: value for name, value in first.items() if len(rows) > 1 and all(row.get(name, value) == value for row in rows[1:])
    }


def _differing(names: dict[str, Row], general: dict[str, Row]) -> dict[str, Row]:
    """What a vendor states beyond or otherwise than `general`; a denial is left to the vendor, which can say so itself."""
    found = {}
    for name, row in sorted(names.items()):
        own = {field: value for field, value in row.items() if value is not False and general[name].get(field) != value}
        if own:
            found[name] = own
    return found


def main() -> None:
    """Write the file and print a summary of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, help="a wheel of litellm to read, instead of the newest release")
    parser.add_argument("--litellm", help="the release to read")
    options = parser.parse_args()
    if options.wheel:
        release, table = options.wheel.name.split("-")[1], read_wheel(options.wheel)
    else:
        release, table = download(options.litellm)
    made = catalog(datetime.now(UTC).date(), release, table)
    TARGET.write_bytes(orjson.dumps(made) + b"\n")
    own = sum(map(len, made["vendors"].values()))
    sys.stdout.write(
        f"{TARGET.name}: {len(made['models'])} models, {own} rows of {len(made['vendors'])} vendors,"
        f" {len(made['disagreements'])} decided disagreements\n"
    )


if __name__ == "__main__":
    main()
