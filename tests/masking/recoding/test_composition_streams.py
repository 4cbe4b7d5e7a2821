"""A policy that recodes beside earlier editions, batch by batch."""

from collections import defaultdict

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from masking.engines.local import apply_stream
from masking.errors import PolicyError
from masking.limits import Limits
from masking.policy import load
from masking.recoding.history import HISTORY, Earlier, history_of

POLICY = """version: 1
dataset: visits
unit: person
attributes:
  person: {role: direct_identifier, technique: suppression.drop}
  age: {role: quasi_identifier, technique: generalization.recoding, intervals: [5, 10, 20]}
  city: {role: quasi_identifier, technique: generalization.recoding, mapping: {a1: [a], a2: [a], b1: [b], b2: [b]}}
  ward: {role: sensitive, technique: keep}
limits: {k_anonymity: K, suppression: 0.2}
"""
NAMES = ["age", "city"]


def visits(rows, seed=1):
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "person": [f"p{n}" for n in range(rows)],
            "age": rng.integers(0, 90, rows),
            "city": rng.choice(["a1", "a2", "b1", "b2"], rows),
            "ward": rng.choice(["x", "y", "z"], rows),
        }
    )


def masked(table, k, history=None, batch=97):
    """The edition, with the person of each of its records beside it."""
    text = POLICY.replace("K,", f"{k},")
    whole, persons = [], []

    def look(plan, done, rows):
        assert HISTORY not in done.masked.schema.names
        kept = done.kept.column("person")
        persons.extend((kept if rows is None else kept.take(pa.array(rows))).to_pylist())

    report = apply_stream(
        load(text),
        lambda: table.to_reader(batch),
        None,
        lambda reader: whole.append(reader.read_all()),
        workers=2,
        history=history,
        look=look,
    )
    edition = pl.from_arrow(whole[0])
    assert edition.height == report.rows_out
    return edition.with_columns(pl.Series("person", persons)), report


def test_a_stream_composes_as_its_records_are_followed():
    table = visits(800)
    first, _ = masked(table.slice(0, 780), 5)
    earlier = [Earlier.of_persons(first, NAMES, "person", Limits(k_anonymity=5))]
    persons = pl.Series(table["person"].to_pylist())
    history = history_of(persons, table.num_rows, earlier, Limits(k_anonymity=9))
    free, _ = masked(table, 9)
    held, report = masked(table, 9, history)

    def smallest(edition):
        before = {person: cells for *cells, person in map(list, first.select(*NAMES, "person").iter_rows())}
        sizes = defaultdict(int)
        for *cells, person in edition.select(*NAMES, "person").iter_rows():
            sizes[(*before.get(person, ()), "|", *cells)] += 1
        return min(sizes.values())

    assert smallest(free) < 5 <= smallest(held)
    assert "composed with 1 earlier edition" in report.recoding.note
    assert report.rows_out >= 0.8 * 800
    again, _ = masked(table, 9, history, batch=331)
    assert again.equals(held)


def test_a_history_of_another_table_is_noticed():
    table = visits(60)
    history = history_of(None, 50, [], Limits(k_anonymity=5))
    with pytest.raises(PolicyError, match="the table changed between two readings"):
        masked(table, 5, history)
