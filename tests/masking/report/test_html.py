"""The page of a report: alone in the world, readable by everybody, and the public one without a raw figure."""

import dataclasses
import re
from html.parser import HTMLParser
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

import masking
from masking.policy import load
from masking.report import Cell, Distribution
from masking.reporting import svg, to_html
from masking.reporting.words import LOSS_NAMES, LOSSES, WITHHELD, WORDS

POLICY = """version: 1
dataset: visits
title: {zh: 就诊, en: Visits <b>}
level: L4
key_domains: {k: {datasets: [visits]}}
suppress:
  - any: [{column: age, at_least: 95}, {column: sex, equals: "?"}]
attributes:
  id: {role: direct_identifier, technique: pseudonymization.keyed, key: k, data_level: L4}
  age: {role: quasi_identifier, technique: generalization.bands, width: 10, title: {zh: 年龄（岁）, en: age (years)}}
  sex: {role: quasi_identifier, technique: keep}
  ill: {role: sensitive, data_level: L4, title: {zh: 诊断, en: diagnosis}}
  cost: {role: sensitive, technique: generalization.rounding, base: 50, title: {zh: 费用（元）, en: cost (yuan)}, when: {column: age, below: 80}, otherwise: {technique: generalization.rounding, base: 100}}
  gone: {role: quasi_identifier, technique: suppression.drop}
limits: {k_anonymity: 5, suppression: 0.2}
"""
HOSTILE = "</text><script>alert(1)</script>\u202e"


@pytest.fixture(scope="module")
def report():
    r = np.random.default_rng(1)
    rows = 2000
    table = pa.table(
        {
            "id": [f"SECRET{n}" for n in range(rows)],
            "age": r.integers(20, 90, rows),
            "sex": np.array(["f", "m"])[r.integers(0, 2, rows)],
            "ill": np.array(["I10", "E11", HOSTILE])[r.integers(0, 3, rows)],
            "cost": np.round(np.exp(r.normal(5, 1, rows)), 2),
            "gone": r.integers(0, 1000, rows) + 0.5,
        }
    )
    return masking.apply(POLICY, table, {"k": b"k" * 32}).report


