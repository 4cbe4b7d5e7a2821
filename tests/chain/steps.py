"""Steps of the chain as people take them through the portal's API; shared by tests of the whole."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from typing import Any

import polars as pl

ANSWERS = {
    "state_secret": "no",
    "important_data": "no",
    "trade_secret": "no",
    "mosaic": "no",
    "impact_assessment": "yes",
}


def create_dataset(client, name: str, **fields: Any) -> Mapping[str, Any]:
    return client.post(
        "/api/v1/datasets",
        json={
            "name": name,
            "title": {"zh": f"测试 {name}", "en": f"test {name}"},
            "summary": {"zh": "测试用", "en": "for tests"},
            "theme": "测试",
            "keywords": ["测试"],
            "update_frequency": "P1Y",
            "visibility": "public",
            **fields,
        },
    )


def upload(client, name: str, data: bytes, filename: str = "table.csv") -> Mapping[str, Any]:
    started = client.post(f"/api/v1/datasets/{name}/intakes", params={"filename": filename}, content=data)
    client.wait_job(started["job"])
    return client.get(f"/api/v1/intakes/{started['intake']}")


def save_policy(client, name: str, yaml: str) -> str:
    answer = client.put(
        f"/api/v1/datasets/{name}/policy", content=yaml.encode(), headers={"Content-Type": "application/yaml"}
    )
    return answer["version"]


def start_build(client, intake: str, policy: str, opening_class: str) -> Mapping[str, Any]:
    return client.post(
        "/api/v1/editions",
        json={
            "intake": intake,
            "policy_version": policy,
            "opening_class": opening_class,
            "legal_basis": "个人信息保护法 第十三条",
            "checklist": {key: {"answer": answer, "note": ""} for key, answer in ANSWERS.items()},
            "assessment": {"purpose": "测试", "necessity": "测试", "risk": "低", "safeguards": "测试"},
        },
    )


def build(client, intake: str, policy: str, opening_class: str) -> Mapping[str, Any]:
    started = start_build(client, intake, policy, opening_class)
    client.wait_job(started["job"])
    return client.get(f"/api/v1/editions/{started['edition']}")


def review(officer, reviewer, edition: str) -> Mapping[str, Any]:
    officer.post(f"/api/v1/editions/{edition}/submit")
    approved = reviewer.post(
        f"/api/v1/editions/{edition}/approve", json={"opinion": "数据范围与脱敏方法已核对，同意发布。"}
    )
    reviewer.wait_job(approved["job"])
    return officer.get(f"/api/v1/editions/{edition}")


def publish(
    service, name: str, data: bytes, policy: str, *, opening_class: str, officer: str = "officer-social"
) -> Mapping[str, Any]:
    """From file to catalogue; returns the published edition."""
    person = service.client(officer)
    create_dataset(person, name)
    intake = upload(person, name, data)
    edition = build(person, intake["id"], save_policy(person, name, policy), opening_class)
    return review(person, service.client("reviewer"), edition["id"])


def open_workspace(
    service,
    name: str,
    datasets: list[str],
    *,
    title: str,
    purpose: str,
    officers: tuple[str, ...] = ("officer-social",),
) -> str:
    """A workspace of the researcher, agreed to by the providing departments and a reviewer, its data prepared."""
    researcher = service.client("researcher")
    researcher.post(
        "/api/v1/workspaces",
        json={
            "name": name,
            "title": title,
            "purpose": purpose,
            "datasets": datasets,
            "term_days": 30,
            "pledge": {"version": researcher.get("/api/v1/workspaces/pledge")["version"], "name": "研究员 顾思远"},
        },
    )
    for person in (*officers, "reviewer"):
        if researcher.get(f"/api/v1/workspaces/{name}")["state"] == "applied":
            service.client(person).post(f"/api/v1/workspaces/{name}/approve", json={"reason": "目的明确"})
    deadline = time.monotonic() + 300
    while not all(each["prepared_at"] for each in researcher.get(f"/api/v1/workspaces/{name}/datasets")["datasets"]):
        assert time.monotonic() < deadline, "the workspace's data was not prepared"
        time.sleep(0.3)
    return name


def grant(service, name: str, *, applicant: str = "enterprise", officer: str = "officer-social") -> str:
    """Apply, be approved, and get an app key."""
    firm, department = service.client(applicant), service.client(officer)
    asked = firm.post(
        f"/api/v1/datasets/{name}/requests",
        json={
            "scenario": "自动测试场景",
            "purpose": f"test-{name}",
            "term_days": 30,
            "safeguards": "专人管理与审计",
            "pledge": True,
        },
    )
    decided = department.post(f"/api/v1/requests/{asked['id']}/approve", json={"reason": "用途明确，同意。"})
    if decided.get("job"):
        department.wait_job(decided["job"])
    return firm.post(f"/api/v1/grants/{decided['grant']}/keys")["key"]


def people(rows: int = 12_000) -> pl.DataFrame:
    """A small table of invented persons in groups that reach k = 5."""
    from masking.detection.invented import resident_ids

    years = [1940 + index % 4 * 10 for index in range(rows)]
    male = [index % 2 == 0 for index in range(rows)]
    import numpy as np

    return pl.DataFrame(
        {
            "resident_id": resident_ids(np.array(years), np.array(male), seed=7),
            "name": [f"测试{index:04d}" for index in range(rows)],
            "age": [2020 - year for year in years],
            "sex": ["男" if each else "女" for each in male],
            "visits": [index % 7 for index in range(rows)],
        }
    )


def csv(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_csv(buffer)
    return buffer.getvalue()


PEOPLE_POLICY = """\
version: 1
dataset: {name}
title: {{zh: 测试, en: test}}
unit: resident_id
attributes:
  resident_id: {{role: direct_identifier, technique: {id_technique}}}
  name: {{role: direct_identifier, technique: suppression.drop}}
  age: {{role: quasi_identifier, technique: generalization.bands, width: 10}}
  sex: {{role: quasi_identifier, technique: keep}}
  visits: {{role: sensitive, technique: keep}}
limits: {{k_anonymity: 5, suppression: 0.05}}
"""


def people_policy(name: str, *, keyed: bool) -> str:
    return PEOPLE_POLICY.format(
        name=name, id_technique=f"pseudonymization.keyed, key: {name}" if keyed else "suppression.drop"
    )
