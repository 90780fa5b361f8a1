"""Write the price catalog, or compare its sources.

pip download --no-deps litellm -d /some/folder
python -m tools.prices --table /some/folder/litellm-….whl [--compare]
"""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from datetime import UTC, date, datetime
from pathlib import Path

import orjson

from tools.prices.merge import HERE, Difference, catalog, decisions
from tools.prices.table import load, read

TARGET = HERE.parent.parent / "resources" / "prices.json"
COMPARISON = HERE / "comparison.json"
"""The differences of the last comparison, so that a test without the table can see that each is decided."""


def main() -> None:
    """Write the catalog and the comparison; with `--compare` print the differences and write neither."""
    options = argparse.ArgumentParser(prog="python -m tools.prices")
    options.add_argument("--table", type=Path, required=True, help="litellm's wheel, or the table of models in it")
    options.add_argument("--compare", action="store_true", help="list what the sources disagree about, and the decision")
    options.add_argument("--date", type=date.fromisoformat, default=datetime.now(UTC).date())
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    release = re.search(r"litellm-([\d.]+)-", chosen.table.name)
    made, found = catalog(read(load(chosen.table)), chosen.date, release[1] if release else "table")
    if chosen.compare:
        _print(found)
        return
    TARGET.write_bytes(orjson.dumps(made) + b"\n")
    rows = [[one.provider, one.model, one.field, one.package, one.table] for one in found]
    COMPARISON.write_bytes(b"[\n" + b",\n".join(orjson.dumps(row) for row in rows) + b"\n]\n")
    count = sum(len(provider["models"]) for provider in made["providers"].values())
    sys.stdout.write(
        f"{TARGET.name}: {count} models of {len(made['providers'])} providers, {len(made['skipped'])} without a price; "
        f"{len(found)} differences\n"
    )


def _print(found: list[Difference]) -> None:
    decided = decisions()
    for one in found:
        decision = next((each for each in decided if each.fits(one.provider, one.model, one.field)), None)
        verdict = f"{decision.take}: {decision.source}" if decision else "NOT DECIDED"
        sys.stdout.write(f"{one.provider}/{one.model} {one.field}: {one.package:g} or {one.table:g} -> {verdict}\n")


if __name__ == "__main__":
    main()
