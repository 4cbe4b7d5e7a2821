"""The noise of base cells: the same whenever it is drawn, different for every cell, unknown without the intake's key.

Rule: a cell's noise is a function of the key, the dataset, the registration and the cell alone: empty cells get it as
all others do, and a job that runs twice makes one cube. It is normal and rounded to whole units, so a figure never has
digits that tell what the true one was. Two draws of 64 bits make one normal number (Box and Muller, 1958).
Pure.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from masking.keys import derive
from masking.techniques.draws import draws, uniforms

Ints = npt.NDArray[np.int64]
TECHNIQUE: Final = "sandbox.fixed_tables"


def secret_for(key: bytes, *, dataset: str, use: str) -> bytes:
    """A key for one use (a figure's noise, the choice of a person's cells) below the intake's own."""
    return derive(key, domain=dataset, technique=f"{TECHNIQUE}.{use}")


def cell_noise(secret: bytes, cells: int, deviation: float) -> Ints:
    """Noise in whole units for the cells 0 … ``cells`` - 1."""
    drawn = draws(secret, [pa.array(np.arange(cells))])
    radius = np.sqrt(-2.0 * np.log(uniforms(drawn[:, 0].copy())))
    normal = radius * np.cos(2.0 * np.pi * uniforms(drawn[:, 1].copy()))
    return np.rint(deviation * normal).astype(np.int64)
