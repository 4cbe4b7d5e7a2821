"""The real job engine on a home of `sandbox_world`, with a simulated launcher: ``engine_program.py HOME [rounds]``.

A sealed run writes ``HOME/marks/started`` and waits while ``HOME/marks/hold`` is there. A workflow id written to
``HOME/marks/cancel`` is cancelled by the engine itself; while ``HOME/marks/unclaimable`` is there, none can be
claimed. With ``rounds`` the worker comes by as it does in the service.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from dbos import DBOS

from opendata.jobs import runner
from opendata.jobs.context import Resources
from opendata.settings import Settings
from opendata.worker.rounds import Rounds
from sandbox.airlock import jobs
from sandbox.contracts import JobResult
from sandbox.parts import PART
from sandbox.workspaces.visibility import Ticks
from tests.sandbox.sandbox_world import ROOT, SimulatedLauncher


def main(home: Path, *, rounds: bool) -> None:
    """Serve until killed."""
    marks = home / "marks"

    class Held(SimulatedLauncher):
        """A launcher whose sealed runs last as long as the test wants."""

        def run_job(self, spec, inputs, output_fd, *, waiting=lambda: None) -> JobResult:
            if spec.kind == "sealed":
                with (marks / "started").open("a") as file:
                    file.write(f"{spec.id}\n")
                while (marks / "hold").exists():
                    time.sleep(0.02)
            return super().run_job(spec, inputs, output_fd, waiting=waiting)

    jobs.Launcher = Held  # type: ignore[misc]
    jobs.airlock_ticks = lambda: Ticks(base_s=0.01, wall_s=0.05)
    runner.MOST_RECOVERIES = 1
    runner._RECONCILE_S = 0.2
    claim = runner.Runner._claim

    def claimed(self: runner.Runner, job_id: str) -> object:
        if (marks / "unclaimable").exists():
            raise OSError(28, "No space left on device")
        return claim(self, job_id)

    runner.Runner._claim = claimed  # type: ignore[method-assign,assignment]
    resources = Resources.of(Settings.load(home, as_root=False, policies_dir=ROOT / "policies"))
    runner.Runner(resources, PART.jobs).launch()
    if rounds:
        Rounds(resources, {name: PART.rounds[name] for name in ("sandbox.airlock_ends",)}, every_s=0.2).start()
    (marks / "ready").touch()
    while True:
        time.sleep(0.02)
        if (marks / "cancel").exists():
            DBOS.cancel_workflow((marks / "cancel").read_text())
            (marks / "cancel").unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), rounds="rounds" in sys.argv)
