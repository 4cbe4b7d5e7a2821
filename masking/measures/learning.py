"""How well a model learns from a table before and after masking: scikit-learn, loaded only when asked for.

The model predicts one column from others, all taken as categories (a generalized value is one), and is scored by
cross-validation within each table. Records are sorted first, so that their order does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from masking.errors import InvalidParameter
from masking.measures.coding import coded, columns_of

Model = Literal["logistic", "boosting"]


@dataclass(frozen=True, slots=True)
class Score:
    """Mean over the folds. ``auc``: area under the ROC curve, one class against the rest, weighed by their records."""

    accuracy: float
    auc: float


@dataclass(frozen=True, slots=True)
class Learned:
    """``baseline``: accuracy of always saying the commonest class of the original."""

    target: str
    model: str
    baseline: float
    before: Score
    after: Score


def learn(
    original: Any,
    released: Any,
    target: str,
    features: Sequence[str],
    *,
    model: Model = "logistic",
    folds: int = 3,
    seed: int = 0,
) -> Learned:
    """Score a model of ``target`` trained on each table. ``folds`` must be in [2, records of the rarest class].

    ``logistic``: regression on one column a category. ``boosting``: gradient-boosted trees; beyond 254 categories of an
    attribute the rarest are one.

    Raises:
        InvalidParameter: scikit-learn is not installed, an unknown model, or a target with too few records or classes.
        UnknownAttribute: a table lacks a column.
    """
    try:
        import sklearn  # noqa: F401  # type: ignore[import-untyped]
    except ImportError:
        raise InvalidParameter(
            "a trained model needs scikit-learn, which is not installed", parameter="model"
        ) from None
    if model not in ("logistic", "boosting"):
        raise InvalidParameter("model must be logistic or boosting", parameter="model")
    names = [name for name in dict.fromkeys(features) if name != target]
    if not names:
        raise InvalidParameter("a model needs at least one attribute besides its target", parameter="features")
    baseline = 0.0
    scores = []
    for place, table in enumerate((original, released)):
        x, y = _arrays(table, names, target)
        counts = np.unique(y, return_counts=True)[1]
        if len(counts) < 2 or folds < 2 or counts.min() < folds:
            raise InvalidParameter(
                "the target needs at least two classes, each with as many records as there are folds", parameter="folds"
            )
        baseline = float(counts.max() / counts.sum()) if not place else baseline
        scores.append(_score(x, y, model, folds, seed))
    return Learned(target, model, baseline, *scores)


def _score(x: Any, y: Any, model: Model, folds: int, seed: int) -> Score:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_validate
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
    from threadpoolctl import threadpool_limits

    if model == "logistic":
        pipeline = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression(max_iter=500))
    else:
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=254)
        trees = HistGradientBoostingClassifier(
            categorical_features=list(range(x.shape[1])), random_state=seed, max_iter=60, early_stopping=False
        )
        pipeline = make_pipeline(encoder, trees)
    scoring = {"accuracy": "accuracy", "auc": "roc_auc" if len(np.unique(y)) == 2 else "roc_auc_ovr_weighted"}
    split = StratifiedKFold(n_splits=folds, shuffle=True, random_state=seed)
    # One thread: sums in another order would give other scores.
    with threadpool_limits(limits=1):
        found = cross_validate(pipeline, x, y, cv=split, scoring=scoring, error_score="raise")
    return Score(float(found["test_accuracy"].mean()), float(found["test_auc"].mean()))


def _arrays(table: Any, names: Sequence[str], target: str) -> tuple[Any, Any]:
    """Features and target as text categories, the records sorted."""
    columns_of(table, [*names, target])
    codes, _ = coded(table, [*names, target])
    texts = {}
    for name, each in codes.items():
        assert each.values is not None
        # A null is a category: no text of a value begins with this character.
        of_value = np.array(["\0" if value is None else str(value) for value in each.values.to_pylist()], dtype=object)
        texts[name] = of_value[each.codes]
    order = np.lexsort([texts[name].astype(str) for name in (*names, target)])
    return np.column_stack([texts[name] for name in names])[order], texts[target].astype(str)[order]
