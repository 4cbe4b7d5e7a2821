"""Local recoding of tables that break searches: right or one clear error, and in bounded time."""

import numpy as np
import pyarrow as pa
import pytest

from masking.errors import LimitsNotMet
from masking.hierarchies import Hierarchy, by_interval, flat
from masking.limits import Limits
from masking.recoding.items import Items
from masking.recoding.local_recoding import search_local
from masking.recoding.result import Recoding
from masking.recoding.search import Watch, Wishes


def search(table: pa.Table, hierarchies: dict[str, Hierarchy], limits: dict[str, object], **wishes: object) -> Recoding:
    items, _ = Items.of(table, hierarchies)
    return search_local(items, Limits.of(limits), Wishes(**wishes), Watch())  # type: ignore[arg-type]


def smallest(found: Recoding) -> int:
    ids, count = found.classes()
    return int(np.bincount(ids, weights=found.count, minlength=count).min()) if count else 0


def test_an_empty_table_stays_empty():
    found = search(pa.table({"a": pa.array([], pa.string())}), {"a": flat(pa.array(["x"]))}, {"k_anonymity": 5})
    assert (len(found.item), found.suppressed_records) == (0, 0)


def test_one_record_leaves():
    found = search(pa.table({"a": ["x"]}), {"a": flat(pa.array(["x", "y"]))}, {"k_anonymity": 2})
    assert found.gone.tolist() == [1]
    assert search(pa.table({"a": ["x"]}), {"a": flat(pa.array(["x", "y"]))}, {"k_anonymity": 1}).granularity() == 1


def test_equal_records_stay_as_they_are():
    found = search(pa.table({"a": ["x"] * 50}), {"a": flat(pa.array(["x", "y"]))}, {"k_anonymity": 5})
    assert (found.granularity(), found.suppressed_records) == (1.0, 0)


def test_attributes_of_one_value_each_have_nothing_to_generalize():
    table = pa.table({"a": ["x"] * 20, "b": ["y"] * 20})
    hierarchies = {name: flat(pa.array([value])) for name, value in (("a", "x"), ("b", "y"))}
    found = search(table, hierarchies, {"k_anonymity": 5}, suppression=0.0)
    assert (found.levels.max(), smallest(found), found.suppressed_records) == (0, 20, 0)
    with pytest.raises(LimitsNotMet):
        search(table, hierarchies, {"k_anonymity": 21}, suppression=0.0)


def test_a_column_of_nulls():
    table = pa.table({"a": pa.array([None] * 9, pa.string()), "b": ["x"] * 9})
    found = search(table, {"a": flat(pa.array(["x"])), "b": flat(pa.array(["x", "y"]))}, {"k_anonymity": 5})
    assert (smallest(found), found.suppressed_records) == (9, 0)


@pytest.mark.parametrize("columns", [1, 60])
def test_all_records_distinct(columns):
    random = np.random.default_rng(5)
    table = pa.table({f"c{at}": random.permutation(600).astype(str) for at in range(columns)})
    found = search(table, {name: flat(table[name]) for name in table.column_names}, {"k_anonymity": 5})
    assert smallest(found) >= 5
    assert found.suppressed_records == 600, "flat hierarchies leave nothing that two records share"


def test_sixty_attributes_keep_what_records_share():
    random = np.random.default_rng(6)
    kind = random.integers(0, 20, 1000)
    values = random.integers(0, 5, (20, 60))[kind]
    noise = random.random(values.shape) < 0.05
    values = np.where(noise, random.integers(0, 5, values.shape), values)
    table = pa.table({f"c{at}": values[:, at].astype(str) for at in range(60)})
    found = search(table, {name: flat(table[name]) for name in table.column_names}, {"k_anonymity": 5})
    assert smallest(found) >= 5
    assert found.granularity() > 0.8


def test_hierarchies_of_unequal_depth_and_levels_that_merge_nothing():
    deep = Hierarchy.of([[str(at), str(at), f"{at // 2}", f"{at // 4}", "any", "all"] for at in range(8)])
    table = pa.table({"a": [str(at % 8) for at in range(64)], "b": ["xy"[at // 8 % 2] for at in range(64)]})
    found = search(table, {"a": deep, "b": flat(pa.array(["x", "y"]))}, {"k_anonymity": 8})
    assert smallest(found) >= 8
    assert found.suppressed_records == 0


def test_a_million_values_in_one_attribute():
    numbers = np.arange(1_000_000)
    table = pa.table({"a": pa.array(numbers), "b": pa.array((numbers % 2).astype(str))})
    hierarchies = {"a": by_interval(table["a"], [10, 1000, 100_000]), "b": flat(table["b"])}
    found = search(table, hierarchies, {"k_anonymity": 5})
    assert smallest(found) >= 5
    assert found.granularity() > 0.99


def test_the_adult_table_is_less_lossy_than_arx(shared):
    from tests.benchmarks.recoding import read

    table, hierarchies = read("adult/adult.csv")
    items, _ = Items.of(table, hierarchies)
    found = search_local(items, Limits.of({"k_anonymity": 5}), Wishes(), Watch())
    assert smallest(found) >= 5
    assert found.granularity() > 0.9323  # ARX 3.9.2, reference.csv
