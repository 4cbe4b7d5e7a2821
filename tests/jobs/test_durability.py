"""kill -9 at every step, restart: nothing lost, nothing doubled, nothing said that must not be said."""

import sqlite3

import pytest

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_worker_killed_in_mid_step_resumes_at_that_step(worker, step):
    worker.hold(step)
    worker.start()
    job = worker.enqueue("three_steps", add=5)
    worker.until(lambda: worker.mark(f"start-{step}"), f"step {step}")
    worker.kill()
    assert worker.job(job).state == "running"
    worker.release(step)
    worker.start()

    done = worker.finished(job)

    assert (done.state, done.error, done.progress) == ("done", None, 1.0)
    assert worker.mark("sum") == ["65"]
    for number in (1, 2, 3):
        assert len(worker.mark(f"end-{number}")) == 1, "every step ended once"
        assert len(worker.mark(f"start-{number}")) == (2 if number == step else 1), "only the interrupted one repeated"
    assert worker.mark("end-3") == ["10,20"], "results of earlier steps were replayed"


def test_a_job_enqueued_while_no_worker_runs_is_not_lost(worker):
    job = worker.enqueue("three_steps", add=0)
    assert worker.job(job).state == "queued"
    worker.start()
    assert worker.finished(job).state == "done"


def test_a_rolled_back_transaction_enqueues_nothing(worker):
    from opendata.jobs import Job, enqueue

    def act():
        with worker.database.begin() as session:
            enqueue(session, "three_steps", {"add": 1}, actor_id=None)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        act()
    with worker.database.session() as session:
        assert session.query(Job).count() == 0


def test_a_lost_jobs_file_starts_running_jobs_again(worker):
    worker.hold(2)
    worker.start()
    job = worker.enqueue("three_steps", add=5)
    worker.until(lambda: worker.mark("start-2"), "step 2")
    worker.kill()
    for path in worker.settings.jobs_file.parent.iterdir():
        path.unlink()
    worker.release(2)
    worker.start()
    assert worker.finished(job).state == "done"
    assert worker.mark("sum") == ["65"]


def test_cancelling_stops_a_running_and_a_queued_job(worker):
    from opendata.jobs import request_cancel

    queued = worker.enqueue("three_steps", add=1)
    with worker.database.begin() as session:
        assert request_cancel(session, queued).state == "cancelled"
    worker.hold(1)
    running = worker.enqueue("three_steps", add=1)
    worker.start()
    worker.until(lambda: worker.mark("start-1"), "step 1")
    with worker.database.begin() as session:
        assert request_cancel(session, running).state == "running"
    assert worker.finished(running).state == "cancelled"
    assert worker.mark("end-1") == []
    assert worker.job(queued).state == "cancelled"


def test_failures_are_one_sentence_without_values(worker):
    worker.start()
    jobs = {
        kind: worker.enqueue(kind)
        for kind in ("fails_with_a_value", "fails_clearly", "cleans_up", "returns_no_json", "unknown_kind")
    }
    failed = {kind: worker.finished(job) for kind, job in jobs.items()}

    assert {job.state for job in failed.values()} == {"failed"}
    assert failed["fails_clearly"].error == "第 3 行的列数不对"
    assert "ValueError" in failed["fails_with_a_value"].error
    assert "unknown_kind" in failed["unknown_kind"].error
    assert worker.mark("cleaned") == ["ZeroDivisionError"]
    worker.stop()
    for path in worker.settings.home.rglob("*"):
        if path.is_file():
            assert b"CANARY" not in path.read_bytes(), path


def test_job_tables_hold_json_and_are_in_wal_mode(worker):
    worker.start()
    worker.finished(worker.enqueue("three_steps", add=1))
    worker.stop()
    with sqlite3.connect(worker.settings.jobs_file) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        kinds = connection.execute("SELECT DISTINCT serialization FROM workflow_status").fetchall()
        outputs = connection.execute("SELECT output FROM operation_outputs").fetchall()
    connection.close()
    assert kinds == [("portable_json",)]
    assert ('{"result":10}',) in outputs


def test_two_workers_on_one_home_are_refused(worker):
    import subprocess

    worker.start()
    worker.finished(worker.enqueue("three_steps", add=1))
    first = worker.process
    worker.start()
    second, worker.process = worker.process, first
    assert second.wait(timeout=120) != 0
    assert first.poll() is None
    assert isinstance(first, subprocess.Popen)
