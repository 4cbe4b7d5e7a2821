"""Every technique: its drawn examples, the laws of the registry, and silence about values."""

import dataclasses
import datetime as dt
import decimal
import pickle
import traceback

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import (
    InvalidParameter,
    InvalidValue,
    KeyMissing,
    MaskingError,
    UnkeyedToken,
    UnknownTechnique,
    UnsupportedColumn,
)
from masking.keys import MappingKeys
from masking.techniques import Technique, get, names, run_example

KEYS = MappingKeys({"one": bytes(range(32)), "other": bytes(range(1, 33))})
CANARY = "Canary-44030719900101001X"
SIMPLEST = {
    "cryptographic.ff1": {},
    "generalization.bands": {"width": 10},
    "generalization.date": {"to": "year"},
    "generalization.hierarchy": {"mapping": {"a": "b"}},
    "generalization.rounding": {"base": 5},
    "generalization.top_bottom": {"lower": 0, "upper": 9},
    "keep": {},
    "pseudonymization.keyed": {},
    "suppression.drop": {},
    "suppression.mask": {"keep_first": 1},
    "text.redact": {},
}


def build(name, parameters=None, key="one"):
    cls = get(name)
    parameters = SIMPLEST[name] if parameters is None else parameters
    return cls.build(parameters, attribute="column", key=key if cls.needs_key else None, keys=KEYS)


@pytest.mark.parametrize(
    ("cls", "example"),
    [pytest.param(get(name), example, id=f"{name}-{example.note}") for name in names() for example in get(name).spec],
)
def test_drawn_examples(cls, example):
    assert run_example(cls, example) == list(example.expected)


@pytest.mark.parametrize("name", sorted(SIMPLEST))
class TestEveryTechnique:
    def test_is_documented_and_drawn(self, name):
        cls = get(name)
        assert cls.name == name
        assert cls.family
        assert cls.spec
        assert "Column:" in cls.__doc__
        assert "Loss:" in cls.__doc__
        assert dataclasses.is_dataclass(cls)
        assert cls.__dataclass_params__.frozen

    def test_refuses_an_unknown_parameter_with_a_suggestion(self, name):
        known = [parameter.name for parameter in get(name).parameters()]
        wrong = (known[0] + "s") if known else "widht"
        with pytest.raises(InvalidParameter, match="no parameter") as refused:
            build(name, {**SIMPLEST[name], wrong: 1})
        assert "'column'" in str(refused.value)
        assert not known or repr(known[0]) in str(refused.value)

    def test_empty_and_all_null_columns(self, name):
        made = build(name)
        kind = pa.int64() if name.startswith("generalization.") and name.split(".")[1] in NUMERIC else pa.string()
        assert len(made.apply(pa.array([], kind))) == 0
        assert made.apply(pa.array([None, None], kind)).to_pylist() == [None, None]
        assert made.apply(pa.array([None, None], pa.null())).to_pylist() == [None, None]
        assert made.apply(pa.chunked_array([], kind)).to_pylist() == []

    def test_survives_pickle_and_hides_its_key(self, name):
        made = build(name)
        again = pickle.loads(pickle.dumps(made))
        assert again == made
        secret = getattr(made, "secret", None)
        assert secret is None or repr(secret) not in repr(made)
        assert secret is None or again.secret == secret

    def test_errors_never_hold_a_value(self, name):
        """A planted value is met by every technique in every type it may come in; no error tells of it."""
        made = build(name)
        columns = [
            pa.array([CANARY, None]),
            pa.array([CANARY]).dictionary_encode(),
            pa.array([CANARY.encode()]),
            pa.array([[CANARY]]),
            pa.array([{"a": CANARY}]),
            pa.array([4403071990010101]),
            pa.array([decimal.Decimal("4403071990.01")]),
            pa.array([float("nan"), float("inf"), 4403071990.5]),
            pa.array([2**63 - 1, -(2**63)]),
            pa.array([dt.date(1990, 4, 3), dt.date.min, dt.date.max]),
            pa.array([dt.datetime(1990, 4, 3, 7, 19, tzinfo=dt.UTC)]),
            pa.array([dt.time(7, 19)]),
            pa.array([True, None]),
        ]
        for column in columns:
            try:
                made.apply(column)
            except MaskingError as error:
                text = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
                assert "44030719" not in text
                assert "4403071990" not in text
                assert "1990" not in text
                assert error.__cause__ is None  # noqa: PT017


