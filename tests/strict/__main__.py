"""python -m tests.strict: sends many drawn requests to every strict vendor, and prints what was refused."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click
import orjson

from conduit_desktop.core.paths import Home
from tests.strict.drawing import CLIENTS
from tests.strict.translated_requests import MODELS, send_drawn_requests


@click.command()
@click.option("--each", default=10, help="Drawn requests of each client to each model.")
@click.option("--vendors", default=",".join(MODELS), help="Names, separated by commas.")
@click.option("--clients", default=",".join(CLIENTS), help="Names, separated by commas.")
@click.option("--seed", default=1)
@click.option("--examples", default=0, help="Show so many requests of each failure.")
def main(each: int, vendors: str, clients: str, seed: int, examples: int) -> None:
    """Exit code 1 where a request was refused."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(root=Path(folder) / "home")
        count, failures = asyncio.run(send_drawn_requests(home, vendors.split(","), clients.split(","), each, seed))
    print(f"{count} requests, {len(failures)} failures")
    by_cause: dict[tuple[str, str], list[object]] = {}
    for failure in failures:
        by_cause.setdefault((failure.vendor, failure.why), []).append(failure)
    for (vendor, why), found in sorted(by_cause.items(), key=lambda item: -len(item[1])):
        who = Counter(f"{one.client}" for one in found)
        print(f"{len(found):5d} {vendor}: {why}  {dict(who)}")
        for one in found[:examples]:
            print(f"      {one.client} sent {orjson.dumps(one.sent).decode()[:1500]}")
            print(f"      {one.model} got {orjson.dumps(one.reached).decode()[:1500]}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
