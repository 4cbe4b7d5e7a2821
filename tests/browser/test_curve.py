"""The risk–utility curve in a browser: an officer compares plans, picks one, looks at it and builds the edition."""

from __future__ import annotations

import re
from pathlib import Path
from secrets import token_hex

import numpy as np
import polars as pl
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import AXE, Browser
from tests.browser.faults import faults
from tests.browser.test_pages import OVERFLOW
from tests.chain.steps import create_dataset, csv, save_policy
from tests.chain.steps import upload as brought

pytestmark = pytest.mark.integration
ROWS = 2_000
NARROW = 390
POLICY = """version: 1
dataset: NAME
level: L3
attributes:
  age: {role: quasi_identifier, technique: keep, title: {zh: 年龄, en: age}, reason: 年龄}
  sex: {role: quasi_identifier, technique: keep, title: {zh: 性别, en: sex}, reason: 性别}
  district: {role: quasi_identifier, technique: keep, title: {zh: 区划代码, en: division}, reason: 居住地}
  joined: {role: quasi_identifier, technique: generalization.date, to: month, title: {zh: 参保日期, en: joined}, reason: 日期}
  trade: {role: sensitive, technique: keep, title: {zh: 行业, en: trade}, reason: 行业}
limits: {k_anonymity: 5, suppression: 0.02}
"""


def insured(rows: int = ROWS) -> pl.DataFrame:
    """Invented insured persons: four quasi-identifiers and a trade."""
    draw = np.random.default_rng(5)
    districts = ["430102", "430103", "430104", "430105", "430111", "430202", "430203", "430302", "110101", "110102"]
    return pl.DataFrame(
        {
            "age": draw.integers(18, 70, rows),
            "sex": draw.choice(["男", "女"], rows),
            "district": draw.choice(districts, rows, p=[0.18, 0.16, 0.15, 0.13, 0.12, 0.08, 0.07, 0.06, 0.03, 0.02]),
            "joined": (np.datetime64("2001-01-01") + draw.integers(0, 365 * 20, rows)).astype("datetime64[D]"),
            "trade": draw.choice(["制造", "建筑", "零售", "餐饮", "教育", "医疗"], rows),
        }
    )


@pytest.fixture
def prepared(browser: Browser) -> tuple[str, str]:
    """A dataset with its intake and a draft: (name, intake)."""
    officer = browser.service.client("officer-social")
    name = f"curve-{token_hex(3)}"
    create_dataset(officer, name)
    intake = brought(officer, name, csv(insured()))
    save_policy(officer, name, POLICY.replace("NAME", name))
    return name, intake["id"]


def test_from_the_draft_over_the_curve_to_an_edition(
    browser: Browser, prepared: tuple[str, str], tmp_path: Path
) -> None:
    name, intake = prepared
    page = browser.page("officer-social")
    page.goto(f"{browser.service.url}/console/datasets/{name}/policy")
    page.get_by_role("link", name="风险—效用曲线").click()
    page.get_by_role("button", name="计算曲线").press("Enter")
    expect(page.get_by_role("img", name="风险—效用曲线")).to_be_visible()
    plans = page.get_by_role("region", name="各方案")
    rows = plans.get_by_role("row").filter(has=page.get_by_role("button"))
    assert rows.count() >= 8
    assert page.locator(".curve circle").count() + page.locator(".curve rect").count() == rows.count()

    page.get_by_role("button", name="用这个方案：● 局部，k=5").press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("已按所选方案写成第 2 版")
    yaml = page.get_by_label("策略文本，与左侧表单是同一份策略")
    expect(yaml).to_have_value(re.compile(r"generalization\.recoding[\s\S]*k_anonymity: 5"))
    expect(page.get_by_label("最低层级（0 为原值）").last).to_have_value("1")  # joined: no finer than its month

    page.get_by_label("查看目的").fill("核对方案")
    page.get_by_role("button", name="用左侧表单预览").click()
    table = page.get_by_role("region", name="脱敏前与脱敏后")
    expect(table.locator("tr.after")).to_have_count(5)
    expect(page.get_by_role("img", name=re.compile("脱敏后 0 ，|脱敏后 0，"))).to_be_visible()

    page.goto(f"{browser.service.url}/console/intakes/{intake}/curve")
    expect(plans.get_by_role("row").filter(has_text="当前策略")).to_contain_text("● 局部")
    build(page, browser.service.url, name)
    assert browser.complaints == []


def build(page: Page, url: str, name: str) -> None:
    page.goto(f"{url}/console/datasets/{name}/build")
    page.get_by_label("有条件开放").check()
    page.get_by_label("法律依据").fill("个人信息保护法 第十三条")
    for question in page.get_by_role("group").filter(has_text="是否").all():
        question.get_by_label("是" if "影响评估" in question.inner_text() else "否", exact=True).check()
    for field in ("处理目的", "必要性", "对个人权益的影响与风险", "保护措施"):
        page.get_by_label(field).fill("科研，见报告")
    page.get_by_role("button", name="生成发布版本").click()
    page.wait_for_url("**/console/jobs/*")
    page.get_by_role("link", name="查看结果").click()
    page.wait_for_url("**/console/editions/*")
    expect(page.locator(".tags").first).to_contain_text("草稿")


def test_form_errors_stand_beside_their_fields(browser: Browser, prepared: tuple[str, str]) -> None:
    name, _ = prepared
    page = browser.page("officer-social", width=NARROW)
    page.goto(f"{browser.service.url}/console/datasets/{name}/policy")
    page.get_by_text("更多限值").click()
    page.get_by_label("单人最高风险").fill("7")
    page.get_by_role("button", name="保存表单为新版本").press("Enter")
    # The page's script takes the focus to the summary when it starts; a key before that would be lost on a slow machine.
    expect(page.locator(".govuk-error-summary")).to_be_focused()
    error = page.get_by_role("link", name="应为大于 0 且不大于 1 的数")
    error.press("Enter")
    expect(page.get_by_label("单人最高风险")).to_be_focused()
    expect(page.get_by_label("单人最高风险")).to_have_value("7")
    page.get_by_label("单人最高风险").fill("20%")
    page.get_by_role("button", name="保存表单为新版本").press("Enter")
    expect(page.get_by_label("策略文本，与左侧表单是同一份策略")).to_have_value(re.compile("max_risk: 0.2"))
    assert page.evaluate(OVERFLOW) <= 0


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_pages_fit_a_telephone_and_pass_axe(browser: Browser, prepared: tuple[str, str], language: str) -> None:
    name, intake = prepared
    page = browser.page("officer-social", language=language, width=NARROW)
    curve, policy = f"/console/intakes/{intake}/curve", f"/console/datasets/{name}/policy"
    page.goto(browser.service.url + curve)
    page.locator(f'form[action="{curve}"] button').click()
    expect(page.locator(".curve svg")).to_be_visible()
    found = []
    for path in (curve, policy, f"/console/intakes/{intake}"):
        page.goto(browser.service.url + path)
        for summary in page.locator("summary").all():
            summary.press("Enter")
        if (over := page.evaluate(OVERFLOW)) > 0:
            found.append(f"{path}: {over} px too wide")
        if AXE.is_file():
            found += [f"{path}: {each}" for each in faults(page)]
    assert found == []
    assert browser.complaints == []