NUMERIC = {"rounding", "bands", "top_bottom"}


def test_unknown_technique_names_the_nearest():
    with pytest.raises(UnknownTechnique, match=r"pseudonymization\.keyed"):
        get("pseudonymization.key")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("generalization.rounding", {}),  # base is missing
        ("generalization.rounding", {"base": "5"}),  # text is no number
        ("generalization.rounding", {"base": True}),  # nor is true
        ("generalization.rounding", {"base": 0}),
        ("generalization.rounding", {"base": -1}),
        ("generalization.rounding", {"base": float("inf")}),
        ("generalization.rounding", {"base": float("nan")}),
        ("generalization.bands", {}),
        ("generalization.bands", {"width": 0}),
        ("generalization.bands", {"width": 5, "edges": [1, 2]}),
        ("generalization.bands", {"edges": [1]}),
        ("generalization.bands", {"edges": [2, 1]}),
        ("generalization.bands", {"edges": [1, 2], "lower": 0}),
        ("generalization.bands", {"width": 5, "lower": 5, "upper": 5}),
        ("generalization.top_bottom", {}),
        ("generalization.top_bottom", {"lower": 2, "upper": 1}),
        ("generalization.date", {"to": "decade"}),
        ("generalization.date", {"to": "year_band:0"}),
        ("generalization.hierarchy", {}),
        ("generalization.hierarchy", {"mapping": {}}),
        ("generalization.hierarchy", {"mapping": {"a": []}}),
        ("generalization.hierarchy", {"mapping": {"a": ["b"]}, "level": 2}),
        ("generalization.hierarchy", {"mapping": {"a": "b"}, "level": 0}),
        ("generalization.hierarchy", {"mapping": {"a": "b"}, "on_missing": "keep"}),
        ("generalization.hierarchy", {"mapping": {"a": "b"}, "table": {"a": "a"}}),  # not a policy's to give
        ("suppression.mask", {"keep_first": -1}),
        ("suppression.mask", {"character": "**"}),
        ("suppression.mask", {"character": ""}),
        ("cryptographic.ff1", {"radix": 1}),
        ("cryptographic.ff1", {"cipher": "des"}),
        ("cryptographic.ff1", {"mark": "0"}),  # a mark must be recognisable
        ("cryptographic.ff1", {"mark": "#########"}),
        ("cryptographic.ff1", {"secret": "x"}),  # a policy never carries a key
        ("text.redact", {"types": "PHONE"}),
    ],
)
def test_parameters_outside_their_interval(name, parameters):
    with pytest.raises(InvalidParameter):
        build(name, parameters)


def test_keys_are_needed_and_only_where_they_are():
    keyed = get("pseudonymization.keyed")
    with pytest.raises(UnkeyedToken, match="'id'"):
        keyed.build({}, attribute="id", keys=KEYS)
    with pytest.raises(KeyMissing, match="'gone'"):
        keyed.build({}, attribute="id", key="gone", keys=KEYS)
    with pytest.raises(KeyMissing):
        keyed.build({}, attribute="id", key="one")
    with pytest.raises(InvalidParameter, match="uses no key"):
        get("keep").build({}, attribute="id", key="one", keys=KEYS)
    assert isinstance(keyed.check({}, attribute="id", key="gone"), Technique)


