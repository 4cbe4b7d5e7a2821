"""The runner: empties the outbox with DBOS.

A job row is the outbox entry; its id is the workflow's id, so starting it twice starts it once. DBOS records each
step's result; after ``kill -9`` the worker's next start recovers every unfinished workflow at the step it was in. Its
tables hold job ids and step results (references), as JSON, in the worker's own file (or schema, on PostgreSQL).
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from dbos import DBOS, SetWorkflowID
from dbos._serialization import DBOSPortableJSONSerializer
from sqlalchemy import make_url, select, update

from opendata.db.base import utc_now
from opendata.errors import ConfigurationError, JobCancelled, JobFailed, safe_sentence
from opendata.jobs.context import Resources
from opendata.jobs.models import FINISHED, Job, JobState
from opendata.logs import get_logger, where
from opendata.parts import resolve

#: Fixed for good: recovery looks for workflows of this executor and version, also after an upgrade of the code.
EXECUTOR_ID = "worker"
APPLICATION_VERSION = "1"
MOST_RECOVERIES = 25
_POLL_S = 0.3
_RECONCILE_S = 15.0
_PROGRESS_S = 0.5
_STEP_RESULT_BYTES = 64 * 1024

_log = get_logger("opendata.jobs")


class Runner:
    """Starts queued jobs, at most ``parallel`` at a time, until stopped. One in a process."""

    def __init__(self, resources: Resources, functions: Mapping[str, str], *, parallel: int = 4) -> None:
        self._resources = resources
        self._functions = dict(functions)
        self._parallel = parallel
        self._active: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="dispatcher", daemon=True)
        self._workflow: Callable[[str], Any] | None = None

    def launch(self) -> None:
        """Start DBOS, which recovers what a killed worker left, and then the dispatcher."""
        settings = self._resources.settings
        DBOS(
            config={
                "name": "opendata",
                "system_database_url": _system_url(settings.database_url, str(settings.jobs_file)),
                "executor_id": EXECUTOR_ID,
                "application_version": APPLICATION_VERSION,
                "serializer": DBOSPortableJSONSerializer(),
                "max_executor_threads": self._parallel + 6,
                "log_level": "CRITICAL",
                "enable_otlp": False,
            }
        )

        def workflow(job_id: str) -> None:
            self._run(job_id)

        self._workflow = DBOS.workflow(name="opendata.job", max_recovery_attempts=MOST_RECOVERIES)(workflow)
        DBOS.launch()
        self._reconcile()
        self._thread.start()

    def stop(self) -> None:
        """Stop dispatching and close DBOS. Running steps are not waited for: the next start resumes them."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        DBOS.destroy(destroy_registry=True)

    @property
    def alive(self) -> bool:
        """Whether the dispatcher is running."""
        return self._thread.is_alive()

    # The outbox

    def _loop(self) -> None:
        reconciled = time.monotonic()
        while not self._stop.wait(_POLL_S):
            try:
                self._dispatch()
                if time.monotonic() - reconciled > _RECONCILE_S:
                    reconciled = time.monotonic()
                    self._reconcile()
            except Exception as error:  # noqa: BLE001 (a locked or restarting database must not end the dispatcher)
                _log.error("dispatch failed", error=type(error).__name__, where=where(error))

    def _dispatch(self) -> None:
        with self._lock:
            room, busy = self._parallel - len(self._active), set(self._active)
        if room <= 0:
            return
        with self._resources.database.session() as session:
            queued = session.scalars(
                select(Job.id)
                .where(Job.state == JobState.QUEUED)
                .order_by(Job.created_at, Job.id)
                .limit(room + len(busy))
            ).all()
        for job_id in [each for each in queued if each not in busy][:room]:
            self._start(job_id)

    def _start(self, job_id: str) -> None:
        assert self._workflow is not None
        with self._lock:
            self._active.add(job_id)
        try:
            with SetWorkflowID(job_id):
                DBOS.start_workflow(self._workflow, job_id)
        except BaseException:
            with self._lock:
                self._active.discard(job_id)
            raise

    def _reconcile(self) -> None:
        """Rows that say running while DBOS does not: start them again, or record that they ended.

        A queued row that was started and whose workflow is over could not even be claimed; its place is free again.
        """
        open_states = (JobState.RUNNING, JobState.QUEUED)
        with self._resources.database.session() as session:
            found = session.execute(select(Job.id, Job.state).where(Job.state.in_(open_states))).all()
        with self._lock:
            looked_at = [job_id for job_id, state in found if (state == JobState.QUEUED) == (job_id in self._active)]
        for job_id in looked_at:
            status = DBOS.get_workflow_status(job_id)
            if status is None:  # the jobs file was lost or restored from an older backup
                self._start(job_id)
            elif status.status not in {"PENDING", "ENQUEUED", "DELAYED"}:
                sentence = f"后台进程在这个任务中多次中断，任务已停止；未发布任何内容（{status.status}）"
                self._finish(job_id, JobState.FAILED, sentence)
                with self._lock:
                    self._active.discard(job_id)

    # One job

    def _run(self, job_id: str) -> None:
        with self._lock:
            self._active.add(job_id)
        try:
            self._run_job(job_id)
        finally:
            with self._lock:
                self._active.discard(job_id)

    def _run_job(self, job_id: str) -> None:
        claimed = self._claim(job_id)
        if claimed is None:
            return
        kind, arguments, actor_id = claimed
        _log.info("job started", job=job_id, kind=kind)
        try:
            function = resolve(self._dotted(kind))
            context = _Context(self._resources, job_id, actor_id)
            context.check_cancelled()
            function(context, arguments)
        except JobCancelled:
            self._finish(job_id, JobState.CANCELLED, None)
        except Exception as error:  # noqa: BLE001 (whatever it is, the job has failed and says so)
            _log.error("job failed", job=job_id, kind=kind, error=type(error).__name__, where=where(error))
            self._finish(job_id, JobState.FAILED, safe_sentence(error))
        else:
            self._finish(job_id, JobState.DONE, None)

    def _dotted(self, kind: str) -> str:
        if kind not in self._functions:
            raise ConfigurationError(f"没有部件登记过任务 {kind}（no part registers this kind of job）")
        return self._functions[kind]

    def _claim(self, job_id: str) -> tuple[str, dict[str, Any], str | None] | None:
        with self._resources.database.begin() as session:
            job = session.get(Job, job_id)
            if job is None or job.state in FINISHED:
                return None
            job.state = JobState.RUNNING
            job.started_at = job.started_at or utc_now()
            return job.kind, dict(job.arguments), job.created_by

    def _finish(self, job_id: str, state: JobState, error: str | None) -> None:
        values: dict[str, Any] = {"state": state, "error": error, "finished_at": utc_now()}
        if state is JobState.DONE:
            values["progress"] = 1.0
        with self._resources.database.begin() as session:
            session.execute(update(Job).where(Job.id == job_id, Job.state.not_in(FINISHED)).values(**values))
        _log.info("job finished", job=job_id, state=state.value)


