"""Automatic checks of outputs: they assist people and never decide alone.

``run_checks`` gives findings about typed tables. A *blocking* finding makes approval impossible; the rest is for the
checkers' eyes. The same checks run on practice output, where the author reads every word of them.
"""

from sandbox.airlock.checks.findings import Finding
from sandbox.airlock.checks.run import CheckInput, explain, run_checks
from sandbox.airlock.checks.words import RULES, Rule

__all__ = ["RULES", "CheckInput", "Finding", "Rule", "explain", "run_checks"]
