"""Some rounds of `make kill`: a process is killed at a random moment, and the next start finds everything and nothing left over."""

from __future__ import annotations

import os

import pytest

from tests.endurance.killed import run


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "kinds", [("load", "secrets"), ("backup", "restore"), ("import", "import command"), ("migration", "first start")]
)
def test_nothing_is_lost_half_or_left_over_after_a_kill(kinds: tuple[str, ...]) -> None:
    assert sum(run(2, seed=1, kinds=kinds, say=lambda _: None).values()) == 2
