"""What the tests of randomized techniques share: building one, and statistics by hand."""

import numpy as np
import pyarrow as pa

from masking.keys import MappingKeys
from masking.techniques import get
from masking.techniques.base import WholeColumn

KEYS = MappingKeys({name: name.encode().ljust(32, b".") for name in ("one", "other", *map(str, range(100)))})


def build(name, key="one", attribute="column", record=("id",), **parameters):
    cls = get(f"randomization.{name}")
    key = key if cls.needs_key else None
    return cls.build(parameters, attribute=attribute, key=key, keys=KEYS, record=record if cls.per_record() else ())


def run(name, column, context=None, **given):
    """Build, fit where that is needed, and apply; records are told apart by their position unless ``id`` is given."""
    context = {"id": ids(len(column))} | (context or {})
    made = build(name, **given)
    if isinstance(made, WholeColumn):
        made = made.fit(column, context)
    return made.apply(column, context)


def ids(count, start=0):
    return pa.array(np.arange(start, start + count))


def chi_square(counts, expected):
    """Distance of counts from expected ones, in standard deviations of its own distribution."""
    counts, expected = np.asarray(counts, float), np.asarray(expected, float)
    freedom = len(counts) - 1
    return (((counts - expected) ** 2 / expected).sum() - freedom) / np.sqrt(2 * freedom)


def kolmogorov(sample, distribution):
    """The Kolmogorov-Smirnov statistic times the root of the sample's size; 1.95 is exceeded by chance in 0.1 %."""
    ordered = np.sort(sample)
    expected = distribution(ordered)
    steps = np.arange(len(ordered) + 1) / len(ordered)
    return max(np.abs(steps[1:] - expected).max(), np.abs(expected - steps[:-1]).max()) * np.sqrt(len(ordered))