@pytest.mark.parametrize(
    ("name", "parameters", "column"),
    [
        ("generalization.rounding", {"base": 5}, pa.array(["a"])),
        ("generalization.rounding", {"base": 5}, pa.array([True])),
        ("generalization.bands", {"width": 5}, pa.array(["a"])),
        ("generalization.top_bottom", {"lower": 5}, pa.array(["a"])),
        ("generalization.date", {"to": "year"}, pa.array([5])),
        ("generalization.hierarchy", {"mapping": {"a": "b"}}, pa.array([1.5])),
        ("suppression.mask", {}, pa.array([1.5])),
        ("cryptographic.ff1", {}, pa.array([1.5])),
        ("pseudonymization.keyed", {}, pa.array([[1]])),
        ("pseudonymization.keyed", {}, pa.array([b"a"])),
        ("text.redact", {}, pa.array([1])),
    ],
)
def test_columns_of_another_type_are_refused(name, parameters, column):
    with pytest.raises(UnsupportedColumn):
        build(name, parameters).apply(column)


@pytest.mark.parametrize(
    ("name", "parameters"), [("generalization.rounding", {"base": 0.5}), ("generalization.top_bottom", {"lower": 0.5})]
)
def test_whole_numbers_need_whole_parameters(name, parameters):
    with pytest.raises(InvalidParameter, match="whole"):
        build(name, parameters).apply(pa.array([1]))


@pytest.mark.parametrize(
    ("base", "given", "expected"),
    [
        (5, [37, 42], [35, 40]),  # towards the nearest multiple
        (5, [None, 3], [None, 5]),  # null stays null
        (10, [5, 15, 25, -5, -15], [0, 20, 20, 0, -20]),  # ties go to the even multiple
        (5, [-3], [-5]),  # negatives mirror positives
        (0.1, [0.25, 1.04], [0.2, 1.0]),  # no noise in the last digit
        (1000, [499, 501], [0, 1000]),
        (1, [2**62], [2**62]),
    ],
)
def test_rounding(base, given, expected):
    assert build("generalization.rounding", {"base": base}).apply(pa.array(given)).to_pylist() == expected


@given(st.lists(st.integers(-(2**50), 2**50), max_size=20), st.integers(1, 10**6))
@settings(max_examples=50, deadline=None)
def test_rounding_moves_by_at_most_half_the_base(values, base):
    rounded = build("generalization.rounding", {"base": base}).apply(pa.array(values, pa.int64())).to_pylist()
    assert all(r % base == 0 and abs(r - v) * 2 <= base for r, v in zip(rounded, values, strict=True))


@given(st.lists(st.integers(-1000, 1000), max_size=20), st.integers(1, 50))
@settings(max_examples=50, deadline=None)
def test_bands_hold_their_values(values, width):
    bands = build("generalization.bands", {"width": width}).apply(pa.array(values, pa.int64())).to_pylist()
    for value, band in zip(values, bands, strict=True):
        low, high = map(int, band[1:-1].split(","))
        assert low <= value < high
        assert high - low == width
        assert low % width == 0


@pytest.mark.parametrize(
    ("parameters", "given", "expected"),
    [
        (
            {"width": 0.1},
            [0.3, 0.7, 0.1 + 0.2],
            ["[0.3,0.4)", "[0.7,0.8)", "[0.3,0.4)"],
        ),  # borders despite binary fractions
        ({"width": 10, "upper": 15}, [12, 15], ["[10,15)", ">=15"]),  # the last band ends at the bound
        ({"edges": [0.5, 1.25]}, [0.4, 0.5, 1.25], ["<0.5", "[0.5,1.25)", ">=1.25"]),
        ({"width": 1000000}, [10**15], ["[1000000000000000,1000000001000000)"]),  # never an exponent
    ],
)
def test_bands(parameters, given, expected):
    assert build("generalization.bands", parameters).apply(pa.array(given)).to_pylist() == expected


