"""Measures of re-identification risk on a table and its quasi-identifiers. Read only."""

from masking.measures.classes import class_sizes, equivalence_classes, k_anonymity, uniqueness, uniqueness_all_columns
from masking.measures.diversity import l_diversity
from masking.measures.effect import effect
from masking.measures.risk import Risk, risk, risk_figures

__all__ = [
    "Risk",
    "class_sizes",
    "effect",
    "equivalence_classes",
    "k_anonymity",
    "l_diversity",
    "risk",
    "risk_figures",
    "uniqueness",
    "uniqueness_all_columns",
]
