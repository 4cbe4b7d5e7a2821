"""
Randomization family: noise, PRAM, date shifts; permutation, rank swapping and microaggregation of whole columns.

Source: ISO/IEC 20889:2018, randomization. What is drawn is drawn once for each record (PRIVACY 13; see
``masking.techniques.draws``), so that editions cannot be averaged. None of it is differential privacy: the same record
always gets the same draw, and values, not answers, are published.
"""

from masking.techniques.randomization import (
    date_shift,
    microaggregation,
    noise,
    permutation,
    pram,
    rank_swapping,
)

__all__ = ["date_shift", "microaggregation", "noise", "permutation", "pram", "rank_swapping"]
