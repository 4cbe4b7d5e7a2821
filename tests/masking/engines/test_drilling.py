"""The drill on a run: hand-computed editions, positive controls, a plain attacker as the oracle, and laws."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.engines import drill_attacks
from masking.engines.drilling import Held, drill
from masking.engines.local import apply_stream
from masking.errors import Cancelled
from masking.keys import as_keys
from masking.policy import load
from masking.report import DrillReport, MaskingReport
from masking.reporting import to_html

KEYS = as_keys({"k": b"k" * 32})


def policy(attributes, limits="", beside=""):
    lines = "\n".join(f"  {name}: {{{rule}}}" for name, rule in attributes.items())
    return load(
        f"version: 1\ndataset: d\n{beside}attributes:\n{lines}\n" + (f"limits: {{{limits}}}\n" if limits else "")
    )


def drilled(made, table, size=1000, look=None, files=None, **more):
    """The drill beside a run; ``look`` may tamper with what became of a batch."""
    held = Held(made)

    def told(plan, done, rows):
        held.look(plan, look(done) if look else done, rows)

    report = apply_stream(
        made,
        lambda: table.to_reader(max_chunksize=size),
        KEYS,
        lambda stream: stream.read_all(),
        workers=1,
        look=told,
        files=files,
    )
    return held.drill(**more), report


BANDS = "role: quasi_identifier, technique: generalization.bands, width: 10, lower: 0, upper: 100"
QUASI = "role: quasi_identifier, technique: keep"
SENSITIVE = "role: sensitive"


# What was computed by hand.


def test_classes_of_three_and_two_of_which_everybody_is_known():
    made = policy({"age": BANDS, "ill": SENSITIVE})
    table = pa.table({"age": [31, 34, 34, 41, 47], "ill": ["a", "a", "b", "c", "c"]})
    found, _ = drilled(made, table)
    assert (found.attack, found.bound, found.attacked, found.released) == ("algorithm", False, 5, 5)
    assert found.expected == pytest.approx(2 / 5)
    assert found.max_probability == pytest.approx(1 / 2)
    assert found.baseline == pytest.approx(1 / 5)
    assert found.posterior == {"ill": 1.0}, "both of the second class have c"
    assert found.knowledge == {"age": "pairs"}
    assert 0 <= found.lower_95 <= found.successes / 5 <= found.upper_95 <= 1
    assert not found.passes("controlled")


def test_a_condition_on_what_the_attacker_does_not_hold_leaves_two_values_to_match():
    """The records of one city are in two classes; by hand after the rules of ``masking.measures.linkage``."""
    shown = f"{QUASI}, when: {{column: vip, equals: n}}, otherwise: {{technique: suppression.local, all: true}}"
    made = policy({"city": shown, "vip": "role: insensitive, reason: x", "ill": SENSITIVE})
    table = pa.table({"city": list("aaabbc"), "vip": list("nnynyy"), "ill": list("uvwuvw")})
    found, _ = drilled(made, table)
    assert (found.attack, found.bound) == ("matching", False)
    # c is in the class of nulls for sure. Places are left: a 2, b 1, null 2.
    assert found.expected == pytest.approx((1 / 4 + 1 / 4 + 1 / 6 + 1 / 3 + 2 / 9 + 1 / 3) / 6)
    assert found.max_probability == pytest.approx(1 / 3)
    assert found.posterior["ill"] == pytest.approx(2 / 3), "two of the three nulls are w, and c is among them"
    # Who could see the condition knows the class of everybody; b stands alone there.
    held = policy({"city": shown, "vip": f"{QUASI[:22]}, technique: suppression.drop", "ill": SENSITIVE})
    known, _ = drilled(held, table)
    assert (known.attack, known.max_probability) == ("algorithm", 1.0)


def test_too_large_for_matching_is_bounded_by_the_algorithm(monkeypatch):
    made = policy(
        {
            "city": f"{QUASI}, when: {{column: vip, equals: n}}, otherwise: {{technique: suppression.local, all: true}}",
            "vip": "role: insensitive, reason: x",
        }
    )
    table = pa.table({"city": list("aaabbc"), "vip": list("nnynyy")})
    matched, _ = drilled(made, table)
    monkeypatch.setattr(drill_attacks, "MATCHED_PAIRS", 3)
    bound, _ = drilled(made, table)
    assert (matched.attack, bound.attack, bound.bound) == ("matching", "algorithm", True)
    assert bound.max_probability == 1 > matched.max_probability
    assert bound.expected > matched.expected
    monkeypatch.setattr(drill_attacks, "MATCHED_PAIRS", 100)
    monkeypatch.setattr(drill_attacks, "OUTCOMES", 1)
    assert drilled(made, table)[0].bound, "a raw value that becomes more values than matching follows"


def test_persons_with_several_records_count_once():
    made = policy({"id": "role: direct_identifier, technique: suppression.drop", "age": BANDS}, beside="unit: id\n")
    table = pa.table({"id": ["p", "p", "p", "q", "r", "s"], "age": [31, 32, 33, 34, 41, 42]})
    found, _ = drilled(made, table)
    assert found.max_probability == pytest.approx(1 / 2)
    assert found.expected == pytest.approx(1 / 2), "two persons in each class, however many records"


def test_parts_that_a_pseudonym_keeps_tell_persons_apart():
    kept = "role: direct_identifier, technique: pseudonymization.resident_id, key: k, keep: [province]"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    bodies = [f"{region}999919500101{serial:03d}" for serial, region in enumerate(["11"] * 4 + ["31"])]
    checks = ["10X98765432"[sum(int(d) * w for d, w in zip(b, weights, strict=True)) % 11] for b in bodies]
    ids = [body + check for body, check in zip(bodies, checks, strict=True)]
    made = policy({"id": kept, "sex": QUASI})
    found, _ = drilled(made, pa.table({"id": ids, "sex": ["f"] * 5}))
    assert found.knowledge == {"sex": "pairs", "id.province": "pairs"}
    assert found.max_probability == 1.0


def test_a_pseudonym_is_attacked_with_its_code_book():
    made = policy({"tail": "role: quasi_identifier, technique: pseudonymization.keyed, key: k"})
    found, _ = drilled(made, pa.table({"tail": ["a"] * 20 + ["b"] * 30}))
    assert found.max_probability == pytest.approx(1 / 20)
    assert found.passes("full_public")


@pytest.mark.parametrize(("scale", "named"), [(0.01, True), (1000, False)])
def test_noise_is_attacked_by_distance(scale, named):
    noise = f"role: quasi_identifier, technique: randomization.noise, distribution: laplace, scale: {scale}, key: k"
    made = policy(
        {"id": "role: direct_identifier, technique: suppression.drop", "pay": noise, "sex": QUASI},
        beside="record: [id]\n",
    )
    table = pa.table({"id": list(range(300)), "pay": [float(n) for n in range(300)], "sex": ["f", "m"] * 150})
    found, _ = drilled(made, table)
    assert (found.attack, found.max_probability, found.attacked) == ("distance", None, 300)
    assert found.knowledge == {"pay": "distance", "sex": "pairs"}
    assert found.posterior == {}
    assert (found.successes > 250) is named
    assert found.passes("controlled") is not named


def test_in_a_large_table_fewer_records_are_looked_for(monkeypatch):
    noise = "role: quasi_identifier, technique: randomization.noise, distribution: laplace, scale: 1, key: k"
    made = policy({"id": "role: direct_identifier, technique: suppression.drop", "day": noise}, beside="record: [id]\n")
    table = pa.table({"id": list(range(300)), "day": [float(n) for n in range(300)]})
    monkeypatch.setattr(drill_attacks, "DISTANCES", 45_000)
    assert drilled(made, table)[0].attacked == 150
    monkeypatch.setattr(drill_attacks, "DISTANCES", 1)
    assert drilled(made, table)[0].attacked == 100


def test_days_moved_by_chance_are_numbers():
    moved = "role: quasi_identifier, technique: randomization.date_shift, max_days: 3, per: id, key: k"
    made = policy({"id": "role: direct_identifier, technique: suppression.drop", "day": moved}, beside="record: [id]\n")
    days = pa.array([19000 + 30 * n for n in range(50)], pa.int32()).cast(pa.date32())
    found, _ = drilled(made, pa.table({"id": list(range(50)), "day": days}))
    assert (found.attack, found.successes) == ("distance", 50), "a month apart, three days do not hide anybody"


def test_values_exchanged_by_chance_that_are_no_numbers_are_attacked_by_equality():
    moved = "role: quasi_identifier, technique: randomization.permutation, key: k"
    made = policy(
        {"id": "role: direct_identifier, technique: suppression.drop", "city": moved}, beside="record: [id]\n"
    )
    table = pa.table({"id": list(range(40)), "city": ["a", "b"] * 20})
    found, _ = drilled(made, table)
    assert (found.attack, found.knowledge) == ("distance", {"city": "distance"})
    assert found.expected <= 1 / 20 + 1e-9
    assert found.successes == 0


# Positive controls: what should fail, fails.


def people(rows=600, seed=1):
    r = np.random.default_rng(seed)
    return pa.table(
        {
            "age": r.integers(18, 90, rows),
            "town": np.array([f"t{n}" for n in range(12)])[r.integers(0, 12, rows)],
            "ill": np.array(["a", "b", "c", "d"])[r.integers(0, 4, rows)],
        }
    )


SEARCHED = {
    "age": "role: quasi_identifier, technique: generalization.recoding, intervals: [5, 10, 20]",
    "town": "role: quasi_identifier, technique: generalization.recoding",
    "ill": SENSITIVE,
}


def slipping(column, every):
    """What became of a batch, but for some records whose raw value slipped through."""

    def look(done):
        raw = done.kept.column(column).cast(pa.string())
        through = pa.array(np.arange(len(raw)) % every == 0)
        place = done.masked.schema.get_field_index(column)
        leaky = pc.if_else(through, raw, done.masked.column(column))
        return replace(done, masked=done.masked.set_column(place, column, leaky))

    return look


@pytest.mark.parametrize(
    "limits", ["k_anonymity: 20, suppression: 1", "k_anonymity: 20, distinct_l_diversity: 2, suppression: 1"]
)
def test_a_local_recoding_to_twenty_passes_and_a_leaky_one_does_not(limits):
    made = policy(SEARCHED, limits)
    sound, report = drilled(made, people())
    assert report.k_after == 20
    assert sound.max_probability <= 1 / 20 + 1e-12
    assert sound.passes("full_public")
    assert sound.passes("controlled")
    assert sound.knowledge == {"age": "hierarchy", "town": "hierarchy"}
    leaky, report = drilled(made, people(), look=slipping("age", 50))
    assert report.k_after == 20, "the run knows nothing of it"
    assert leaky.max_probability == 1
    assert not leaky.passes("full_public")
    assert not leaky.passes("controlled")


def test_a_limit_of_five_is_enough_for_controlled_sharing_only():
    found, _ = drilled(policy(SEARCHED, "k_anonymity: 5, suppression: 1"), people())
    assert (found.passes("controlled"), found.passes("full_public")) == (True, False)
    strict, _ = drilled(policy(SEARCHED, "k_anonymity: 5, suppression: 1"), people(), thresholds={"controlled": 0.1})
    assert not strict.passes("controlled")


@pytest.mark.parametrize(("size", "passes"), [(20, True), (19, False)])
def test_the_threshold_itself_is_within(size, passes):
    found, _ = drilled(policy({"sex": QUASI}), pa.table({"sex": ["f"] * size + ["m"] * size}))
    assert found.passes("full_public") is passes


def test_what_passing_means():
    known = DrillReport("algorithm", 100, 100, 0.04, 0.05, 4, 0.014, 0.09, 0.01, thresholds={"full_public": 0.05})
    assert known.passes("full_public")
    assert not replace(known, max_probability=0.051).passes("full_public")
    assert not replace(known, lower_95=0.051).passes("full_public"), "more were named than can be"
    counted = replace(known, max_probability=None)
    assert not counted.passes("full_public"), "so few attacks do not show it"
    assert replace(counted, upper_95=0.05).passes("full_public")
    assert not replace(counted, upper_95=0.05, expected=0.06).passes("full_public"), "several are nearest"


def test_real_people_in_classes_of_twenty(shared):
    folder = shared / "data/arx/adult"
    adult = pl.read_csv(folder / "adult.csv", separator=";").head(4000).to_arrow()
    quasi = ["sex", "age", "race", "education"]
    attributes = {
        name: f"role: quasi_identifier, technique: generalization.recoding, file: adult_hierarchy_{name}.csv"
        for name in quasi
    }
    others = {name: "role: insensitive, reason: x" for name in adult.column_names if name not in quasi}
    made = policy({**attributes, **others}, "k_anonymity: 20, suppression: 1")
    found, _ = drilled(made, adult, files=folder)
    assert found.attack == "algorithm"
    assert found.max_probability <= 1 / 20 + 1e-12
    assert found.upper_95 <= 1 / 20
    assert found.passes("full_public")


# Laws.

TABLES = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["x", "y", None]), st.sampled_from("abc"), st.integers(0, 4)),
    min_size=1,
    max_size=25,
)


def as_table(rows):
    columns = list(zip(*rows, strict=True))
    kinds = [pa.int64(), pa.string(), pa.string(), pa.int64()]
    names = ["age", "town", "ill", "id"]
    return pa.table({name: pa.array(column, kind) for name, column, kind in zip(names, columns, kinds, strict=True)})


@settings(max_examples=30, deadline=None)
@given(TABLES, st.booleans(), st.randoms(use_true_random=False))
def test_a_plain_attacker_who_knows_every_class_finds_as_much(rows, by_person, random):
    bands = "role: quasi_identifier, technique: generalization.bands, width: 2, lower: 0, upper: 6"
    made = policy(
        {"age": bands, "town": QUASI, "ill": SENSITIVE, "id": "role: direct_identifier, technique: suppression.drop"},
        beside="unit: id\n" if by_person else "",
    )
    found, _ = drilled(made, as_table(rows))
    persons, values, chances = {}, {}, []
    for place, (age, town, ill, person) in enumerate(rows):
        persons.setdefault((age // 2, town), set()).add(person if by_person else place)
        values.setdefault((age // 2, town), []).append(ill)
    chances = [1 / len(persons[age // 2, town]) for age, town, _, _ in rows]
    assert found.attack == "algorithm"
    assert found.expected == pytest.approx(sum(chances) / len(rows))
    assert found.max_probability == pytest.approx(max(chances))
    shares = [each.count(ill) / len(each) for each in values.values() for ill in each]
    assert found.posterior["ill"] == pytest.approx(max(shares))
    assert found.successes <= len(rows)
    # Neither the order of records nor the batches change a figure.
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert drilled(made, as_table(shuffled), size=random.randint(1, 30))[0] == found


@settings(max_examples=15, deadline=None)
@given(TABLES, st.randoms(use_true_random=False))
def test_matching_says_no_more_than_knowing_every_class(rows, random):
    shown = f"{QUASI}, when: {{column: ill, equals: a}}, otherwise: {{technique: suppression.local, all: true}}"
    made = policy({"age": QUASI, "town": shown, "ill": SENSITIVE, "id": "role: insensitive, reason: x"})
    found, _ = drilled(made, as_table(rows))
    classes, values = {}, {}
    for age, town, ill, _ in rows:
        own = age, town if ill == "a" else None
        classes[own] = classes.get(own, 0) + 1
        values.setdefault(own, []).append(ill)
    assert found.attack == "matching"
    assert found.max_probability <= max(1 / size for size in classes.values()) + 1e-9
    assert found.expected <= len(classes) / len(rows) + 1e-9
    assert found.posterior["ill"] <= max(v.count(i) / len(v) for v in values.values() for i in v) + 1e-9
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert drilled(made, as_table(shuffled), size=random.randint(1, 30))[0] == found


# Its place in a run.


def test_nothing_to_look_for():
    nobody = policy({"age": "role: insensitive, reason: x"})
    assert drilled(nobody, people().select(["age"]))[0] is None
    cells = policy(
        {"age": BANDS, "town": QUASI, "ill": SENSITIVE},
        beside='aggregate: {by: [town], measures: {n: {count: "*"}}, threshold: 5, rounding: 5}\n',
    )
    assert drilled(cells, people())[0] is None
    empty, _ = drilled(policy({"age": BANDS}), people().select(["age"]).slice(0, 0))
    assert (empty.released, empty.expected, empty.max_probability, empty.passes("full_public")) == (0, 0, 0, True)
    blind, _ = drilled(policy({"ill": SENSITIVE}), people().select(["ill"]))
    assert blind.max_probability == pytest.approx(1 / 600), "without quasi-identifiers everybody is anybody"
    nulls, _ = drilled(policy({"age": QUASI}), pa.table({"age": pa.nulls(3)}))
    assert nulls.max_probability == pytest.approx(1 / 3)


def test_the_library_drills_by_a_call_of_its_own():
    made = policy(SEARCHED, "k_anonymity: 20, suppression: 1")
    told = []
    found = drill(made, people().to_reader, None, progress=lambda stage, rows: told.append((stage, rows)))
    assert found == drilled(made, people(), size=77)[0]
    assert [rows for stage, rows in told if stage == "drill"] == [0, 180, 480, 600]
    with pytest.raises(Cancelled):
        drilled(made, people(), cancelled=lambda: True)


def test_records_that_leave_are_not_looked_for():
    made = policy({"age": BANDS}, "k_anonymity: 3, suppression: 0.5")
    found, report = drilled(made, pa.table({"age": [31, 32, 33, 41]}))
    assert (report.rows_out, found.attacked, found.max_probability) == (3, 3, pytest.approx(1 / 3))


def test_limits_on_sensitive_values_show_what_knowing_them_adds():
    found, _ = drilled(policy(SEARCHED, "k_anonymity: 5, entropy_l_diversity: 2, suppression: 1"), people())
    assert found.attack == "matching"
    assert set(found.minimality) == {"ill"}
    assert 0 <= found.minimality["ill"] <= 1
    recursive = policy(SEARCHED, "k_anonymity: 5, recursive_cl_diversity: [3, 2], suppression: 1")
    assert set(drilled(recursive, people())[0].minimality) == {"ill"}
    closeness = policy(SEARCHED, "k_anonymity: 5, t_closeness: {t: 0.3}, suppression: 1", beside="recoding: global\n")
    assert set(drilled(closeness, people())[0].minimality) == {"ill"}
    assert not drilled(policy(SEARCHED, "k_anonymity: 5, suppression: 1"), people())[0].minimality
    far = policy(SEARCHED, "k_anonymity: 5, t_closeness: {t: 0.9}, suppression: 1", beside="recoding: global\n")
    assert not drilled(far, people())[0].minimality, "so far from the table that no share is ruled out"


def test_the_report_holds_figures_and_no_value():
    table = pa.table({"age": [31] * 30, "town": ["CANARY"] * 30, "ill": ["CANARY2"] * 30})
    made = policy({"age": BANDS, "town": QUASI, "ill": SENSITIVE})
    found, run = drilled(made, table)
    report = replace(run, drill=found)
    assert "CANARY" not in json.dumps(report.to_dict()["drill"])
    assert "CANARY" not in repr(found)
    assert MaskingReport.from_dict(json.loads(report.to_json())) == report
    assert "drill" not in report.public().to_dict()
    older = {name: value for name, value in run.to_dict().items() if name != "drill"}
    assert MaskingReport.from_dict(older).drill is None
    for lang, title, passed in (("zh", "关联攻击演练", "通过"), ("en", "Linkage drill", "passed")):
        page = to_html(report, lang)
        assert title in page
        assert passed in page
        assert title not in to_html(report, lang, "public")
        assert title not in to_html(run, lang)
    distance = replace(found, attack="distance", max_probability=None, bound=True, minimality={"ill": 0.25})
    page = to_html(replace(report, drill=distance), "en")
    assert "upper bound" in page
    assert "25.0%" in page
