"""
Laws of every registered technique, whoever wrote it: length, order, nulls, input, keys, batches, processes.

The columns come from the technique's own drawn examples, shuffled and mixed with nulls and invented values that it
accepts. A technique registers and is tested; nothing is listed here.
"""

import concurrent.futures
import ctypes
import itertools
import multiprocessing
import pickle
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from masking.engines.local import apply_stream
from masking.engines.plan import compile  # noqa: A004
from masking.keys import KeyUse
from masking.policy.model import AttributeRule, MaskingPolicy
from masking.taxonomy import Role
from masking.techniques import Example, Technique, get, names
from masking.techniques.base import secret_field
from tests.masking.every_technique import KEYS, Subject, apart, label, subjects

EVERY = [pytest.param(subject, id=label(subject)) for subject in subjects()]
KEYED = [
    pytest.param(list(group), id=name)
    for name, group in itertools.groupby(subjects(), key=lambda subject: subject.technique.name)
    if get(name).needs_key
]
SOME = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("subject", EVERY)
@given(data=st.data())
@SOME
def test_length_nulls_type_and_input(subject, data):
    check_length_nulls_type_and_input(subject, subject.table(data.draw(subject.any_rows())))


@pytest.mark.parametrize("subject", EVERY)
@given(data=st.data())
@SOME
def test_neither_batches_nor_order_matter(subject, data):
    table = subject.table(data.draw(subject.any_rows()))
    check_batches(subject, table, data.draw(st.integers(1, max(1, len(table)))))
    check_order(subject, table, data.draw(st.permutations(range(len(table)))))


@pytest.mark.parametrize("subject", EVERY)
@given(data=st.data())
@SOME
def test_encodings_do_not_matter(subject, data):
    check_encodings(subject, subject.table(data.draw(subject.any_rows())))


@pytest.mark.parametrize("subject", EVERY)
def test_empty_and_null_columns(subject):
    rows = subject.rows[:1] or [(None, *[None] * len(subject.others))]
    nulls = subject.table([(None, *rows[0][1:])] * 3)
    for table in (nulls, nulls.slice(0, 0)):
        for kind in (subject.type, pa.null()):
            nulls_of_kind = table.set_column(0, "value", pa.chunked_array([pa.nulls(len(table), kind)]))
            column, beside = apart(nulls_of_kind)
            made = subject.fitted(nulls_of_kind)
            masked = made.apply(column, beside)
            assert len(masked) == len(table)
            assert masked.type == made.output_type(kind)
            assert masked.null_count == len(table) or made_up(subject)


@pytest.mark.parametrize("subject", EVERY)
def test_the_same_again_also_after_pickling(subject):
    table = subject.table(subject.many_rows())
    column, beside = apart(table)
    made = subject.fitted(table)
    masked = made.apply(column, beside)
    assert subject.fitted(table).apply(column, beside).equals(masked)
    again = pickle.loads(pickle.dumps(made))
    assert again == made
    assert again.apply(column, beside).equals(masked)


@pytest.mark.parametrize("subjects_of_one", KEYED)
def test_keys_decide(subjects_of_one):
    check_keys(subjects_of_one)


@pytest.mark.parametrize("subjects_of_one", KEYED)
def test_one_key_joins_attributes_and_another_does_not(subjects_of_one):
    """Randomness that is drawn for each record is the attribute's own; all else joins inside a key domain."""
    for subject in subjects_of_one:
        table = subject.table(subject.many_rows())
        column, beside = apart(table)
        here = subject.fitted(table, attribute="here").apply(column, beside)
        there = subject.fitted(table, attribute="there").apply(column, beside)
        own = subject.technique.randomized and subject.technique.per_record()
        assert own or here.equals(there)
        if not own:
            for across in ("other", KeyUse("one", domain="elsewhere"), KeyUse("one", version=2)):
                other = subject.fitted(table, key=across, attribute="there").apply(column, beside)
                assert share_that_joins(column, here, other) < 0.25


@pytest.mark.parametrize("subject", EVERY)
def test_plans_run_alike_in_other_processes_and_at_any_batch_size(subject, pool):
    table = subject.table(subject.many_rows())
    policy = policy_of(subject)
    plan = compile(policy, table.schema, KEYS)
    plan = plan.fit(table.select(plan.unfitted)) if plan.unfitted else plan
    (whole,) = table.combine_chunks().to_batches()
    masked = plan.mask_batch(whole)
    for size, rows in ((1, 20), (7, len(table)), (64, len(table))):
        parts = [plan.mask_batch(batch) for batch in table.slice(0, rows).to_batches(max_chunksize=size)]
        assert pa.Table.from_batches(parts).equals(pa.table(masked).slice(0, rows))
    sent = [pool.submit(plan.mask_batch, batch) for batch in table.to_batches(max_chunksize=16)]
    elsewhere = pa.Table.from_batches([each.result(timeout=120) for each in sent])
    assert elsewhere.equals(pa.table(masked))
    written = []
    apply_stream(
        policy, lambda: table.to_reader(max_chunksize=9), KEYS, lambda reader: written.append(reader.read_all())
    )
    assert written[0].equals(pa.table(masked))


@pytest.fixture(scope="module")
def pool() -> Iterator[concurrent.futures.Executor]:
    """Processes that share nothing with this one but what is sent to them."""
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as made:
        yield made


