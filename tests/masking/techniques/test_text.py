"""Free text: what detection finds never stays, equal values stay equal, surrogates are recognisably invalid."""

import re
import traceback

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking.detection import Detector
from masking.detection.detector import FOUND, TYPES
from masking.detection.invented import resident_ids
from masking.errors import InvalidParameter, UnkeyedToken, UnsupportedColumn
from masking.keys import MappingKeys
from masking.techniques import get
from masking.techniques.text import SHAPES, canonical, replace_spans

KEYS = MappingKeys({"one": bytes(range(32)), "other": bytes(range(1, 33))})
ID = resident_ids([1985], [True], seed=3)[0]
SAMPLES = {
    "PHONE": "13800000000",
    "ID_CARD": ID,
    "EMAIL": "wang.wu@163.com",
    "BANK_CARD": "6222021234567890128",
    "LICENSE_PLATE": "浙A12345",
    "USCC": "91350100M000100Y43",
    "IP": "10.1.2.3",
    "PERSON": "王小明",
}
CUES = {"PERSON": "患者"}
TEXT = "，".join(f"{CUES.get(name, '')}{value}" for name, value in SAMPLES.items())


def build(name, key="one", **parameters):
    cls = get(f"text.{name}")
    return cls.build(parameters, attribute="remark", key=key if cls.needs_key else None, keys=KEYS)


def masked(name, texts, key="one", **parameters):
    return build(name, key, **parameters).apply(pa.array(texts)).to_pylist()


def test_the_samples_are_found():
    assert {(f.type, TEXT[f.start : f.end]) for f in Detector().find(TEXT)} == set(SAMPLES.items())


@pytest.mark.parametrize("name", ["redact", "token", "surrogate"])
def test_nothing_found_stays(name):
    (text,) = masked(name, [TEXT])
    assert not [value for value in SAMPLES.values() if value in text]
    assert text.count("，") == TEXT.count("，")


def test_redaction_names_types():
    assert masked("redact", [TEXT]) == ["，".join(f"{CUES.get(name, '')}<{name}>" for name in SAMPLES)]


def test_tokens_name_types_and_depend_on_value_and_key():
    (text,) = masked("token", [TEXT])
    tokens = re.findall("<([A-Z_]+):([0-9a-f]{16})>", text)
    assert [name for name, _ in tokens] == list(SAMPLES)
    assert len({token for _, token in tokens}) == len(SAMPLES)
    (other,) = masked("token", [TEXT], key="other")
    assert not {token for _, token in tokens} & {token for _, token in re.findall("<([A-Z_]+):([0-9a-f]{16})>", other)}


def test_tokens_are_not_those_of_the_column():
    """The docs say so: a text does not join the table it stands in."""
    keyed = get("pseudonymization.keyed").build({}, attribute="a", key="one", keys=KEYS)
    assert keyed.apply(pa.array(["13800000000"]))[0].as_py() not in masked("token", ["13800000000"])[0]


@pytest.mark.parametrize("name", ["token", "surrogate"])
@pytest.mark.parametrize(
    ("type_", "spellings"),
    [
        (
            "PHONE",
            [
                "13800000000",
                "138-0000-0000",
                "138 0000 0000",
                "+86 13800000000",
                "１３８００００００００",
                "一三八零零零零零零零零",
            ],
        ),
        ("ID_CARD", [ID, f"{ID[:6]} {ID[6:14]} {ID[14:]}", ID.lower()]),
        ("EMAIL", ["wang.wu@163.com", "Wang.Wu@163.COM", "wang.wu＠163.com"]),
        ("USCC", ["91350100M000100Y43", "91350100m000100y43"]),
    ],
)
def test_one_value_is_one_however_it_is_spelled(name, type_, spellings):
    assert {f.type for text in spellings for f in Detector().find(f"，{text}，")} == {type_}
    assert len(set(masked(name, [f"，{text}，" for text in spellings]))) == 1


def test_surrogates_are_consistent_across_texts_and_keys_decide():
    texts = ["电话13800000000", "请回拨 13800000000 ，谢谢", "无", None]
    first, second, none, null = masked("surrogate", texts)
    number = first.removeprefix("电话")
    assert second == f"请回拨 {number} ，谢谢"
    assert (none, null) == ("无", None)
    assert masked("surrogate", ["电话13800000000"], key="other") != [first]
    assert masked("surrogate", ["电话13800000000"]) == [first]


@pytest.mark.parametrize("name", [name for name in SAMPLES if name in SHAPES and name != "EMAIL"])
def test_surrogates_of_numbers_are_found_by_nobody(name):
    """200 surrogates, each after a cue for its type: detection takes none for an identifier of any type."""
    cue = {
        "PHONE": "电话",
        "ID_CARD": "身份证号",
        "BANK_CARD": "银行卡号",
        "LICENSE_PLATE": "车牌",
        "USCC": "信用代码",
    }[name]
    made = build("surrogate")
    spelled = made._replacements(name, pa.array([str(n) for n in range(200)])).to_pylist()
    assert len(set(spelled)) > 190
    shape = re.escape(SHAPES[name]).replace(r"\#", "[0-9]")
    assert all(re.fullmatch(shape, value) for value in spelled)
    assert not [f for value in spelled for f in Detector().find(f"{cue}{value}")]


