"""What a count of successes says about the rate behind it.

Source: Clopper and Pearson, 1934: the greatest rate at which so few successes are not yet too unlikely.
"""

from __future__ import annotations

import numpy as np


def upper_bound(successes: int, trials: int, confidence: float = 0.95) -> float:
    """The one-sided upper bound on the rate; 1 without trials. ``confidence`` in (0, 1).

    >>> round(upper_bound(0, 100), 4)  # about 3 in 100: the rule of three
    0.0295
    """
    if successes >= trials:
        return 1.0
    counts = np.arange(successes + 1)
    ways = np.concatenate([[0.0], np.cumsum(np.log(trials - counts[:-1]) - np.log(counts[1:]))])
    low, high = 0.0, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        logs = ways + counts * np.log(rate) + (trials - counts) * np.log1p(-rate)
        top = float(logs.max())
        at_most = np.exp(top) * np.exp(logs - top).sum()
        low, high = (rate, high) if at_most > 1 - confidence else (low, rate)
    return high
