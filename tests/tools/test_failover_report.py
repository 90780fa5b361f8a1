"""The report of faults is of tests that exist: it says what was run, and nothing where it was not."""

from __future__ import annotations

import re

from tools.failover_report import FAULTS, ROOT, TESTS


def test_every_fault_of_the_report_has_a_test_in_the_files_that_are_run() -> None:
    names = "".join((ROOT / file).read_text(encoding="utf-8") for file in TESTS)
    assert {number.upper() for number in re.findall(r"def test\w*_(s\d\d)_", names)} == FAULTS.keys()