class _Context:
    """The JobContext of one run."""

    def __init__(self, resources: Resources, job_id: str, actor_id: str | None) -> None:
        self.job_id = job_id
        self.actor_id = actor_id
        self.settings = resources.settings
        self.database = resources.database
        self.vault = resources.vault
        self.keys = resources.keys
        self.editions = resources.editions
        self._shown: tuple[str, float] = ("", 0.0)

    def step(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        outcome = DBOS.run_step({"name": name}, _recorded, self, name, function, arguments)
        if "cancelled" in outcome:
            raise JobCancelled
        if "failed" in outcome:
            raise JobFailed(outcome["failed"], error_type=outcome["error_type"])
        return outcome["result"]

    def progress(self, step: str, fraction: float, message: str = "") -> None:
        shown_step, shown_at = self._shown
        now = time.monotonic()
        if step == shown_step and now - shown_at < _PROGRESS_S and fraction < 1:
            return
        self._shown = (step, now)
        with self.database.begin() as session:
            cancelled = session.scalar(
                update(Job)
                .where(Job.id == self.job_id)
                .values(step=step[:100], progress=min(max(fraction, 0.0), 1.0), message=message or None)
                .returning(Job.cancel_requested)
                .execution_options(synchronize_session=False)
            )
        if cancelled:
            raise JobCancelled

    def check_cancelled(self) -> None:
        with self.database.session() as session:
            if session.scalar(select(Job.cancel_requested).where(Job.id == self.job_id)):
                raise JobCancelled


def _recorded(context: _Context, name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> dict[str, Any]:
    """What DBOS stores of a step: its result, or one safe sentence; never a foreign exception with its message."""
    try:
        context.progress(name, 0.0)
        result = function(*arguments)
        encoded = json.dumps(result, allow_nan=False)
        if len(encoded) > _STEP_RESULT_BYTES:
            raise JobFailed(f"步骤 {name} 的结果过大，只应返回引用（return references from a step）")  # noqa: TRY301
        return {"result": json.loads(encoded)}
    except JobCancelled:
        return {"cancelled": True}
    except Exception as error:  # noqa: BLE001 (recorded and raised again outside, as JobFailed)
        _log.error("step failed", job=context.job_id, step=name, error=type(error).__name__, where=where(error))
        return {"failed": safe_sentence(error), "error_type": type(error).__name__}


def _system_url(database_url: str, jobs_file: str) -> str:
    url = make_url(database_url)
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql").render_as_string(hide_password=False)
    os.close(os.open(jobs_file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(jobs_file)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    return f"sqlite:///{jobs_file}"