def policy_of(subject: Subject) -> MaskingPolicy:
    rule = AttributeRule(
        "value",
        Role.QUASI_IDENTIFIER,
        subject.technique.name,
        dict(subject.example.parameters),
        key="one" if subject.keyed else None,
    )
    rules = {"value": rule, "record": AttributeRule("record", Role.INSENSITIVE, "keep")}
    rules |= {name: AttributeRule(name, Role.DIRECT_IDENTIFIER, "suppression.drop") for name in subject.others}
    return MaskingPolicy("laws", rules, record=("record",), test_data=True)


def made_up(subject: Subject) -> bool:
    """True if its docs say that nulls get values or values become null: it has a rule for nulls of its own."""
    return subject.technique._nulls_kept is not Technique._nulls_kept


def check_length_nulls_type_and_input(subject, table):
    column, beside = apart(table)
    before = bytes_of(table)
    made = subject.fitted(table)
    masked, rejects = made.apply_counted(column, beside)
    assert bytes_of(table) == before
    assert len(masked) == len(column)
    assert masked.type == made.output_type(column.type)
    assert 0 <= rejects <= len(column)
    if not made_up(subject):
        assert pc.is_null(masked).equals(pc.is_null(column).combine_chunks())


def check_batches(subject, table, size):
    column, beside = apart(table)
    made = subject.fitted(table)
    whole, rejects = made.apply_counted(column, beside)
    parts = [made.apply_counted(*apart(table.slice(start, size))) for start in range(0, len(table), size)]
    assert [value for part, _ in parts for value in part.to_pylist()] == whole.to_pylist()
    assert sum(count for _, count in parts) == rejects


def check_order(subject, table, order):
    """Records in another order get the same outputs, in that order: no record's place decides what becomes of it."""
    order = pa.array(order, pa.int64())
    shuffled = table.take(order)
    masked = subject.fitted(table).apply(*apart(table))
    assert subject.fitted(shuffled).apply(*apart(shuffled)).to_pylist() == masked.take(order).to_pylist()


def check_encodings(subject, table):
    column, beside = apart(table)
    masked = subject.fitted(table).apply(column, beside)
    cut = len(table) // 2
    chunked = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    padded = pa.concat_tables([table.slice(0, 1), table]).slice(1)  # buffers that begin before the column does
    for other in (chunked, padded):
        assert subject.fitted(other).apply(*apart(other)).equals(masked)
    if not pa.types.is_null(column.type):
        encoded = pa.table({name: table.column(name).dictionary_encode() for name in table.column_names})
        assert subject.fitted(encoded).apply(*apart(encoded)).equals(masked)
        # Two chunks with dictionaries of their own.
        if not len(table):
            return
        twice = pa.chunked_array([part.dictionary_encode() for part in chunked.column("value").chunks], encoded[0].type)
        assert subject.fitted(table).apply(twice, beside).equals(masked)


def check_keys(subjects_of_one):
    """Another key gives another output, under some example at least: not all parameters leave something to decide."""
    differ = []
    for subject in subjects_of_one:
        table = subject.table(subject.many_rows())
        column, beside = apart(table)
        one, other = (subject.fitted(table, key=key).apply(column, beside) for key in ("one", "other"))
        differ.append(not one.equals(other))
    assert any(differ)


def share_that_joins(column, here, there):
    """Of the distinct values that do not come out as they are, the share with one output in both."""
    rows = set(zip(column.to_pylist(), here.to_pylist(), there.to_pylist(), strict=True))
    changed = [(a, b) for value, a, b in rows if a is not None and value != a]
    return sum(a == b for a, b in changed) / max(1, len(changed))


def bytes_of(table):
    return [
        None if buffer is None else buffer.to_pybytes()
        for name in table.column_names
        for chunk in table.column(name).chunks
        for buffer in chunk.buffers()
    ]


# The laws notice what breaks them.


@dataclass(frozen=True)
class Broken(Technique):
    """Base of techniques that break one law each; none is registered."""

    name = "broken"
    spec = (Example({}, (3, 1, None, 2), (), "broken"),)


@dataclass(frozen=True)
class LooksAtItsBatch(Broken):
    def _apply(self, column):
        return pc.subtract(column, pc.min(column))


@dataclass(frozen=True)
class LooksAtPlaces(Broken):
    def _apply(self, column):
        return pc.add(column, pa.array(np.arange(len(column)) // 2))


@dataclass(frozen=True)
class WritesIntoItsInput(Broken):
    def _apply(self, column):
        ctypes.memset(column.buffers()[1].address, 0x55, 1)
        return column


@dataclass(frozen=True)
class MovesNulls(Broken):
    def _apply(self, column):
        return column.take(pa.array(np.roll(np.arange(len(column)), 1)))


@dataclass(frozen=True)
class IgnoresItsKey(Broken):
    secret: bytes = secret_field()
    needs_key = True

    def _apply(self, column):
        return column


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (LooksAtItsBatch, lambda subject, table: check_batches(subject, table, 2)),
        (LooksAtPlaces, lambda subject, table: check_order(subject, table, range(len(table))[::-1])),
        (WritesIntoItsInput, check_length_nulls_type_and_input),
        (MovesNulls, check_length_nulls_type_and_input),
        (IgnoresItsKey, lambda subject, table: check_keys([subject])),
    ],
)
def test_what_breaks_a_law_is_noticed(broken, law):
    subject = Subject(broken, broken.spec[0])
    with pytest.raises(AssertionError):
        law(subject, subject.table(subject.rows))


def test_every_technique_is_here():
    assert {subject.technique.name for subject in subjects()} == set(names())
