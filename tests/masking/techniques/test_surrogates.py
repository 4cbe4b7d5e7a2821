"""Surrogates and running numbers: equal values alike, nothing but equality, never taken for real."""

import pickle
import traceback

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.detection import Detector
from masking.errors import InvalidParameter, InvalidValue, MaskingError, UnkeyedToken, UnsupportedColumn
from masking.keys import MappingKeys
from masking.techniques import get
from masking.techniques.surrogates import pool

KEYS = MappingKeys({"one": bytes(range(32)), "other": bytes(range(1, 33))})
KINDS = ("person", "company", "address", "street", "job")
LOCALES = ("zh_CN", "en_US")
CANARY = "Canary-44030719900101001X"


def surrogate(kind="person", key="one", **parameters):
    return get("pseudonymization.surrogate").build({"kind": kind, **parameters}, attribute="who", key=key, keys=KEYS)


def sequence(key="one", **parameters):
    return get("pseudonymization.sequence").build(parameters, attribute="who", key=key, keys=KEYS)


def numbered(column, **given):
    return sequence(**given).fit(column, {}).apply(column).to_pylist()


class TestSurrogate:
    @pytest.mark.parametrize("locale", LOCALES)
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_pool_is_as_large_as_documented_and_marked(self, kind, locale):
        sizes = {
            ("zh_CN", "person"): 2.9e6,
            ("zh_CN", "company"): 1.9e6,
            ("zh_CN", "address"): 1e11,
            ("zh_CN", "street"): 9.3e5,
            ("zh_CN", "job"): 948,
            ("en_US", "person"): 1.7e7,
            ("en_US", "company"): 5.9e6,
            ("en_US", "address"): 1e15,
            ("en_US", "street"): 1.9e8,
            ("en_US", "job"): 639,
        }
        size = pool(kind, locale, "").size
        assert sizes[locale, kind] <= size < 2**63
        column = pa.array([str(n) for n in range(2000)])
        for parameters, mark in (({}, ("）", ")")), ({"mark": "※"}, ("※",))):
            masked = surrogate(kind, locale=locale, **parameters).apply(column).to_pylist()
            assert all(value.endswith(mark) for value in masked)
            assert len(set(masked)) > min(1900, 0.8 * size)

    def test_a_pool_has_no_combination_twice(self):
        small = pool("job", "zh_CN", "")
        assert len(set(small.pick(np.arange(small.size, dtype=np.uint64)).to_pylist())) == small.size
        persons = pool("person", "zh_CN", "")
        drawn = np.random.default_rng(1).choice(persons.size, 20_000, replace=False).astype(np.uint64)
        assert (
            len(set(persons.pick(drawn).to_pylist())) >= 19_900
        )  # 欧阳 and a name may spell like 欧 and 阳 and a name

    def test_collisions_are_those_of_chance(self):
        """10,000 persons: about 17 pairs share a surrogate, as the docs say; three times as many would be a bug."""
        masked = surrogate().apply(pa.array([f"person {n}" for n in range(10_000)]))
        assert 10_000 - 51 < len(set(masked.to_pylist())) < 10_000

    def test_a_value_has_one_surrogate_whatever_type_holds_it(self):
        one = surrogate().apply(pa.array(["5"])).to_pylist()
        assert surrogate().apply(pa.array([5])).to_pylist() == one
        assert surrogate().apply(pa.array([5.0])).to_pylist() == one
        assert surrogate().apply(pa.array(["5"]).dictionary_encode()).to_pylist() == one

    def test_keys_decide(self):
        column = pa.array([str(n) for n in range(200)])
        one, other = (surrogate(key=key).apply(column).to_pylist() for key in ("one", "other"))
        assert sum(a == b for a, b in zip(one, other, strict=True)) == 0
        assert surrogate(key="one").apply(column).to_pylist() == one
        with pytest.raises(UnkeyedToken):
            get("pseudonymization.surrogate").build({"kind": "person"}, attribute="who", keys=KEYS)

    @given(st.lists(st.one_of(st.none(), st.text(max_size=9)), max_size=12), st.integers(0, 12))
    @settings(max_examples=30, deadline=None)
    def test_equality_and_nothing_else(self, values, cut):
        column = pa.array(values, pa.string())
        made = surrogate("address")
        masked = made.apply(column).to_pylist()
        assert made.apply(column.slice(0, cut)).to_pylist() + made.apply(column.slice(cut)).to_pylist() == masked
        for a, one in zip(values, masked, strict=True):
            assert (a is None) == (one is None)
            assert all((a == b) == (one == two) for b, two in zip(values, masked, strict=True))

    @pytest.mark.parametrize("mark", ["", " ", "化名", "Jr.", " - ", "先生", "42"])
    def test_a_mark_that_could_be_a_part_of_a_name_is_refused(self, mark):
        with pytest.raises(InvalidParameter, match="mark"):
            surrogate(mark=mark)

    @pytest.mark.parametrize("parameters", [{"kind": "cat"}, {"locale": "fr_FR"}, {"mark": 1}])
    def test_parameters_outside_their_interval(self, parameters):
        with pytest.raises(InvalidParameter):
            surrogate(**parameters)

    def test_columns_of_another_type_are_refused(self):
        for column in (pa.array([[CANARY]]), pa.array([CANARY.encode()]), pa.array([{"a": CANARY}])):
            with pytest.raises(UnsupportedColumn) as refused:
                surrogate().apply(column)
            assert CANARY not in "".join(traceback.format_exception(refused.value))

    def test_no_surrogate_of_a_number_is_a_number(self):
        """What stands for an identifier in the wrong column is no identifier either."""
        masked = surrogate("address").apply(pa.array([f"138{n:08d}" for n in range(500)])).to_pylist()
        assert not [finding for text in masked for finding in Detector().find(text) if finding.type != "PERSON"]


