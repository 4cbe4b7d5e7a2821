"""The chain in a browser: an officer masks and submits, a reviewer approves, a visitor downloads and verifies."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from secrets import token_hex

import polars as pl
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Browser
from tests.chain.steps import csv, people

pytestmark = pytest.mark.integration
ROWS = 3_000


def test_from_raw_table_to_verified_download(browser: Browser, tmp_path: Path) -> None:
    raw = people(ROWS).rename({"visits": "hosp"})  # hospital stays: health data, so only a table of counts may leave
    officer = browser.page("officer-health")
    create_entry(officer, browser.service.url, f"in-browser-{token_hex(3)}")
    upload(officer, tmp_path / "visits.csv", csv(raw))
    confirm_findings(officer)
    mask_with_the_form(officer, raw)
    edition = build_and_submit(officer)

    reviewer = browser.page("reviewer")
    approve(reviewer, browser.service.url, edition)

    visitor = browser.page()
    download_and_verify(visitor, browser.service.url, tmp_path, raw)
    assert browser.complaints == []


def create_entry(page: Page, url: str, name: str) -> None:
    page.goto(f"{url}/console/datasets/new")
    page.get_by_label("标识").fill(name)
    page.get_by_label("中文名称").fill("浏览器里的就诊记录")
    page.get_by_label("英文名称").fill("Visits in a browser")
    page.get_by_label("中文摘要").fill("浏览器测试用的就诊汇总。")
    page.get_by_label("英文摘要").fill("Visits for the browser test.")
    page.get_by_label("主题").select_option(label="医疗卫生")
    page.get_by_role("button", name="保存", exact=True).click()
    page.wait_for_url(f"**/console/datasets/{name}")


def upload(page: Page, file: Path, data: bytes) -> None:
    file.write_bytes(data)
    page.get_by_label("上传原始表").set_input_files(file)
    page.get_by_role("button", name="上传", exact=True).click()
    page.wait_for_url("**/console/jobs/*")
    page.get_by_role("link", name="查看结果").click()
    page.wait_for_url("**/console/intakes/*")


def confirm_findings(page: Page) -> None:
    """The identifier column is named first, with how many values passed the check, its role, level and clause."""
    first = page.get_by_role("list", name="直接标识符").get_by_role("listitem").first
    expect(first).to_contain_text("resident_id")
    expect(first).to_contain_text(f"{ROWS:,}/{ROWS:,} 通过 GB 11643")
    expect(first).to_contain_text(re.compile("L[34] .*敏感.*《个人信息保护法》"))
    page.get_by_role("button", name="确认级别，下一步").click()
    page.wait_for_url("**/policy?intake=*")


def mask_with_the_form(page: Page, raw: pl.DataFrame) -> None:
    """Five rows before and after; identifiers are covered; the form's change is kept in the YAML."""
    names = page.locator(".attribute").filter(has=page.get_by_role("heading", name="name", exact=True))
    names.get_by_label("属性角色").select_option(label="直接标识符")  # the officer knows better than the proposal
    page.get_by_label("每组至少几人（k）").fill("10")
    page.get_by_label("查看目的").fill("核对脱敏效果")
    page.get_by_role("button", name="用左侧表单预览").click()
    table = page.get_by_role("region", name="脱敏前与脱敏后")
    expect(table.locator("tr.before")).to_have_count(5)
    shown = table.inner_text()
    for value in (*raw["resident_id"].head(5), *raw["name"].head(5)):
        assert str(value) not in shown
    assert "●" in shown
    expect(page.get_by_role("img", name=re.compile("可被单独识别的人数：脱敏前"))).to_be_visible()
    page.get_by_role("button", name="保存表单为新版本").click()
    expect(page.get_by_role("status").first).to_contain_text("已保存为第 1 版")
    expect(page.get_by_label("策略文本，与左侧表单是同一份策略")).to_have_value(re.compile("k_anonymity: 10"))
    page.get_by_role("link", name="下一步：审查与生成").click()


def build_and_submit(page: Page) -> str:
    page.get_by_label("无条件开放").check()
    page.get_by_label("法律依据").fill("政府信息公开条例 第二十条")
    for question in page.get_by_role("group").filter(has_text="是否").all():
        question.get_by_label("是" if "影响评估" in question.inner_text() else "否", exact=True).check()
    for field in ("处理目的", "必要性", "对个人权益的影响与风险", "保护措施"):
        page.get_by_label(field).fill("仅发布汇总结果，用于公共卫生规划")
    page.get_by_role("button", name="生成发布版本").click()
    page.wait_for_url("**/console/jobs/*")
    page.get_by_role("link", name="查看结果").click()
    page.wait_for_url("**/console/editions/*")
    page.get_by_role("button", name="送审").click()
    expect(page.locator(".tags").first).to_contain_text("审核中")
    expect(page.get_by_role("button", name="批准并发布")).to_have_count(0)  # nobody approves the own work
    return page.url


def approve(page: Page, url: str, edition: str) -> None:
    page.goto(f"{url}/console/reviews")
    page.get_by_role("link", name="浏览器里的就诊记录").click()
    page.wait_for_url(edition)
    page.get_by_label("审核意见").fill("仅发布汇总数据，小于阈值的单元已隐去，同意。")
    page.get_by_role("button", name="批准并发布").click()
    page.wait_for_url("**/console/jobs/*")
    page.get_by_role("link", name="查看结果").click()
    expect(page.locator(".tags").first).to_contain_text("已发布")


def download_and_verify(page: Page, url: str, folder: Path, raw: pl.DataFrame) -> None:
    """Anyone finds it, downloads it, and the verify page says so; one flipped byte is not ours any more."""
    page.goto(url)
    page.get_by_label("检索数据集").fill("浏览器里的就诊")
    page.get_by_role("button", name="检索").click()
    page.get_by_role("link", name="浏览器里的就诊记录").click()
    with page.expect_download() as started:
        page.get_by_role("link", name="下载 CSV").click()
    file = folder / "download.csv"
    started.value.save_as(file)
    content = file.read_bytes()
    for value in (*raw["resident_id"], *raw["name"]):
        assert str(value).encode() not in content
    page.get_by_role("button", name="复制").first.click()
    command = page.evaluate("navigator.clipboard.readText()")
    rows = json.loads(subprocess.run(command, shell=True, capture_output=True, check=True, timeout=30).stdout)
    assert rows["rows"]
    assert verdict(page, url, file).startswith("一字不差")
    flipped = bytearray(content)
    flipped[-3] ^= 1
    file.write_bytes(flipped)
    assert verdict(page, url, file).startswith("不是本平台公开发布的文件")


def verdict(page: Page, url: str, file: Path) -> str:
    page.goto(f"{url}/verify")
    page.get_by_label("选择文件").set_input_files(file)
    page.get_by_role("button", name="核验").click()
    return page.locator(".notice").first.inner_text()
