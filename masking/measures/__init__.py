"""Measures of re-identification risk on a table and its quasi-identifiers. Read only."""

from masking.measures.classes import class_sizes, equivalence_classes, k_anonymity, uniqueness, uniqueness_all_columns
from masking.measures.closeness import t_closeness
from masking.measures.distance_linkage import DistanceResult, distance_linkage
from masking.measures.diversity import l_diversity, least_c
from masking.measures.effect import effect
from masking.measures.k_map import k_map
from masking.measures.likeness import alpha, beta_likeness, delta_disclosure
from masking.measures.linkage import Attacker, LinkageResult, linkage_drill
from masking.measures.loss import (
    ambiguity,
    average_class_size,
    discernibility,
    granularity,
    loss,
    losses,
    non_uniform_entropy,
)
from masking.measures.minimality import Minimality, minimality_attack
from masking.measures.population import PopulationUniqueness, estimate_uniqueness, population_uniqueness
from masking.measures.presence import Presence, presence
from masking.measures.proof import Proof, examine, prove
from masking.measures.proof_of_limits import Counterexample
from masking.measures.risk import JournalistRisk, Risk, individual_risk, risk, risk_figures
from masking.measures.suda import SpecialUniques, special_uniques
from masking.measures.utility import Utility, utility

__all__ = [
    "Attacker",
    "Counterexample",
    "DistanceResult",
    "JournalistRisk",
    "LinkageResult",
    "Minimality",
    "PopulationUniqueness",
    "Presence",
    "Proof",
    "Risk",
    "SpecialUniques",
    "Utility",
    "alpha",
    "ambiguity",
    "average_class_size",
    "beta_likeness",
    "class_sizes",
    "delta_disclosure",
    "discernibility",
    "distance_linkage",
    "effect",
    "equivalence_classes",
    "estimate_uniqueness",
    "examine",
    "granularity",
    "individual_risk",
    "k_anonymity",
    "k_map",
    "l_diversity",
    "least_c",
    "linkage_drill",
    "loss",
    "losses",
    "minimality_attack",
    "non_uniform_entropy",
    "population_uniqueness",
    "presence",
    "prove",
    "risk",
    "risk_figures",
    "special_uniques",
    "t_closeness",
    "uniqueness",
    "uniqueness_all_columns",
    "utility",
]
