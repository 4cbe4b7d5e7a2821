"""A job's way: every state the author may see has its place, and waits for the moment that is fixed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sandbox.airlock.visibility import STATE_TITLES
from sandbox.web import timeline
from sandbox.workspaces.visibility import Ticks

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
TICKS = Ticks(base_s=15, wall_s=600)


@pytest.mark.parametrize("reviewed", [True, False])
@pytest.mark.parametrize("state", STATE_TITLES)
def test_every_state_has_one_place(state, reviewed):
    steps = timeline.steps_of(state, reviewed=reviewed)
    marks = [step["mark"] for step in steps]
    assert ("code" in {step["key"] for step in steps}) is (reviewed or state in {"code_review", "code_rejected"})
    ends = [mark for mark in marks if mark in {"now", "failed"}]
    assert len(ends) == (0 if state == "released" else 1)
    assert marks == sorted(marks, key=["done", "now", "failed", "todo"].index)
    assert (state in timeline.MOVING) is ("now" in marks)


@pytest.mark.parametrize(
    ("state", "elapsed_s", "kind", "at_s", "refresh_s"),
    [
        ("submitted", 1, "soon", None, 2),
        ("dry_running", 1, "soon", None, 2),
        ("queued", 0, "tick", 15, 16),
        ("running", 16, "tick", 30, 15),
        ("running", 15, "tick", 30, 16),  # exactly at a tick: the next one
        ("running", 500, "tick", 960, 60),  # far away: looked at once a minute
        ("finished", 1, "people", None, 60),
        ("released", 1, "none", None, None),
        ("dry_failed", 1, "none", None, None),
    ],
)
def test_next_moment(state, elapsed_s, kind, at_s, refresh_s):
    now = START + timedelta(seconds=elapsed_s)
    moment = timeline.next_moment(state, queued_at=START, review_due_at=None, now=now, ticks=TICKS)
    assert (moment.kind, moment.refresh_s) == (kind, refresh_s)
    assert moment.at == (None if at_s is None else START + timedelta(seconds=at_s))


def test_sessions_are_said_to_stand_still_only_as_far_as_the_ticks_tell():
    assert timeline.stands_still([{"state": "finished"}, {"state": "running"}])
    assert timeline.stands_still([{"state": "queued"}])  # a short run never shows as running
    assert not timeline.stands_still([{"state": "code_review"}, {"state": "finished"}])
