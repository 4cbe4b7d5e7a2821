"""Rounds of the parts: each has its turn, whatever happens to another."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import cast

from opendata.jobs.context import Resources
from opendata.worker.rounds import Rounds


def test_a_failing_round_keeps_nobody_else_from_theirs(monkeypatch):
    seen = []
    module = ModuleType("rounds_of_a_test")
    module.failing = lambda resources: 1 / 0  # type: ignore[attr-defined]
    module.working = seen.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rounds_of_a_test", module)
    resources = cast("Resources", object())
    rounds = {"one": "rounds_of_a_test:failing", "two": "rounds_of_a_test:working"}
    Rounds(resources, rounds).once()
    assert seen == [resources]
