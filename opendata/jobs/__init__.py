"""Durable jobs: an outbox in the domain's transaction, run by the worker with DBOS."""

from opendata.errors import JobCancelled, JobFailed
from opendata.jobs.models import FINISHED, Job, JobState
from opendata.jobs.service import enqueue, request_cancel

__all__ = ["FINISHED", "Job", "JobCancelled", "JobFailed", "JobState", "enqueue", "request_cancel"]