def test_surrogates_of_mail_go_nowhere():
    (text,) = masked("surrogate", ["wang.wu@163.com"])
    assert re.fullmatch(r"u[0-9]{10}@example\.invalid", text)  # RFC 2606


def test_persons_are_marked():
    (text,) = masked("surrogate", ["患者王小明，复诊"])
    assert re.fullmatch("患者.+（化名），复诊", text)


@pytest.mark.parametrize("type_", FOUND)
def test_every_type_has_a_surrogate(type_):
    value = build("surrogate")._replacements(type_, pa.array(["x"]))[0].as_py()
    assert value
    assert value != "x"


def test_a_span_without_an_answer_is_redacted():
    """Whatever becomes of the answers, no span stays in clear."""
    assert replace_spans([TEXT], None, lambda _, values: pa.nulls(len(values), pa.string())) == masked("redact", [TEXT])


def test_types_that_are_not_looked_for_stay():
    assert masked("redact", ["13800000000 a@b.cn"], types=["EMAIL"]) == ["13800000000 <EMAIL>"]


def test_neighbours_of_one_type_stay_two():
    """Presidio would join spans that only a space parts; the count of identifiers would be wrong."""
    (text,) = masked("token", ["13800000000、13900000000 13700000000"])
    assert len(re.findall("<PHONE:", text)) == 3


@pytest.mark.parametrize("name", ["redact", "token", "surrogate"])
class TestRefusals:
    def test_types(self, name):
        for types in (["PHONES"], [], "PHONE", [1]):
            with pytest.raises(InvalidParameter):
                build(name, types=types)
        with pytest.raises(InvalidParameter, match="did you mean 'PHONE'"):
            build(name, types=["PHONES"])
        assert build(name, types=list(TYPES))

    def test_columns(self, name):
        for column in (pa.array([13800000000]), pa.array([["13800000000"]]), pa.array([b"13800000000"])):
            with pytest.raises(UnsupportedColumn) as refused:
                build(name).apply(column)
            assert "1380" not in "".join(traceback.format_exception(refused.value))


def test_tokens_need_a_key():
    for name in ("token", "surrogate"):
        with pytest.raises(UnkeyedToken):
            get(f"text.{name}").build({}, attribute="remark", keys=KEYS)


@pytest.mark.parametrize("name", ["redact", "token", "surrogate"])
@given(
    st.lists(
        st.one_of(
            st.none(),
            st.lists(st.sampled_from([*SAMPLES.values(), "，", " ", "患者", "无", "12345"]), max_size=5).map("".join),
            st.text(max_size=12),
        ),
        max_size=8,
    ),
    st.integers(0, 8),
)
@settings(max_examples=30, deadline=None)
def test_texts_without_findings_are_untouched_and_batches_do_not_matter(name, texts, cut):
    column = pa.array(texts, pa.string())
    made = build(name)
    whole = made.apply(column).to_pylist()
    assert made.apply(column.slice(0, cut)).to_pylist() + made.apply(column.slice(cut)).to_pylist() == whole
    for text, after in zip(texts, whole, strict=True):
        assert (text is None) == (after is None)
        findings = Detector().find(text or "")
        assert findings or text == after
        kept, start = [], 0
        for finding in findings:
            kept.append(text[start : finding.start])
            start = finding.end
        assert re.fullmatch(".+".join(map(re.escape, [*kept, (text or "")[start:]])), after or "", re.DOTALL)


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        ("PHONE", "+86 138-0000-0000", "13800000000"),
        ("PHONE", "008613800000000", "13800000000"),
        ("PHONE", "(+86)13800000000", "13800000000"),
        ("PHONE", "86138000000", "86138000000"),  # eleven digits: 86 is no country here
        ("PHONE", "幺三八〇〇〇〇〇〇〇〇", "13800000000"),
        ("LICENSE_PLATE", "浙a·12345", "浙A12345"),
        ("EMAIL", "Wang(at)163.com", "wang@163.com"),
        ("PERSON", "王 小明", "王小明"),
    ],
)
def test_canonical_spellings(type_, value, expected):
    assert canonical(type_, value) == expected


def test_no_token_in_a_text_is_a_number():
    import pyarrow as pa

    from masking.techniques.text import _lettered

    tokens = pa.array(["6222021234567890", "0000000000000000", "62220212345678a0", None])
    assert _lettered(tokens).to_pylist() == ["f222021234567890", "f000000000000000", "62220212345678a0", None]