def test_bands_refuse_what_is_no_number():
    with pytest.raises(InvalidValue):
        build("generalization.bands").apply(pa.array([float("nan")]))


@pytest.mark.parametrize(
    ("to", "given", "expected"),
    [
        ("year", pa.array([dt.date(1999, 12, 31)]), [1999]),
        ("year", pa.array([dt.datetime(1999, 12, 31, 23, 59, tzinfo=dt.UTC)]), [1999]),
        ("month", pa.array(["1999-12-31T23:59:59Z", "1999/1/2"]), ["1999-12", "1999-01"]),
        ("quarter", pa.array([dt.date(1999, 12, 31)]), ["1999-Q4"]),
        ("year_band:10", pa.array(["1999-12-31"]), ["[1990,2000)"]),
        ("year", pa.array(["2020-02-29"]), [2020]),
    ],
)
def test_dates(to, given, expected):
    assert build("generalization.date", {"to": to}).apply(given).to_pylist() == expected


@pytest.mark.parametrize("text", ["2021-02-29", "2020-13-01", "2020-00-10", "20200101", "yesterday", "2020-01-01x", ""])
def test_no_dates(text):
    with pytest.raises(InvalidValue) as refused:
        build("generalization.date").apply(pa.array(["2020-01-01", None, text]))
    assert refused.value.first_rows == (2,)


class TestHierarchyFile:
    def make(self, folder, name="h.csv", **parameters):
        return get("generalization.hierarchy").build({"file": name, **parameters}, attribute="a", files=folder)

    @pytest.mark.parametrize("text", ["17;[15,20);*\n18;[15,20);*\n", '\ufeff17,"[15,20)",*\r\n18,"[15,20)",*\r\n'])
    def test_reads_leaf_first(self, tmp_path, text):
        (tmp_path / "h.csv").write_text(text, encoding="utf-8")
        assert self.make(tmp_path).apply(pa.array([17, 18, None])).to_pylist() == ["[15,20)", "[15,20)", None]
        assert self.make(tmp_path, level=2).apply(pa.array(["17"])).to_pylist() == ["*"]

    def test_reads_nowhere_else(self, tmp_path):
        inside = tmp_path / "policies"
        inside.mkdir()
        (tmp_path / "secret.csv").write_text("root,x\n")
        (inside / "link.csv").symlink_to(tmp_path / "secret.csv")
        for name in ("../secret.csv", str(tmp_path / "secret.csv"), "link.csv", "none.csv", "."):
            with pytest.raises(InvalidParameter):
                self.make(inside, name)
        with pytest.raises(InvalidParameter, match="next to a policy"):
            self.make(None)

    def test_faulty_files(self, tmp_path):
        for content in (b"\xff\xfe\xff", b"a;b\na;c\n", b"", b"a\n"):
            (tmp_path / "h.csv").write_bytes(content)
            with pytest.raises(InvalidParameter):
                self.make(tmp_path)

    def test_survives_pickle(self, tmp_path):
        (tmp_path / "h.csv").write_text("a;b\n")
        made = pickle.loads(pickle.dumps(self.make(tmp_path)))
        (tmp_path / "h.csv").unlink()
        assert made.apply(pa.array(["a"])).to_pylist() == ["b"]


def test_missing_in_hierarchy_is_refused_or_hidden():
    column = pa.array(["a", "z", None, "z"])
    with pytest.raises(InvalidValue) as refused:
        build("generalization.hierarchy").apply(column)
    assert (refused.value.count, refused.value.first_rows) == (2, (1, 3))
    hidden = build("generalization.hierarchy", {"mapping": {"a": "b"}, "on_missing": "suppress"})
    assert hidden.apply(column).to_pylist() == ["b", "*", None, "*"]
    assert hidden.apply_counted(column)[1] == 2


def test_mask_counts_characters_not_bytes():
    masked = build("suppression.mask", {"keep_first": 1, "keep_last": 1}).apply(
        pa.array(["张三丰年", "张三", "😀ab", "a\nb"])
    )
    assert masked.to_pylist() == ["张**年", "**", "😀*b", "a*b"]


