"""Figures: a job names them in a few words, the service draws them from the checked table (PRIVACY.md 16)."""

from sandbox.airlock.figures.drawing import draw
from sandbox.airlock.figures.spec import KINDS, Figure, figures_of

__all__ = ["KINDS", "Figure", "draw", "figures_of"]
