"""Requests generated from `/openapi.json` by schemathesis: no response may be a 5xx. Run by `make fuzz`."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path

import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from tests.fakes.gateway import KEY
from tests.fuzz.upstream import serving

EXAMPLES = int(os.environ.get("CONDUIT_FUZZ", "100"))
UNTOUCHED = ("/admin/v1/backup", "/admin/v1/master-key/rotate", "/admin/v1/events", "/admin/v1/providers/{name}/test")
"""Operations that would write files anywhere, change the master key, never end, or call hosts that do not exist."""


def main() -> None:
    """Every operation, some hundred calls each."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "home") as (address, context):
        schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
        failures: list[str] = []
        for found in schema.get_all_operations():
            operation = found.ok()
            if operation.path not in UNTOUCHED:
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    _every(operation, mode, address, context.master_key or "", failures)
    assert not failures, "\n".join(failures)


def _every(operation: schemathesis.APIOperation, mode: GenerationMode, address: str, master: str, failures: list[str]) -> None:
    key = master if operation.path.startswith("/admin") else KEY
    statuses: Counter[int] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def each(case: schemathesis.Case) -> None:
        response = case.call(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=20)
        statuses[response.status_code] += 1
        if response.status_code >= 500 and f"{operation.method} {operation.path}" not in " ".join(failures):
            what = f"{operation.method} {operation.path}: {response.status_code} {response.text[:300]}"
            failures.append(f"{what}\n{case.as_curl_command()}")

    with suppress(Unsatisfiable):  # some operations have no invalid requests
        each()
    print(f"{operation.method.upper()} {operation.path}: {dict(statuses)}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