class TestSequence:
    def test_numbers_are_1_to_n_and_equal_values_share_one(self):
        values = [f"v{n % 50}" for n in range(120)] + [None]
        masked = numbered(pa.array(values))
        assert masked[-1] is None
        assert set(masked[:-1]) == {f"P{n:07d}" for n in range(1, 51)}
        assert len(set(zip(values, masked, strict=True))) == 51

    def test_order_tells_nothing(self):
        """Ranks of the values and of their numbers are unrelated: correlation of 2,000 pairs within five deviations."""
        column = pa.array(range(2000))
        numbers = np.array([int(text[1:]) for text in numbered(column)])
        assert abs(np.corrcoef(np.arange(2000), numbers)[0, 1]) < 5 / np.sqrt(2000)

    def test_only_the_set_of_values_decides(self):
        column = pa.array(["a", "b", None, "c", "a"])
        again = pa.array(["c", "a", "b", "b"])
        there = dict(zip(again.to_pylist(), numbered(again), strict=True))
        assert numbered(column) == [there["a"], there["b"], None, there["c"], there["a"]]

    def test_one_value_more_shifts_numbers(self):
        before = numbered(pa.array([str(n) for n in range(100)]))
        after = numbered(pa.array([str(n) for n in range(101)]))
        assert before != after[:100]

    def test_parts_and_other_types(self):
        column = pa.array([3, 1, 2, None])
        made = sequence().fit(column, {})
        whole = made.apply(column).to_pylist()
        assert [made.apply(column[place : place + 1])[0].as_py() for place in range(4)] == whole
        assert made.apply(pa.array(["3", "1", "2", None])).to_pylist() == whole
        assert sequence().fit(pa.chunked_array([column[:2], column[2:]]), {}).apply(column).to_pylist() == whole
        sent = pickle.loads(pickle.dumps(made))
        assert sent.apply(column).to_pylist() == whole
        assert sent == made

    def test_what_was_not_there_is_refused(self):
        made = sequence().fit(pa.array(["a"]), {})
        with pytest.raises(InvalidValue) as refused:
            made.apply(pa.array(["a", CANARY, None, CANARY]))
        assert (refused.value.count, refused.value.first_rows) == (2, (1, 3))
        assert CANARY not in "".join(traceback.format_exception(refused.value)) + repr(vars(refused.value))

    def test_it_has_to_see_the_column_first(self):
        with pytest.raises(MaskingError, match="fit"):
            sequence().apply(pa.array(["a"]))

    def test_width(self):
        assert numbered(pa.array(["a"] * 5), width=1, prefix="") == ["1"] * 5
        assert len(set(numbered(pa.array(range(9)), width=1))) == 9
        with pytest.raises(InvalidParameter, match="too small for 10"):
            numbered(pa.array(range(10)), width=1)
        for width in (0, 19):
            with pytest.raises(InvalidParameter):
                sequence(width=width)

    def test_shows_neither_hashes_nor_key(self):
        made = sequence().fit(pa.array(["a", "b"]), {})
        assert made.ranks is not None
        for hidden in (str(made.ranks.hashes[0]), repr(made.secret), "hashes"):
            assert hidden not in repr(made)
            assert hidden not in repr(made.ranks)

    def test_empty_columns(self):
        for column in (pa.array([], pa.string()), pa.array([None, None], pa.int64()), pa.nulls(2)):
            assert numbered(column) == [None] * len(column)
