"""A second red team's outputs, written before reading the first set: how many are stopped or found, and false alarms.

Other tables (several records a person, gaps, Chinese columns), other programs; each goes the way of `path.examine`, with
the strings of its own code as the airlock reads them. What passed when first tried is kept (``PASSING``).
"""

from __future__ import annotations

import inspect
import math
import re

import pytest

from tests.sandbox.airlock.seeded import other_bad, other_good
from tests.sandbox.airlock.seeded.other_tables import CODE_LISTS, DIRECT, make
from tests.sandbox.airlock.seeded.path import Outcome, Program, examine

RAW = make(11, persons=8_000, claims=16_000, register=9_000)
PRACTICE = make(12, persons=3_000, claims=6_000, register=4_000)
PASSING = {
    "all and all but the target in one table": "alike in three digits, so what is released tells nothing",
    "low digits of true means": "three digits are released",
    "effects of hospitals that are persons": "models are not recomputed",
    "correlation of three persons": "rows named after columns are not groups of the raw table",
    "three digits of a phone number per mean of a made group": "only the code knows the groups",
}
FALSE_ALARMS = {
    "text summary in Chinese": "prose is no table",
    "quartiles of large groups": "refused at levels 3 and 4",
    "median by large wards": "refused at levels 3 and 4",
}
STRINGS = re.compile(r"""(['"])((?:(?!\1)[^\\\n]){1,80})\1""")


def outcome(program: Program, *, strict: bool) -> Outcome:
    constants = frozenset(match[2] for match in STRINGS.finditer(inspect.getsource(program)))
    return examine(program, RAW, PRACTICE, strict=strict, constants=constants, direct=DIRECT, codes=CODE_LISTS)


@pytest.fixture(scope="module")
def bad() -> dict[str, Outcome]:
    return {name: outcome(program, strict=False) for name, program in other_bad.P.items()}


def test_bad_outputs_are_stopped_or_found(bad: dict[str, Outcome]):
    stopped = {name for name, each in bad.items() if each.blocking}
    passed = {name for name, each in bad.items() if each.silent}
    print(f"other bad outputs: {len(bad)}; stopped {len(stopped)}, passed {sorted(passed)}")
    assert len(bad) >= 45
    assert passed <= set(PASSING)
    # What is released of the first two tells nothing.
    assert len(bad) - len(passed - set(list(PASSING)[:2])) >= math.ceil(0.95 * len(bad))


def test_good_outputs_raise_few_alarms():
    alarms = {
        name: found for name, program in other_good.P.items() if not (found := outcome(program, strict=True)).silent
    }
    print(f"other good outputs: {len(other_good.P)}; false alarms {sorted(alarms)}")
    assert len(other_good.P) >= 30
    assert len(alarms) <= 0.1 * len(other_good.P)
    assert alarms.keys() <= FALSE_ALARMS.keys(), {name: (each.blocking, each.found) for name, each in alarms.items()}
