"""A session's idle time: only what passed while it could run, and only since its last use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.hub.idle import IdleClock

LOOKS = st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 1), st.booleans()), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("looks", "unused"),
    [
        ([(10, 0, False), (20, 0, False)], 20),
        ([(10, 0, False), (20, 0, True), (5000, 0, True), (5010, 0, False), (5020, 0, False)], 20),  # stood still
        ([(10, 0, False), (20, 15, False)], 5),  # used between two looks
        ([(10, 0, False), (20, 15, False), (30, 15, False)], 15),
        ([(10, 0, True), (20, 0, False), (30, 25, True), (40, 25, False), (50, 25, False)], 10),
        ([(10, 0, False), (40, 5, False)], 30),  # an earlier use, told late: counted from the look before
        ([(10, -50, False)], 10),  # a use before this session started
        ([(10, 0, False), (5, 0, False)], 10),  # a clock that was set back
    ],
)
def test_idle_time(looks: list[tuple[float, float, bool]], unused: float) -> None:
    clock = IdleClock(0.0)
    assert [clock.look(now, used=used, still=still) for now, used, still in looks][-1] == unused


@given(LOOKS)
def test_never_more_than_passed_since_the_last_use_and_none_of_what_it_stood_still(looks) -> None:
    clock, now, last, ran, before = IdleClock(0.0), 0.0, 0.0, 0.0, False
    for step, part, still in looks:
        last, now = max(last, now + step * part), now + step
        ran += step if not (still or before) else 0.0
        before = still
        counted = clock.look(now, used=last, still=still)
        assert 0.0 <= counted <= min(now - last, ran) + 1e-6
