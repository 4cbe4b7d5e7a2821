"""The durable jobs of the chain. Each is a row of steps; every step may run again after a crash and doubles nothing.

A job decides from its arguments and its steps' results only. When a step fails, what was being made is marked as failed
with one safe sentence and its staged files are removed: nothing half-made is ever visible.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from opendata.catalog.texts import text
from opendata.errors import JobCancelled, JobFailed, safe_sentence
from opendata.jobs.context import JobContext
from opendata.publishing import building, charting, intaking, lines, releasing

JOBS: Final = {
    "intake": "opendata.publishing.jobs:intake",
    "build": "opendata.publishing.jobs:build",
    "publish": "opendata.publishing.jobs:publish",
    "withdraw": "opendata.publishing.jobs:withdraw",
    "erase": "opendata.publishing.jobs:erase",
    "recipient_line": "opendata.publishing.jobs:recipient_line",
    "curve": "opendata.publishing.jobs:curve",
}
"""Kinds of jobs and their functions, for the part that registers them."""


CANCELLED: Final = text("任务已取消（cancelled）", "The job was cancelled.")
"""What is said of a thing whose making was cancelled."""


def intake(context: JobContext, arguments: dict[str, Any]) -> None:
    """Read an upload into the vault, profile it, propose roles, level and policy."""
    intake_id = arguments["intake_id"]
    with _failing(context, lambda sentence: intaking.fail(context, intake_id, sentence)):
        rows = context.step("read", lambda each: intaking.read(context, each), intake_id)
        context.step("profile", lambda each: intaking.profile(context, each, rows), intake_id)
        context.step("save", lambda each: intaking.save(context, each), intake_id)
        context.step("discard_upload", lambda each: intaking.discard_upload(context, each), intake_id)


def build(context: JobContext, arguments: dict[str, Any]) -> None:
    """Mask, measure, scan, compose and decide: a draft edition, or a reason why there is none."""
    edition_id = arguments["edition_id"]
    with _failing(context, lambda sentence: building.fail(context, edition_id, sentence)):
        context.step("mask", lambda each: building.mask(context, each), edition_id)
        context.step("scan", lambda each: building.scan(context, each), edition_id)
        composed = context.step("compose", lambda each: building.compose(context, each), edition_id)
        context.step("finish", lambda each: building.finish(context, each, composed), edition_id)


def publish(context: JobContext, arguments: dict[str, Any]) -> None:
    """Sign and store an approved edition; the catalogue switches to it in one transaction."""
    edition_id = arguments["edition_id"]
    with _failing(context, lambda sentence: building.fail(context, edition_id, sentence)):
        context.step("check", lambda each: releasing.check(context, each), edition_id)
        context.step("destroy_key", lambda each: releasing.destroy_key(context, each), edition_id)
        context.step("sign", lambda each: releasing.sign(context, each), edition_id)
        context.step("store", lambda each: releasing.store(context, each), edition_id)
        context.step("switch", lambda each: releasing.switch(context, each), edition_id)


def recipient_line(context: JobContext, arguments: dict[str, Any]) -> None:
    """Build the edition of a grant under the recipient's own key, if the edition holds keyed pseudonyms at all."""
    grant_id = arguments["grant_id"]
    edition_id = context.step("prepare", lambda each: lines.prepare(context, each), grant_id)
    if edition_id is None:
        return
    with _failing(context, lambda sentence: building.fail(context, edition_id, sentence)):
        context.step("mask", lambda each: building.mask(context, each), edition_id)
        context.step("scan", lambda each: building.scan(context, each), edition_id)
        context.step("compare", lambda each: lines.compare(context, each), edition_id)
        context.step("sign", lambda each: releasing.sign(context, each), edition_id)
        context.step("store", lambda each: releasing.store(context, each), edition_id)
        context.step("switch", lambda each: lines.switch(context, each, grant_id), edition_id)


def curve(context: JobContext, arguments: dict[str, Any]) -> None:
    """The risk–utility curve of an intake: hierarchies, plans, figures. Ends quietly if nobody wants it any more."""
    curve_id = arguments["curve_id"]
    with _failing(context, lambda sentence: charting.fail(context, curve_id, sentence)):
        if context.step("prepare", lambda each: charting.prepare(context, each), curve_id):
            context.step("search", lambda each: charting.search(context, each), curve_id)
            context.step("finish", lambda each: charting.finish(context, each), curve_id)


def withdraw(context: JobContext, arguments: dict[str, Any]) -> None:
    """Remove the files of a withdrawn edition; its doors were shut when it was withdrawn."""
    context.step("remove", lambda each: releasing.remove(context, each), arguments["edition_id"])


def erase(context: JobContext, arguments: dict[str, Any]) -> None:
    """Destroy an intake's data key and bytes; its tombstone was recorded before."""
    context.step("destroy", lambda each: intaking.destroy(context, each), arguments["intake_id"])


@contextmanager
def _failing(context: JobContext, fail: Callable[[str], None]) -> Iterator[None]:
    try:
        yield
    except JobCancelled:
        # Not a step: a step of a job that was asked to stop does not begin. It may run twice, it looks at the state.
        fail(CANCELLED["zh"])
        raise
    except Exception as error:
        sentence = str(error) if isinstance(error, JobFailed) else safe_sentence(error)
        context.step("fail", fail, sentence)
        raise
