"""How a dry run ended, and what is too large to be sent, in what a notebook and the command line show."""

from __future__ import annotations

import json

import pytest

from sandbox.airlock.reasons import how_it_ended
from sandbox.cli.run import _show
from sandbox.client import ClientError, Job, Workspace
from sandbox.contracts import CHECK_BYTES, CODE_BYTES, JobReason, JobResult, Limits

REASONS: tuple[JobReason, ...] = ("exit", "timeout", "memory", "output", "cancelled", "unavailable")


def job(reason: JobReason, error: str) -> dict[str, object]:
    """A job whose dry run ended so, as the service tells it."""
    result = JobResult("failed" if reason in {"exit", "output"} else "killed", reason, 1, 1.0, None)
    dry = {"state": result.state, "reason": reason, "message": how_it_ended(result, Limits()), "error": error}
    titles = {"zh": "试运行未通过", "en": "the dry run did not pass"}
    return {
        "id": "j1",
        "entry": "a.py",
        "state": "dry_failed",
        "state_title": titles,
        "dry_run": dry | {"findings": []},
    }


@pytest.mark.parametrize("reason", REASONS)
def test_notebook_and_command_line_say_how_a_dry_run_ended(
    reason: JobReason, capsys: pytest.CaptureFixture[str]
) -> None:
    error = "ValueError: <b>7</b>" if reason == "exit" else ""
    found = Job(job(reason, error), dict, dict).dry_run
    assert found is not None
    assert not found.passed
    message = how_it_ended(JobResult("killed", reason, 1, 1.0, None), Limits())
    assert message is not None
    _show(job(reason, error))
    for shown in (repr(found), found._repr_html_(), capsys.readouterr().out):
        assert message["zh"] in shown
        assert message["en"] in shown
        assert "没有发现问题" not in shown
    assert error in repr(found)
    assert "<b>" not in found._repr_html_()


def test_a_run_that_was_well_says_nothing() -> None:
    assert how_it_ended(JobResult("ok", "exit", 0, 1.0, None), Limits()) is None


class Silent:
    """A gate that must not be asked."""

    def post(self, *_: object) -> object:
        raise AssertionError("sent")


def test_what_is_too_large_is_told_before_it_is_sent(tmp_path) -> None:  # type: ignore[no-untyped-def]
    workspace = Workspace("w1", Silent())  # type: ignore[arg-type]
    table, script, book = tmp_path / "t.csv", tmp_path / "a.py", tmp_path / "a.ipynb"
    table.write_bytes(b"x" * (CHECK_BYTES + 1))
    script.write_bytes(b"#" * (CODE_BYTES + 1))
    cell = {"cell_type": "code", "metadata": {}, "source": "1", "outputs": ["x" * CODE_BYTES], "execution_count": 1}
    book.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    with pytest.raises(ClientError, match=f"{CHECK_BYTES:,}"):
        workspace.check(table)
    with pytest.raises(ClientError, match=f"{CODE_BYTES:,}"):
        workspace.submit(script)
    with pytest.raises(AssertionError, match="sent"):  # it is small without what its cells showed
        workspace.submit(book)
