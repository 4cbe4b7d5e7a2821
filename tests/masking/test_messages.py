"""Every sentence that the library says has its Chinese, and the catalogue holds nothing else."""

import re
import string
import time

import pytest

from masking.errors import InvalidParameter, InvalidValue, MaskingError, PolicyError, UnknownAttribute, UnknownTechnique
from masking.messages import catalogue, in_chinese
from masking.policy import load
from tests.masking.sentences import sentences

FOREIGN = {"not YAML: {}"}  # what is filled in are the words of another library: Chinese leaves them out
HEAD = "version: 1\ndataset: a.b\nattributes:\n"


def test_catalogue_holds_exactly_what_is_said():
    said, known = sentences(), catalogue()
    assert len(said) > 200, "the reader of the source finds the sentences"
    missing = [f"{said[text]}: {text!r}" for text in said if text not in known]
    left_over = [repr(text) for text in known if text not in said]
    assert not missing, "add to masking/messages_zh.json:\n" + "\n".join(sorted(missing))
    assert not left_over, "remove from masking/messages_zh.json:\n" + "\n".join(sorted(left_over))


@pytest.mark.parametrize("english", sorted(catalogue()))
def test_translation_keeps_every_part(english):
    chinese = catalogue()[english]
    numbers = sorted(int(name) for _, name, _, _ in string.Formatter().parse(chinese) if name is not None)
    assert english in FOREIGN or numbers == list(range(english.count("{}"))), chinese
    chinese_of_filled = in_chinese(english.replace("{}", "7"))
    assert re.search(r"[\u4e00-\u9fff]", chinese_of_filled) or english == "true or false"


@pytest.mark.parametrize(
    ("error", "chinese"),
    [
        (InvalidParameter("base must be in (0, inf)").of("age").at(3), "属性 'age'：第 3 行：base 应大于 0 且有限"),
        (
            InvalidValue("not a date (2020-01-31)", count=2, first_rows=[4]).of("birth"),
            "属性 'birth'：2 个值不予接受（首先见于第 [4] 条记录，从 0 计）：不是日期（如 2020-01-31）",
        ),
        (
            UnknownTechnique.from_name("supression.drop", ["suppression.drop"]),
            "没有名为 'supression.drop' 的脱敏技术；是否应为 'suppression.drop'？；可用的有：['suppression.drop']",
        ),
        (
            UnknownAttribute(f"{UnknownAttribute.from_missing(['agee'], ['age'])}; did you mean 'age'?"),
            "脱敏策略列有属性 ['agee']，数据表的列为 ['age']；是否应为 'age'？",
        ),
    ],
)
def test_composed_sentences(error, chinese):
    assert in_chinese(str(error)) == chinese


@pytest.mark.parametrize(
    "policy",
    [
        "version: 2\ndataset: a.b\nattributes:\n  age: {role: insensitive}\n",
        "dataset: a.b\nattributes:\n  age: {role: insensitive}\n",
        "- a\n",
        "a: [\n",
        "a: &b 1\n",
        f"{HEAD}  age: insensitive\n",
        f"{HEAD}  age: {{role: quasi_identifier}}\n",
        f"{HEAD}  age: {{role: quasi}}\n",
        f"{HEAD}  age: {{role: quasi_identifier, technique: generalization.roundd}}\n",
        f"{HEAD}  age: {{role: quasi_identifier, technique: hash.md5}}\n",
        f"{HEAD}  age: {{role: quasi_identifier, technique: generalization.round}}\n",
        f"{HEAD}  age: {{role: quasi_identifier, technique: generalization.round, bas: 5}}\n",
        f"{HEAD}  age: {{role: quasi_identifier, technique: generalization.round, algorithm: 5}}\n",
        f"{HEAD}  age: {{role: quasi_identifier, technique: generalization.round, base: five}}\n",
        f"{HEAD}  age: {{role: insensitive}}\nlimits: {{k_anonymity: many}}\n",
        f"{HEAD}  age: {{role: insensitive}}\nlimits: {{k_anonymity: 0}}\n",
        f"{HEAD}  age: {{role: insensitive}}\nlimits: {{suppression: 2}}\n",
        f"{HEAD}  age: {{role: insensitive}}\nlimit: {{suppression: 2}}\n",
        f"{HEAD}  age: {{role: insensitive}}\ntest_data: maybe\n",
        f"{HEAD}  age: {{role: insensitive, when: {{column: age, at_least: true}}}}\n",
        f"{HEAD}  age: {{role: insensitive, when: {{column: age}}}}\n",
    ],
)
def test_load_errors_are_chinese_throughout(policy):
    with pytest.raises(PolicyError) as refused:
        load(policy)
    assert_chinese(refused.value)


def assert_chinese(error: MaskingError) -> None:
    chinese = in_chinese(str(error))
    prose = re.sub(r"'[^']*'|\[[^\]]*\]|`[^`]*`", "", chinese)
    assert re.search(r"[\u4e00-\u9fff]", prose), chinese
    assert not re.search(r"\b(the|a|an|is|must|be|no|not|has|needs|of|did|known|line|attribute)\b", prose), chinese


@pytest.mark.parametrize("text", ["a or b: ", "must be needs ; known: ", "line 1: ", "attribute 'a': ", "x"])
def test_typed_text_of_any_length_is_no_trap(text):
    started = time.process_time()
    for times in (100, 2_000, 100_000):
        assert in_chinese(f"attribute {text * times!r} has no entry")
    assert time.process_time() - started < 20


def test_other_sentences_stay():
    for sentence in ("", "任务已取消（cancelled）", "内部错误（KeyError）；未发布任何内容，详情见服务日志"):
        assert in_chinese(sentence) == sentence
