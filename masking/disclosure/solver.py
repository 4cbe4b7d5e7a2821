"""Linear and integer programs, solved by HiGHS: one thread, fixed seed, no clock, so that results repeat.

Source: Huangfu and Hall, 2018 (HiGHS, the package ``highspy``, MIT licence).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from masking.disclosure.margins import Equations

Floats = npt.NDArray[np.float64]
TOLERANCE: Final = 1e-6
"""Relative to the largest number of a program."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The best values found, the reduced costs of the columns and the prices of the rows (empty for whole numbers).

    ``proven``: nothing is better; False where the node limit came first.
    """

    values: Floats
    objective: float
    reduced: Floats
    proven: bool


class Program:
    """Minimise ``cost @ x`` with ``lower <= x <= upper`` and rows between ``row_lower`` and ``row_upper``.

    The solver keeps its basis: after a change of costs or bounds it starts from the last solution.
    """

    def __init__(
        self,
        rows: Equations,
        *,
        cost: Floats,
        lower: Floats,
        upper: Floats,
        row_lower: Floats,
        row_upper: Floats,
        whole: npt.NDArray[np.bool_] | None = None,
        nodes: int | None = None,
    ) -> None:
        # The class below ``highspy.Highs``: that one prints a banner to standard output, which belongs to the caller.
        from highspy import _core as highs

        self._codes = highs.HighsModelStatus
        self._solver: Any = highs._Highs()
        for option, value in {
            "output_flag": False,
            "threads": 1,
            "random_seed": 0,
            "presolve": "on" if whole is not None else "off",
            "mip_rel_gap": 0.0,
            "primal_feasibility_tolerance": 1e-9,
            "dual_feasibility_tolerance": 1e-9,
        }.items():
            self._solver.setOptionValue(option, value)
        if nodes is not None:
            self._solver.setOptionValue("mip_max_nodes", nodes)
        model = highs.HighsLp()
        model.num_col_, model.num_row_ = len(cost), len(row_lower)
        model.col_cost_, model.col_lower_, model.col_upper_ = cost, lower, upper
        model.row_lower_, model.row_upper_ = row_lower, row_upper
        model.a_matrix_.format_ = highs.MatrixFormat.kRowwise
        model.a_matrix_.start_ = rows.starts.astype(np.int32)
        model.a_matrix_.index_ = rows.cells.astype(np.int32)
        model.a_matrix_.value_ = rows.signs
        if whole is not None:
            kinds = (highs.HighsVarType.kContinuous, highs.HighsVarType.kInteger)
            model.integrality_ = [kinds[int(each)] for each in whole]
        self._solver.passModel(model)

    def cost(self, columns: npt.NDArray[np.int64], costs: Floats) -> None:
        """Change the costs of some columns."""
        self._solver.changeColsCost(len(columns), columns.astype(np.int32), costs)

    def bounds(self, columns: npt.NDArray[np.int64], lower: Floats, upper: Floats) -> None:
        """Change the bounds of some columns."""
        self._solver.changeColsBounds(len(columns), columns.astype(np.int32), lower, upper)

    def add_row(self, columns: npt.NDArray[np.int64], weights: Floats, lower: float) -> None:
        """Ask for ``weights @ x[columns] >= lower`` too."""
        self._solver.addRow(lower, np.inf, len(columns), columns.astype(np.int32), weights)

    def start_from(self, values: Floats) -> None:
        """Give a solution to an integer program, which it will not fall behind."""
        from highspy import _core as highs

        solution = highs.HighsSolution()
        solution.col_value = list(values)
        self._solver.setSolution(solution)

    def solve(self) -> Solution | None:
        """The best solution; None if there is none, or none was found before the node limit. Unbounded: infinite."""
        self._solver.run()
        status = self._solver.getModelStatus()
        if status in (self._codes.kInfeasible, self._codes.kUnboundedOrInfeasible):
            return None
        found = self._solver.getSolution()
        values = np.array(found.col_value)
        if status == self._codes.kUnbounded:
            return Solution(values, -np.inf, np.zeros(0), proven=True)
        proven = status == self._codes.kOptimal
        objective = float(self._solver.getObjectiveValue())
        if not len(values) or not np.isfinite(objective):
            return None
        return Solution(values, objective, np.array(found.col_dual), proven=proven)
