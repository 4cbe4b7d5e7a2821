"""Our techniques as Presidio's operator: joins hold, nulls and numbers do not crash, nothing passes in clear.

Each trap of Presidio's own operators (reference: measured on 2.2.366) stands beside what ours does.
"""

import datetime as dt
import subprocess
import sys
import traceback

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.errors import InvalidParameter, InvalidValue, KeyMissing, MaskingError, UnkeyedToken, UnsupportedColumn
from masking.keys import MappingKeys
from masking.techniques import get, names

pytest.importorskip("presidio_anonymizer")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

from presidio_anonymizer import AnonymizerEngine  # noqa: E402
from presidio_anonymizer.entities import InvalidParamError, OperatorConfig, RecognizerResult  # noqa: E402
from presidio_anonymizer.operators import Encrypt, Hash, OperatorsFactory, OperatorType  # noqa: E402

from masking.techniques.presidio import NAME, Masking, operator, register, register_everywhere  # noqa: E402

KEYS = {"one": bytes(range(32)), "other": bytes(range(1, 33))}
PHONE = "13800000000"
CANARY = "Canary-44030719900101001X"


def keyed(key="one"):
    return operator("pseudonymization.keyed", key=key, keys=KEYS)


def cell(value, config):
    """What presidio-structured does with a cell: it makes the operator, checks nothing and operates."""
    return Masking().operate(text=value, params=config.params)


def anonymized(text, operators, span=None):
    start, end = span or (0, len(text))
    results = [RecognizerResult("PHONE", start, end, 1.0)]
    return register(AnonymizerEngine()).anonymize(text, results, operators).text


def token(value, key="one"):
    made = get("pseudonymization.keyed").build({}, attribute="a", key=key, keys=MappingKeys(KEYS))
    return made.apply(pa.array([value]))[0].as_py()


class TestTraps:
    def test_equal_values_differ_under_presidios_hash_and_encrypt(self):
        """The traps are real; if a new version mends them, this says so."""
        assert Hash().operate(PHONE, {}) != Hash().operate(PHONE, {})
        assert Encrypt().operate(PHONE, {"key": "0" * 16}) != Encrypt().operate(PHONE, {"key": "0" * 16})
        for theirs in (Hash(), Encrypt()):
            for value in (None, 5):
                with pytest.raises(AttributeError):
                    theirs.operate(value, {"key": "0" * 16})

    def test_equal_values_are_equal_and_join_with_a_masked_column(self):
        assert anonymized(PHONE, {"PHONE": keyed()}) == anonymized(PHONE, {"PHONE": keyed()}) == token(PHONE)
        assert cell(PHONE, keyed()) == token(PHONE)
        assert cell(int(PHONE), keyed()) == token(PHONE)
        assert cell(PHONE, keyed("other")) == token(PHONE, "other") != token(PHONE)

    @pytest.mark.parametrize("null", [None, float("nan")])
    def test_nulls(self, null):
        assert cell(null, keyed()) is None
        assert cell(null, operator("generalization.rounding", {"base": 5})) is None
        assert cell(null, operator("suppression.mask", {"keep_first": 1})) is None
        assert cell(null, operator("synthetic.constant", {"value": "不公开"})) == "不公开"

    def test_numbers_and_dates(self):
        assert cell(37, operator("generalization.rounding", {"base": 5})) == 35
        assert cell(37.4, operator("generalization.bands", {"width": 5})) == "[35,40)"
        assert cell(dt.date(1990, 4, 3), operator("generalization.age", {"at": "2025-12-31"})) == 35
        assert cell(101, operator("suppression.local", {"upper": 100})) is None


class TestInTexts:
    def test_spans_are_masked_and_the_rest_stays(self):
        assert anonymized(f"电话{PHONE}，谢谢", {"PHONE": keyed()}, (2, 13)) == f"电话{token(PHONE)}，谢谢"

    @pytest.mark.parametrize(
        ("technique", "parameters", "expected"),
        [
            ("suppression.mask", {"keep_first": 3}, "138********"),
            ("suppression.local", {"all": True}, ""),  # an emptied span is an empty text
            ("synthetic.constant", {"value": 0}, "0"),
            ("generalization.postcode", {"digits": 3, "on_invalid": "suppress"}, "*"),
        ],
    )
    def test_other_techniques(self, technique, parameters, expected):
        assert anonymized(PHONE, {"PHONE": operator(technique, parameters)}) == expected

    def test_default_is_used_for_types_without_an_operator(self):
        assert anonymized(PHONE, {"DEFAULT": keyed()}) == token(PHONE)
        assert anonymized(PHONE, {"EMAIL": keyed()}) == "<PHONE>"  # Presidio's own default hides it too

    def test_a_refused_value_raises(self):
        for technique, parameters in (
            ("generalization.postcode", {"digits": 3}),
            ("generalization.rounding", {"base": 5}),
            ("cryptographic.ff1", {}),
        ):
            key = {"key": "one", "keys": KEYS} if get(technique).needs_key else {}
            with pytest.raises(MaskingError) as refused:
                anonymized(CANARY, {"PHONE": operator(technique, parameters, **key)})
            assert CANARY not in "".join(traceback.format_exception(refused.value)) + repr(vars(refused.value))