class Page(HTMLParser):
    """Tags, attributes, text, and whether every element is closed in order."""

    VOID = frozenset({"meta", "br", "rect", "line", "hr"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(SimpleNamespace(tag=tag, attrs=dict(attrs), inside=tuple(self.open)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append(SimpleNamespace(tag=tag, attrs=dict(attrs), inside=tuple(self.open)))

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    def named(self, tag):
        return [each for each in self.tags if each.tag == tag]


PAGES = [(lang, kind) for lang in ("zh", "en") for kind in ("internal", "public")]


@pytest.mark.parametrize(("lang", "kind"), PAGES)
def test_it_loads_nothing_and_runs_nothing(report, lang, kind):
    text = to_html(report, lang, kind)
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "image", "use", "form"} & {each.tag for each in page.tags}
    for each in page.tags:
        for name, value in each.attrs.items():
            assert name not in {"src", "href", "xlink:href"}
            assert not name.startswith("on")
            assert "//" not in (value or "") or name == "xmlns"
    assert not re.search(r"@import|url\((?!#)|expression\(", text)
    csp = [each.attrs for each in page.named("meta") if each.attrs.get("http-equiv") == "Content-Security-Policy"]
    assert csp == [
        {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"}
    ]


@pytest.mark.parametrize(("lang", "kind"), PAGES)
def test_everybody_can_read_it(report, lang, kind):
    page = Page(to_html(report, lang, kind))
    assert page.named("html")[0].attrs["lang"].startswith(lang)
    levels = [int(each.tag[1]) for each in page.tags if re.fullmatch("h[1-6]", each.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert len(page.named("caption")) == len(page.named("table")) > 3
    assert all(each.attrs.get("scope") in {"row", "col"} for each in page.named("th"))
    drawings = page.named("svg")
    assert len(drawings) >= (9 if kind == "internal" else 4)
    assert all(each.attrs["role"] == "img" for each in drawings)
    for tag in ("title", "desc"):
        assert len([each for each in page.named(tag) if each.inside[-1:] == ("svg",)]) == len(drawings)


def test_levels_and_grades_are_words(report):
    chinese, english = (" ".join(Page(to_html(report, lang)).texts) for lang in ("zh", "en"))
    for words in ("L4 敏感", "去标识化效果 3 级：风险可接受", "去标识化", "直接标识符", "年龄（岁）", "费用（元）"):
        assert words in chinese
    for words in ("L4 sensitive", "de-identification effect 3: risk acceptable", "de-identified", "age (years)"):
        assert words in english
    assert "测试数据" not in chinese
    marked = dataclasses.replace(report, test_data=True)
    assert "测试数据" in to_html(marked, "zh")
    assert "test data" in to_html(marked, "en")
    assert "(age ≥ 95) ∨ (sex = ?)" in english
    assert not re.search(r"[\u4e00-\u9fff]", english)


def test_the_public_page_tells_no_raw_figure(report):
    text = to_html(report, "en", "public")
    assert text == to_html(report.public(), "en")
    assert svg.BEFORE not in text
    assert svg.AFTER in text
    assert "gone" not in re.sub(r"(?s)<style>.*?</style>", "", text)
    assert "left out by the policy (records)" not in text
    internal = to_html(report, "en", "internal")
    assert svg.BEFORE in internal
    assert "left out by the policy (records)" in internal
    assert "→" not in text


def test_a_value_that_looks_like_markup_is_text(report):
    text = to_html(report, "en")
    assert "&lt;/text&gt;&lt;script&gt;alert(1)" in text
    assert "\u202e" not in text
    assert "Visits &lt;b&gt;" in text
    assert "SECRET" not in text


def test_a_link_to_the_other_language_only_if_asked(report):
    assert "<a " not in to_html(report)
    page = Page(to_html(report, "en", other="report.zh.html"))
    assert [each.attrs for each in page.named("a")] == [{"href": "report.zh.html", "hreflang": "zh", "lang": "zh"}]


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("rows", [0, 1, 50])
@pytest.mark.parametrize(
    "text",
    [
        "q: {role: insensitive}\n",
        "q: {role: quasi_identifier, technique: keep}\n",
        "q: {role: quasi_identifier, technique: keep}\naggregate: {by: [q], measures: {n: {count: '*'}}}\n",
    ],
)
def test_any_table_has_a_page(text, rows, lang):
    policy = load(f"version: 1\ndataset: x\nattributes:\n  {text}")
    report = masking.apply(policy, pa.table({"q": pa.array(range(rows), pa.int64())})).report
    for kind in ("internal", "public"):
        Page(to_html(report, lang, kind))


def test_histograms_draw_every_bin_and_hatch_those_that_are_wider():
    shown = Distribution(
        "histogram",
        (Cell(5, upper=10.0), Cell(20, lower=10.0, upper=20.0), Cell(5, lower=20.0, upper=40.0), Cell(9, lower=40.0)),
        step=10.0,
    )
    drawn = svg.distribution(shown, title="t", colour=svg.AFTER, lang="en")
    assert drawn.count('fill="url(#') == 3
    assert "&lt; 10: 13%; 10 – 20: 51%; 20 – 40: 13%; ≥ 40: 23%" in drawn
    months = Distribution("histogram", (Cell(5, upper=24240.0), Cell(5, lower=24240.0)), step=1.0, scale="month")
    assert "2020-01" in svg.distribution(months, title="t", colour=svg.AFTER, lang="en")
    single = Distribution("histogram", (Cell(5),), step=1.0)
    assert "–: 100%" in svg.distribution(single, title="t", colour=svg.AFTER, lang="zh")


def test_long_labels_are_cut_by_width():
    drawn = svg.bars([("长" * 30, 1.0, "1")], title="t", description="d", colours=["#000"])
    assert "长" * 9 + "…" in drawn


def test_every_word_has_two_languages():
    for words in (WORDS, LOSSES, LOSS_NAMES, WITHHELD):
        assert all(len(pair) == 2 and all(pair) for pair in words.values())
    assert LOSSES.keys() == LOSS_NAMES.keys()
