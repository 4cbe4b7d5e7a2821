"""A real worker process for tests: ``python runner_process.py HOME``. Job functions leave marks under HOME/marks."""

import os
import sys
import time
from pathlib import Path

from opendata.parts import Part
from opendata.settings import Settings


def marks(context):
    directory = context.settings.home / "marks"
    directory.mkdir(exist_ok=True)
    return directory


def mark(context, name, text=""):
    with open(marks(context) / name, "a") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())


def three_steps(context, arguments):
    """Each step marks its start, waits while a file called hold-<step> exists, then marks its end."""

    def work(number, seen):
        mark(context, f"start-{number}")
        while (marks(context) / f"hold-{number}").exists():
            context.progress(f"step-{number}", 0.5, "waiting")
            time.sleep(0.02)
        mark(context, f"end-{number}", ",".join(map(str, seen)))
        return number * 10

    results = []
    for number in range(1, 4):
        results.append(context.step(f"step-{number}", work, number, results))
    context.step("sum", lambda: mark(context, "sum", str(sum(results) + arguments["add"])))


def fails_with_a_value(context, arguments):
    def work():
        raise ValueError("could not convert 'CANARY-110101199003077777' to int")

    context.step("convert", work)


def fails_clearly(context, arguments):
    from opendata.errors import InvalidInputError

    def work():
        raise InvalidInputError("第 3 行的列数不对")

    context.step("read", work)


def cleans_up(context, arguments):
    from opendata.errors import JobFailed

    try:
        context.step("fail", lambda: 1 / 0)
    except JobFailed as error:
        kind = error.error_type
        context.step("clean", lambda: mark(context, "cleaned", kind))
        raise


def returns_no_json(context, arguments):
    context.step("bad", lambda: {1, 2})


def kills_the_worker(context, arguments):
    context.step("die", lambda: os._exit(9))


HERE = "tests_runner_process"
PART = Part(
    name="tests",
    jobs={
        name: f"{HERE}:{name}"
        for name in (
            "three_steps",
            "fails_with_a_value",
            "fails_clearly",
            "cleans_up",
            "returns_no_json",
            "kills_the_worker",
        )
    },
    raw_door={
        "view": f"{HERE}:view",
        "deny": f"{HERE}:deny",
        "crash": f"{HERE}:crash",
        "unrecordable": f"{HERE}:unrecordable",
    },
)


def _audit(actor, request, payload=None):
    from opendata.db import utc_now
    from opendata.ledger.events import AuditEvent, EventType

    return AuditEvent(
        EventType.RAW_VIEW,
        actor.id,
        f"intake:{request['intake']}",
        utc_now(),
        payload or {"purpose": request["purpose"]},
    )


def view(door, actor, request):
    from opendata.storage.rawdoor import RawAnswer

    return RawAnswer({"rows": [["CANARY-张三"]], "for": actor.username}, _audit(actor, request))


def deny(door, actor, request):
    from opendata.errors import DeniedError

    raise DeniedError("只有提供部门的数据专员可以查看")


def crash(door, actor, request):
    raise ValueError("CANARY-value")


def unrecordable(door, actor, request):
    from opendata.storage.rawdoor import RawAnswer

    return RawAnswer({"rows": [["CANARY"]]}, _audit(actor, request, {"bad": object()}))


if __name__ == "__main__":
    sys.modules[HERE] = sys.modules["__main__"]
    from opendata.logs import configure
    from opendata.worker.process import run

    configure("worker")
    run(Settings.load(Path(sys.argv[1]), as_root=False), (PART,))