@pytest.mark.parametrize("name", names())
def test_every_technique_works_or_says_why_not(name):
    """A technique of one value gives what the column gives; one that needs more is refused when it is made."""
    cls = get(name)
    example = cls.spec[0]
    alone = not cls.per_record() and not example.context
    key = {"key": "one", "keys": KEYS} if cls.needs_key else {}
    try:
        config = operator(name, dict(example.parameters), **key)
    except (UnsupportedColumn, InvalidParameter):
        assert not alone or hasattr(cls, "fit")
        return
    made = cls.build(example.parameters, attribute="a", key="one" if cls.needs_key else None, keys=MappingKeys(KEYS))
    for value in example.given:
        column = pa.array([value], None if example.type is None else pa.type_for_alias(example.type))
        expected = made.apply(column)[0].as_py()
        if isinstance(value, str):
            expected = "" if expected is None else str(expected)
        assert cell(value, config) == expected


@given(st.one_of(st.text(max_size=20), st.integers(-(2**40), 2**40)))
@settings(max_examples=50, deadline=None)
def test_cells_are_masked_as_columns_are(value):
    assert cell(value, keyed()) == token(value)


class TestMaking:
    def test_wrong_rules_are_refused_at_once(self):
        with pytest.raises(MaskingError, match=r"pseudonymization\.keyed"):
            operator("pseudonymization.key")
        with pytest.raises(UnkeyedToken):
            operator("pseudonymization.keyed", keys=KEYS)
        with pytest.raises(KeyMissing):
            operator("pseudonymization.keyed", key="gone", keys=KEYS)
        with pytest.raises(InvalidParameter):
            operator("generalization.rounding", {"base": 0})
        with pytest.raises(UnsupportedColumn, match="whole column"):
            operator("pseudonymization.sequence", key="one", keys=KEYS)

    @pytest.mark.parametrize("params", [None, {}, {"technique": "keep"}, {"technique": None}])
    def test_parameters_made_by_hand_are_refused(self, params):
        with pytest.raises(InvalidParamError):
            Masking().validate(params)
        with pytest.raises(InvalidParamError):
            Masking().operate(PHONE, params)
        with pytest.raises(InvalidParamError):
            anonymized(PHONE, {"PHONE": OperatorConfig(NAME, params)})

    def test_keys_are_not_shown(self):
        config = keyed()
        secret = config.params["technique"].secret
        for shown in (repr(config), str(config), repr(config.params), repr(vars(config))):
            assert repr(secret) not in shown
            assert secret.hex() not in shown

    def test_unknown_cells(self):
        class Cell:
            def __repr__(self):
                return CANARY

        for value in (Cell(), 2**80, [1, "a"], {"a": Cell()}):
            with pytest.raises((UnsupportedColumn, InvalidValue)) as refused:
                cell(value, keyed())
            assert CANARY not in "".join(traceback.format_exception(refused.value))


def test_presidio_structured_finds_the_operator(monkeypatch):
    """It makes a factory of its own for every run and takes no operator, so ours has to be among the predefined."""
    from presidio_anonymizer.operators import operators_factory

    monkeypatch.setattr(operators_factory, "ANONYMIZERS", list(operators_factory.ANONYMIZERS))
    with pytest.raises(InvalidParamError):
        OperatorsFactory().create_operator_class(NAME, OperatorType.Anonymize)
    register_everywhere()
    register_everywhere()
    assert operators_factory.ANONYMIZERS.count(Masking) == 1
    made = OperatorsFactory().create_operator_class(NAME, OperatorType.Anonymize)
    assert made.operate(text=PHONE, params=keyed().params) == token(PHONE)
    assert NAME in AnonymizerEngine().get_anonymizers()


def test_presidio_structured():
    structured = pytest.importorskip("presidio_structured")
    pandas = pytest.importorskip("pandas")
    register_everywhere()
    frame = pandas.DataFrame({"phone": [PHONE, None, PHONE], "age": [37, 41, 42]})
    analysis = structured.StructuredAnalysis(entity_mapping={"phone": "PHONE", "age": "AGE"})
    operators = {"PHONE": keyed(), "AGE": operator("generalization.rounding", {"base": 5})}
    masked = structured.StructuredEngine().anonymize(frame, analysis, operators)
    assert masked["phone"].tolist()[::2] == [token(PHONE)] * 2
    assert masked["phone"].isna().tolist() == [False, True, False]
    assert masked["age"].tolist() == [35, 40, 40]


def test_presidio_is_not_imported_with_masking():
    code = (
        "import sys, masking, masking.techniques, masking.detection; print([m for m in sys.modules if 'presidio' in m])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == "[]"