def test_mask_character_is_taken_literally():
    assert build("suppression.mask", {"character": "$"}).apply(pa.array(["ab"])).to_pylist() == ["$$"]


def test_ff1_values_outside_the_format():
    column = pa.array(["13800000000", "x", None, "12345"])
    with pytest.raises(InvalidValue) as refused:
        build("cryptographic.ff1").apply(column)
    assert (refused.value.count, refused.value.first_rows) == (2, (1, 3))
    null = build("cryptographic.ff1", {"on_invalid": "null"})
    assert null.apply(column).to_pylist()[1:] == [None, None, None]
    token = build("cryptographic.ff1", {"on_invalid": "token"})
    masked = token.apply(column).to_pylist()
    assert masked[2] is None
    assert len(masked[1]) == len(masked[3]) == 16
    assert masked[1] != masked[3]
    assert null.apply_counted(column)[1] == token.apply_counted(column)[1] == 2


def test_redaction_uses_detection():
    texts = pa.array(["电话13800000000", "没有", None, "电话13800000000"])
    assert build("text.redact").apply(texts).to_pylist() == ["电话<PHONE>", "没有", None, "电话<PHONE>"]


VALUES = {
    "cryptographic.ff1": st.text("0123456789", min_size=6, max_size=20),
    "generalization.bands": st.integers(-(10**6), 10**6),
    "generalization.date": st.dates(dt.date(1, 1, 2)).map(str),
    "generalization.hierarchy": st.just("a"),
    "generalization.rounding": st.integers(-(2**40), 2**40),
    "generalization.top_bottom": st.integers(-(2**40), 2**40),
    "keep": st.text(max_size=9),
    "pseudonymization.keyed": st.text(max_size=20),
    "suppression.drop": st.text(max_size=9),
    "suppression.mask": st.text(max_size=9),
}


@pytest.mark.parametrize("name", sorted(VALUES))
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_laws(name, data):
    """Length, order and nulls are kept, the input is untouched, whole = in pieces, and the same again."""
    values = data.draw(st.lists(st.one_of(st.none(), VALUES[name]), min_size=1, max_size=12))
    column = pa.array(values, pa.int64() if name.split(".")[-1] in NUMERIC else pa.string())
    before = column.to_pylist()
    made = build(name)
    whole = made.apply(column)
    assert column.to_pylist() == before
    assert len(whole) == len(column)
    assert whole.type == made.output_type(column.type)
    if name != "suppression.drop":
        assert [v is None for v in whole.to_pylist()] == [v is None for v in values]
    cut = data.draw(st.integers(0, len(values)))
    pieces = made.apply(column.slice(0, cut)).to_pylist() + made.apply(column.slice(cut)).to_pylist()
    assert pieces == whole.to_pylist()
    assert build(name).apply(column).equals(whole)
    assert made.apply(pa.chunked_array([column.slice(0, cut), column.slice(cut)])).equals(whole)
    if column.type == pa.string():
        assert made.apply(column.dictionary_encode()).equals(whole)
    if get(name).needs_key and any(values):
        # Another key gives other tokens; one value may fall on itself by chance only in a tiny domain.
        assert build(name, key="other").apply(column).to_pylist() != whole.to_pylist()


def test_one_key_joins_two_columns_and_another_does_not():
    one, again, other = (
        build("pseudonymization.keyed"),
        build("pseudonymization.keyed"),
        build("pseudonymization.keyed", key="other"),
    )
    left, right = pa.array(["a", "b"]), pa.array(["b", "c"])
    assert set(one.apply(left).to_pylist()) & set(again.apply(right).to_pylist()) == {
        one.apply(pa.array(["b"]))[0].as_py()
    }
    assert not set(one.apply(left).to_pylist()) & set(other.apply(right).to_pylist())
