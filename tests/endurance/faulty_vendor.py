"""A scripted vendor that cycles through every known fault of providers, with good answers between; it keeps no calls.

python -m tests.endurance.faulty_vendor --port 0
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import deque

from tests.fakes.script import Step
from tests.fakes.vendor import Vendor

GOOD = Step(text="one two three four five six seven eight nine ten", frame_s=0.005)
FAULTS = (
    Step(status=500),
    Step(status=503),
    Step(status=529),
    Step(status=429, headers={"retry-after-ms": "50"}),
    Step(reset=True),
    Step(cut_after=3),
    Step(stall_after=2),
    Step(malformed_after=0),
    Step(malformed_after=4),
    Step(error_after=3),
    Step(no_end=True),
    Step(hang=True),
    Step(think_s=0.3),
    Step(body="<html>Bad gateway</html>"),
    Step(status=400, message="no such parameter"),
)


def steps(good_between: int) -> list[Step]:
    """Every fault, with good answers after each."""
    return [step for fault in FAULTS for step in (fault, *[GOOD] * good_between)]


OUTAGE = [*[Step(status=503, message="on holiday")] * 30, *[GOOD] * 300]
"""Steps that open a circuit, and then let it close."""


async def serve(port: int) -> None:
    """Models named `first-…` fail one time in eight, one of them for a while at a time, all others one time in forty."""
    vendor = Vendor()
    vendor.calls = deque(maxlen=10)  # type: ignore[assignment]
    vendor.script(*steps(39), cycle=True)
    for number in range(7):
        vendor.script(*steps(7), model=f"first-{number}", cycle=True)
    vendor.script(*OUTAGE, model="first-7", cycle=True)
    await vendor.start(port)
    sys.stdout.write(f"Vendor listening on {vendor.anthropic_url}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(parser.parse_args().port))
